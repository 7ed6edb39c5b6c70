"""Area masks against the definition, worked out pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.geometry import Rect
from pspgui.labels import shapes
from pspgui.labels.raster import NOTHING, Stamp
from pspgui.labels.shapes import ellipse, polygon, rectangle, spanned, squared, tiles

SHAPE = (17, 23)
# Eighths are exact, and half of them lie on middles and edges of pixels.
eighths = st.integers(-40, 240).map(lambda v: v / 8)
points = st.tuples(eighths, eighths)


def drawn(stamp: Stamp) -> np.ndarray:
    """Return a stamp as a mask of the image, checking that it fits it."""
    whole = np.zeros(SHAPE, bool)
    assert stamp.mask.shape == (stamp.rect.height, stamp.rect.width)
    assert stamp.rect.is_empty or stamp.rect == stamp.rect.intersect(Rect(0, 0, *SHAPE))
    whole[stamp.rect.slices] = stamp.mask
    return whole


def winding(outline: list[tuple[float, float]], y: float, x: float) -> int:
    """Return how often an outline goes round a point: edges left of it or through it count."""
    turns = 0
    for (ay, ax), (by, bx) in zip(outline, outline[1:] + outline[:1], strict=True):
        if (ay <= y < by) or (by <= y < ay):
            # Multiplied out, so that eighths stay exact.
            side = (ax - x) * (by - ay) + (y - ay) * (bx - ax)
            if side * (1 if by > ay else -1) <= 0:
                turns += 1 if by > ay else -1
    return turns


@settings(deadline=None, max_examples=60)
@given(st.lists(points, min_size=3, max_size=9))
def test_a_polygon_covers_the_pixels_whose_middles_it_goes_round(outline):
    mask = drawn(polygon(outline, SHAPE))
    for y in range(SHAPE[0]):
        for x in range(SHAPE[1]):
            on_edge = min(_distance(outline, y + 0.5, x + 0.5)) < 1e-9
            expected = winding(outline, y + 0.5, x + 0.5) != 0
            assert on_edge or mask[y, x] == expected


def _distance(outline: list[tuple[float, float]], y: float, x: float) -> list[float]:
    found = []
    for (ay, ax), (by, bx) in zip(outline, outline[1:] + outline[:1], strict=True):
        length = (by - ay) ** 2 + (bx - ax) ** 2
        t = ((y - ay) * (by - ay) + (x - ax) * (bx - ax)) / length if length else 0.0
        t = min(1.0, max(0.0, t))
        found.append(math.hypot(y - ay - t * (by - ay), x - ax - t * (bx - ax)))
    return found


@settings(deadline=None)
@given(points, points, points, points)
def test_polygons_that_share_an_edge_leave_no_gap_and_no_overlap(a, b, c, d):
    def side(p: tuple[float, float]) -> float:
        return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])

    if side(c) * side(d) >= 0:
        return
    one, other = drawn(polygon([a, b, c], SHAPE)), drawn(polygon([b, a, d], SHAPE))
    assert not (one & other).any()
    assert np.array_equal(one | other, drawn(polygon([a, d, b, c], SHAPE)))


def test_an_outline_that_overlaps_itself_has_no_hole():
    twice = [(1.0, 1.0), (1.0, 9.0), (9.0, 9.0), (9.0, 1.0)] * 2
    expected = np.zeros(SHAPE, bool)
    expected[1:9, 1:9] = True
    assert np.array_equal(drawn(polygon(twice, SHAPE)), expected)


@pytest.mark.parametrize(
    "outline", [[], [(3, 3)], [(3, 3), (9, 9)], [(3.1, 3.1), (3.2, 3.4), (3.3, 3.1)]]
)
def test_an_outline_round_no_middle_is_nothing(outline):
    assert polygon(outline, SHAPE) is NOTHING


def test_bands_of_rows_make_up_the_whole(monkeypatch):
    outline = [(0.3, 2.0), (16.2, 1.0), (9.0, 22.0), (4.0, 3.0)]
    whole = drawn(polygon(outline, SHAPE))
    monkeypatch.setattr(shapes, "_BAND_CELLS", 50)
    assert whole.sum() > 50
    assert np.array_equal(drawn(polygon(outline, SHAPE)), whole)


@given(points, points)
def test_a_rectangle_holds_the_pixels_under_both_corners(a, b):
    mask = drawn(rectangle(spanned(a, b), SHAPE))
    for y in range(SHAPE[0]):
        for x in range(SHAPE[1]):
            inside = math.floor(min(a[0], b[0])) <= y <= max(a[0], b[0])
            inside = inside and math.floor(min(a[1], b[1])) <= x <= max(a[1], b[1])
            assert mask[y, x] == inside


@given(points, points)
def test_a_squared_rectangle_is_square_and_reaches_as_far(a, b):
    box, free = spanned(a, squared(a, b)), spanned(a, b)
    assert box.height == box.width == max(free.height, free.width)
    assert box.contains(math.floor(a[0]), math.floor(a[1]))


@settings(deadline=None)
@given(points, points)
def test_an_ellipse_covers_the_middles_within_it(a, b):
    box = spanned(a, b)
    mask = drawn(ellipse(box, SHAPE))
    for y in range(SHAPE[0]):
        for x in range(SHAPE[1]):
            v = (2 * y + 1 - box.y0 - box.y1) / box.height
            u = (2 * x + 1 - box.x0 - box.x1) / box.width
            reach = u * u + v * v
            assert abs(reach - 1) < 1e-9 or mask[y, x] == (reach < 1)


@settings(deadline=None)
@given(st.lists(points, min_size=3, max_size=6), st.integers(1, 9))
def test_tiles_make_up_the_stamp_and_keep_to_the_grid(outline, side):
    stamp = polygon(outline, SHAPE)
    whole = np.zeros(SHAPE, bool)
    for rect, mask in tiles(stamp, side):
        assert mask.any() and not whole[rect.slices].any()
        assert rect.y0 // side == (rect.y1 - 1) // side and rect.x0 // side == (rect.x1 - 1) // side
        whole[rect.slices] = mask
    assert np.array_equal(whole, drawn(stamp))
