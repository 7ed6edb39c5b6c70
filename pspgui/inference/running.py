"""Carry out an inference mode: read windows, average them, say what it cost and what was changed.

One thread at a time, as a network allows. `cancelled()` is asked before every pass, within passes
by the network, and between pieces of work of bounded size while windows are averaged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from pspgui.geometry import Rect
from pspgui.imaging.scratch import let_go, room_for
from pspgui.inference.argmax import full_resolution_labels, label_kind
from pspgui.inference.blending import ModeBands, winners
from pspgui.inference.errors import Cancelled, ImageTooLargeError
from pspgui.inference.memory import available_bytes
from pspgui.inference.modes import CellScorer, CellScores, InferenceMode, ModeResult, Stop
from pspgui.inference.planning import ModePlan, byte_text
from pspgui.inference.protocols import PROTOCOLS
from pspgui.inference.reducing import reduced
from pspgui.inference.stitching import CellMap, cell_map, shifts, stitched
from pspgui.inference.windows import ScaledPicture

Progress = Callable[[float, str], None]
# Windows are not made smaller than this: what a network sees through less says little.
LEAST_WINDOW_PX = 129
# The first look at a large image is no larger than this, so that it comes soon.
_PREVIEW_PIXELS = 1 << 20
# The share of a run that passes take; averaging takes the rest.
_PASS_SHARE = 0.8


def run_mode(
    scorer: CellScorer,
    pixels: np.ndarray,
    mode: InferenceMode,
    progress: Progress | None = None,
    cancelled: Stop | None = None,
    confidence: bool = False,
) -> ModeResult:
    """Read an image (H, W, 3) uint8 RGB as a mode says and return the label of every pixel.

    Where the memory does not suffice, windows are halved, down to 129 pixels, and the result's
    notes say so. `progress(fraction, text)` never falls. Raises `Cancelled`, `ImageTooLargeError`
    when even the smallest windows do not fit, and ValueError for an array that is no image.
    """
    started = time.perf_counter()
    shape = _checked_shape(pixels)
    watch = _Watch(progress, cancelled)
    notes: list[str] = []
    passes = 0
    while True:
        run = _Run(scorer, pixels, ModePlan.of(scorer, shape, mode), watch)
        try:
            labels, sure = run.carry_out(confidence)
            break
        except _TOO_LARGE as error:
            smaller = smaller_windows(mode, run.plan, scorer)
            if smaller is None:
                raise _refusal(shape, error) from error
            notes.append(_fallback_note(run, smaller))
        # Beyond the clause, so that what the error's traceback held is free for the next try.
        mode, passes = smaller, passes + run.passes
    return ModeResult(
        labels=labels,
        passes=passes + run.passes,
        seconds=time.perf_counter() - started,
        mode=mode,
        notes=tuple(notes),
        confidence=sure,
    )


def progressive(
    scorer: CellScorer,
    pixels: np.ndarray,
    mode: InferenceMode,
    progress: Progress | None = None,
    cancelled: Stop | None = None,
    confidence: bool = False,
) -> Iterator[ModeResult]:
    """Yield a quick result from the image at half its size, then that of `run_mode`.

    Both have labels at full size; the first is marked `preview`, comes from one pass, and is left
    out where it does not fit the memory. Images above two megapixels are first seen smaller still.
    """
    first = _preview(scorer, pixels, cancelled)
    if first is not None:
        yield first
    yield run_mode(scorer, pixels, mode, progress, cancelled, confidence)


def smaller_windows(
    mode: InferenceMode, plan: ModePlan, scorer: CellScorer
) -> InferenceMode | None:
    """Return the mode with windows of half the side; None when they cannot be made smaller."""
    padded = scorer.spec.size_rule.padded
    largest = plan.forecast().window
    sides = [min(side, padded(max(LEAST_WINDOW_PX, side // 2))) for side in largest]
    crop = sides[0], sides[1]
    if crop == largest:
        return None
    stride = mode.stride
    if isinstance(stride, tuple):
        down, across = (max(1, s * n // o) for s, n, o in zip(stride, crop, largest, strict=True))
        stride = min(down, crop[0]), min(across, crop[1])
    return mode.changed(crop=crop, stride=stride)


class _Watch:
    """Progress that never falls, and the wish to stop."""

    def __init__(self, progress: Progress | None, cancelled: Stop | None) -> None:
        self._progress, self.cancelled = progress, cancelled
        self._shown = 0.0

    def stop(self) -> None:
        if self.cancelled is not None and self.cancelled():
            raise Cancelled

    def show(self, fraction: float, text: str) -> None:
        if self._progress is not None:
            self._shown = max(self._shown, fraction)
            self._progress(self._shown, text)


class _Run:
    """One try at a mode."""

    def __init__(
        self, scorer: CellScorer, pixels: np.ndarray, plan: ModePlan, watch: _Watch
    ) -> None:
        self.plan, self.passes = plan, 0
        self._scorer, self._watch, self._pixels = scorer, watch, pixels
        mean = scorer.spec.normalisation.mean
        self._pictures = [ScaledPicture(pixels, w.size, mean) for w in plan.scales]
        self._total = plan.forecast().passes

    def carry_out(self, confidence: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the labels, and how probable they are if that is asked for."""
        self._check_memory(confidence)
        if self.plan.is_one_pass and not confidence:
            cells = self._one_pass(self._cut(0, Rect(0, 0, *self.plan.shape)))
            labels = full_resolution_labels(
                cells.scores, cells.padded, cells.shape, cells.align_corners, self._watch.stop
            )
            self._watch.show(1.0, "Done")
            return labels, None
        return self._in_bands(confidence)

    def _in_bands(self, confidence: bool) -> tuple[np.ndarray, np.ndarray | None]:
        shape, step = self.plan.shape, self.plan.band_rows
        labels = room_for(shape, label_kind(self.plan.classes))
        sure = room_for(shape, np.float32) if confidence else None
        bands = ModeBands(self.plan, self._read)
        for start in range(0, shape[0], step):
            end = min(start + step, shape[0])
            values = bands.band(start, end, self._watch.stop)
            self._watch.stop()
            best = values.max(axis=0)
            self._watch.stop()
            winners(values, best, labels[start:end])
            self._watch.stop()
            if sure is not None:
                sure[start:end] = self._probability(values, best)
            del values  # or two bands would be held at once
            for large in (labels, sure, self._pixels):
                if large is not None:
                    let_go(large)
            self._show(end / shape[0])
        self._watch.show(1.0, "Done")
        return labels, sure

    def _probability(self, values: np.ndarray, best: np.ndarray) -> np.ndarray:
        """Return the probability of the best class; logits are overwritten."""
        if self.plan.mode.blend == "softmax":
            return best
        values -= best
        result: np.ndarray = 1 / np.exp(values, out=values).sum(axis=0)
        return result

    def _read(self, scale: int, rect: Rect) -> tuple[CellMap, ...]:
        """Return a window's scores, and with mirroring those of its mirrored reading."""
        plain = self._map(lambda dy, dx: self._one_pass(self._cut(scale, rect.moved(dy, dx))))
        if not self.plan.mode.mirror:
            return (plain,)
        # Further right in the mirrored picture is further left in the picture.
        other = self._map(
            lambda dy, dx: self._one_pass(self._cut(scale, rect.moved(dy, -dx))[:, ::-1])
        )
        return plain, other.mirrored()

    def _cut(self, scale: int, rect: Rect) -> np.ndarray:
        return self._pictures[scale].cut(rect, self._watch.stop)

    def _map(self, one_pass: Callable[[int, int], CellScores]) -> CellMap:
        factor = self.plan.mode.shift
        if factor == 1:
            return cell_map(one_pass(0, 0))
        spec = self._scorer.spec
        align = bool(getattr(spec, "align_corners", True))
        moves = shifts(spec.output_stride, factor, align)
        return stitched(one_pass, moves, self._watch.stop)

    def _one_pass(self, pixels: np.ndarray) -> CellScores:
        self._watch.stop()
        self._show(0.0)
        cells = self._scorer.cell_scores(np.ascontiguousarray(pixels), self._watch.cancelled)
        self.passes += 1
        self._check_size(cells)
        return cells

    def _check_size(self, cells: CellScores) -> None:
        """Check the memory again where a pass gave more cells than its output stride says."""
        count = cells.scores.shape[1] * cells.scores.shape[2]
        expected = cells.padded[0] * cells.padded[1] / self._scorer.spec.output_stride**2
        if count > 2 * expected + 64:  # such as by a network that upsamples inside
            self._check_memory(False, count / expected)

    def _show(self, rows: float) -> None:
        fraction = _PASS_SHARE * self.passes / self._total + (1 - _PASS_SHARE) * rows
        self._watch.show(fraction, f"Pass {min(self.passes + 1, self._total)} of {self._total}")

    def _check_memory(self, confidence: bool, more_cells: float = 1.0) -> None:
        foreseen, device = self.plan.forecast(confidence), self._scorer.device
        needed = foreseen.bytes + int((more_cells - 1) * foreseen.cells)
        if device == "cpu":
            needed += foreseen.pass_bytes
        else:
            _check_free(foreseen.pass_bytes, device, "a pass of the network")
        _check_free(needed, "cpu", "putting the windows together")


