"""What if: a PSPNet's answer with sources muted, scaled, or borrowed from another image.

Gates are evaluated anew, so these are the network's own answers, not estimates. `answer_if` gives
one answer; `LiveWhatIf` gives one after another while somebody drags a slider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from pspgui.evidence.alterations import Bin, WhatIf
from pspgui.evidence.altering import Altering, PyramidAltering, only_bins
from pspgui.evidence.maps import confidence
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.upsampling import UpsamplingEvidence
from pspgui.evidence.upsampling_altering import UpsamplingAltering, only_levels
from pspgui.geometry import Rect
from pspgui.inference.activations import Activations, HeadWeights, PSPActivations
from pspgui.inference.argmax import full_resolution_labels, labels_within
from pspgui.inference.head_weights import UpsamplingWeights
from pspgui.inference.resampling import axis_taps

_BAND_PIXELS = 1 << 20

Alterable = PSPEvidence | UpsamplingEvidence
"""Networks whose sources can be altered."""


@dataclass(frozen=True, eq=False)
class WhatIfAnswer:
    """The network's answer: scores (N, h, w), labels (H, W), and how they differ from before.

    changed: (H, W) bool; moved: (N, N) int, pixels by class before and class now; confidence: the
    winner's probability at the cells, interpolated, mean over the image's pixels.
    """

    what: WhatIf
    scores: np.ndarray
    labels: np.ndarray
    changed: np.ndarray
    moved: np.ndarray
    confidence: float = float("nan")

    @property
    def changed_px(self) -> int:
        """How many pixels have another class."""
        return int(self.moved.sum() - np.trace(self.moved))

    @property
    def change_by_class(self) -> np.ndarray:
        """Pixels that every class won (or lost, negative), (N,)."""
        change: np.ndarray = self.moved.sum(axis=0) - self.moved.sum(axis=1)
        return change


def altering_of(evidence: Alterable) -> Altering:
    """Return what alters the sources of an image."""
    if isinstance(evidence, PSPEvidence):
        return PyramidAltering(evidence)
    return UpsamplingAltering(evidence)


def is_alterable(evidence: object) -> TypeGuard[Alterable]:
    """Say whether sources can be altered: whether there are bins, and their way to the scores."""
    return isinstance(evidence, PSPEvidence | UpsamplingEvidence)


def lendable(found: Activations, weights: HeadWeights | None) -> Activations | None:
    """Return what an image lends to others, small; None for a network without bins."""
    if isinstance(found, PSPActivations):
        return only_bins(found)
    return only_levels(found, weights) if isinstance(weights, UpsamplingWeights) else None


def scores_if(evidence: Alterable, what: WhatIf) -> np.ndarray:
    """Return the cell logits (N, h, w) with the alterations of `what`.

    Raises KeyError or IndexError for a level or bin that there is not, ValueError for a loan from
    another network.
    """
    return altering_of(evidence).scores(what)


def answer_if(evidence: Alterable, before: np.ndarray, what: WhatIf) -> WhatIfAnswer:
    """Return the network's answer with the alterations, beside the labels (H, W) before them.

    Any thread but the GUI's where the image is large. Raises as `scores_if` does.
    """
    known = evidence.activations
    scores = scores_if(evidence, what)
    labels = full_resolution_labels(
        scores, known.padded_shape, known.image_shape, known.align_corners
    )
    moved = _counted(before, labels, len(scores))
    sure = float((confidence(scores) * pixel_shares(known)).sum())
    return WhatIfAnswer(what, scores, labels, labels != before, moved, sure)


class LiveWhatIf:
    """One image's answers to one what-if after another: each costs what it changes.

    z is taken from the network's own each time, so that no rounding piles up, and only where a
    source reads that differs from the answer before. Cells that no altered source reaches keep
    the network's scores bit for bit. `before` (H, W) are the labels of nothing altered and
    `confidence` their mean confidence. One thread at a time.
    """

    def __init__(self, evidence: Alterable) -> None:
        known = evidence.activations
        self._altering, self._what = altering_of(evidence), WhatIf()
        # (h, w, N): a cell's classes side by side, as the labels are found.
        self._plain = np.ascontiguousarray(known.scores.transpose(1, 2, 0))
        self._scores = self._plain.copy()
        self.before = full_resolution_labels(
            known.scores, known.padded_shape, known.image_shape, known.align_corners
        )
        self._labels = self.before.copy()
        self._moved = _counted(self.before, self.before, len(known.scores))
        self._shares = pixel_shares(known)
        self._sure = confidence(known.scores)
        self.confidence = float((self._sure * self._shares).sum())

    def answer(self, what: WhatIf) -> WhatIfAnswer:
        """Return the network's answer; its arrays are the caller's own. Raises as `scores_if`."""
        self._altering.check(what)
        cells = self._altering.differing(what, self._what)
        if not cells.is_empty:
            self._renew(cells, self._altering.scores_within(what, cells, self._plain))
            self._what = what
        return WhatIfAnswer(
            what, np.ascontiguousarray(self._scores.transpose(2, 0, 1)), self._labels.copy(),
            self._labels != self.before, self._moved.copy(),
            float((self._sure * self._shares).sum()),
        )  # fmt: skip

    def _renew(self, cells: Rect, scores: np.ndarray) -> None:
        """Take other scores of some cells over, and what follows from them; all of it or nothing.

        Raises MemoryError where there is not enough for it.
        """
        known, area = self._altering.known, _pixels_of(self._altering.known, cells)
        sure, own = confidence(scores.transpose(2, 0, 1)), self._scores[cells.slices].copy()
        self._scores[cells.slices] = scores
        if not area.is_empty:  # else all of it is in the padding
            try:
                labels = labels_within(
                    self._scores.transpose(2, 0, 1), known.padded_shape, area, known.align_corners
                )
                before, count = self.before[area.slices], scores.shape[-1]
                moved = _counted(before, labels, count)
                moved -= _counted(before, self._labels[area.slices], count)
            except BaseException:
                self._scores[cells.slices] = own
                raise
            self._moved += moved
            self._labels[area.slices] = labels
        self._sure[cells.slices] = sure


def pixel_shares(known: Activations) -> np.ndarray:
    """Return what share of the image's pixels each cell has in a mean over them, (h, w).

    The mean of a cell map interpolated to the image is the sum of the map times this.
    """
    sides = []
    for padded, size, cells in zip(
        known.padded_shape, known.image_shape, known.grid, strict=True
    ):
        taps = axis_taps(padded, cells, known.align_corners, np.float64).at(slice(size))
        share = np.bincount(taps.low, 1 - taps.weight, cells)
        share += np.bincount(taps.high, taps.weight, cells)
        sides.append(share / size)
    return np.outer(*sides)


def _pixels_of(known: Activations, cells: Rect) -> Rect:
    """Return the image's pixels that mix any of some cells."""
    ends = []
    for axis in range(2):
        taps = axis_taps(
            known.padded_shape[axis], known.grid[axis], known.align_corners, known.scores.dtype
        ).at(slice(known.image_shape[axis]))
        first, beyond = (cells.y0, cells.y1) if axis == 0 else (cells.x0, cells.x1)
        mixing = np.flatnonzero((taps.high >= first) & (taps.low < beyond))
        ends.append((int(mixing[0]), int(mixing[-1]) + 1) if len(mixing) else (0, 0))
    return Rect(ends[0][0], ends[1][0], ends[0][1], ends[1][1])


def _counted(before: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return how many pixels have each pair of classes, (N, N); ignored ones are left out."""
    found = np.zeros(count * count, np.int64)
    step = max(1, _BAND_PIXELS // max(1, before.shape[1]))
    for start in range(0, len(before), step):  # pairs take eight bytes a pixel
        band = before[start : start + step]
        pairs = band.astype(np.int64) * count + labels[start : start + step]
        found += np.bincount(pairs[band < count], minlength=count * count)
    return found.reshape(count, count)


__all__ = [
    "Alterable",
    "Bin",
    "LiveWhatIf",
    "WhatIf",
    "WhatIfAnswer",
    "altering_of",
    "answer_if",
    "is_alterable",
    "lendable",
    "pixel_shares",
    "scores_if",
]
