"""Smoothing, growing and shrinking classes, and closing gaps: exact, and local.

What becomes of a pixel depends on the labels within `Operation.reach` alone, so any rect can be
computed by itself and all rects together give what the whole map would. cv2 is imported where it
is used. Any thread; the labels must not change meanwhile.

Distances are Euclidean between pixel middles. What lies outside of the image has no label and no
say. A pixel that a class loses goes to the nearest other label, the lowest one of equals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from pspgui.geometry import Rect

OPERATIONS: Final = ("smooth", "grow", "shrink", "close", "open", "joint")
MAX_RADIUS_PX: Final = 48  # votes of larger windows would no longer be whole numbers in float32
TILE_PX: Final = 256


@dataclass(frozen=True)
class Operation:
    """What to do to a map of labels.

    kind: "smooth" gives `label` the pixels where it has most of the votes around; "grow" and
    "shrink" move its border; "close" fills gaps narrower than two radii, "open" removes what is;
    "joint" gives every pixel the label with most votes, so that no gap opens between classes.
    `ignore` marks unlabelled pixels: in "joint" they stay as they are and none is added.
    Raises `ValueError` for another kind or a radius outside 1..MAX_RADIUS_PX.
    """

    kind: str
    radius_px: int
    label: int = 0
    ignore: int = 255

    def __post_init__(self) -> None:
        if self.kind not in OPERATIONS:
            raise ValueError(f"{self.kind!r} is none of {', '.join(OPERATIONS)}")
        if not 1 <= self.radius_px <= MAX_RADIUS_PX:
            raise ValueError(f"a radius is 1 to {MAX_RADIUS_PX} px, not {self.radius_px}")

    @property
    def reach(self) -> int:
        """How far away, in pixels, a label may still matter."""
        if self.kind in ("close", "open"):
            return 2 * self.radius_px
        if self.kind == "smooth":
            return math.ceil(1.5 * self.radius_px)
        return self.radius_px


class Patch(NamedTuple):
    """Pixels of one rect that change, `mask` (h, w) bool, and the labels they get (h, w)."""

    rect: Rect
    mask: np.ndarray
    wanted: np.ndarray


def transformed(labels: np.ndarray, rect: Rect, operation: Operation) -> np.ndarray:
    """Return the labels of `rect` (inside the map) after the operation, of the map's dtype."""
    outer = rect.padded(operation.reach).intersect(Rect(0, 0, *labels.shape))
    window = labels[outer.slices]
    inner = rect.moved(-outer.y0, -outer.x0).slices
    if window.size == 0 or window.min() == window.max():
        return window[inner].copy()
    if operation.kind == "joint":
        return _joint(window, operation)[inner].copy()
    mask = window == operation.label
    if not mask.any():
        return window[inner].copy()
    wanted = _CHANGED[operation.kind](mask, operation.radius_px)
    result = np.where(wanted, window.dtype.type(operation.label), window)
    result = result[inner].copy()
    lost = (mask & ~wanted)[inner]
    if lost.any():
        _give_away(result, lost, window, rect.moved(-outer.y0, -outer.x0), operation)
    return result


def patches(labels: np.ndarray, rect: Rect, operation: Operation) -> Iterator[Patch | None]:
    """Yield what changes in `rect`, tile by tile; None for a tile where nothing does."""
    rect = rect.intersect(Rect(0, 0, *labels.shape))
    for tile in tiles_of(rect):
        wanted = transformed(labels, tile, operation)
        mask = wanted != labels[tile.slices]
        yield Patch(tile, mask, wanted) if mask.any() else None


