"""The predictor against the plain network, on random and on real weights."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from small_networks import small_network

from pspgui.evidence import evidence_of
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.inference import predictor as predictor_module
from pspgui.inference.devices import choose_device, choose_precision
from pspgui.inference.errors import Cancelled, DeviceError, ImageTooLargeError
from pspgui.inference.predictor import Predictor
from pspgui.inference.reducing import reduced
from pspgui.models.checkpoints import LoadedModel

SHARED = Path(__file__).parents[3] / "shared"
WEIGHTS = SHARED / "weights" / "pspnet_mobilenetv2_camvid11.pth"
FRAMES = SHARED / "data" / "camvid"
needs_shared = pytest.mark.skipif(
    not (WEIGHTS.is_file() and FRAMES.is_dir()),
    reason="the real weights and images lie in ../shared, which is not here",
)


def small_predictor(**fields: object) -> Predictor:
    """Return a predictor on the CPU with a random network."""
    model = small_network(**fields)
    return Predictor.of(LoadedModel(model, model.spec, "random", Path(), "digest", ()), "cpu")


def plain_logits(predictor: Predictor, pixels: np.ndarray) -> torch.Tensor:
    """Return full-size logits (N, H, W) by the network's own forward."""
    spec = predictor.spec
    scaled = torch.tensor(pixels).permute(2, 0, 1).double() / 255
    norm = spec.normalisation
    mean, std = (torch.tensor(v).double()[:, None, None] for v in (norm.mean, norm.std))
    height, width = pixels.shape[:2]
    padded = torch.zeros((3, spec.size_rule.padded(height), spec.size_rule.padded(width)))
    padded[:, :height, :width] = (scaled - mean) / std
    with torch.inference_mode():
        return predictor.loaded.model(padded[None]).main[0, :, :height, :width]


def picture(height: int, width: int) -> np.ndarray:
    """Return a random image with some structure, read-only as decoded images are."""
    coarse = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    pixels = np.repeat(np.repeat(coarse, -(-height // 5), 0), -(-width // 5), 1)
    pixels = np.ascontiguousarray(pixels[:height, :width])
    pixels.flags.writeable = False
    return pixels


@pytest.mark.parametrize("stride", [8, 16])
@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (33, 40), (50, 91)])
def test_labels_are_those_of_the_plain_network(shape, align_corners, stride):
    predictor = small_predictor(output_stride=stride, align_corners=align_corners)
    pixels = picture(*shape)

    activations = predictor.set_image(pixels, "a picture")
    found = predictor.predict(activations)
    plain = plain_logits(predictor, pixels)
    best = plain.max(dim=0).values.numpy()
    chosen = np.take_along_axis(plain.numpy(), found.labels[None].astype(np.int64), axis=0)[0]

    assert found.labels.shape == shape
    assert (best - chosen).max() < 1e-4
    assert np.allclose(found.logits_at(0, 0), plain[:, 0, 0], atol=1e-4)
    assert found.stamp == ("a picture", "digest")
    assert found.seconds > activations.seconds > 0
    for array in (activations.features, activations.level_taps[0], activations.fused_cells):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert not array.flags.writeable
    assert activations.hidden.shape == (8, *activations.grid)


def test_evidence_adds_up_to_the_plain_networks_logit():
    predictor = small_predictor(align_corners=False)
    pixels = picture(45, 70)
    activations = predictor.set_image(pixels)
    plain = plain_logits(predictor, pixels)
    evidence = PSPEvidence(activations, predictor.weights)

    for y, x in ((0, 0), (44, 69), (0, 69), (44, 0), (20, 33)):
        found = evidence.at((y, x))
        best, rival = plain[:, y, x].topk(2).indices.tolist()
        assert abs(found.total - float(plain[best, y, x] - plain[rival, y, x])) < 1e-4


def test_progress_rises_to_one_and_hooks_are_gone():
    predictor = small_predictor()
    seen: list[float] = []

    predictor.set_image(picture(20, 20), progress=lambda fraction, text: seen.append(fraction))

    assert seen == sorted(seen)
    assert len(seen) > 20
    assert seen[-1] == 1
    assert not any(m._forward_pre_hooks for m in predictor.loaded.model.backbone.modules())


def test_cancel_stops_between_layers_and_the_next_image_works():
    predictor = small_predictor()
    calls: list[int] = []

    def after_five() -> bool:
        calls.append(1)
        return len(calls) > 5

    with pytest.raises(Cancelled):
        predictor.set_image(picture(20, 20), cancelled=after_five)
    assert len(calls) == 6
    activations = predictor.set_image(picture(20, 20))
    assert not np.array_equal(activations.scores[0], 0 * activations.scores[0])


def test_an_image_above_the_limit_is_seen_smaller_and_labelled_whole():
    predictor = replace(small_predictor(), max_pixels=2000)
    pixels = picture(25, 31).repeat(3, axis=0).repeat(3, axis=1)[:74, :92]

    large = predictor.set_image(pixels)
    small = predictor.set_image(picture(25, 31))
    prediction = predictor.predict(large)

    assert (large.reduction, small.reduction) == (3, 1)
    assert np.allclose(large.scores, small.scores, atol=1e-5)
    assert prediction.labels.shape == (74, 92)
    assert large.padded_shape == tuple(3 * side for side in small.padded_shape)
    for y, x in ((0, 0), (73, 91), (40, 17)):
        found = PSPEvidence(large, predictor.weights).at((y, x))
        logits = np.sort(prediction.logits_at(y, x))
        assert found.total == pytest.approx(logits[-1] - logits[-2], abs=1e-4)
        assert prediction.labels[y, x] == prediction.logits_at(y, x).argmax()


def test_reducing_averages_squares():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)

    assert reduced(pixels, 1) is pixels
    squares = pixels.reshape(2, 2, 3, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(reduced(pixels, 2) - squares).max() <= 0.5
    assert reduced(pixels, 5).shape == (1, 2, 3)


def test_an_image_that_fits_at_no_size_is_refused_with_a_way_out():
    predictor = replace(small_predictor(), max_pixels=20)

    with pytest.raises(ImageTooLargeError, match=r"60 × 50 pixels.*smaller copy"):
        predictor.set_image(picture(50, 60))


def test_memory_that_torch_does_not_get_is_said_in_a_sentence():
    predictor = small_predictor()

    class Greedy:
        device, name, precision = "cpu", "torch", "fp32"

        def run(self, images, watch=None):
            return (torch.empty(1 << 60),)

    greedy = replace(predictor, backend=Greedy())
    for read in (greedy.set_image, greedy.cell_scores):
        with pytest.raises(ImageTooLargeError, match="the memory ran out"):
            read(picture(33, 33))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_evidence_adds_up_to_the_logit_that_is_shown(backend, precision, tmp_path, monkeypatch):
    if backend == "torch" and precision == "int8":
        pytest.skip("int8 is OpenVINO's")
    needed = {"torch": (), "openvino": ("openvino",)}
    if not all(map(find_spec, needed[backend])):
        pytest.skip("the extra openvino is not installed")
    monkeypatch.setattr("pspgui.inference.backends.openvino_graphs.cache_folder", lambda: tmp_path)
    # A random network keeps few labels in 8 bits; this is about those it runs in all the same.
    monkeypatch.setattr("pspgui.inference.backends.mixing._GOAL", 0.0)
    model = small_network(backbone="resnet18", stages=2, output_stride=8)
    source = LoadedModel(model, model.spec, "random", Path(), "digest", ())
    pixels = picture(50, 91)
    predictor = Predictor.of(source, "cpu", precision, backend=backend, samples=[pixels])
    activations = predictor.set_image(pixels)
    evidence = evidence_of(activations, predictor.weights)

    for y, x in ((0, 0), (17, 63), (49, 90)):
        for class_id in range(len(predictor.classes)):
            found = evidence.at((y, x), Target(class_id))
            parts = found.constant + sum(source.value for source in found.sources)
            assert parts == pytest.approx(found.logit, abs=1e-4)


def test_a_network_is_fitted_once_to_scenes_and_once_to_photographs(monkeypatch):
    told = []

    def remembering(name, request):
        told.append(request.description)
        return build_backend(name, request)

    build_backend = predictor_module.build_backend
    monkeypatch.setattr(predictor_module, "build_backend", remembering)
    source = small_predictor().loaded
    for samples in ([], [picture(33, 33)], [picture(33, 33)], [picture(33, 41)]):
        Predictor.of(source, "cpu", samples=samples)

    nothing, one, same, other = told[1:]
    assert one == same == other
    assert nothing != one


def test_what_is_no_image_is_refused():
    predictor = small_predictor()
    for pixels in (
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float64),
        np.zeros((0, 4, 3), np.uint8),
    ):
        with pytest.raises(ValueError, match=r"\(H, W, 3\), uint8"):
            predictor.set_image(pixels)


