"""Sources are called in words and counted from 1; JSON keeps indices and offsets."""

from __future__ import annotations

import pytest

from pspgui.evidence.naming import name_of, source_called, tap_words
from pspgui.evidence.readings import LOCAL, Source
from pspgui.geometry import Rect

SOMEWHERE = Rect(0, 0, 8, 8)


def source(kind, level, row=0, col=0, title=""):
    return Source(kind, level, row, col, 0.5, 1.0, True, SOMEWHERE, title)


@pytest.mark.parametrize(
    ("place", "words"),
    [((0, 0, 3), "above left"), ((1, 1, 3), "centre"), ((2, 1, 3), "below"), ((1, 2, 3), "right"),
     ((0, 1, 3, 4), "4 cells above"), ((2, 2, 3, 2), "2 cells below and right"),
     ((0, 3, 5), "2 above, 1 right"), ((2, 1, 5), "left"), ((0, 0, 1), "centre")],
)  # fmt: skip
def test_taps_are_told_by_the_way_they_look_and_how_far(place, words):
    assert tap_words(*place) == words


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("dilation", [1, 2])
def test_no_two_taps_are_told_alike(kernel, dilation):
    told = {tap_words(y, x, kernel, dilation) for y in range(kernel) for x in range(kernel)}
    assert len(told) == kernel**2


@pytest.mark.parametrize("kind", ["tap", "local"])
def test_json_has_a_taps_offsets_and_either_name_opens_it(kind):
    taps = [
        source(kind, 3, row, col, tap_words(row, col, 3)) for row in range(3) for col in range(3)
    ]
    told = taps[1].to_json()
    assert told["title"] == "tap -1, +0" and name_of(taps[1]) == "above"
    assert source_called(taps, "Above") is source_called(taps, told["title"]) is taps[1]


def test_bins_are_named_from_1_and_others_are_refused_by_where_they_may_be():
    bins = [source("bin", 2, row, col) for row in range(2) for col in range(2)]
    sources = [source("local", LOCAL), *bins]
    names = ["local", "2x2:1,1", "2x2:1,2", "2x2:2,1", "2x2:2,2"]
    assert [name_of(one) for one in sources] == names
    assert source_called(sources, "2×2: 2,1") is bins[2]
    assert bins[2].to_json()["row"] == 1 and "title" not in sources[0].to_json()
    for wrong in ("2x2:0,1", "2x2:1,3", "2x2:-1,1"):
        with pytest.raises(ValueError, match="counted from 1 to 2, from the upper left"):
            source_called(sources, wrong)
    with pytest.raises(ValueError, match="they are local, 2x2:1,1"):
        source_called(sources, "6x6:1,1")
