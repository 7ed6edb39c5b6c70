"""How much of an image each class covers, kept up to date without counting it all again.

Plain numpy, no Qt. Counts are kept by tiles of 256 px; an edit makes its tiles stale and `step`
recounts as many as fit into a few milliseconds, so that no map is too large for the GUI thread.
"""

from __future__ import annotations

import time

import numpy as np

from pspgui.geometry import Rect
from pspgui.imaging.scratch import let_go

TILE_PX = 256


class AreaCounter:
    """Counts labels 0..classes-1 of one (H, W) label array; all others count together.

    The array is read in `step` only, on the thread that writes it.
    """

    def __init__(self, labels: np.ndarray, classes: int) -> None:
        self._labels = labels
        self._classes = classes
        rows, cols = (-(-n // TILE_PX) for n in labels.shape)
        self._counts = np.zeros((rows, cols, classes + 1), np.int64)
        self._total = np.zeros(classes + 1, np.int64)
        self._stale = {(row, col) for row in range(rows) for col in range(cols)}

    @property
    def labels(self) -> np.ndarray:
        """The array counted."""
        return self._labels

    @property
    def is_done(self) -> bool:
        """Whether every tile is counted as it is now."""
        return not self._stale

    def touch(self, rect: Rect) -> None:
        """Note that labels inside the rect changed."""
        rows, cols = self._counts.shape[:2]
        for row in range(max(0, rect.y0 // TILE_PX), min(rows, -(-rect.y1 // TILE_PX))):
            for col in range(max(0, rect.x0 // TILE_PX), min(cols, -(-rect.x1 // TILE_PX))):
                self._stale.add((row, col))

    def step(self, budget_ms: float = 3.0) -> bool:
        """Recount stale tiles for about `budget_ms`; return whether all are done."""
        end = time.perf_counter() + budget_ms / 1000
        while self._stale:
            row, col = self._stale.pop()
            y, x = row * TILE_PX, col * TILE_PX
            tile = self._labels[y : y + TILE_PX, x : x + TILE_PX]
            clipped = np.minimum(tile, self._classes).ravel()
            fresh = np.bincount(clipped, minlength=self._classes + 1)
            self._total += fresh - self._counts[row, col]
            self._counts[row, col] = fresh
            if time.perf_counter() >= end:
                break
        let_go(self._labels)
        return self.is_done

    def shares(self) -> np.ndarray:
        """Return the share of each class in all pixels counted so far, (classes,) float64."""
        return self._total[:-1] / max(1, int(self._total.sum()))