def test_bf16_stays_close():
    full = small_predictor()
    half = Predictor.of(full.loaded, precision="bf16")
    pixels = picture(40, 40)

    one, other = full.set_image(pixels), half.set_image(pixels)

    assert other.features.dtype == np.float32
    assert not np.array_equal(one.features, other.features)
    assert np.allclose(one.features, other.features, atol=0.1, rtol=0.1)


def test_unknown_devices_and_precisions_name_the_choices():
    for wish in ("tpu", "cuda:x", "cpu:1", ""):
        with pytest.raises(DeviceError, match="choose auto"):
            choose_device(wish)
    with pytest.raises(DeviceError, match="auto, fp32, bf16, fp16 or int8"):
        choose_precision("fp8", "cpu")
    assert choose_precision("auto", "cpu") == "fp32"
    assert choose_precision("bf16", "cpu") == "bf16"
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="CUDA"):
            choose_device("cuda")
    if not torch.backends.mps.is_available():
        with pytest.raises(DeviceError, match="mps"):
            choose_device("mps")


@needs_shared
def test_real_weights_on_a_real_frame():
    from PIL import Image

    frame = sorted((FRAMES / "images" / "val").glob("*.jpg"))[0]
    pixels = np.asarray(Image.open(frame).convert("RGB"))
    predictor = Predictor.load(WEIGHTS, device="cpu")
    activations = predictor.set_image(pixels, frame.name)
    found = predictor.predict(activations)
    plain = plain_logits(predictor, pixels)
    best = plain.max(dim=0).values.numpy()
    chosen = np.take_along_axis(plain.numpy(), found.labels[None].astype(np.int64), axis=0)[0]

    assert (best - chosen).max() < 1e-4
    evidence = PSPEvidence(activations, predictor.weights)
    height, width = found.shape
    random = np.random.default_rng(0).integers((0, 0), found.shape, (30, 2)).tolist()
    for y, x in [(0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1), *random]:
        reading = evidence.at((y, x))
        c, r = reading.target
        assert abs(reading.total - float(plain[c, y, x] - plain[r, y, x])) < 1e-4

    truth = np.asarray(Image.open(FRAMES / "labels" / "val" / f"{frame.stem}.png"))
    known = truth != 255
    assert (found.labels == truth)[known].mean() > 0.75
