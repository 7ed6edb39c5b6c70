"""Views that compare say how many pixels differ, and leave the picture alone where none does."""

import numpy as np
import pytest
from canvas_case import WIDTH, labelled, open_canvas, pixel

from pspgui.geometry import Rect
from pspgui.gui.canvas.difference_legend import DifferenceLegend
from pspgui.jobs import differing
from pspgui.jobs.differing import Differing, band_rows, count_bands
from pspgui.labels.raster import Stamp

GREY = (100, 100, 100)
VEILED = (35, 35, 35)  # what is left of the grey beneath black at 65 %


def run(job):
    steps = job(None)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


def legend_of(canvas):
    return next(g for g in canvas.legends._legends if isinstance(g, DifferenceLegend))


def says(qtbot, canvas, heading):
    qtbot.waitUntil(lambda: legend_of(canvas).words()[0] == heading)
    return legend_of(canvas).words()[1]


def square(canvas, y, x, side, label):
    """Paint a square of a label as one edit."""
    stamp = Stamp(Rect(y, x, y + side, x + side), np.ones((side, side), bool))
    assert canvas.document.write(stamp, "Square", label)


@pytest.fixture
def clean_canvas(qtbot):
    """A canvas whose labels are the prediction's, but for the column that is not labelled."""
    labels = labelled()
    labels[:, -1] = 1
    canvas = open_canvas(qtbot, labels=labels, prediction=labels.copy())
    canvas.document.set_view_mode("difference")
    return canvas


def test_without_a_difference_the_picture_stays_as_it_is_and_that_is_said(qtbot, clean_canvas):
    text = says(qtbot, clean_canvas, "No pixel differs from the prediction")
    assert "agree" in text
    assert pixel(clean_canvas, 10, 40) == GREY


def test_what_is_painted_is_counted_and_brought_out_until_it_is_undone(qtbot, clean_canvas):
    says(qtbot, clean_canvas, "No pixel differs from the prediction")
    square(clean_canvas, 5, 10, 6, 2)
    text = says(qtbot, clean_canvas, "36 px differ (0.8 %)")
    assert text.startswith("From the prediction.") and "dark" in text
    assert pixel(clean_canvas, 20, 40) == VEILED
    assert pixel(clean_canvas, 7, 12) != VEILED

    clean_canvas.document.undo()
    says(qtbot, clean_canvas, "No pixel differs from the prediction")
    assert pixel(clean_canvas, 20, 40) == GREY


def test_differences_that_are_not_drawn_are_told_of_and_darken_nothing(qtbot, clean_canvas):
    square(clean_canvas, 5, 10, 6, 2)
    says(qtbot, clean_canvas, "36 px differ (0.8 %)")
    clean_canvas.document.set_visible(2, False)
    qtbot.waitUntil(lambda: "hidden" in legend_of(clean_canvas).words()[1])
    assert pixel(clean_canvas, 20, 40) == GREY
    clean_canvas.document.set_visible(2, True)
    qtbot.waitUntil(lambda: "all else is dark" in legend_of(clean_canvas).words()[1])
    assert pixel(clean_canvas, 20, 40) == VEILED


def test_the_changes_since_opening_have_words_of_their_own(qtbot, clean_canvas):
    clean_canvas.document.set_view_mode("changes")
    says(qtbot, clean_canvas, "No pixel differs since the image was opened")
    square(clean_canvas, 5, 10, 2, 2)
    says(qtbot, clean_canvas, "4 px differ (0.1 %)")


def test_what_there_is_nothing_to_compare_with_is_said(qtbot):
    canvas = open_canvas(qtbot)
    canvas.document.set_view_mode("difference")
    assert legend_of(canvas).words() == (
        "Nothing to compare", "There is no prediction of this image to compare with yet."
    )  # fmt: skip
    assert pixel(canvas, 10, 40) == GREY


def test_other_views_have_no_such_legend(qtbot, clean_canvas):
    for mode in ("labels", "prediction", "image", "provenance"):
        clean_canvas.document.set_view_mode(mode)
        assert legend_of(clean_canvas).words() == ("", "")


def test_only_the_bands_that_were_edited_are_counted_again(qtbot, monkeypatch):
    monkeypatch.setattr(differing, "_BAND_PIXELS", 10 * WIDTH)
    labels = labelled()
    canvas = open_canvas(qtbot, labels=labels, prediction=labels.copy())
    canvas.document.set_view_mode("difference")
    says(qtbot, canvas, "No pixel differs from the prediction")
    asked = []
    from pspgui.gui.canvas import difference_count

    real = difference_count.count_bands

    def noted(one, other, drawn, bands):
        asked.append(bands)
        return real(one, other, drawn, bands)

    monkeypatch.setattr(difference_count, "count_bands", noted)
    square(canvas, 18, 10, 4, 2)
    says(qtbot, canvas, "16 px differ (0.3 %)")
    assert asked == [(1, 2)]


def test_counting_by_bands_counts_what_numpy_counts(monkeypatch):
    monkeypatch.setattr(differing, "_BAND_PIXELS", 64)
    random = np.random.default_rng(0)
    one, other = random.integers(0, 6, (2, 37, 21), np.uint8)
    drawn = np.array([True, False, True, True, False])
    bands = tuple(range(-(-37 // band_rows(21))))
    found = run(count_bands(one, other, drawn, bands)).values()
    differs = one != other
    assert sum(f.pixels for f in found) == differs.sum()
    assert sum(f.drawn for f in found) == drawn[np.minimum(one[differs], 4)].sum()
    assert run(count_bands(one, one, drawn, (0,))) == {0: Differing(0, 0)}
