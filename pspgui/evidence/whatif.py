"""What if: a PSPNet's answer with sources muted, scaled, or borrowed from another image.

Gates are evaluated anew, so these are the network's own answers, not estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pspgui.evidence.psp import PSPEvidence
from pspgui.inference.activations import PSPActivations
from pspgui.inference.argmax import full_resolution_labels

Bin = tuple[int, int, int]
"""Bins a side of the level, row, column."""


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What is altered: factors of the local features, of levels and of single bins; loans.

    A bin's factor is its own times its level's; 0 mutes, 1 leaves alone. `borrowed` replaces bins
    by those at the same place of another image that the same network read; `note` names it all.
    """

    local: float = 1.0
    levels: Mapping[int, float] = field(default_factory=dict)
    bins: Mapping[Bin, float] = field(default_factory=dict)
    borrowed: Mapping[Bin, PSPActivations] = field(default_factory=dict)
    note: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether nothing is altered."""
        factors = (self.local, *self.levels.values(), *self.bins.values())
        return not self.borrowed and all(factor == 1 for factor in factors)

    def with_bin(self, place: Bin, factor: float) -> WhatIf:
        """Return the same with one bin scaled; 1 forgets it."""
        bins = {**self.bins, place: factor}
        return replace(self, bins={p: f for p, f in bins.items() if f != 1})

    def with_level(self, level: int, factor: float) -> WhatIf:
        """Return the same with one level scaled; 1 forgets it."""
        levels = {**self.levels, level: factor}
        return replace(self, levels={b: f for b, f in levels.items() if f != 1})

    def with_loan(self, place: Bin, lender: PSPActivations | None) -> WhatIf:
        """Return the same with one bin borrowed from another image; None gives it back."""
        loans = {p: a for p, a in self.borrowed.items() if p != place}
        return replace(self, borrowed=loans if lender is None else {**loans, place: lender})

    def factors(self, level: int) -> np.ndarray:
        """Return the factor of every bin of a level, (b, b) float32."""
        found = np.full((level, level), self.levels.get(level, 1.0), np.float32)
        for (bins, row, column), factor in self.bins.items():
            if bins == level:
                found[row, column] *= factor
        return found

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values that say what is altered."""
        return {
            "note": self.note, "local": self.local,
            "levels": {str(level): factor for level, factor in self.levels.items()},
            "bins": [[*place, factor] for place, factor in self.bins.items()],
            "borrowed": [[*place, lender.image_id] for place, lender in self.borrowed.items()],
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class WhatIfAnswer:
    """The network's answer: scores (N, h, w), labels (H, W), and how they differ from before.

    changed: (H, W) bool; moved: (N, N) int, pixels by class before and class now.
    """

    what: WhatIf
    scores: np.ndarray
    labels: np.ndarray
    changed: np.ndarray
    moved: np.ndarray

    @property
    def changed_px(self) -> int:
        """How many pixels have another class."""
        return int(self.moved.sum() - np.trace(self.moved))

    @property
    def change_by_class(self) -> np.ndarray:
        """Pixels that every class won (or lost, negative), (N,)."""
        change: np.ndarray = self.moved.sum(axis=0) - self.moved.sum(axis=1)
        return change


def scores_if(evidence: PSPEvidence, what: WhatIf) -> np.ndarray:
    """Return the cell logits (N, h, w) with the alterations of `what`.

    Raises KeyError or IndexError for a level or bin that there is not, ValueError for a loan from
    another network.
    """
    known = evidence.activations
    _check(evidence, what)
    fused = known.local_cells * known.local_cells.dtype.type(what.local)
    fused += evidence.weights.bottleneck_bias
    for level, own in zip(evidence.reads.levels, known.level_taps, strict=True):
        taps = _borrowed(level.bins, own, what, known)
        factors = what.factors(level.bins)
        if not factors.any():
            continue
        if (factors != 1).any():
            taps = taps * factors[None, :, None, :, None].astype(taps.dtype)
        fused += evidence.spread(level, taps)
    return evidence.classified(fused)


def answer_if(evidence: PSPEvidence, before: np.ndarray, what: WhatIf) -> WhatIfAnswer:
    """Return the network's answer with the alterations, beside the labels (H, W) before them.

    Any thread but the GUI's where the image is large. Raises as `scores_if` does.
    """
    known = evidence.activations
    scores = scores_if(evidence, what)
    labels = full_resolution_labels(
        scores, known.padded_shape, known.image_shape, known.align_corners
    )
    count = len(scores)
    pairs = before.astype(np.int64).ravel() * count + labels.ravel()
    moved = np.bincount(pairs[before.ravel() < count], minlength=count * count)
    return WhatIfAnswer(what, scores, labels, labels != before, moved.reshape(count, count))


def _borrowed(
    bins: int, own: np.ndarray, what: WhatIf, known: PSPActivations
) -> np.ndarray:
    """Return a level's taps (k, b, k, b, K) with the borrowed bins in place of their own."""
    loans = [(place, lender) for place, lender in what.borrowed.items() if place[0] == bins]
    if not loans:
        return own
    taps = own.copy()
    index = known.levels.index(bins)
    for (_, row, column), lender in loans:
        taps[:, row, :, column] = lender.level_taps[index][:, row, :, column]
    return taps


def _check(evidence: PSPEvidence, what: WhatIf) -> None:
    """Refuse what the network does not have."""
    for level in what.levels:
        evidence.level(level)
    for bins, row, column in (*what.bins, *what.borrowed):
        evidence.level(bins)
        if not (0 <= row < bins and 0 <= column < bins):
            raise IndexError(f"level {bins} has no bin {row},{column}")
    own = evidence.activations.stamp.model
    for lender in what.borrowed.values():
        if lender.stamp.model != own or lender.levels != evidence.activations.levels:
            raise ValueError("a bin can only be borrowed from an image that this network read")
