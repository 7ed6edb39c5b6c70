"""Areas as boolean masks: polygons, rectangles and ellipses drawn over a label map.

Points (y, x) are in image pixels, pixel i covering i..i+1; a pixel belongs to a polygon or an
ellipse if its middle does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.raster import NOTHING, Point, Stamp

_NUDGE = 1e-9  # a middle that lies on the rim belongs to the shape, whatever rounding says
_BAND_CELLS = 1 << 22  # winding numbers are summed some rows at a time, in this many cells


def polygon(points: Sequence[Point], shape: tuple[int, int]) -> Stamp:
    """Return the pixels that a closed outline goes round, clipped to an image of `shape`.

    The nonzero winding rule: an outline that crosses itself has no holes where it overlaps. Of
    two polygons that share an edge exactly one gets a pixel whose middle lies on it. Fewer than
    three points, or an outline between all middles, give an empty stamp.
    """
    if len(points) < 3:
        return NOTHING
    start = np.asarray(points, np.float64)
    box = Rect(
        math.floor(start[:, 0].min()), math.floor(start[:, 1].min()),
        math.ceil(start[:, 0].max()), math.ceil(start[:, 1].max()),
    )  # fmt: skip
    rect = box.intersect(Rect(0, 0, *shape))
    if rect.is_empty:
        return NOTHING
    rows, columns, signs = _crossings(start, np.roll(start, -1, axis=0), rect)
    order = np.argsort(rows, kind="stable")
    rows, columns, signs = rows[order], columns[order], signs[order]
    mask = np.empty((rect.height, rect.width), bool)
    step = max(1, _BAND_CELLS // (rect.width + 1))
    for top in range(0, rect.height, step):
        height = min(step, rect.height - top)
        first, last = np.searchsorted(rows, (top, top + height))
        turns = np.zeros((height, rect.width + 1), np.int16)
        np.add.at(turns, (rows[first:last] - top, columns[first:last]), signs[first:last])
        np.cumsum(turns, axis=1, out=turns, dtype=np.int16)
        np.not_equal(turns[:, :-1], 0, out=mask[top : top + height])
    return Stamp(rect, mask) if mask.any() else NOTHING


def _crossings(
    start: np.ndarray, end: np.ndarray, rect: Rect
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (row, column, sign) of each edge's crossings with the rows' middles, in `rect`.

    The column is the first whose middle is not left of the edge. Edges hold their upper end and
    not their lower one, so that a vertex on a row's middle counts once.
    """
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    first = np.clip(np.ceil(low - 0.5), rect.y0, rect.y1).astype(np.int64)
    stop = np.clip(np.ceil(high - 0.5), rect.y0, rect.y1).astype(np.int64)
    counts = stop - first
    edge = np.repeat(np.arange(len(start)), counts)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = first[edge] + within
    (ay, ax), (by, bx) = start[edge].T, end[edge].T
    x = ax + (rows + 0.5 - ay) * ((bx - ax) / (by - ay))
    columns = np.clip(np.ceil(x - 0.5), rect.x0, rect.x1).astype(np.int64)
    signs = np.where(by > ay, 1, -1).astype(np.int16)
    return rows - rect.y0, columns - rect.x0, signs


def spanned(a: Point, b: Point) -> Rect:
    """Return the rect of the pixels under two corners, both included; it may leave the image."""
    (y0, y1), (x0, x1) = sorted((a[0], b[0])), sorted((a[1], b[1]))
    return Rect(math.floor(y0), math.floor(x0), math.floor(y1) + 1, math.floor(x1) + 1)


def squared(a: Point, b: Point) -> Point:
    """Return the corner opposite `a` that makes what `spanned` gives a square, towards `b`."""
    (ay, ax), (by, bx) = (map(math.floor, p) for p in (a, b))
    side = max(abs(by - ay), abs(bx - ax))
    down, right = (1 if by >= ay else -1), (1 if bx >= ax else -1)
    return ay + down * side + 0.5, ax + right * side + 0.5


def rectangle(box: Rect, shape: tuple[int, int]) -> Stamp:
    """Return a rect's pixels, clipped to an image of `shape`."""
    rect = box.intersect(Rect(0, 0, *shape))
    return NOTHING if rect.is_empty else Stamp(rect, np.ones((rect.height, rect.width), bool))


