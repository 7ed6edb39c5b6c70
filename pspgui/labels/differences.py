"""Where two label maps of one image differ, and by how much for every class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class ClassDifference(NamedTuple):
    """What became of one class: pixels in both maps, only in the first, only in the second."""

    label: int
    both: int
    lost: int
    won: int

    @property
    def iou(self) -> float:
        """Pixels in both over pixels in either, 0..1; 1 for a class that neither has."""
        either = self.both + self.lost + self.won
        return self.both / either if either else 1.0


class Difference(NamedTuple):
    """A comparison of two maps.

    `mask` is (H, W) bool, True where they differ; `classes` holds a row for every label that
    either has, the most changed first; `pixels` counts the mask, of `compared` pixels.
    """

    mask: np.ndarray
    classes: tuple[ClassDifference, ...]
    pixels: int
    compared: int


def difference(before: np.ndarray, after: np.ndarray, ignore: int | None = None) -> Difference:
    """Compare two label maps (H, W) of any integer dtype: as saved and as shown, or of two models.

    Pixels that are `ignore` in either are not compared. Some 10 ms a megapixel; any thread, on
    arrays that nobody writes meanwhile. Raises `ValueError` for shapes that differ.
    """
    if before.shape != after.shape:
        raise ValueError(f"one map is {before.shape}, the other {after.shape}")
    size = int(max(before.max(initial=0), after.max(initial=0))) + 1
    mask = before != after
    both, lost, won = (np.zeros(size, np.int64) for _ in range(3))
    compared = 0
    rows = max(1, (1 << 18) // max(1, before.shape[1]))
    for top in range(0, before.shape[0], rows):
        a, b, differs = before[top : top + rows], after[top : top + rows], mask[top : top + rows]
        seen = np.ones(a.shape, bool)
        if ignore is not None:
            np.logical_and(a != ignore, b != ignore, out=seen)
            differs &= seen
        compared += int(np.count_nonzero(seen))
        both += np.bincount(a[seen & ~differs], minlength=size)
        lost += np.bincount(a[differs], minlength=size)
        won += np.bincount(b[differs], minlength=size)
    found = np.flatnonzero(both + lost + won)
    table = [ClassDifference(int(i), int(both[i]), int(lost[i]), int(won[i])) for i in found]
    table.sort(key=lambda row: (-(row.lost + row.won), row.label))
    return Difference(mask, tuple(table), int(np.count_nonzero(mask)), compared)
