"""Whole-image views of a PSPNet's evidence: one value a cell, each a sum of exact splits.

The parts of every cell's logit (local, levels, constant) for a class or for each cell's own
winner; which part is largest; how sure the network is; where two networks disagree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.psp_reads import kernel_taps
from pspgui.evidence.readings import Target
from pspgui.inference.activations import Prediction

_BAND_VALUES = 1 << 22


class EvidenceMaps(NamedTuple):
    """The split of every cell's logit: constant + local + levels == logit, each (h, w).

    `levels` are keyed by bins a side. For margins all are differences of two classes.
    """

    logit: np.ndarray
    constant: np.ndarray
    local: np.ndarray
    levels: dict[int, np.ndarray]

    def strongest(self) -> np.ndarray:
        """Return which part adds most at every cell, (h, w) uint8: 0 local, then the levels."""
        parts = np.stack([self.local, *self.levels.values()])
        found: np.ndarray = parts.argmax(axis=0).astype(np.uint8)
        return found


class LevelStack:
    """What every level adds to the hidden layer over the whole grid, made once for an image.

    After that the maps of one class are a product each. Takes the memory of one hidden map a
    level; immutable, any thread.
    """

    def __init__(self, evidence: PSPEvidence) -> None:
        self._evidence = evidence
        known = evidence.activations
        gates = known.fused_cells > 0
        taps = dict(zip(known.levels, known.level_taps, strict=True))
        # Gated once: every class then reads the same stack.
        self._levels = {
            level.bins: evidence.spread(level, taps[level.bins]) * gates
            for level in evidence.reads.levels
        }
        self._local = known.local_cells * gates
        self._base = evidence.weights.bottleneck_bias * gates

    def maps(self, target: Target | None = None) -> EvidenceMaps:
        """Return the split of a target's logit at every cell; without one each cell's own margin.

        Raises IndexError for an unknown class.
        """
        evidence = self._evidence
        weights, scores = evidence.weights, evidence.activations.scores
        if target is None and len(scores) > 1:
            rows, offset, logit = self._margins()
        else:
            aim = target or Target(0)
            rows = weights.classifier[aim.class_id]
            offset, logit = weights.classifier_bias[aim.class_id], scores[aim.class_id]
            if aim.versus is not None:
                rows = rows - weights.classifier[aim.versus]
                offset = offset - weights.classifier_bias[aim.versus]
                logit = logit - scores[aim.versus]
        return EvidenceMaps(
            np.asarray(logit),
            self._read(self._base, rows) + offset,
            self._read(self._local, rows),
            {bins: self._read(stack, rows) for bins, stack in self._levels.items()},
        )

    def _margins(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (winner, runner-up) of every cell, their biases' difference, and their margin."""
        scores, weights = self._evidence.activations.scores, self._evidence.weights
        order = np.argpartition(scores, -2, axis=0)
        pair = np.stack([order[-1], order[-2]])
        top, second = np.take_along_axis(scores, pair, axis=0)
        biases = weights.classifier_bias[pair]
        return pair, biases[0] - biases[1], top - second

    def _read(self, stack: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the product of (h, w, K) with one row (K, c, c), or each cell's pair of rows."""
        kernel, grid = self._evidence.kernel, (stack.shape[0], stack.shape[1])
        found = np.zeros(grid, stack.dtype)
        if rows.dtype.kind == "f":
            for tap in kernel_taps(kernel, grid, slice(None)):
                found[tap.here] += stack[tap.there] @ rows[:, tap.row, tap.column]
            return found
        classifier = self._evidence.weights.classifier
        step = max(1, _BAND_VALUES // (grid[1] * classifier[0].size))
        for start in range(0, grid[0], step):
            band = slice(start, start + step)
            margin = classifier[rows[0, band]] - classifier[rows[1, band]]
            for tap in kernel_taps(kernel, grid, band):
                row = margin[..., tap.row, tap.column][tap.here]
                found[band][tap.here] += np.einsum("hwk,hwk->hw", stack[tap.there], row)
        return found


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
