"""Halved label maps keep what is thin, and an edit redone alone gives what a whole redo gives."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pspgui.geometry import Rect
from pspgui.labels.halving import halve, halved_rect, halved_shape

maps = st.tuples(st.integers(1, 17), st.integers(1, 17)).flatmap(
    lambda shape: arrays(st.sampled_from([np.uint8, np.uint16]), shape, elements=st.integers(0, 3))
)


def half(labels):
    smaller = np.full(halved_shape(labels.shape), 99, labels.dtype)
    halve(labels, smaller, Rect(0, 0, *smaller.shape))
    return smaller


def rarest_one_by_one(labels):
    odd = tuple((0, side % 2) for side in labels.shape)
    around = np.pad(np.pad(labels.astype(int), odd, mode="edge"), 1, constant_values=-1)
    made = np.zeros(halved_shape(labels.shape), labels.dtype)
    for y, x in np.ndindex(made.shape):
        near = around[2 * y : 2 * y + 4, 2 * x : 2 * x + 4]
        inner = near[1:3, 1:3].ravel()
        made[y, x] = min(inner, key=lambda value, near=near: np.count_nonzero(near == value))
    return made


@settings(max_examples=40)
@given(maps)
def test_each_pixel_is_the_rarest_around_it(labels):
    assert np.array_equal(half(labels), rarest_one_by_one(labels))


@settings(max_examples=60)
@given(maps, st.data())
def test_an_edit_redone_alone_equals_all_redone(labels, data):
    smaller = half(labels)
    height, width = labels.shape
    y0, x0 = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    y1 = data.draw(st.integers(y0 + 1, height))
    x1 = data.draw(st.integers(x0 + 1, width))
    labels[y0:y1, x0:x1] = data.draw(st.integers(0, 3))
    halve(labels, smaller, halved_rect(Rect(y0, x0, y1, x1), labels.shape))

    assert np.array_equal(smaller, half(labels))


@pytest.mark.parametrize("turns", range(4))
def test_a_line_along_the_edge_stays(turns):
    labels = np.full((64, 64), 5, np.uint8)
    labels[-1, 20:24] = 3
    labels = np.rot90(labels, turns).copy()
    level = labels
    for _ in range(3):
        level = half(level)
        assert (level == 3).any()


@pytest.mark.parametrize("line", [7, 3], ids=["a rare class", "a class common elsewhere"])
@settings(max_examples=40)
@given(angle=st.floats(0, np.pi), y=st.integers(120, 240), x=st.integers(30, 226))
@example(angle=0.125, y=232, x=31)
def test_a_line_one_pixel_wide_is_there_at_every_level(line, angle, y, x):
    labels = np.full((256, 256), 5, np.uint8)
    labels[:, 128:] = 6
    labels[:40] = 3
    t = np.arange(-360, 361)[:, None] * [np.sin(angle), np.cos(angle)] + [y, x]
    at = np.rint(t).astype(int)
    at = at[((at >= [112, 0]) & (at < 256)).all(axis=1)]
    labels[at[:, 0], at[:, 1]] = line

    level = labels
    for k in range(1, 5):
        level = half(level)
        here = np.pad(level == line, 1)
        near = np.any([
            here[1 + dy + (at[:, 0] >> k), 1 + dx + (at[:, 1] >> k)]
            for dy in (-1, 0, 1) for dx in (-1, 0, 1)
        ], axis=0)  # fmt: skip
        assert near.all(), f"gaps at 1/{2**k}"


def test_a_straight_border_stays_where_it_is_to_within_a_pixel():
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 29:] = 1
    level = labels
    for k in range(1, 4):
        level = half(level)
        border = int(np.flatnonzero(level[0])[0]) * 2**k
        assert abs(border - 29) <= 2**k
        assert (level == level[0]).all()