def ellipse(box: Rect, shape: tuple[int, int]) -> Stamp:
    """Return the pixels of the ellipse that touches a rect's sides, clipped to `shape`."""
    rect = box.intersect(Rect(0, 0, *shape))
    if rect.is_empty:
        return NOTHING
    # In half pixels from the middle everything is a whole number, so no rounding decides.
    rows = 2 * np.arange(rect.y0, rect.y1) + 1 - (box.y0 + box.y1)
    columns = 2 * np.arange(rect.x0, rect.x1) + 1 - (box.x0 + box.x1)
    height, width = box.height, box.width
    room = height**2 * width**2 - rows.astype(np.int64) ** 2 * width**2
    mask = (columns.astype(np.int64) ** 2 * height**2)[None] <= room[:, None]
    return Stamp(rect, mask) if mask.any() else NOTHING


def turned_ellipse(
    middle: Point, radii: Point, degrees: float, shape: tuple[int, int]
) -> Stamp:
    """Return the pixels whose middles lie in an ellipse, clipped to an image of `shape`.

    `middle` and `radii` are (y, x) in px; it is turned about its middle, clockwise as one sees it.
    A radius of less than a millionth of a pixel gives an empty stamp.
    """
    if min(radii) < 1e-6:
        return NOTHING
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    down, across = radii
    reach_y, reach_x = math.hypot(across * sine, down * cosine), math.hypot(
        across * cosine, down * sine
    )
    rect = Rect(
        math.floor(middle[0] - reach_y), math.floor(middle[1] - reach_x),
        math.ceil(middle[0] + reach_y), math.ceil(middle[1] + reach_x),
    ).intersect(Rect(0, 0, *shape))  # fmt: skip
    if rect.is_empty:
        return NOTHING
    # Where a row meets a x² + 2 b x y + c y² <= 1: it does so in one span.
    a = (cosine / across) ** 2 + (sine / down) ** 2
    b = sine * cosine * (1 / across**2 - 1 / down**2)
    c = (sine / across) ** 2 + (cosine / down) ** 2
    y = np.arange(rect.y0, rect.y1) + 0.5 - middle[0]
    room = (b * y) ** 2 - a * (c * y * y - 1)
    half = np.sqrt(np.maximum(room, 0)) / a
    centre = middle[1] - b * y / a
    x = np.arange(rect.x0, rect.x1) + 0.5
    mask = (np.abs(x[None] - centre[:, None]) <= half[:, None] + _NUDGE) & (room >= 0)[:, None]
    return Stamp(rect, mask) if mask.any() else NOTHING


def tiles(stamp: Stamp, side_px: int) -> Iterator[Stamp]:
    """Yield a stamp in squares of a grid over the image, those without a pixel left out.

    A few pixels in a large rect then cost an edit the tiles that they lie in, and no others.
    """
    for rect in squares(stamp.rect, side_px):
        mask = stamp.mask[rect.moved(-stamp.rect.y0, -stamp.rect.x0).slices]
        if mask.any():
            yield Stamp(rect, mask)


def squares(rect: Rect, side_px: int) -> Iterator[Rect]:
    """Yield the parts of a rect in the squares of a grid over the image, row by row."""
    for top in range(rect.y0 // side_px * side_px, rect.y1, side_px):
        for left in range(rect.x0 // side_px * side_px, rect.x1, side_px):
            yield Rect(top, left, top + side_px, left + side_px).intersect(rect)


def joined(a: Stamp, b: Stamp) -> Stamp:
    """Return the pixels of two regions together."""
    if a.rect.is_empty or b.rect.is_empty:
        return b if a.rect.is_empty else a
    rect = a.rect.union(b.rect)
    mask = np.zeros((rect.height, rect.width), bool)
    for stamp in (a, b):
        mask[stamp.rect.moved(-rect.y0, -rect.x0).slices] |= stamp.mask
    return Stamp(rect, mask)


def without(a: Stamp, b: Stamp) -> Stamp:
    """Return the pixels of a region that are not in another."""
    rect = a.rect.intersect(b.rect)
    mask = a.mask.copy()
    part = mask[rect.moved(-a.rect.y0, -a.rect.x0).slices]
    part &= ~b.mask[rect.moved(-b.rect.y0, -b.rect.x0).slices]
    return Stamp(a.rect, mask) if mask.any() else NOTHING
