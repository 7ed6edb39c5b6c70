"""What the evidence panel says in words of a sum."""

from types import SimpleNamespace

import numpy as np
import pytest

from pspgui.geometry import Pixel, Rect
from pspgui.gui.panels.evidence_sums import Part, Sums
from pspgui.gui.panels.evidence_words import most_words, region_words
from pspgui.gui.pins import Pin
from pspgui.labels.raster import Stamp


def sums(local, whole, fine, constant):
    amounts = (("local", local, 0), ("level", whole, 1), ("level", fine, 6))
    parts = [
        Part(kind, kind if kind == "local" else f"{level}×{level}", value, value, level)
        for kind, value, level in amounts
    ]
    parts.append(Part("constant", "constant", constant, constant))
    return Sums(tuple(parts), local + whole + fine + constant, "shown margin")


@pytest.mark.parametrize(
    ("amounts", "first", "second"),
    [
        ((3, -1, 1, 0), "for it: what lies around the pixel (local)", "the whole picture (1×1)"),
        ((1, 0, 2, -1), "for it: parts of the picture (6×6)", "(constant)"),
        ((1, 0, 0, -4), "against it: biases", "for it: what lies around"),
    ],
)
def test_the_largest_amount_on_the_side_that_wins_comes_first(amounts, first, second):
    said = most_words(sums(*amounts), of_pyramid=True)
    assert first in said[0] and second in said[1]


def test_nothing_is_said_of_a_side_without_amounts():
    first, second = most_words(sums(1, 1, 1, 1), of_pyramid=True)
    assert first and not second


def test_branches_and_scores_go_by_their_names():
    assert most_words(sums(0, 5, 1, 0), of_pyramid=False)[0].endswith(": 1×1")


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("Image pool", "the whole picture (Image pool)"),
        ("ASPP 1×1", "the pixel itself (ASPP 1×1)"),
        ("ASPP rate 12", "some way around the pixel (ASPP rate 12)"),
        ("taps", "what lies around the pixel (taps)"),
    ],
)
def test_branches_say_what_they_look_at(name, seen):
    parts = (Part("level", name, 2.0, 2.0), Part("constant", "constant", 1.0, 1.0))
    assert most_words(Sums(parts, 3.0, "shown margin"), of_pyramid=False)[0].endswith(seen)


def test_a_region_beyond_the_window_says_how_many_of_its_pixels_are_meant():
    pin = Pin(1, Pixel(5, 5), Stamp(Rect(0, 0, 40, 50), np.ones((40, 50), bool)))
    shown, more = region_words(pin, SimpleNamespace(left_out=0))
    assert shown == pin.place and more.endswith("the region's pixels.")
    shown, more = region_words(pin, SimpleNamespace(left_out=1500))
    assert shown == "500 of 2\u2009000 px"
    assert "1\u2009500 px lie beyond it and are left out" in more
