"""Brush shapes as boolean masks: a round or square brush swept along a straight move.

A point (y, x) is in image pixels, pixel i covering i..i+1. The brush snaps to pixels, so that it
always covers the same `diameter_px` rows and columns: an odd one to the middle of a pixel, an
even one to a corner. Masks are filled from each row's first and last column, which costs a few
operations a row and not several a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pspgui.geometry import Rect


class Stamp(NamedTuple):
    """A mask (h, w) bool and the rect of the image that it lies over."""

    rect: Rect
    mask: np.ndarray


Point = tuple[float, float]
NOTHING = Stamp(Rect(0, 0, 0, 0), np.zeros((0, 0), bool))
_NUDGE = 1e-9  # a pixel whose middle lies on the rim belongs to the brush, whatever rounding says


def snapped(point: Point, diameter_px: int) -> Point:
    """Return the brush centre for a pointer position: a pixel's middle, or a corner if even."""
    if diameter_px % 2:
        return math.floor(point[0]) + 0.5, math.floor(point[1]) + 0.5
    return float(math.floor(point[0] + 0.5)), float(math.floor(point[1] + 0.5))


def capsule(
    p0: Point, p1: Point, diameter_px: int, shape: tuple[int, int], square: bool = False
) -> Stamp:
    """Return the brush swept from p0 to p1, clipped to an image of `shape`.

    A diameter of 1 gives a gap-free line one pixel wide. Raises `ValueError` below 1.
    """
    if diameter_px < 1:
        raise ValueError(f"a brush is at least 1 px wide, not {diameter_px}")
    return _swept(snapped(p0, diameter_px), snapped(p1, diameter_px), diameter_px, shape, square)


def capsules(
    p0: Point, p1: Point, diameter_px: int, shape: tuple[int, int], square: bool = False
) -> Iterator[Stamp]:
    """Yield the stamps that make up a sweep; a long thin one comes in pieces.

    One mask around a long diagonal would be mostly empty and cost as the square of its length.
    """
    if diameter_px < 1:
        raise ValueError(f"a brush is at least 1 px wide, not {diameter_px}")
    (ay, ax), (by, bx) = snapped(p0, diameter_px), snapped(p1, diameter_px)
    longest = max(abs(by - ay), abs(bx - ax))
    pieces = max(1, math.ceil(longest / max(2 * diameter_px, 128)))
    ends = [(ay + (by - ay) * i / pieces, ax + (bx - ax) * i / pieces) for i in range(pieces + 1)]
    for i in range(pieces):
        stamp = _swept(ends[i], ends[i + 1], diameter_px, shape, square)
        if not stamp.rect.is_empty:
            yield stamp


def _swept(a: Point, b: Point, diameter: int, shape: tuple[int, int], square: bool) -> Stamp:
    """Return the sweep between two snapped centres."""
    if diameter == 1:
        return _line(a, b, shape)
    radius = diameter / 2
    box = Rect(
        math.floor(min(a[0], b[0]) - radius), math.floor(min(a[1], b[1]) - radius),
        math.ceil(max(a[0], b[0]) + radius), math.ceil(max(a[1], b[1]) + radius),
    )  # fmt: skip
    rect = box.intersect(Rect(0, 0, *shape))
    if rect.is_empty:
        return NOTHING
    rows = np.arange(rect.y0, rect.y1) + 0.5
    spans = _square_spans if square else _round_spans
    low, high = spans(rows, a, b, radius)
    # Columns whose middle lies within low..high; int32 keeps the comparison below in cache.
    first = np.ceil(np.clip(low, -1, shape[1] + 1) - 0.5 - _NUDGE).astype(np.int32)
    last = np.floor(np.clip(high, -1, shape[1] + 1) - 0.5 + _NUDGE).astype(np.int32)
    columns = np.arange(rect.x0, rect.x1, dtype=np.int32)
    mask = columns >= first[:, None]
    mask &= columns <= last[:, None]
    return Stamp(rect, mask)


def _line(a: Point, b: Point, shape: tuple[int, int]) -> Stamp:
    """Return the pixels of a line one pixel wide: one in every step of its longer axis."""
    (ay, ax), (by, bx) = (math.floor(a[0]), math.floor(a[1])), (math.floor(b[0]), math.floor(b[1]))
    steps = max(abs(by - ay), abs(bx - ax))
    at = np.arange(steps + 1) / max(steps, 1)
    ys = np.floor(ay + at * (by - ay) + 0.5).astype(int)
    xs = np.floor(ax + at * (bx - ax) + 0.5).astype(int)
    inside = (ys >= 0) & (ys < shape[0]) & (xs >= 0) & (xs < shape[1])
    ys, xs = ys[inside], xs[inside]
    if not ys.size:
        return NOTHING
    rect = Rect(int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1)
    mask = np.zeros((rect.height, rect.width), bool)
    mask[ys - rect.y0, xs - rect.x0] = True
    return Stamp(rect, mask)


def _round_spans(
    rows: np.ndarray, a: Point, b: Point, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (lowest, highest) x within `radius` of the segment a-b, for each row's middle.

    A capsule is two discs and the band between them; it is convex, so a row meets it in one span.
    """
    low, high = np.full(rows.shape, np.inf), np.full(rows.shape, -np.inf)
    for cy, cx in (a, b):
        square = radius * radius - (rows - cy) ** 2
        half = np.sqrt(np.maximum(square, 0))
        met = square >= 0
        low = np.where(met, np.minimum(low, cx - half), low)
        high = np.where(met, np.maximum(high, cx + half), high)
    dy, dx = b[0] - a[0], b[1] - a[1]
    length = math.hypot(dy, dx)
    if length > 0:
        below = rows - a[0]
        # In the band: 0 <= (x - ax) dx + below dy <= length², |(x - ax) dy - below dx| <= r length
        left1, right1 = _between(dx, -below * dy, length * length - below * dy)
        left2, right2 = _between(dy, below * dx - radius * length, below * dx + radius * length)
        left, right = np.maximum(left1, left2) + a[1], np.minimum(right1, right2) + a[1]
        met = left <= right
        low = np.where(met, np.minimum(low, left), low)
        high = np.where(met, np.maximum(high, right), high)
    return low, high


def _between(slope: float, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of t with low <= slope * t <= high, empty as (inf, -inf)."""
    if slope > 0:
        return low / slope, high / slope
    if slope < 0:
        return high / slope, low / slope
    met = (low <= 0) & (high >= 0)
    return np.where(met, -np.inf, np.inf), np.where(met, np.inf, -np.inf)


def _square_spans(
    rows: np.ndarray, a: Point, b: Point, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (lowest, highest) x that a square brush covers in each row."""
    dy, dx = b[0] - a[0], b[1] - a[1]
    start, end = _between(dy, rows - radius - a[0], rows + radius - a[0])
    start, end = np.maximum(start, 0.0), np.minimum(end, 1.0)
    met = start <= end
    one, other = a[1] + np.where(met, start, 0) * dx, a[1] + np.where(met, end, 0) * dx
    low, high = np.minimum(one, other) - radius, np.maximum(one, other) + radius
    return np.where(met, low, np.inf), np.where(met, high, -np.inf)
