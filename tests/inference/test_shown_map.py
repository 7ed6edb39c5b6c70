"""Maps on show: what lies where, and that a value told is the value drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pspgui.inference.shown_map import Lattice, Part, ShownMap, nice_limit

PARTS = (Part("one", "#ff0000"), Part("two", "#00ff00"), Part("rest", ""))


def cells(height, width, seed=0):
    return np.random.default_rng(seed).normal(0, 3, (height, width)).astype(np.float32)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("padded", [(33, 41), (32, 40)])
def test_values_between_cells_are_those_of_the_networks_interpolation(align_corners, padded):
    values = cells(5, 6)
    shown = ShownMap("m", "Map", values, lattice=Lattice(padded, align_corners))
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], padded, mode="bilinear", align_corners=align_corners
    )[0, 0].numpy()

    told = [[shown.value_at(y, x) for x in range(padded[1])] for y in range(padded[0])]
    assert np.allclose(told, whole, atol=1e-5)
    assert shown.value_at(-1, 0) is None
    assert shown.value_at(0, padded[1]) is None


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 40), st.integers(0, 40))
def test_a_window_s_map_is_moved_to_its_place(height, width, top, left):
    values = cells(height, width)
    padded = (8 * height, 8 * width)
    plain = ShownMap("m", "Map", values, lattice=Lattice(padded, False))
    moved = ShownMap("m", "Map", values, lattice=Lattice(padded, False, (top, left)))

    assert moved.value_at(top + 3, left + 2) == plain.value_at(3, 2)
    assert (moved.value_at(top - 1, left) is None) and (moved.value_at(top, left - 1) is None)
    whole, shifted = plain.lattice.extent(values.shape), moved.lattice.extent(values.shape)
    assert np.allclose(np.subtract(shifted, whole), (top, left, top, left))


@pytest.mark.parametrize("align_corners", [True, False])
def test_the_part_told_is_that_of_the_cell_drawn(align_corners):
    values = np.random.default_rng(1).integers(0, 3, (5, 6), np.uint8)
    lattice = Lattice((33, 41), align_corners)
    shown = ShownMap("m", "Map", values, "parts", lattice, parts=PARTS)
    top, left, bottom, right = lattice.extent(values.shape)

    assert not shown.interpolates
    for y in range(33):
        for x in range(41):
            row = int((y + 0.5 - top) / (bottom - top) * 5)
            column = int((x + 0.5 - left) / (right - left) * 6)
            assert shown.part_at(y, x) == PARTS[values[min(row, 4), min(column, 5)]]


def test_values_of_pixels_are_told_as_they_are():
    values = cells(4, 3)
    shown = ShownMap("m", "Map", values)
    assert [shown.value_at(y, x) for y in range(4) for x in range(3)] == values.ravel().tolist()
    assert shown.value_at(4, 0) is None


def test_shares_and_limits_leave_the_padding_out():
    values = np.zeros((4, 4), np.uint8)
    values[:, 2:] = 1  # in the padding, from pixel 16 on
    lattice = Lattice((32, 32), False, seen=(32, 16))
    parts = ShownMap("m", "Map", values, "parts", lattice, parts=PARTS)
    assert parts.shares.tolist() == [1, 0, 0]
    assert ShownMap("m", "Map", values.astype(np.float32), lattice=lattice).span == (0, 0)

    assert parts.value_at(31, 15) == 0 and parts.value_at(31, 16) is None
    assert lattice.frame == (0, 0, 32, 16) and Lattice((32, 32), False).frame is None

    every = ShownMap("m", "Map", values, "parts", parts=PARTS)
    assert every.shares.tolist() == [0.5, 0.5, 0]


@given(st.floats(1e-6, 1e6))
def test_scales_end_at_round_numbers_that_hold_all_values(value):
    limit = nice_limit(value)
    assert value <= limit * (1 + 1e-8)
    assert limit <= 2 * value * (1 + 1e-8)
