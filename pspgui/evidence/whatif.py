"""What if: a PSPNet's answer with sources muted, scaled, or borrowed from another image.

Gates are evaluated anew, so these are the network's own answers, not estimates. `answer_if` gives
one answer; `LiveWhatIf` gives one after another while somebody drags a slider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pspgui.evidence.maps import confidence
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.psp_reads import LevelReads, extent, kernel_taps
from pspgui.geometry import Rect
from pspgui.inference.activations import PSPActivations
from pspgui.inference.argmax import full_resolution_labels, labels_within
from pspgui.inference.resampling import axis_taps

_BAND_PIXELS = 1 << 20

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

    @property
    def altered(self) -> int:
        """How many sources are altered: local features, levels, bins."""
        bins = {place for place, factor in self.bins.items() if factor != 1} | set(self.borrowed)
        levels = sum(factor != 1 for factor in self.levels.values())
        return (self.local != 1) + levels + len(bins)

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

    @classmethod
    def from_json(cls, told: Any) -> tuple[WhatIf, dict[Bin, str]]:
        """Return what `to_json` told, and which bins are to be borrowed from which image.

        Images are only named there, so the loans are left to the caller. Raises ValueError, one
        clause, for anything else.
        """
        try:
            levels = {int(level): _factor(f) for level, f in told.get("levels", {}).items()}
            bins = {_place(row[:3]): _factor(row[3]) for row in told.get("bins", [])}
            loans = {_place(row[:3]): str(row[3]) for row in told.get("borrowed", [])}
            note, local = str(told.get("note", "")), _factor(told.get("local", 1.0))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError("it does not say what is altered") from error
        return cls(local, levels, bins, note=note), loans


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

    def __init__(self, evidence: PSPEvidence) -> None:
        known = evidence.activations
        self._evidence, self._what = evidence, WhatIf()
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
        _check(self._evidence, what)
        cells = self._differing(what)
        if not cells.is_empty:
            self._renew(cells, self._scores_within(what, cells))
            self._what = what
        return WhatIfAnswer(
            what, np.ascontiguousarray(self._scores.transpose(2, 0, 1)), self._labels.copy(),
            self._labels != self.before, self._moved.copy(),
            float((self._sure * self._shares).sum()),
        )  # fmt: skip

    def _differing(self, what: WhatIf) -> Rect:
        """Return the cells whose scores may differ from those of the answer before."""
        (height, width), last = self._evidence.activations.grid, self._what
        if what.local != last.local:
            return Rect(0, 0, height, width)
        found = Rect(0, 0, 0, 0)
        for level in self._evidence.reads.levels:
            other = what.factors(level.bins) != last.factors(level.bins)
            for place in {*what.borrowed, *last.borrowed}:
                if place[0] == level.bins:
                    lenders = what.borrowed.get(place), last.borrowed.get(place)
                    other[place[1:]] |= lenders[0] is not lenders[1]
            if other.any():
                found = found.union(_reached(level, other))
        reach = self._evidence.kernel // 2
        return found if found.is_empty else found.padded(reach).intersect(
            Rect(0, 0, height, width)
        )

    def _scores_within(self, what: WhatIf, cells: Rect) -> np.ndarray:
        """Return the scores of some cells, (h', w', N)."""
        known = self._evidence.activations
        reach = self._evidence.kernel // 2
        wide = cells.padded(reach).intersect(Rect(0, 0, *known.grid))
        change = self._change_within(what, wide)
        touched: np.ndarray = np.any(change, axis=-1)
        change += known.fused_cells[wide.slices]
        scores = _classified(self._evidence, change)
        inner = cells.y0 - wide.y0, cells.x0 - wide.x0
        inside = slice(inner[0], inner[0] + cells.height), slice(inner[1], inner[1] + cells.width)
        if reach:
            touched = _grown(touched, reach)
        found: np.ndarray = scores[inside]
        np.copyto(found, self._plain[cells.slices], where=~touched[inside][..., None])
        return found

    def _change_within(self, what: WhatIf, cells: Rect) -> np.ndarray:
        """Return by how much z of some cells differs from the network's own, (h', w', K)."""
        known = self._evidence.activations
        rows, columns = cells.slices
        kind = known.fused_cells.dtype
        change: np.ndarray = known.local_cells[cells.slices] * kind.type(what.local - 1)
        for level, own in zip(self._evidence.reads.levels, known.level_taps, strict=True):
            factors = what.factors(level.bins)
            altered = factors != 1
            for place in what.borrowed:
                if place[0] == level.bins:
                    altered[place[1:]] = True
            if not altered.any():
                continue
            high, broad = extent(altered.any(axis=1)), extent(altered.any(axis=0))
            taps = _borrowed(level.bins, own, what, known)[:, high][:, :, :, broad]
            taps = taps * factors[None, high, None, broad, None].astype(kind)
            taps -= own[:, high][:, :, :, broad]
            across = level.columns[columns][:, :, broad].reshape(cells.width, -1)
            down = level.rows[rows][:, :, high].reshape(cells.height, -1)
            bands = across @ taps.reshape(down.shape[1], across.shape[1], -1)
            change += (down @ bands.reshape(down.shape[1], -1)).reshape(change.shape)
        return change

    def _renew(self, cells: Rect, scores: np.ndarray) -> None:
        """Take other scores of some cells over, and what follows from them."""
        known = self._evidence.activations
        self._scores[cells.slices] = scores
        self._sure[cells.slices] = confidence(scores.transpose(2, 0, 1))
        area = _pixels_of(known, cells)
        if area.is_empty:  # all of it in the padding
            return
        labels = labels_within(
            self._scores.transpose(2, 0, 1), known.padded_shape, area, known.align_corners
        )
        before, count = self.before[area.slices], scores.shape[-1]
        self._moved -= _counted(before, self._labels[area.slices], count)
        self._moved += _counted(before, labels, count)
        self._labels[area.slices] = labels


