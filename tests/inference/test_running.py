"""Modes against straightforward reimplementations over full arrays."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from scorers import MEAN, CentreScorer, ConvolutionScorer, NoiseScorer, picture
from small_networks import small_network

from pspgui.imaging import scratch
from pspgui.inference.argmax import full_resolution_labels
from pspgui.inference.blending import ModeBands
from pspgui.inference.errors import Cancelled, ImageTooLargeError
from pspgui.inference.modes import CellScores, InferenceMode
from pspgui.inference.planning import ModePlan, forecast
from pspgui.inference.predictor import Predictor
from pspgui.inference.protocols import protocol
from pspgui.inference.running import _Run, _Watch, progressive, run_mode
from pspgui.models.checkpoints import LoadedModel


def network_logits(scorer, pixels):
    """Return (N, H, W) logits of float RGB pixels by torch's own interpolation."""
    cells = scorer.cell_scores(pixels)
    logits = F.interpolate(
        torch.from_numpy(cells.scores)[None], cells.padded, mode="bilinear",
        align_corners=cells.align_corners,
    )  # fmt: skip
    return logits[0, :, : cells.shape[0], : cells.shape[1]]


def semseg_probabilities(scorer, pixels, scales, base, crop):
    """Return (H, W, N) float64 probabilities as semseg's test protocol defines them."""
    height, width = pixels.shape[:2]
    total = np.zeros((height, width, len(scorer.classes)))
    for scale in scales:
        long = round(scale * base)
        size = [long, long]
        if height > width:
            size[1] = round(long / float(height) * width)
        else:
            size[0] = round(long / float(width) * height)
        scaled = cv2.resize(pixels.astype(np.float32), (size[1], size[0]))
        gap = [max(crop - side, 0) for side in size]
        before = [g // 2 for g in gap]
        framed = cv2.copyMakeBorder(
            scaled, before[0], gap[0] - before[0], before[1], gap[1] - before[1],
            cv2.BORDER_CONSTANT, value=[255 * m for m in MEAN],
        )  # fmt: skip
        total += cv2.resize(
            _windowed(scorer, framed, crop)[
                before[0] : before[0] + size[0], before[1] : before[1] + size[1]
            ],
            (width, height),
        )
    return total / len(scales)


def _windowed(scorer, framed, crop):
    stride = math.ceil(crop * 2 / 3)
    height, width = framed.shape[:2]
    total = np.zeros((height, width, len(scorer.classes)))
    count = np.zeros((height, width, 1))
    for row in range(math.ceil((height - crop) / stride) + 1):
        for column in range(math.ceil((width - crop) / stride) + 1):
            y, x = min(row * stride, height - crop), min(column * stride, width - crop)
            window = np.ascontiguousarray(framed[y : y + crop, x : x + crop])
            plain = network_logits(scorer, window).softmax(0)
            mirrored = network_logits(scorer, np.ascontiguousarray(window[:, ::-1])).softmax(0)
            both = (plain + mirrored.flip(2)) / 2
            total[y : y + crop, x : x + crop] += both.permute(1, 2, 0).numpy()
            count[y : y + crop, x : x + crop] += 1
    return total / count


def all_values(scorer, pixels, mode, step=7):
    """Return the (N, H, W) averages that a mode's labels are taken from, in odd bands."""
    run = _Run(scorer, pixels, ModePlan.of(scorer, pixels.shape[:2], mode), _Watch(None, None))
    bands = ModeBands(run.plan, run._read)
    height = pixels.shape[0]
    return np.concatenate(
        [bands.band(y, min(y + step, height), lambda: None) for y in range(0, height, step)], axis=1
    )


@pytest.mark.parametrize(
    ("shape", "base", "crop"),
    [
        ((61, 83), 83, 41),
        ((83, 61), 90, 41),
        ((30, 50), 40, 73),  # smaller than the crop both ways, odd paddings
        ((57, 70), 70, 41),  # one pixel is left over after two windows: 41 + 28 + 1
        ((20, 97), 97, 33),
        ((97, 90), 41, 41),
    ],
)
@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1.0, 1.75)])
def test_semseg_is_reproduced(shape, base, crop, scales):
    scorer, pixels = ConvolutionScorer(), picture(*shape)
    mode = protocol("semseg-ss", base_size=base, crop=(crop, crop), scales=scales)

    expected = semseg_probabilities(scorer, pixels, scales, base, crop)
    found = all_values(scorer, pixels, mode)
    result = run_mode(scorer, pixels, mode, confidence=True)

    assert found.shape == (4, *shape)
    assert np.abs(np.moveaxis(found, 0, -1) - expected).max() < 1e-5
    ordered = np.sort(expected, axis=2)
    clear = ordered[..., -1] - ordered[..., -2] > 2e-5
    assert clear.mean() > 0.99
    assert np.array_equal(result.labels[clear], expected.argmax(axis=2)[clear])
    assert np.abs(result.confidence - ordered[..., -1]).max() < 1e-5
    assert result.notes == ()


