"""What becomes of a network's scores when sources are altered: a PSPNet's own answers.

z is taken from the network's own each time, so that no rounding piles up; cells that no altered
source reaches keep the network's scores bit for bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np

from pspgui.evidence.alterations import WhatIf
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.psp_reads import LevelReads, extent, kernel_taps
from pspgui.geometry import Rect
from pspgui.inference.activations import Activations, PSPActivations

NO_CELLS = Rect(0, 0, 0, 0)


class Altering(ABC):
    """What may be altered in one image, and the scores that come of it; any thread may ask."""

    known: Activations
    levels: tuple[int, ...]

    def check(self, what: WhatIf) -> None:
        """Raise for what the network does not have.

        KeyError or IndexError for a level or bin that there is not, ValueError for a loan from
        another network.
        """
        for bins, row, column in (*what.bins, *what.borrowed, *((b, 0, 0) for b in what.levels)):
            if bins not in self.levels:
                raise KeyError(f"there is no level of {bins} × {bins} bins")
            if not (0 <= row < bins and 0 <= column < bins):
                raise IndexError(f"level {bins} has no bin {row},{column}")
        if not all(self.can_borrow(lender) for lender in what.borrowed.values()):
            raise ValueError("a bin can only be borrowed from an image that this network read")

    @abstractmethod
    def can_borrow(self, lender: Activations) -> bool:
        """Say whether bins can be borrowed from an image: whether this network read it."""

    @abstractmethod
    def scores(self, what: WhatIf) -> np.ndarray:
        """Return all cell logits (N, h, w) with alterations; raises as `check`."""

    @abstractmethod
    def differing(self, what: WhatIf, last: WhatIf) -> Rect:
        """Return the cells whose scores may differ between two what-ifs."""

    @abstractmethod
    def scores_within(self, what: WhatIf, cells: Rect, plain: np.ndarray) -> np.ndarray:
        """Return the scores of some cells, (h', w', N), new.

        `plain` (h, w, N) are those of nothing altered.
        """


class PyramidAltering(Altering):
    """A PSPNet's: one layer of gates behind the sum of local features and bins."""

    def __init__(self, evidence: PSPEvidence) -> None:
        self._evidence = evidence
        self._own = evidence.activations
        self.known, self.levels = self._own, self._own.levels

    def can_borrow(self, lender: Activations) -> bool:
        """Say whether this network read an image."""
        known = self._own
        return (
            isinstance(lender, PSPActivations)
            and (lender.stamp.model, lender.levels) == (known.stamp.model, known.levels)
        )  # fmt: skip

    def scores(self, what: WhatIf) -> np.ndarray:
        """Return all cell logits (N, h, w) with alterations, from the parts; raises as `check`."""
        evidence, known = self._evidence, self._own
        self.check(what)
        fused = known.local_cells * known.local_cells.dtype.type(what.local)
        fused += evidence.weights.bottleneck_bias
        for level, own in zip(evidence.reads.levels, known.level_taps, strict=True):
            taps = self._borrowed(level.bins, own, what)
            factors = what.factors(level.bins)
            if not factors.any():
                continue
            if (factors != 1).any():
                taps = taps * factors[None, :, None, :, None].astype(taps.dtype)
            fused += evidence.spread(level, taps)
        return evidence.classified(fused)

    def differing(self, what: WhatIf, last: WhatIf) -> Rect:
        """Return the cells whose scores may differ between two what-ifs."""
        whole = Rect(0, 0, *self._own.grid)
        if what.local != last.local:
            return whole
        found = NO_CELLS
        for level in self._evidence.reads.levels:
            other = what.differs(last, level.bins)
            if other.any():
                found = found.union(_reached(level, other))
        reach = self._evidence.kernel // 2
        return found if found.is_empty else found.padded(reach).intersect(whole)

    def scores_within(self, what: WhatIf, cells: Rect, plain: np.ndarray) -> np.ndarray:
        """Return the scores of some cells, (h', w', N), new; see `Altering`."""
        known, reach = self._own, self._evidence.kernel // 2
        wide = cells.padded(reach).intersect(Rect(0, 0, *known.grid))
        change = self._change_within(what, wide)
        touched: np.ndarray = np.any(change, axis=-1)
        change += known.fused_cells[wide.slices]
        scores = _classified(self._evidence, change)
        inside = cells.moved(-wide.y0, -wide.x0).slices
        if reach:
            touched = _grown(touched, reach)
        found: np.ndarray = scores[inside]
        np.copyto(found, plain[cells.slices], where=~touched[inside][..., None])
        return found

    def _change_within(self, what: WhatIf, cells: Rect) -> np.ndarray:
        """Return by how much z of some cells differs from the network's own, (h', w', K)."""
        known = self._own
        rows, columns = cells.slices
        kind = known.fused_cells.dtype
        change: np.ndarray = known.local_cells[cells.slices] * kind.type(what.local - 1)
        for level, own in zip(self._evidence.reads.levels, known.level_taps, strict=True):
            factors = what.factors(level.bins)
            altered = what.differs(_NOTHING, level.bins)
            if not altered.any():
                continue
            lines, ranks = np.any(altered, axis=1), np.any(altered, axis=0)
            high, broad = extent(np.asarray(lines)), extent(np.asarray(ranks))
            taps = self._borrowed(level.bins, own, what)[:, high][:, :, :, broad]
            taps = taps * factors[None, high, None, broad, None].astype(kind)
            taps -= own[:, high][:, :, :, broad]
            across = level.columns[columns][:, :, broad].reshape(cells.width, -1)
            down = level.rows[rows][:, :, high].reshape(cells.height, -1)
            bands = across @ taps.reshape(down.shape[1], across.shape[1], -1)
            change += (down @ bands.reshape(down.shape[1], -1)).reshape(change.shape)
        return change

    def _borrowed(self, bins: int, own: np.ndarray, what: WhatIf) -> np.ndarray:
        """Return a level's taps (k, b, k, b, K) with the borrowed bins in place of their own."""
        loans = [(place, lender) for place, lender in what.borrowed.items() if place[0] == bins]
        if not loans:
            return own
        taps = own.copy()
        index = self._own.levels.index(bins)
        for (_, row, column), lender in loans:
            assert isinstance(lender, PSPActivations)
            taps[:, row, :, column] = lender.level_taps[index][:, row, :, column]
        return taps


_NOTHING = WhatIf()


def only_bins(found: PSPActivations) -> PSPActivations:
    """Return activations of which only the bins are left, to be lent: the rest is some 50 MB."""
    nothing = np.zeros((0, 0, 0), np.float32)
    return replace(
        found, features=nothing, maps=(), local_cells=nothing, fused_cells=nothing,
        scores=nothing,
    )  # fmt: skip


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
