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
    count = pieces(p0, p1, diameter_px)
    ends = [(ay + (by - ay) * i / count, ax + (bx - ax) * i / count) for i in range(count + 1)]
    for i in range(count):
        stamp = _swept(ends[i], ends[i + 1], diameter_px, shape, square)
        if not stamp.rect.is_empty:
            yield stamp


class Runs(NamedTuple):
    """Pixels of an image of `shape` as runs in rows: `flat` indices of its raveled array."""

    rect: Rect
    flat: np.ndarray


def fresh_runs(
    p0: Point, p1: Point, diameter_px: int, shape: tuple[int, int], square: bool = False
) -> Runs:
    """Return what a sweep from p0 to p1 covers and a dab at p0 does not.

    For a large brush that moves a little these are few pixels in a large rect. The sweep must
    take a single piece of `capsules`. Raises `ValueError` below a diameter of 2.
    """
    if diameter_px < 2:
        raise ValueError(f"runs are for brushes of 2 px or more, not {diameter_px}")
    a, b = snapped(p0, diameter_px), snapped(p1, diameter_px)
    radius = diameter_px / 2
    top = max(0, math.floor(min(a[0], b[0]) - radius))
    rows = np.arange(top, min(shape[0], math.ceil(max(a[0], b[0]) + radius)))
    first, last = _columns(rows, a, b, radius, square, shape[1])
    old_first, old_last = _columns(rows, a, a, radius, square, shape[1])
    none = old_first > old_last
    left_stop = np.where(none, last + 1, np.minimum(old_first, last + 1))
    right_start = np.where(none, last + 1, np.maximum(old_last + 1, first))
    at = np.concatenate([rows, rows])
    starts = np.concatenate([first, right_start])
    counts = np.maximum(np.concatenate([left_stop - first, last + 1 - right_start]), 0)
    some = counts > 0
    if not some.any():
        return Runs(Rect(0, 0, 0, 0), np.zeros(0, np.intp))
    at, starts, counts = at[some], starts[some], counts[some]
    # One step from each pixel to the next, summed up: a tenth of what repeat takes.
    firsts, ends = at * shape[1] + starts, np.cumsum(counts)
    flat = np.ones(int(ends[-1]), np.intp)
    flat[0] = firsts[0]
    flat[ends[:-1]] = firsts[1:] - (firsts[:-1] + counts[:-1] - 1)
    np.cumsum(flat, out=flat)
    rect = Rect(
        int(at.min()), int(starts.min()), int(at.max()) + 1, int((starts + counts).max())
    )
    return Runs(rect, flat)


def _columns(
    rows: np.ndarray, a: Point, b: Point, radius: float, square: bool, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last column of a sweep in each row, clipped to the image."""
    low, high = (_square_spans if square else _round_spans)(rows + 0.5, a, b, radius)
    first = np.ceil(np.clip(low, -1, width + 1) - 0.5 - _NUDGE).astype(np.intp)
    last = np.floor(np.clip(high, -1, width + 1) - 0.5 + _NUDGE).astype(np.intp)
    return np.maximum(first, 0), np.minimum(last, width - 1)


def pieces(p0: Point, p1: Point, diameter_px: int) -> int:
    """Return how many stamps `capsules` makes of a sweep."""
    (ay, ax), (by, bx) = snapped(p0, diameter_px), snapped(p1, diameter_px)
    longest = max(abs(by - ay), abs(bx - ax))
    return max(1, math.ceil(longest / max(2 * diameter_px, 128)))


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
    for cy, cx in (a, b) if a != b else (a,):
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