def pixel_shares(known: PSPActivations) -> np.ndarray:
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


def _pixels_of(known: PSPActivations, cells: Rect) -> Rect:
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


def _reached(level: LevelReads, bins: np.ndarray) -> Rect:
    """Return the cells that read any of a level's bins (b, b) bool."""
    sides = []
    for taps, chosen in ((level.rows, bins.any(axis=1)), (level.columns, bins.any(axis=0))):
        reading = (taps[:, :, chosen] != 0).any(axis=(1, 2))
        sides.append(extent(reading) if reading.any() else slice(0, 0))
    return Rect(sides[0].start, sides[1].start, sides[0].stop, sides[1].stop)


def _classified(evidence: PSPEvidence, fused: np.ndarray) -> np.ndarray:
    """Return the logits (h, w, N) of pre-activations (h, w, K), which are overwritten.

    Beside the cells given there is padding, as around the whole map.
    """
    hidden, classifier = np.maximum(fused, 0, out=fused), evidence.weights.classifier
    biases = evidence.weights.classifier_bias
    if evidence.kernel == 1:
        found: np.ndarray = hidden @ classifier[:, :, 0, 0].T
        found += biases
        return found
    found = np.broadcast_to(biases, (*fused.shape[:2], len(biases))).copy()
    for tap in kernel_taps(evidence.kernel, (fused.shape[0], fused.shape[1]), slice(None)):
        found[tap.here] += hidden[tap.there] @ classifier[:, :, tap.row, tap.column].T
    return found


def _grown(mask: np.ndarray, reach: int) -> np.ndarray:
    """Return a mask with all that lies within `reach` of it, squares around each entry."""
    padded = np.pad(mask, reach)
    views = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1,) * 2)
    grown: np.ndarray = np.any(views, axis=(2, 3))
    return grown


def _counted(before: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return how many pixels have each pair of classes, (N, N); ignored ones are left out."""
    found = np.zeros(count * count, np.int64)
    step = max(1, _BAND_PIXELS // max(1, before.shape[1]))
    for start in range(0, len(before), step):  # pairs take eight bytes a pixel
        band = before[start : start + step]
        pairs = band.astype(np.int64) * count + labels[start : start + step]
        found += np.bincount(pairs[band < count], minlength=count * count)
    return found.reshape(count, count)


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


def _factor(value: object) -> float:
    """Return a factor from JSON; raises TypeError or ValueError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a factor is a number")
    if not 0 <= value <= 100:
        raise ValueError("a factor lies between 0 and 100")
    return float(value)


def _place(row: Any) -> Bin:
    """Return a bin from JSON; raises TypeError or ValueError for what is none."""
    level, first, second = row
    if not all(type(value) is int for value in (level, first, second)):
        raise TypeError("a bin is three whole numbers")
    return level, first, second
