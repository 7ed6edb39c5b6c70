"""Split view, minimap, rulers, views of changes and origins, outlines, zooming to places."""

import numpy as np
import pytest
from canvas_case import CAR, HEIGHT, ROAD, SKY, labelled, on_screen, open_canvas, pixel, rendered
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.label_mips import LabelMips, MipStore
from pspgui.gui.canvas.rulers import ruler_step
from pspgui.gui.canvas.screen_labels import borders, sample, with_thin
from pspgui.gui.canvas.zooming import region_around
from pspgui.gui.display import VIEW_MODES
from pspgui.gui.tools import Brush
from pspgui.imaging.adjusting import Adjustment
from pspgui.imaging.deep import DeepSamples
from pspgui.labels.halving import halve, halved_shape
from pspgui.labels.provenance import PERSON, palette

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def drag(canvas, start, end):
    QTest.mousePress(canvas, LEFT, NONE, start)
    move = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(end), canvas.mapToGlobal(QPointF(end)),
        Qt.MouseButton.NoButton, LEFT, NONE,
    )  # fmt: skip
    QApplication.sendEvent(canvas, move)
    QTest.mouseRelease(canvas, LEFT, NONE, end)


# -- split view -----------------------------------------------------------------------------------


def test_left_of_the_divider_lies_the_image_alone(qtbot):
    canvas = open_canvas(qtbot)
    canvas.document.set_opacity(1.0)
    canvas.document.set_aid("split", True)

    assert pixel(canvas, 20, 10) == (100, 100, 100)
    assert pixel(canvas, 20, 70) == SKY


def test_the_divider_follows_its_grip_and_the_tool_gets_all_other_presses(qtbot):
    canvas = open_canvas(qtbot)
    document = canvas.document
    document.set_opacity(1.0)
    document.set_aid("split", True)
    canvas.set_tool(Brush)
    divider, camera = canvas._aids.divider, canvas.camera
    grip = divider.grip(camera).center().toPoint()
    drag(canvas, grip, QPoint(100, grip.y()))

    assert divider.share == pytest.approx(0.25)
    assert not document.can_undo, "nothing was painted"
    assert pixel(canvas, 20, 30) == SKY
    drag(canvas, QPoint(100, 100), QPoint(140, 100))
    assert divider.share == pytest.approx(0.25) and document.can_undo


# -- minimap --------------------------------------------------------------------------------------


def zoomed_in(qtbot):
    image = np.full((400, 400, 3), 90, np.uint8)
    canvas = open_canvas(qtbot, image, np.zeros((400, 400), np.uint8), size=(800, 600))
    canvas.zoom_by(8 / canvas.zoom)
    return canvas


def test_a_press_on_the_minimap_brings_that_part_into_view(qtbot):
    canvas = zoomed_in(qtbot)
    camera = canvas.camera
    area = canvas._aids.minimap.area(camera)
    assert not area.isEmpty()
    QTest.mousePress(canvas, LEFT, NONE, (area.topLeft() + QPointF(40, 120)).toPoint())
    QTest.mouseRelease(canvas, LEFT, NONE, area.center().toPoint())

    y, x = camera.to_image(camera.viewport.center())
    assert (y, x) == (pytest.approx(300, abs=2), pytest.approx(100, abs=2))
    assert not canvas.document.can_undo


def test_there_is_no_minimap_for_what_is_all_in_view_or_when_it_is_off(qtbot):
    canvas = zoomed_in(qtbot)
    canvas.document.set_aid("minimap", False)
    off = rendered(canvas)
    canvas.document.set_aid("minimap", True)
    on = rendered(canvas)
    canvas.fit()

    assert not np.array_equal(on, off)
    assert canvas._aids.minimap.area(canvas.camera).isEmpty()


# -- rulers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.003, 0.11, 0.5, 1.0, 3.7, 64.0])
def test_ruler_numbers_are_round_and_far_enough_apart(scale):
    step, tick = ruler_step(scale)

    assert step * scale >= 72 - 1e-6 and step % tick == 0
    assert str(step).rstrip("0") in ("1", "2", "5")


def test_rulers_cover_only_the_edges(qtbot):
    canvas = open_canvas(qtbot)
    before = rendered(canvas)
    canvas.document.set_aid("rulers", True)
    after = rendered(canvas)

    assert np.array_equal(before[20:, 20:], after[20:, 20:])
    assert not np.array_equal(before[:20], after[:20])
    assert not np.array_equal(before[:, :20], after[:, :20])


# -- views ----------------------------------------------------------------------------------------


