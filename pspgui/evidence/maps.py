"""Whole-image views of a PSPNet's evidence: one value a cell, each a sum of exact splits.

The parts of every cell's logit (local, levels, constant) for a class or for each cell's own
winner; which part is largest; how sure the network is; where two networks disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.psp_reads import kernel_taps
from pspgui.evidence.readings import LOCAL, Target
from pspgui.evidence.targets import offset_of, row_of
from pspgui.geometry import interpolation_taps
from pspgui.inference.activations import CellScores, Prediction
from pspgui.inference.argmax import full_resolution_labels
from pspgui.inference.resampling import Taps, resample
from pspgui.inference.shown_map import Lattice

_BAND_VALUES = 1 << 21
_MOST_BYTES = 256 << 20
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

    After that the maps of one class are a product each. Takes the memory of one hidden map a
    level, or nothing where that were more than `most_bytes`: then levels are spread out anew for
    every question. `stop` is called between pieces of work and may raise. Immutable, any thread.
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
        self._taps = dict(zip(known.levels, known.level_taps, strict=True))
        self._kept: dict[int, np.ndarray] = {}
        if known.fused_cells.nbytes * (1 + len(known.levels)) <= most_bytes:
            for bins in (LOCAL, *known.levels):
                if stop is not None:
                    stop()
                self._kept[bins] = self._part(bins)

    def maps(self, target: Target | None = None) -> EvidenceMaps:
        """Return the split of a target's logit at every cell; without one each cell's own margin.

        Raises IndexError for an unknown class.
        """
        weights = self.evidence.weights
        if target is None and len(weights.classifier) < 2:
            target = Target(0)
        rows = self._rows(target)
        bias = weights.bottleneck_bias
        constant = self._read(self._gates, rows, bias) + self._offset(target, rows)
        levels = {
            bins: self._read(self._part(bins), rows) for bins in self.evidence.activations.levels
        }
        return EvidenceMaps(
            self._logit(target, rows), constant, self._read(self._part(LOCAL), rows), levels
        )

    def bin(
        self, level: int, row: int, column: int, target: Target | None = None
    ) -> np.ndarray:
        """Return what one bin adds at every cell, (h, w), as `maps` does; no bin reaches all.

        Raises KeyError for an unknown level, IndexError for an unknown bin or class.
        """
        reads = self.evidence.level(level)
        if not (0 <= row < level and 0 <= column < level):
            raise IndexError(f"level {level} has no bin {row},{column}")
        alone = np.zeros_like(self._taps[level])
        alone[:, row, :, column] = self._taps[level][:, row, :, column]
        if target is None and len(self.evidence.weights.classifier) < 2:
            target = Target(0)
        stack = self.evidence.spread(reads, alone)
        stack *= self._gates
        return self._read(stack, self._rows(target))

    # -- inside -------------------------------------------------------------------------------

    def _part(self, bins: int) -> np.ndarray:
        """Return what the local features or a level add to z, gated, (h, w, K)."""
        kept = self._kept.get(bins)
        if kept is not None:
            return kept
        evidence = self.evidence
        if bins == LOCAL:
            local: np.ndarray = evidence.activations.local_cells * self._gates
            return local
        stack = evidence.spread(evidence.level(bins), self._taps[bins])
        stack *= self._gates
        return stack

    def _rows(self, target: Target | None) -> np.ndarray:
        """Return the row (K, c, c) of a target, or (winner, runner-up) of every cell, integers."""
        weights, scores = self.evidence.weights, self.evidence.activations.scores
        if target is None:
            order = np.argpartition(scores, -2, axis=0)
            return np.stack([order[-1], order[-2]])
        for class_id in (target.class_id, target.versus):
            if class_id is not None and not 0 <= class_id < len(scores):
                raise IndexError(f"there is no class {class_id}")
        return row_of(weights.classifier, target)

    def _offset(self, target: Target | None, rows: np.ndarray) -> np.ndarray | float:
        biases = self.evidence.weights.classifier_bias
        if target is not None:
            return offset_of(biases, target)
        found: np.ndarray = biases[rows[0]] - biases[rows[1]]
        return found

    def _logit(self, target: Target | None, rows: np.ndarray) -> np.ndarray:
        scores = self.evidence.activations.scores
        if target is None:
            top, second = np.take_along_axis(scores, rows, axis=0)
            margins: np.ndarray = top - second
            return margins
        return row_of(scores, target)

    def _read(
        self, stack: np.ndarray, rows: np.ndarray, scale: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the product of (h, w, K) with one row (K, c, c), or each cell's pair of rows.

        `scale` (K,) multiplies the rows.
        """
        kernel, grid = self.evidence.kernel, (stack.shape[0], stack.shape[1])
        classifier = self.evidence.weights.classifier
        found = np.zeros(grid, classifier.dtype)
        pairs = rows.dtype.kind != "f"
        if scale is not None:
            scale = scale[:, None, None]
        step = max(1, _BAND_VALUES // (grid[1] * classifier[0].size))
        for start in range(0, grid[0], step):
            band = slice(start, start + step)
            row = classifier[rows[0, band]] - classifier[rows[1, band]] if pairs else rows
            if scale is not None:
                row = row * scale
            for tap in kernel_taps(kernel, grid, band):
                one, read = row[..., tap.row, tap.column], stack[tap.there]
                found[band][tap.here] += (
                    np.einsum("hwk,hwk->hw", read, one[tap.here]) if pairs else read @ one
                )
        return found


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
