"""Regions, islands and holes against a search pixel by pixel."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pspgui.geometry import Pixel, Rect
from pspgui.labels.raster import NOTHING, Stamp
from pspgui.labels.regions import colour_region, holes, islands, label_region

FOUR = ((0, 1), (1, 0), (0, -1), (-1, 0))
EIGHT = (*FOUR, (1, 1), (1, -1), (-1, 1), (-1, -1))
sides = st.integers(1, 9)
kinds = st.sampled_from([np.uint8, np.uint16])
maps = st.tuples(sides, sides, kinds).flatmap(
    lambda s: arrays(s[2], s[:2], elements=st.integers(0, 2))
)


def drawn(stamp: Stamp, shape: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(shape, bool)
    assert stamp.mask.dtype == bool
    assert stamp.mask.shape == (stamp.rect.height, stamp.rect.width)
    whole[stamp.rect.slices] = stamp.mask
    return whole


def around(wanted: np.ndarray, y: int, x: int, steps=FOUR) -> set[tuple[int, int]]:
    """Return the pixels of `wanted` that can be reached from (y, x), which is one."""
    seen, todo = {(y, x)}, [(y, x)]
    while todo:
        y, x = todo.pop()
        for dy, dx in steps:
            at = (y + dy, x + dx)
            inside = 0 <= at[0] < wanted.shape[0] and 0 <= at[1] < wanted.shape[1]
            if inside and wanted[at] and at not in seen:
                seen.add(at)
                todo.append(at)
    return seen


def parts(wanted: np.ndarray, steps) -> list[set[tuple[int, int]]]:
    left, found = {tuple(p) for p in np.argwhere(wanted)}, []
    while left:
        found.append(around(wanted, *next(iter(left)), steps))
        left -= found[-1]
    return found


def marked(pixels, shape: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(shape, bool)
    for at in pixels:
        whole[at] = True
    return whole


@settings(deadline=None)
@given(maps, st.randoms(use_true_random=False))
def test_a_label_region_is_what_can_be_reached_over_one_label(labels, random):
    labels.flags.writeable = False
    seed = Pixel(*(random.randrange(n) for n in labels.shape))
    expected = marked(around(labels == labels[seed], *seed), labels.shape)
    assert np.array_equal(drawn(label_region(labels, seed), labels.shape), expected)


@settings(deadline=None)
@given(arrays(np.uint8, (7, 8, 3), elements=st.integers(0, 40)), st.integers(0, 40))
def test_a_colour_region_is_what_can_be_reached_over_like_colours(image, tolerance):
    image.flags.writeable = False
    seed = Pixel(3, 4)
    near = (np.abs(image.astype(int) - image[seed].astype(int)) <= tolerance).all(axis=2)
    expected = marked(around(near, *seed), near.shape)
    assert np.array_equal(drawn(colour_region(image, seed, tolerance), near.shape), expected)


def test_a_colour_region_does_not_creep_along_a_gradient():
    image = np.repeat(np.arange(100, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert colour_region(image, Pixel(0, 50), 5).rect == Rect(0, 45, 1, 56)


@settings(deadline=None)
@given(maps, st.integers(1, 12))
def test_islands_get_the_label_they_border_on_most(labels, below_px):
    stamp, wanted = islands(labels, 1, below_px)
    result = labels.copy()
    if stamp is not NOTHING:
        np.copyto(result[stamp.rect.slices], wanted, where=stamp.mask)
    expected = labels.copy()
    for part in parts(labels == 1, EIGHT):
        votes = Counter(
            int(labels[y + dy, x + dx]) for y, x in part for dy, dx in FOUR
            if 0 <= y + dy < labels.shape[0] and 0 <= x + dx < labels.shape[1]
            and labels[y + dy, x + dx] != 1
        )  # fmt: skip
        if len(part) < below_px and votes:
            best = min(votes, key=lambda label: (-votes[label], label))
            for at in part:
                expected[at] = best
    assert wanted.dtype == labels.dtype
    assert np.array_equal(result, expected)


@settings(deadline=None)
@given(maps, st.integers(1, 12))
def test_holes_are_enclosed_and_small(labels, below_px):
    height, width = labels.shape
    expected = np.zeros(labels.shape, bool)
    for part in parts(labels != 1, FOUR):
        enclosed = all(0 < y < height - 1 and 0 < x < width - 1 for y, x in part)
        if enclosed and len(part) < below_px:
            expected |= marked(part, labels.shape)
    assert np.array_equal(drawn(holes(labels, 1, below_px), labels.shape), expected)


@pytest.mark.parametrize("label", [300, 65535])
def test_wide_labels_count_as_labels_do(label):
    labels = np.full((5, 5), label, np.uint16)
    labels[2, 2] = 1
    stamp, wanted = islands(labels, 1, 2)
    assert (stamp.rect, wanted.tolist()) == (Rect(2, 2, 3, 3), [[label]])
    assert label_region(labels, Pixel(0, 0)).mask.sum() == 24
