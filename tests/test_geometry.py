"""Rects behave like sets of pixels, and pooling and interpolation like torch's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pspgui.geometry import (
    Pixel,
    Rect,
    bin_span,
    cell_span,
    interpolation_matrix,
    interpolation_taps,
    pooling_matrix,
)

SIDE = 12
rects = st.builds(Rect, *[st.integers(0, SIDE)] * 4)


def pixels(rect: Rect) -> set[tuple[int, int]]:
    """Return the pixels of a rect one by one."""
    return {(y, x) for y in range(SIDE) for x in range(SIDE) if rect.contains(y, x)}


@given(rects, rects)
def test_rects_are_sets_of_pixels(a: Rect, b: Rect) -> None:
    assert len(pixels(a)) == a.area
    assert pixels(a.intersect(b)) == pixels(a) & pixels(b)
    assert pixels(a.union(b)) >= pixels(a) | pixels(b)
    assert a.is_empty == (not pixels(a))
    if not a.is_empty and not b.is_empty:
        assert a.union(b) == b.union(a)
        assert (a.union(b).y0, a.union(b).x1) == (min(a.y0, b.y0), max(a.x1, b.x1))


@given(rects, st.integers(-5, 5), st.integers(0, 4))
def test_moving_and_padding(rect: Rect, by: int, margin: int) -> None:
    assert rect.moved(by, -by).moved(-by, by) == rect
    assert rect.padded(margin).padded(-margin) == rect


def test_slices_cut_the_rect_out() -> None:
    grid = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    rect = Rect(2, 3, 5, 9)
    assert grid[rect.slices].shape == (rect.height, rect.width)
    assert grid[rect.slices][0, 0] == grid[Pixel(2, 3)]


@given(st.integers(1, 7), st.integers(1, 60))
def test_bins_cover_every_cell(bins: int, size: int) -> None:
    spans = [bin_span(i, bins, size) for i in range(bins)]
    assert spans[0][0] == 0
    assert spans[-1][1] == size
    assert all(lo < hi for lo, hi in spans)
    assert all(after[0] <= before[1] for before, after in itertools.pairwise(spans))
    assert np.allclose(pooling_matrix(bins, size).sum(axis=1), 1)


@pytest.mark.parametrize("bins", [1, 2, 3, 6])
@pytest.mark.parametrize("size", [6, 7, 23, 60])
def test_pooling_is_torchs(bins: int, size: int) -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(size).normal(size=size)
    pooled = torch.nn.functional.adaptive_avg_pool1d(torch.tensor(values)[None, None], bins)
    assert np.allclose(pooling_matrix(bins, size) @ values, pooled[0, 0].numpy())


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("cells", "size"), [(1, 9), (2, 2), (3, 23), (6, 60), (60, 480), (9, 4)])
def test_interpolation_is_torchs(cells: int, size: int, align_corners: bool) -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(cells).normal(size=cells)
    drawn = torch.nn.functional.interpolate(
        torch.tensor(values)[None, None, None], (1, size), mode="bilinear",
        align_corners=align_corners,
    )  # fmt: skip
    matrix = interpolation_matrix(size, cells, align_corners)
    assert np.allclose(matrix.sum(axis=1), 1)
    assert np.allclose(matrix @ values, drawn[0, 0, 0].numpy())


@given(st.integers(1, 50), st.integers(1, 9), st.booleans())
def test_taps_stay_inside(out_size: int, in_size: int, align_corners: bool) -> None:
    low, high, weight = interpolation_taps(np.arange(out_size), out_size, in_size, align_corners)
    assert low.min() >= 0
    assert high.max() < in_size
    assert ((weight >= 0) & (weight <= 1)).all()


@given(st.integers(1, 20), st.integers(1, 500))
def test_cells_tile_the_image(cells: int, size: int) -> None:
    spans = [cell_span(i, i + 1, cells, size) for i in range(cells)]
    assert spans[0][0] == 0
    assert spans[-1][1] == size
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
