"""Where two label maps of one image differ: by how much for every class, and in which regions."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from pspgui.geometry import Pixel, Rect

MOST_REGIONS: Final = 2000
_MOST_PIXELS: Final = 16_000_000


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


class DifferingRegion(NamedTuple):
    """Connected pixels that bear `one` in the first map and `other` in the second.

    number: its value in `DifferingRegions.parts`; pixels: how many; deepest: the pixel that lies
    farthest from the region's border.
    """

    number: int
    one: int
    other: int
    pixels: int
    rect: Rect
    deepest: Pixel


class DifferingRegions(NamedTuple):
    """The regions in which two maps differ, the largest first.

    parts: (h, w) int32, the number of the region that a pixel is in, 0 in none; of every
    `step`-th pixel down and across, which is more than the first one for very large maps only.
    Pixels and rects are those of the maps. left_out: how many were too small or one too many.
    """

    parts: np.ndarray
    step: int
    regions: tuple[DifferingRegion, ...]
    left_out: int


def differing_regions(
    one: np.ndarray, other: np.ndarray, least_px: int = 1, most: int = MOST_REGIONS
) -> DifferingRegions:
    """Find the 8-connected regions in which the same two labels of two maps (H, W) meet.

    Regions of fewer than `least_px` pixels are left out, and so are all beyond the `most` largest.
    Some 100 ms a megapixel; any thread, on arrays that nobody writes meanwhile. Raises
    `ValueError` for shapes that differ.
    """
    if one.shape != other.shape:
        raise ValueError(f"one map is {one.shape}, the other {other.shape}")
    from skimage.measure import label

    step = max(1, math.ceil(math.sqrt(one.size / _MOST_PIXELS)))
    one, other = one[::step, ::step], other[::step, ::step]
    size = int(other.max(initial=0)) + 1
    pairs = one.astype(np.int32) * size + other + 1
    pairs[one == other] = 0
    parts = np.asarray(
        label(pairs, background=0, connectivity=2)  # type: ignore[no-untyped-call]
    ).astype(np.int32)
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    order = np.argsort(-areas, kind="stable")
    kept = order[areas[order] * step**2 >= max(1, least_px)][:most]
    numbers = np.zeros(len(areas), np.int32)
    numbers[kept] = np.arange(1, len(kept) + 1)
    parts = numbers[parts]
    left_out = int(np.count_nonzero(areas)) - len(kept)
    return DifferingRegions(parts, step, _measured(parts, one, other, step), left_out)


def _measured(
    parts: np.ndarray, one: np.ndarray, other: np.ndarray, step: int
) -> tuple[DifferingRegion, ...]:
    """Return what is to be known of every numbered part, in the order of the numbers."""
    at = np.flatnonzero(parts)
    if not at.size:
        return ()
    numbers = parts.ravel()[at]
    at = at[np.argsort(numbers, kind="stable")]
    counts = np.bincount(numbers)[1:]
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    ys, xs = np.divmod(at, parts.shape[1])
    low = np.minimum.reduceat(ys, starts), np.minimum.reduceat(xs, starts)
    high = np.maximum.reduceat(ys, starts), np.maximum.reduceat(xs, starts)
    depth = _depth(parts).ravel()[at]
    is_deepest = np.flatnonzero(depth == np.repeat(np.maximum.reduceat(depth, starts), counts))
    found = is_deepest[np.searchsorted(is_deepest, starts)]
    return tuple(
        DifferingRegion(
            k + 1, int(one[ys[i], xs[i]]), int(other[ys[i], xs[i]]), int(counts[k]) * step**2,
            Rect(int(low[0][k]) * step, int(low[1][k]) * step,
                 int(high[0][k]) * step + 1, int(high[1][k]) * step + 1),
            Pixel(int(ys[i]) * step, int(xs[i]) * step),
        )
        for k, i in enumerate(found.tolist())
    )  # fmt: skip


def _depth(parts: np.ndarray) -> np.ndarray:
    """Return how far every pixel lies from the border of its part, (h, w) float32."""
    import cv2

    inside = np.pad((parts > 0).astype(np.uint8), 1)
    inner = inside[1:-1, 1:-1]
    down, across = parts[1:] != parts[:-1], parts[:, 1:] != parts[:, :-1]
    for side, differs in (
        (inner[1:], down), (inner[:-1], down), (inner[:, 1:], across), (inner[:, :-1], across)
    ):  # fmt: skip
        side[differs] = 0
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3))[1:-1, 1:-1]