def _check_free(needed: int, device: str, what: str) -> None:
    free = available_bytes(device)
    if free is not None and needed > free:
        raise ImageTooLargeError(
            f"{what} needs about {byte_text(needed)} and {byte_text(free)} are free"
        )


_TOO_LARGE = (torch.OutOfMemoryError, MemoryError, ImageTooLargeError)


def _fallback_note(run: _Run, smaller: InferenceMode) -> str:
    was, crop = run.plan.forecast().window, smaller.crop
    assert crop is not None
    return (
        f"The memory did not suffice for windows of {was[1]} × {was[0]} pixels: "
        f"read through windows of {crop[1]} × {crop[0]}, which see less around each pixel."
    )


def _refusal(shape: tuple[int, int], error: Exception) -> ImageTooLargeError:
    reason = str(error).rstrip(".") if isinstance(error, ImageTooLargeError) else ""
    return ImageTooLargeError(
        f"The image of {shape[1]} × {shape[0]} pixels does not fit the memory in this mode, even "
        f"through small windows{f' ({reason})' if reason else ''}. Use fewer or smaller scales, "
        "or a smaller copy."
    )


def _preview(
    scorer: CellScorer, pixels: np.ndarray, cancelled: Stop | None
) -> ModeResult | None:
    """Return labels from one pass over the image reduced; None where the memory ran out."""
    started = time.perf_counter()
    height, width = _checked_shape(pixels)
    times = 2
    while -(-height // times) * -(-width // times) > _PREVIEW_PIXELS:
        times += 1
    watch = _Watch(None, cancelled)
    watch.stop()
    try:
        cells = scorer.cell_scores(reduced(pixels, times), cancelled)
        labels = full_resolution_labels(
            cells.scores, (times * cells.padded[0], times * cells.padded[1]), (height, width),
            cells.align_corners, watch.stop,
        )  # fmt: skip
    except _TOO_LARGE:
        return None
    return ModeResult(
        labels=labels,
        passes=1,
        seconds=time.perf_counter() - started,
        mode=PROTOCOLS["whole"].changed(scales=(1 / times,)),
        notes=(f"A first look, from the image at 1/{times} of its size.",),
        preview=True,
    )


def _checked_shape(pixels: np.ndarray) -> tuple[int, int]:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(
            f"an image is (H, W, 3) uint8 and not empty, this is {pixels.shape} {pixels.dtype}"
        )
    return pixels.shape[0], pixels.shape[1]