def test_changes_show_what_differs_from_the_labels_opened(qtbot):
    canvas = open_canvas(qtbot)
    document = canvas.document
    document.set_opacity(1.0)
    document.set_active_class(2)
    document.set_brush_diameter(1)
    document.begin_stroke(10.5, 10.5, "brush")
    document.finish_stroke()
    document.set_view_mode("changes")

    assert pixel(canvas, 10, 10) == CAR
    assert pixel(canvas, 10, 14) == (35, 35, 35)
    document.undo()
    assert pixel(canvas, 10, 10) == (35, 35, 35)


def test_origins_are_told_by_colour(qtbot):
    canvas = open_canvas(qtbot)
    document = canvas.document
    document.set_opacity(1.0)
    document.begin_stroke(40.5, 40.5, "brush")
    document.finish_stroke()
    document.set_view_mode("provenance")

    assert pixel(canvas, 40, 40) == tuple(palette()[PERSON])
    assert len(VIEW_MODES) == 7 and document.labels_in_view() is document.label_map.labels


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_outlines_are_as_wide_as_chosen(qtbot, width):
    canvas = open_canvas(qtbot)
    document = canvas.document
    document.set_opacity(1.0)
    document.set_outline(True)
    document.set_outline_px(width)
    column = rendered(canvas)[30:270, 200]
    drawn = (column != 100).any(axis=1)

    assert drawn.sum() == width and drawn[119]
    assert (column[119] == SKY).all() and (width == 1 or (column[120] == ROAD).all())
    assert borders(labelled(), width)[:, 0].sum() == width


# -- zooming to places ----------------------------------------------------------------------------


def test_the_region_under_the_mouse(qtbot):
    labels = np.zeros((3000, 2000), np.uint8)
    labels[1000:1500, 200:900] = 1
    labels[2000:2500, 200:900] = 1
    rect = region_around(labels, Pixel(1200, 300))

    for found, true in zip(rect, (1000, 200, 1500, 900), strict=True):
        assert abs(found - true) <= 3
    assert region_around(labelled(), Pixel(5, 5)) == Rect(0, 0, HEIGHT // 2, 79)


# -- thin things, zoomed out ----------------------------------------------------------------------


def with_a_wire(side=1400):
    labels = np.zeros((side, side), np.uint8)
    labels[side // 2 :] = 1
    labels[:, 701] = 2
    return labels


@pytest.mark.parametrize("zoom", [0.9, 0.61, 0.37, 0.2, 0.13])
def test_a_wire_of_one_pixel_is_seen_at_every_zoom(qtbot, zoom):
    image = np.full((1400, 1400, 3), 100, np.uint8)
    canvas = open_canvas(qtbot, image, with_a_wire())
    canvas.document.set_opacity(1.0)
    canvas.document.set_aid("minimap", False)
    with qtbot.waitSignal(canvas._labels.mips.ready):
        canvas.fit()
        rendered(canvas)
    canvas.zoom_by(zoom / canvas.zoom)
    shown = rendered(canvas)
    top, bottom = (round(canvas.camera.to_widget(y, 0).y()) for y in (100, 1300))
    rows = shown[max(0, top) : min(len(shown), bottom)]

    assert (rows == CAR).all(axis=2).any(axis=1).all(), "no row without the wire"


def test_an_edit_zoomed_out_shows_at_once_and_equals_a_whole_redraw(qtbot):
    image = np.full((1400, 1400, 3), 100, np.uint8)
    canvas = open_canvas(qtbot, image, with_a_wire())
    document = canvas.document
    document.set_opacity(1.0)
    with qtbot.waitSignal(canvas._labels.mips.ready):
        canvas.fit()
        rendered(canvas)
    document.set_active_class(2)
    document.set_brush_diameter(9)
    document.begin_stroke(311.0, 200.0, "brush")
    document.move_stroke(420.0, 1003.0)
    document.finish_stroke()
    piecewise = on_screen(canvas)
    canvas._labels.forget()
    with qtbot.waitSignal(canvas._labels.mips.ready):
        canvas.update()
    assert piecewise == on_screen(canvas)


def test_levels_follow_edits_made_while_they_are_built(qtbot):
    labels = with_a_wire()
    store = MipStore()
    with qtbot.waitSignal(store.ready):
        (drawn,), shift, coarse = store.fitting((labels,), 0.3)
        assert drawn is labels and shift == 0 and not coarse
        labels[300:340, 300:340] = 2
        store.touch(Rect(300, 300, 340, 340))
    (fine,), shift, (coarse,) = store.fitting((labels,), 0.3)
    whole = LabelMips(labels)
    whole.build()

    assert shift == 1
    assert np.array_equal(fine, whole.levels[0]) and np.array_equal(coarse, whole.levels[1])


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(*[st.integers(0, 1020)] * 2, st.integers(1, 90), st.integers(0, 4)),
        max_size=8,
    )
)
def test_levels_that_waited_for_edits_equal_those_made_anew(edits):
    mips = LabelMips(with_a_wire(1023))
    mips.build()
    for k, (y, x, side, depth) in enumerate(edits):
        changed = Rect(y, x, min(1023, y + side), min(1023, x + side))
        mips.source[changed.slices] = k % 3
        mips.touch(changed)
        mips.refresh(depth)
    mips.refresh(len(mips.levels))
    whole = LabelMips(mips.source)
    whole.build()
    assert all(map(np.array_equal, mips.levels, whole.levels))