def tiles_of(rect: Rect, side_px: int = TILE_PX) -> list[Rect]:
    """Return the squares of a grid over the image that a rect lies in, cut to the rect."""
    return [
        Rect(top, left, top + side_px, left + side_px).intersect(rect)
        for top in range(rect.y0 // side_px * side_px, rect.y1, side_px)
        for left in range(rect.x0 // side_px * side_px, rect.x1, side_px)
    ]


def _votes(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return the weight of a mask around each pixel, float32 whole numbers.

    A pixel dy, dx away weighs (r + 1 - |dy|)(r + 1 - |dx|), and nothing beyond the radius.
    """
    import cv2

    ramp = (radius + 1 - np.abs(np.arange(-radius, radius + 1))).astype(np.float32)
    return np.asarray(
        cv2.sepFilter2D(
            mask.astype(np.float32), cv2.CV_32F, ramp, ramp, borderType=cv2.BORDER_CONSTANT
        )
    )


def _distances(mask: np.ndarray) -> np.ndarray:
    """Return each pixel's distance to the nearest True one, float32, inf if there is none."""
    import cv2

    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    away = np.logical_not(mask).view(np.uint8)
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def _smoothed(mask: np.ndarray, radius: int) -> np.ndarray:
    twice = 2 * _votes(mask, radius)
    every = np.outer(*(_all_votes(side, radius) for side in mask.shape))
    return np.asarray((twice > every) | (mask & (twice == every)))


def _all_votes(side: int, radius: int) -> np.ndarray:
    """Return the weight of everything around each pixel of one axis, float32 whole numbers."""
    ramp = (radius + 1 - np.abs(np.arange(-radius, radius + 1))).astype(np.float32)
    return np.convolve(np.ones(side, np.float32), ramp)[radius : radius + side]


def _grown(mask: np.ndarray, radius: int) -> np.ndarray:
    return np.asarray(_distances(mask) <= radius)


def _shrunk(mask: np.ndarray, radius: int) -> np.ndarray:
    return np.asarray(_distances(~mask) > radius)


def _closed(mask: np.ndarray, radius: int) -> np.ndarray:
    return np.asarray(_shrunk(_grown(mask, radius), radius) | mask)


def _opened(mask: np.ndarray, radius: int) -> np.ndarray:
    return np.asarray(_grown(_shrunk(mask, radius), radius) & mask)


_CHANGED: Final = {
    "smooth": _smoothed, "grow": _grown, "shrink": _shrunk, "close": _closed, "open": _opened,
}  # fmt: skip


def _give_away(
    result: np.ndarray, lost: np.ndarray, window: np.ndarray, inner: Rect, operation: Operation
) -> None:
    """Write the nearest other label where one is lost, looking no further than it may be."""
    rows, columns = np.flatnonzero(lost.any(axis=1)), np.flatnonzero(lost.any(axis=0))
    box = Rect(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    placed = box.moved(inner.y0, inner.x0)
    around = placed.padded(operation.reach).intersect(Rect(0, 0, *window.shape))
    nearest = _nearest_other(window[around.slices], operation.label)
    part = nearest[placed.moved(-around.y0, -around.x0).slices]
    np.copyto(result[box.slices], part, where=lost[box.slices])


def _nearest_other(window: np.ndarray, label: int) -> np.ndarray:
    """Return for each pixel the nearest label but `label`, the lowest one of equals."""
    best = np.full(window.shape, np.inf, np.float32)
    nearest = window.copy()
    for other in _present(window):
        if other == label:
            continue
        distance = _distances(window == other)
        nearer = distance < best
        np.copyto(nearest, window.dtype.type(other), where=nearer)
        np.copyto(best, distance, where=nearer)
    return nearest


def _joint(window: np.ndarray, operation: Operation) -> np.ndarray:
    """Return each pixel's label with most votes: its own of equals, else the lowest."""
    best = np.zeros(window.shape, np.float32)
    winner = window.copy()
    for label in _present(window):
        if label == operation.ignore:
            continue
        own = window == label
        votes = 2 * _votes(own, operation.radius_px) + own
        more = votes > best
        np.copyto(winner, window.dtype.type(label), where=more)
        np.copyto(best, votes, where=more)
    np.copyto(winner, window, where=window == operation.ignore)
    return winner


def _present(window: np.ndarray) -> list[int]:
    return [int(label) for label in np.flatnonzero(np.bincount(window.ravel()))]
