"""Regions in which two label maps differ: what is one, how large, and where it is deepest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pspgui.geometry import Pixel, Rect
from pspgui.labels import differences
from pspgui.labels.differences import differing_regions

MAPS = arrays(np.uint8, (12, 15), elements=st.integers(0, 2))


def test_a_region_is_where_the_same_two_labels_meet():
    one, other = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
    other[2:9, 3:12] = 4
    one[4:7, 5:10] = 2  # the same place, another pair of labels
    other[15:17, 20:23] = 4
    found = differing_regions(one, other)

    pairs = [(r.one, r.other, r.pixels) for r in found.regions]
    assert pairs == [(0, 4, 7 * 9 - 15), (2, 4, 15), (0, 4, 6)]
    assert found.regions[0].rect == Rect(2, 3, 9, 12)
    assert found.regions[1].deepest in (Pixel(5, 6), Pixel(5, 7), Pixel(5, 8))
    assert (found.parts == 2).sum() == 15 and found.step == 1 and found.left_out == 0


@given(MAPS, MAPS)
def test_regions_cover_every_pixel_that_differs_and_no_other(one, other):
    found = differing_regions(one, other)

    assert np.array_equal(found.parts > 0, one != other)
    assert sum(r.pixels for r in found.regions) == np.count_nonzero(one != other)
    assert [r.pixels for r in found.regions] == sorted(r.pixels for r in found.regions)[::-1]
    for region in found.regions:
        inside = found.parts == region.number
        ys, xs = np.nonzero(inside)
        assert region.pixels == inside.sum() and inside[region.deepest]
        assert set(one[inside]) == {region.one} and set(other[inside]) == {region.other}
        assert region.rect == Rect(ys.min(), xs.min(), ys.max() + 1, xs.max() + 1)


def test_small_regions_and_too_many_are_left_out_and_counted():
    one, other = np.zeros((10, 40), np.uint8), np.zeros((10, 40), np.uint8)
    for k in range(8):
        other[1 : 2 + k, 5 * k : 5 * k + 2] = 1
    large = differing_regions(one, other, least_px=7)
    few = differing_regions(one, other, most=3)

    assert [r.pixels for r in large.regions] == [16, 14, 12, 10, 8] and large.left_out == 3
    assert [r.pixels for r in few.regions] == [16, 14, 12] and few.left_out == 5
    assert few.parts.max() == 3


def test_very_large_maps_are_seen_at_every_second_pixel(monkeypatch):
    monkeypatch.setattr(differences, "_MOST_PIXELS", 50 * 60)
    one, other = np.zeros((101, 119), np.uint8), np.zeros((101, 119), np.uint8)
    other[20:60, 30:90] = 3
    found = differing_regions(one, other)

    assert found.step == 3
    (region,) = found.regions
    assert region.pixels == pytest.approx(40 * 60, rel=0.1)
    assert other[region.deepest] == 3 and found.parts.shape == (34, 40)


def test_maps_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="one map is"):
        differing_regions(np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8))