def test_semseg_on_a_real_network_equals_its_plain_forward():
    model = small_network(output_stride=8, normalisation={"mean": MEAN})
    predictor = Predictor.of(LoadedModel(model, model.spec, "random", Path(), "digest", ()), "cpu")
    pixels = picture(50, 61)

    class Plain:
        classes = model.spec.classes

        @staticmethod
        def cell_scores(window):
            norm = model.spec.normalisation
            scaled = torch.from_numpy(np.float32(window)) / 255 - torch.tensor(norm.mean)
            batch = (scaled / torch.tensor(norm.std)).permute(2, 0, 1)[None]
            with torch.inference_mode():
                logits = model(batch).main[0].numpy()
            return CellScores(logits, logits.shape[1:], window.shape[:2], True)

    expected = semseg_probabilities(Plain(), pixels, (0.75, 1.5), 61, 41)
    found = all_values(predictor, pixels, protocol("semseg-ss", crop=(41, 41), base_size=61,
                                                   scales=(0.75, 1.5)))  # fmt: skip

    assert np.abs(np.moveaxis(found, 0, -1) - expected).max() < 1e-5


@pytest.mark.parametrize(("shape", "crop"), [((69, 70), 41), ((97, 42), 41), ((33, 50), 41)])
@pytest.mark.parametrize("align_corners", [True, False])
def test_mmsegmentation_averages_logits_and_pads_nothing(shape, crop, align_corners):
    scorer = ConvolutionScorer(offset=0, align_corners=align_corners)
    pixels = picture(*shape)
    total, count = np.zeros((4, *shape)), np.zeros(shape)
    stride, window = 27, [min(crop, side) for side in shape]
    for row in range(max(shape[0] - crop + stride - 1, 0) // stride + 1):
        for column in range(max(shape[1] - crop + stride - 1, 0) // stride + 1):
            y = max(min(row * stride + crop, shape[0]) - crop, 0)
            x = max(min(column * stride + crop, shape[1]) - crop, 0)
            part = np.s_[y : y + window[0], x : x + window[1]]
            total[(slice(None), *part)] += network_logits(scorer, pixels[part]).numpy()
            count[part] += 1

    mode = protocol("mmseg-slide", crop=(crop, crop), stride=(stride, stride))

    assert np.abs(all_values(scorer, pixels, mode) - total / count).max() < 1e-4
    sure = torch.from_numpy(total / count).softmax(0).amax(0).numpy()
    assert np.abs(run_mode(scorer, pixels, mode, confidence=True).confidence - sure).max() < 1e-5


def test_the_whole_image_in_one_pass_gives_the_exact_labels():
    scorer, pixels = ConvolutionScorer(), picture(50, 71)
    cells = scorer.cell_scores(pixels)
    expected = full_resolution_labels(cells.scores, cells.padded, cells.shape, True)

    for name in ("whole", "mmseg-whole"):
        result = run_mode(scorer, pixels, protocol(name))
        assert np.array_equal(result.labels, expected)
        assert (result.passes, result.notes, result.preview) == (1, (), False)
    # The way over bands, which asking for the confidence takes, agrees.
    assert (run_mode(scorer, pixels, protocol("whole"), confidence=True).labels == expected).all()


def test_logits_far_apart_do_not_vanish():
    class Extreme(CentreScorer):
        @staticmethod
        def function(pixels):
            return CentreScorer.function(pixels) * 400

    pixels = np.zeros((9, 9, 3), np.uint8)
    pixels[:4, :, 0], pixels[4:, :, 1], pixels[:, :, 2] = 255, 255, 40
    mode = InferenceMode(mirror=True)

    values = all_values(Extreme(), pixels, mode)

    assert np.isfinite(values).all()
    assert np.allclose(values.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(("height", "width"), [(41, 57), (38, 45)])
def test_shifted_passes_stitch_to_the_dense_function(factor, mirror, height, width):
    scorer, pixels = CentreScorer(), picture(height, width)
    mode = InferenceMode(shift=factor, blend="logits", mirror=mirror)

    found = all_values(scorer, pixels, mode)
    step = 8 // factor
    dense = CentreScorer.function(pixels)

    assert len(scorer.shown) == factor**2 * (1 + mirror)
    exact = np.ones((height, width), bool)
    if mirror:  # cells of the mirrored picture stand at its own multiples of the step
        exact[:, np.arange(width) % step != (width - 1) % step] = False
    keep = exact[::step, ::step]
    assert np.abs(found - dense)[:, ::step, ::step][:, keep].max() < 1e-3
    assert factor < 8 or np.abs(found - dense)[:, exact].max() < 1e-3


@pytest.mark.parametrize(("stride", "factor"), [(5, 5), (9, 3), (8, 4), (8, 2), (8, 8)])
def test_shifted_passes_without_align_corners(stride, factor):
    scorer = CentreScorer(stride, 0, align_corners=False)
    pixels = picture(5 * stride, 4 * stride)
    step = stride // factor

    found = all_values(scorer, pixels, InferenceMode(shift=factor, blend="logits"))
    dense = CentreScorer.function(pixels)

    centre = (stride - 1) / 2
    knots = np.arange(-(10 * stride), 10 * stride) * step + centre - (stride - step) // 2
    for y in range(stride, 4 * stride):
        for x in range(stride, 3 * stride):
            if y in knots and x in knots:  # a cell stands at this very pixel
                assert np.abs(found[:, y, x] - dense[:, y, x]).max() < 1e-3
    if factor == stride == 8:  # cells stand half a pixel off: means over their four neighbours
        blurred = cv2.sepFilter2D(pixels.astype(np.float32), -1, np.array([1, 2, 1]) / 4,
                                  np.array([1, 2, 1]) / 4)  # fmt: skip
        inner = np.s_[:, 8:-8, 8:-8]
        assert np.abs(found - CentreScorer.function(blurred))[inner].max() < 1e-2


def test_shift_works_in_windows_and_must_divide_the_stride():
    pixels = picture(60, 70)
    mode = InferenceMode(crop=(33, 33), shift=8, blend="logits")

    found = all_values(CentreScorer(), pixels, mode)

    assert np.abs(found - CentreScorer.function(pixels)).max() < 1e-3
    with pytest.raises(ValueError, match=r"does not divide.*choose one of 1, 2, 4, 8"):
        run_mode(CentreScorer(), pixels, InferenceMode(shift=3))


def test_the_forecast_is_kept_by_a_large_run_of_150_classes():
    scorer, mode = NoiseScorer(150), protocol("semseg-ss", base_size=None)
    pixels = np.zeros((500, 2048, 3), np.uint8)

    for given in (mode.changed(mirror=False), mode.changed(mirror=False, base_size=900)):
        foreseen = forecast(scorer, pixels.shape[:2], given)
        peak, result = peak_bytes(scorer, pixels, given)
        assert result.passes == foreseen.passes
        assert foreseen.bytes / 3 < peak < foreseen.bytes

    assert forecast(scorer, (4096, 4096), mode).bytes < 1.5e9
    assert forecast(scorer, (8192, 8192), mode).bytes < 1.5e9


@pytest.mark.parametrize(
    "mode",
    [
        InferenceMode(),
        InferenceMode(mirror=True),
        InferenceMode(scales=(0.5, 1.5), crop=(97, 97)),
        InferenceMode(shift=4, crop=(129, 129)),
        InferenceMode(scales=(2.0,), blend="logits"),
    ],
)
def test_the_forecast_is_kept_by_every_kind_of_mode(mode):
    scorer, pixels = NoiseScorer(60), np.zeros((300, 411, 3), np.uint8)

    for sure in (False, True):
        peak, result = peak_bytes(scorer, pixels, mode, confidence=sure)
        foreseen = forecast(scorer, (300, 411), mode, sure)
        assert result.passes == foreseen.passes == len(scorer.shown)
        assert peak < foreseen.bytes
        scorer.shown.clear()


def peak_bytes(scorer, pixels, mode, **more):
    """Return what a run held at its fullest by Python's own count, and its result."""
    tracemalloc.start()
    try:
        result = run_mode(scorer, pixels, mode, **more)
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


def test_results_of_large_images_lie_over_files_and_are_the_same(monkeypatch):
    pixels, mode = picture(90, 70), InferenceMode(crop=(33, 33), stride=2 / 3)
    plain = run_mode(ConvolutionScorer(), pixels, mode, confidence=True)
    monkeypatch.setattr(scratch, "LARGE_BYTES", 1)
    large = run_mode(ConvolutionScorer(), pixels, mode, confidence=True)
    assert scratch.is_mapped(large.labels) and scratch.is_mapped(large.confidence)
    assert (large.labels == plain.labels).all() and (large.confidence == plain.confidence).all()


def test_cancelling_is_asked_before_every_pass_and_while_averaging():
    scorer, pixels = NoiseScorer(3), np.zeros((200, 200, 3), np.uint8)
    calls = []

    def after(count):
        calls.clear()
        return lambda: calls.append(1) or len(calls) > count

    with pytest.raises(Cancelled):
        run_mode(scorer, pixels, InferenceMode(crop=(97, 97)),
                 cancelled=lambda: len(scorer.shown) == 3)  # fmt: skip
    assert len(scorer.shown) == 3
    run_mode(scorer, pixels, InferenceMode(crop=(97, 97)), cancelled=after(10**6))
    assert len(calls) > 9 + 9
    with pytest.raises(Cancelled):
        next(progressive(scorer, pixels, InferenceMode(), cancelled=after(0)))


def test_no_long_work_lies_between_two_chances_to_stop():
    """Counted, not timed: each piece concerns one class, one chunk, one band or one batch."""
    pixels, calls = picture(160, 160), []

    def counted(scorer, mode, confidence=True):
        calls.clear()
        run_mode(scorer, pixels, mode, None, lambda: bool(calls.append(1)), confidence)
        return len(calls)

    few, many = (counted(NoiseScorer(n), InferenceMode(shift=8)) for n in (10, 110))
    # Sorting the stitched cells, the largest of each, and the difference: class by class.
    assert many - few >= 3 * 100
    # Labels straight from noise, where every class may win: rounds of a batch, not batches alone.
    few, many = (counted(NoiseScorer(n), InferenceMode(), False) for n in (10, 110))
    assert many - few >= 80
    # Enlarging a picture: a chance at every band of 64 rows.
    one, four = (counted(NoiseScorer(2), InferenceMode(scales=(s,)), False) for s in (1.01, 4.0))
    assert four - one >= 160 * 3 // 64


def test_labelling_asks_before_its_first_look_at_the_scores():
    class Untouched(np.ndarray):
        def argmax(self, *args, **kwargs):
            raise AssertionError("the scores were read")

    def stop():
        raise Cancelled

    scores = np.zeros((3, 4, 4), np.float32).view(Untouched)
    with pytest.raises(Cancelled):
        full_resolution_labels(scores, (25, 25), (25, 25), True, stop)


def test_progress_rises_to_one():
    seen = []
    run_mode(NoiseScorer(3), np.zeros((200, 200, 3), np.uint8), InferenceMode(crop=(97, 97)),
             progress=lambda fraction, text: seen.append((fraction, text)))  # fmt: skip

    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert seen[0] == (0, "Pass 1 of 9")


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError, ImageTooLargeError])
def test_what_does_not_fit_is_read_through_smaller_windows(error):
    class Full(NoiseScorer):
        def cell_scores(self, pixels, cancelled=None):
            if max(pixels.shape[:2]) > 150:
                raise error("full")
            return super().cell_scores(pixels, cancelled)

    result = run_mode(Full(3), np.zeros((400, 500, 3), np.uint8), InferenceMode())

    assert result.mode.crop == (129, 129)
    assert result.passes > 1
    assert [n for n in result.notes if "500 × 400" in n and "257 × 201" in n]
    assert "129 × 129" in result.notes[-1]
    with pytest.raises(ImageTooLargeError, match=r"500 × 400 pixels.*smaller copy"):
        run_mode(NoiseScorer(3, largest=100), np.zeros((400, 500, 3), np.uint8), InferenceMode())


def test_a_run_that_the_memory_cannot_hold_is_refused_before_the_first_pass(monkeypatch):
    monkeypatch.setattr("pspgui.inference.running.available_bytes", lambda device: 1 << 20)
    scorer = NoiseScorer(150)

    with pytest.raises(ImageTooLargeError, match=r"needs about \d+ MiB and 1 MiB are free"):
        run_mode(scorer, np.zeros((400, 500, 3), np.uint8), protocol("semseg-ms"))
    assert scorer.shown == []


def test_a_network_with_more_cells_than_its_stride_says_is_noticed(monkeypatch):
    class Fine(NoiseScorer):
        def cell_scores(self, pixels, cancelled=None):
            cells = super().cell_scores(pixels)
            return cells._replace(scores=cells.scores.repeat(8, 1).repeat(8, 2))

    monkeypatch.setattr("pspgui.inference.running.available_bytes", lambda device: 90 << 20)
    result = run_mode(Fine(40), np.zeros((300, 300, 3), np.uint8), InferenceMode())

    assert "The memory did not suffice" in result.notes[0]


def test_a_small_prediction_comes_first():
    scorer, pixels = ConvolutionScorer(), picture(61, 90)

    first, last = progressive(scorer, pixels, protocol("semseg-ss", base_size=90, crop=(41, 41)))

    assert scorer.shown[0] == (31, 45)
    assert first.preview
    assert not last.preview
    assert first.labels.shape == last.labels.shape == (61, 90)
    assert (first.labels == last.labels).mean() > 0.3
    large = NoiseScorer(3)
    assert next(progressive(large, np.zeros((4000, 3000, 3), np.uint8), InferenceMode())).preview
    assert max(large.shown[0]) <= 1200
    assert [r.preview for r in progressive(NoiseScorer(3, largest=129), pixels.repeat(5, 0),
                                           InferenceMode())] == [False]  # fmt: skip


def test_many_classes_give_wide_labels_and_no_image_is_refused():
    pixels = np.zeros((20, 20, 3), np.uint8)

    for mode in (InferenceMode(), InferenceMode(mirror=True)):
        assert run_mode(NoiseScorer(300), pixels, mode).labels.dtype == np.uint16
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        run_mode(NoiseScorer(3), pixels[..., 0], InferenceMode())
