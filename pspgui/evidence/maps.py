"""Whole-image views of a PSPNet's evidence: one value a cell, each a sum of exact splits.

The parts of every cell's logit (local, levels, constant) for a class or for each cell's own
winner; which part is largest; how sure the network is; where two networks disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.psp_reads import KernelTap, LevelReads, kernel_taps
from pspgui.evidence.readings import Target
from pspgui.evidence.targets import best_two, offset_of, row_of
from pspgui.geometry import interpolation_taps
from pspgui.inference.activations import CellScores, Prediction
from pspgui.inference.argmax import full_resolution_labels
from pspgui.inference.resampling import Taps, resample
from pspgui.inference.shown_map import Lattice

_BAND_VALUES = 1 << 21
# Fresh memory costs more to come by than its numbers to make: of larger images little is kept.
_MOST_BYTES = 20 << 20
# Cells' hidden values handled at once: what fits the processor's own memory.
_BLOCK_VALUES = 1 << 18
_MOST_PIXELS = 1 << 23
_MOST_VALUES = 1 << 25


class EvidenceMaps(NamedTuple):
    """The split of every cell's logit: constant + local + levels == logit, each (h, w).

    `levels` are keyed by bins a side. For margins all are differences of two classes.
    """

    logit: np.ndarray
    constant: np.ndarray
    local: np.ndarray
    levels: dict[int, np.ndarray]

    @property
    def pyramid(self) -> np.ndarray:
        """What all levels add together, (h, w)."""
        found: np.ndarray = np.add.reduce(list(self.levels.values()))
        return found

    @property
    def context_share(self) -> np.ndarray:
        """|pyramid| / (|pyramid| + |local|) in 0..1, (h, w); zero where neither adds anything."""
        outer, inner = np.abs(self.pyramid), np.abs(self.local)
        total = outer + inner
        found: np.ndarray = np.divide(outer, total, out=np.zeros_like(outer), where=total > 0)
        return found

    def strongest(self) -> np.ndarray:
        """Return which part adds most at every cell, (h, w) uint8: 0 local, then the levels."""
        parts = np.stack([self.local, *self.levels.values()])
        found: np.ndarray = parts.argmax(axis=0).astype(np.uint8)
        return found


class PyramidShare(NamedTuple):
    """How much a pyramid matters in one image, each 0..1.

    evidence: the part of the winner's margin over the runner-up that comes from the pyramid, of
    what it and the local features add there in size, over the cells of the image.
    changed: the part of the pixels that have another class when the whole pyramid is silent.
    """

    evidence: float
    changed: float

    def sentence(self, of: str = "On this image") -> str:
        """Say it to a person."""
        return (
            f"{of} the pyramid carries {_percent(self.evidence)} of the margin’s "
            f"evidence; silencing it would change {_percent(self.changed)} of the pixels."
        )


def _percent(share: float) -> str:
    if 0 < share < 0.0005:
        return "less than 0.1 %"
    return f"{100 * share:.0f} %" if share == 0 or share >= 0.0995 else f"{100 * share:.1f} %"


class LevelStack:
    """What every level adds to the hidden layer over the whole grid, made once for an image.

    Interpolation is separable: levels are kept spread out along the rows alone, a few MB, and
    spread along the columns anew for every question, some columns at a time; those of most bins are
    kept whole while they take no more than `most_bytes`. `stop` is called between pieces of work
    and may raise. Immutable, any thread.
    """

    def __init__(
        self,
        evidence: PSPEvidence,
        most_bytes: int = _MOST_BYTES,
        stop: Callable[[], None] | None = None,
    ) -> None:
        self.evidence = evidence
        known = evidence.activations
        self._gates = known.fused_cells > 0
        self._parts: dict[int, _Part] = {}
        left = most_bytes
        for level in sorted(evidence.reads.levels, key=lambda level: -level.bins):
            if stop is not None:
                stop()
            taps = known.level_taps[known.levels.index(level.bins)]
            part = _spread_across(level, taps)
            if known.local_cells.nbytes <= left:
                left -= known.local_cells.nbytes
                part = part.whole(known.local_cells.shape)
            self._parts[level.bins] = part

    def maps(self, target: Target | None = None) -> EvidenceMaps:
        """Return the split of a target's logit at every cell; without one each cell's own margin.

        Raises IndexError for an unknown class.
        """
        evidence = self.evidence
        known, weights = evidence.activations, evidence.weights
        aim, levels = self._aim(target), known.levels
        parts = [_Part(None, known.local_cells), *(self._parts[bins] for bins in levels)]
        constant, local, *found = self._read(parts, aim, weights.bottleneck_bias)
        return EvidenceMaps(
            aim.logit, constant + aim.offset, local, dict(zip(levels, found, strict=True))
        )

    def bin(
        self, level: int, row: int, column: int, target: Target | None = None
    ) -> np.ndarray:
        """Return what one bin adds at every cell, (h, w), as `maps` does; no bin reaches all.

        Raises KeyError for an unknown level, IndexError for an unknown bin or class.
        """
        evidence = self.evidence
        reads, known = evidence.level(level), evidence.activations
        if not (0 <= row < level and 0 <= column < level):
            raise IndexError(f"level {level} has no bin {row},{column}")
        taps = known.level_taps[known.levels.index(level)][:, row, :, column]
        across = reads.columns[:, :, column] @ taps
        (found,) = self._read([_Part(reads.rows[:, :, row], across)], self._aim(target))
        return found

    # -- inside -------------------------------------------------------------------------------

    def _aim(self, target: Target | None) -> _Aim:
        """Return what is asked of every cell: a target, or its own margin."""
        weights, scores = self.evidence.weights, self.evidence.activations.scores
        if target is None and len(scores) > 1:
            return self._margins
        target = target or Target(0)
        for class_id in (target.class_id, target.versus):
            if class_id is not None and not 0 <= class_id < len(scores):
                raise IndexError(f"there is no class {class_id}")
        row, offset = row_of(weights.classifier, target), offset_of(weights.classifier_bias, target)
        return _Aim(row[None], None, row_of(scores, target), offset)

    @cached_property
    def _margins(self) -> _Aim:
        """Each cell's winner over its runner-up: a few pairs of classes, found once an image."""
        weights, scores = self.evidence.weights, self.evidence.activations.scores
        best, second = best_two(scores)
        pairs, index = np.unique(best * len(scores) + second, return_inverse=True)
        one, other = np.divmod(pairs, len(scores))
        index = index.reshape(best.shape)
        top, runner_up = np.take_along_axis(scores, np.stack([best, second]), axis=0)
        biases = weights.classifier_bias
        rows = weights.classifier[one] - weights.classifier[other]
        return _Aim(rows, index, top - runner_up, (biases[one] - biases[other])[index])

    def _read(
        self, parts: Sequence[_Part], aim: _Aim, bias: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Return what each part adds through the gates at every cell, (h, w).

        Of a `bias` (K,), too, first of all.
        """
        known, kernel = self.evidence.activations, self.evidence.kernel
        height, width, hidden = known.fused_cells.shape
        kind = self.evidence.weights.classifier.dtype
        found = np.zeros(((bias is not None) + len(parts), height, width), kind)
        step = max(1, _BLOCK_VALUES // (height * hidden))
        for tap in kernel_taps(kernel, known.grid, slice(None)):
            for start in range(0, width, step):
                block = slice(start, min(start + step, width))
                gradient = self._gradient(tap, aim, block)
                sums = [] if bias is None else [gradient @ bias]
                sums += [np.vecdot(part.within(block), gradient) for part in parts]
                _add_behind(found, np.stack(sums), tap, block)
        return list(found)

    def _gradient(self, tap: KernelTap, aim: _Aim, block: slice) -> np.ndarray:
        """Return d logit / d z at columns of cells, of what one tap of the classifier reads there.

        (h, block, K); where no cell's tap reads, it means nothing.
        """
        gates, rows = self._gates[:, block], aim.rows[:, :, tap.row, tap.column]
        if aim.which is None:
            one: np.ndarray = gates * rows[0]
            return one
        readers = aim.which
        if tap.here != tap.there:
            readers = np.zeros_like(readers)
            readers[tap.there] = aim.which[tap.here]
        pull: np.ndarray = rows[readers[:, block]]
        pull *= gates
        return pull


class _Aim(NamedTuple):
    """What is asked of the cells: rows (U, K, c, c) of the classifier, and which is each cell's.

    which (h, w), None where one row is that of all; logit (h, w); and the offset of the biases,
    (h, w) where rows differ.
    """

    rows: np.ndarray
    which: np.ndarray | None
    logit: np.ndarray
    offset: np.ndarray | float


class _Part(NamedTuple):
    """What a source adds to z at every cell: down (h, r) @ across (r, w, K), or all of it.

    Without `down` `across` is (h, w, K) itself.
    """

    down: np.ndarray | None
    across: np.ndarray

    def within(self, block: slice) -> np.ndarray:
        """Return it at some columns of cells, (h, block, K)."""
        part = self.across[:, block]
        if self.down is None:
            return part
        spread: np.ndarray = self.down @ part.reshape(len(part), -1)
        return spread.reshape(len(spread), *part.shape[1:])

    def whole(self, shape: tuple[int, ...]) -> _Part:
        """Return the same part, kept whole."""
        return _Part(None, self.within(slice(None)).reshape(shape))


def _spread_across(level: LevelReads, taps: np.ndarray) -> _Part:
    """Return a level of taps (k, b, k, b, K) spread out along the rows of cells."""
    height, width = len(level.rows), len(level.columns)
    side = level.rows.shape[1] * level.bins
    across = level.columns.reshape(width, side) @ taps.reshape(side, side, -1)
    return _Part(level.rows.reshape(height, side), across)


def _add_behind(found: np.ndarray, sums: np.ndarray, tap: KernelTap, block: slice) -> None:
    """Add sums (n, h, block) at cells to those (n, h, w) whose tap reads them."""
    shift = tap.here[1].start - tap.there[1].start
    first, last = max(block.start, tap.there[1].start), min(block.stop, tap.there[1].stop)
    if first < last:
        inside = sums[:, tap.there[0], first - block.start : last - block.start]
        found[:, tap.here[0], first + shift : last + shift] += inside


def pyramid_share(
    stack: LevelStack, stop: Callable[[], None] | None = None
) -> PyramidShare:
    """Return how much the pyramid matters in the image of a stack.

    Of very large images every n-th pixel is asked for another class.
    """
    evidence = stack.evidence
    known, maps = evidence.activations, stack.maps()
    inside = Lattice.of(known).visible(known.grid)
    outer, inner = (float(np.abs(part[inside]).sum()) for part in (maps.pyramid, maps.local))
    step = max(1, round((known.image_shape[0] * known.image_shape[1] / _MOST_PIXELS) ** 0.5))
    padded, shape = (
        (max(1, height // step), max(1, width // step))
        for height, width in (known.padded_shape, known.image_shape)
    )
    with_it, without = (
        full_resolution_labels(scores, padded, shape, known.align_corners, stop)
        for scores in (known.scores, evidence.scores_without())
    )
    share = outer / (outer + inner) if outer + inner > 0 else 0.0
    return PyramidShare(share, float(np.mean(with_it != without)))


def read_pixels(
    known: CellScores, read: Callable[[np.ndarray], np.ndarray],
    stop: Callable[[], None] | None = None, most_values: int = _MOST_VALUES,
) -> tuple[np.ndarray, int]:  # fmt: skip
    """Return what `read` says of the logits of every pixel, (H, W) float32, and 1.

    Where there are more than `most_values` logits it is asked about the middles of squares of
    n x n pixels alone, and n is returned. `read` takes (N, h, w) and gives (h, w), as `confidence`,
    `margin` and `entropy` do; they are not linear, so cells interpolated would not be the pixels'.
    """
    shape, scores = known.shape, known.scores
    step = max(1, int(np.ceil((len(scores) * shape[0] * shape[1] / most_values) ** 0.5)))
    rows, columns = (
        Taps(*interpolation_taps(
            (np.arange(-(-side // step)) + 0.5) * step - 0.5, padded, cells,
            known.align_corners,
        ))
        for side, padded, cells in zip(shape, known.padded, scores.shape[1:], strict=True)
    )  # fmt: skip
    columns = columns._replace(weight=columns.weight.astype(scores.dtype))
    found = np.empty((len(rows.low), len(columns.low)), np.float32)
    band = max(1, _BAND_VALUES // (len(scores) * found.shape[1]))
    for start in range(0, len(found), band):
        if stop is not None:
            stop()
        some = rows.at(slice(start, start + band))
        weight = some.weight.astype(scores.dtype)
        found[start : start + band] = read(resample(scores, some._replace(weight=weight), columns))
    return found, step


def confidence(scores: np.ndarray) -> np.ndarray:
    """Return the winner's softmax probability at every cell, (h, w), of logits (N, h, w)."""
    found: np.ndarray = 1 / np.exp(scores - scores.max(axis=0)).sum(axis=0)
    return found


def margin(scores: np.ndarray) -> np.ndarray:
    """Return the winner's logit less the runner-up's at every cell, (h, w); zero for one class."""
    if len(scores) < 2:
        return np.zeros(scores.shape[1:], scores.dtype)
    top = np.partition(scores, -2, axis=0)
    found: np.ndarray = top[-1] - top[-2]
    return found


def entropy(scores: np.ndarray) -> np.ndarray:
    """Return the entropy of the softmax at every cell over its largest value, (h, w) in 0..1."""
    if len(scores) < 2:
        return np.zeros(scores.shape[1:], scores.dtype)
    shifted = scores - scores.max(axis=0)
    weights = np.exp(shifted)
    total = weights.sum(axis=0)
    found: np.ndarray = (np.log(total) - (weights * shifted).sum(axis=0) / total) / np.log(
        len(scores)
    )
    return found.clip(min=0)


def disagreement(one: Prediction, other: Prediction, same: np.ndarray) -> np.ndarray:
    """Return where two predictions of an image differ, (H, W) bool.

    `same` (N, M) bool says which class of the first means the same as which of the second. Raises
    ValueError for predictions of different sizes.
    """
    if one.labels.shape != other.labels.shape:
        raise ValueError("the predictions are of images of different sizes")
    found: np.ndarray = ~same[one.labels, other.labels]
    return found