@given(st.lists(st.integers(0, 29), min_size=1), st.lists(st.integers(0, 39), min_size=1))
@example([3, 4, 5], [7, 8, 9])
@example([3, 4, 6, 6], [7, 8, 9])
def test_sampling_is_indexing(rows, columns):
    pixels = np.arange(30 * 40).reshape(30, 40)
    rows, columns = np.sort(rows), np.sort(columns)
    assert np.array_equal(sample(pixels, rows, columns), pixels[np.ix_(rows, columns)])


def test_borders_are_drawn_as_sampled_and_only_what_was_skipped_comes_back():
    sampled = np.zeros((6, 8), np.uint8)
    sampled[3:] = 1
    coarse = sampled.copy()
    coarse[2] = 1  # the border, elsewhere by a pixel
    coarse[:, 5] = 2  # a wire between two samples
    found = with_thin(sampled, coarse)

    sampled[:, 5] = 2
    assert np.array_equal(found, sampled)


def test_each_level_is_the_one_below_halved():
    mips = LabelMips(with_a_wire(1023))
    mips.build()
    below = mips.source
    for level in mips.levels:
        expected = np.zeros(halved_shape(below.shape), np.uint8)
        halve(below, expected, Rect(0, 0, *expected.shape))
        assert np.array_equal(level, expected)
        below = level


# -- the picture adjusted -------------------------------------------------------------------------


@pytest.mark.parametrize("zoom", [4.0, 1.5, 1.0])
def test_the_picture_is_toned_and_the_model_sees_none_of_it(qtbot, zoom):
    canvas = open_canvas(qtbot)
    document = canvas.document
    document.set_view_mode("image")
    canvas.zoom_by(zoom / canvas.zoom)
    adjustment = Adjustment(brightness=0.2, contrast=0.1)
    document.set_adjustment(adjustment)
    toned = int(adjustment.table()[100])

    assert toned != 100 and pixel(canvas, 30, 40) == (toned,) * 3
    assert (document.image == 100).all()
    document.set_adjustment(Adjustment())
    assert pixel(canvas, 30, 40) == (100, 100, 100)


@pytest.mark.parametrize("zoom", [4.0, 1.0])
def test_a_window_on_sixteen_bits_shows_what_eight_cannot(qtbot, zoom):
    canvas = open_canvas(qtbot)
    document = canvas.document
    samples = np.full((HEIGHT, 80), 25_700, np.uint16)
    samples[:, 40:] += 40  # less than a step of 8 bits
    image = np.full((HEIGHT, 80, 3), 100, np.uint8)
    document.set_deep(image, DeepSamples(samples, 65535, 0.0, 65535.0))
    document.set_image(image, None, "deep", labelled())
    document.set_view_mode("image")
    canvas.zoom_by(zoom / canvas.zoom)
    document.set_adjustment(Adjustment(low=25_700 / 65535, high=25_740 / 65535))

    assert pixel(canvas, 30, 20) == (0, 0, 0)
    assert pixel(canvas, 30, 60) == (255, 255, 255)
    document.set_image(np.full((HEIGHT, 80, 3), 7, np.uint8), None, "next", labelled())
    assert document.deep is None


def test_another_models_answer_is_a_view_while_models_are_compared(qtbot):
    canvas = open_canvas(qtbot)
    document = canvas.document
    document.set_opacity(1.0)
    document.set_view_mode("other")
    assert document.view_mode == "labels", "there is no other model"

    document.set_comparing(True)
    document.set_view_mode("other")
    document.set_other_labels(None)
    assert document.maps_in_view() == (document.label_map.labels, None)
    other = document.label_map.labels.copy()
    other[10, 10] = (other[10, 10] + 1) % 3
    document.set_other_labels(other)
    assert pixel(canvas, 10, 10) == SKY and pixel(canvas, 10, 14) == (35, 35, 35)

    document.set_comparing(False)
    assert document.view_mode == "labels" and pixel(canvas, 10, 14) == SKY
