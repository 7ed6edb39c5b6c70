"""Brush masks against the definition: pixels whose middle is within the brush's reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.geometry import Rect
from pspgui.labels.raster import Stamp, capsule, capsules, fresh_runs, pieces, snapped

SHAPE = (40, 50)
points = st.tuples(st.floats(-20, 60), st.floats(-20, 70))


def drawn(stamps: list[Stamp]) -> np.ndarray:
    """Return stamps as one mask of the image, checking that they fit it."""
    whole = np.zeros(SHAPE, bool)
    for rect, mask in stamps:
        assert mask.shape == (rect.height, rect.width)
        assert rect.is_empty or rect == rect.intersect(Rect(0, 0, *SHAPE))
        whole[rect.slices] |= mask
    return whole


def defined(
    p0: tuple[float, float], p1: tuple[float, float], diameter: int, square: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels surely inside and surely outside of a sweep, from distances."""
    a, b = np.array(snapped(p0, diameter)), np.array(snapped(p1, diameter))
    middles = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=2) + 0.5
    if square:  # the nearest of many points of the segment, in the greatest of both distances
        along = a + np.linspace(0, 1, 100)[:, None, None, None] * (b - a)
        distance = np.abs(middles - along).max(axis=3).min(axis=0)
        slack = np.abs(b - a).max() / 99
    else:
        length = float(((b - a) ** 2).sum())
        t = ((middles - a) @ (b - a) / length).clip(0, 1) if length else np.zeros(SHAPE)
        distance = np.linalg.norm(middles - (a + t[..., None] * (b - a)), axis=2)
        slack = 1e-6
    return distance <= diameter / 2 - slack, distance > diameter / 2 + slack


@settings(deadline=None, max_examples=150)
@given(points, points, st.integers(2, 24), st.booleans())
def test_sweep_is_what_the_definition_says(
    p0: tuple[float, float], p1: tuple[float, float], diameter: int, square: bool
) -> None:
    mask = drawn([capsule(p0, p1, diameter, SHAPE, square)])
    inside, outside = defined(p0, p1, diameter, square)
    assert mask[inside].all()
    assert not mask[outside].any()


@settings(deadline=None)
@given(points, points, st.integers(2, 6), st.booleans())
def test_pieces_make_up_the_whole(
    p0: tuple[float, float], p1: tuple[float, float], diameter: int, square: bool
) -> None:
    far = (p0[0] * 20, p0[1] * 20)
    whole = drawn([capsule(far, p1, diameter, SHAPE, square)])
    pieces = list(capsules(far, p1, diameter, SHAPE, square))
    assert np.array_equal(drawn(pieces), whole)


@pytest.mark.parametrize("diameter", [1, 2, 3, 4, 5, 9, 16])
@pytest.mark.parametrize("square", [False, True])
def test_a_dab_is_as_wide_as_it_says(diameter: int, square: bool) -> None:
    for y, x in ((20.0, 20.0), (20.3, 20.9), (20.5, 20.5)):
        mask = drawn([capsule((y, x), (y, x), diameter, SHAPE, square)])
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert len(rows) == len(columns) == diameter
        block = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert np.array_equal(block, block.T)
        assert np.array_equal(block, block[::-1, ::-1])
        assert block.all() == (square or diameter <= 3)


@given(points, points)
def test_a_line_of_one_pixel_has_no_gap_and_no_corner(
    p0: tuple[float, float], p1: tuple[float, float]
) -> None:
    big = (200, 200)
    start, end = (p0[0] + 60, p0[1] + 60), (p1[0] + 60, p1[1] + 60)
    rect, mask = capsule(start, end, 1, big)
    steps = max(rect.height, rect.width)
    assert np.count_nonzero(mask) == steps
    ys, xs = np.nonzero(mask)
    order = np.argsort(ys if rect.height >= rect.width else xs, kind="stable")
    assert np.abs(np.diff(ys[order])).max(initial=0) <= 1
    assert np.abs(np.diff(xs[order])).max(initial=0) <= 1
    assert mask[int(start[0] // 1) - rect.y0, int(start[1] // 1) - rect.x0]
    assert mask[int(end[0] // 1) - rect.y0, int(end[1] // 1) - rect.x0]


def test_outside_the_image_nothing_is_painted() -> None:
    assert capsule((-50, -50), (-60, 90), 9, SHAPE).rect.is_empty
    assert capsule((-5, -5), (-5, -5), 1, SHAPE).rect.is_empty
    assert list(capsules((-50, -50), (-60, 90), 9, SHAPE)) == []


def test_a_brush_is_at_least_one_pixel() -> None:
    with pytest.raises(ValueError, match="at least 1 px"):
        capsule((1, 1), (1, 1), 0, SHAPE)


@settings(deadline=None)
@given(
    st.tuples(*[st.floats(-30, 120)] * 4), st.integers(2, 90), st.booleans(),
)  # fmt: skip
def test_fresh_runs_are_the_sweep_without_the_dab_it_began_with(ends, diameter, square):
    shape = (90, 80)
    p0, p1 = ends[:2], ends[2:]
    if pieces(p0, p1, diameter) > 1:
        return
    swept, dab = np.zeros(shape, bool), np.zeros(shape, bool)
    for mask, end in ((swept, p1), (dab, p0)):
        stamp = capsule(p0, end, diameter, shape, square)
        mask[stamp.rect.slices] = stamp.mask
    runs = fresh_runs(p0, p1, diameter, shape, square)
    found = np.zeros(shape, bool)
    found.reshape(-1)[runs.flat] = True
    assert np.array_equal(found, swept & ~dab)
    assert len(np.unique(runs.flat)) == len(runs.flat)
    outside = np.ones(shape, bool)
    outside[runs.rect.slices] = False
    assert not (found & outside).any()
