"""The tools, used with mouse and keys as a person does."""

import numpy as np
import pytest
from canvas_case import HEIGHT, WIDTH, at, labelled, on_screen, open_canvas, pixel, rendered, wheel
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QPainterPath
from PySide6.QtTest import QTest

from pspgui.geometry import Pixel
from pspgui.gui.icons import icon
from pspgui.gui.tools import TOOLS, Brush, Eraser, Pick, Probe
from pspgui.gui.tools.ring import footprint
from pspgui.labels.raster import capsule

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
SHIFT = Qt.KeyboardModifier.ShiftModifier
CTRL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def canvas(qtbot):
    """A canvas with the brush, 5 px wide, class Car, over labels and an equal prediction."""
    made = open_canvas(qtbot, prediction=labelled())
    made.set_tool(Brush)
    made.document.set_brush_diameter(5)
    made.document.set_active_class(2)
    return made


def drag(canvas, points, button=LEFT, modifiers=Qt.KeyboardModifier.NoModifier, release=True):
    QTest.mousePress(canvas, button, modifiers, at(canvas, *points[0]))
    for point in points[1:]:
        QTest.mouseMove(canvas, at(canvas, *point))
    if release:
        QTest.mouseRelease(canvas, button, modifiers, at(canvas, *points[-1]))


def swept(points, diameter=5):
    """Where a stroke through the middles of these pixels paints, (H, W) bool."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    middles = [(y + 0.5, x + 0.5) for y, x in points]
    for a, b in zip(middles, middles[1:] or middles, strict=False):
        stamp = capsule(a, b, diameter, mask.shape)
        mask[stamp.rect.slices] |= stamp.mask
    return mask


def test_tools_have_names_keys_and_icons_of_their_own(qtbot):
    assert len({tool.name for tool in TOOLS}) == len(TOOLS)
    keys = [tool.key for tool in TOOLS if tool.key]  # tools with variants have one key for each
    assert len(set(keys)) == len(keys) == len(TOOLS) - 2
    assert all(not icon(tool.icon).isNull() for tool in TOOLS)


def test_a_stroke_paints_what_it_swept_and_undo_takes_it_back(canvas):
    points = [(10, 10), (14, 30), (40, 33)]
    before = labelled()
    drag(canvas, points)
    labels = canvas.document.label_map.labels
    expected = np.where(swept(points), 2, before)

    assert np.array_equal(labels, expected)
    assert canvas.document.history.undo_names[0].startswith("Brush Car, ")
    canvas.document.set_opacity(1.0)
    canvas.leaveEvent(None)
    assert pixel(canvas, 14, 30) == (240, 220, 10)
    canvas.document.undo()
    assert np.array_equal(labels, before)
    canvas.document.redo()
    assert np.array_equal(labels, expected)


def test_a_stroke_shows_while_it_is_painted(canvas):
    canvas.document.set_opacity(1.0)
    rendered(canvas)
    drag(canvas, [(10, 10), (10, 40)], release=False)
    canvas.leaveEvent(None)

    assert pixel(canvas, 10, 25) == (240, 220, 10)
    assert canvas.document.stroke_active
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 10, 40))


def test_dragging_the_right_button_erases_to_the_prediction(canvas):
    drag(canvas, [(10, 10), (10, 40)])
    drag(canvas, [(10, 20), (10, 60)], RIGHT)
    labels = canvas.document.label_map.labels

    assert (labels[swept([(10, 20), (10, 60)])] == 0).all()
    assert labels[10, 12] == 2
    assert canvas.document.history.undo_names[0].startswith("Erase to prediction, ")


def test_the_eraser_erases_with_the_left_button(canvas):
    drag(canvas, [(10, 10), (10, 40)])
    canvas.set_tool(Eraser)
    drag(canvas, [(10, 5), (10, 50)])

    assert np.array_equal(canvas.document.label_map.labels, labelled())


def test_shift_click_draws_a_straight_line_from_the_last_point(canvas):
    drag(canvas, [(10, 10)])
    drag(canvas, [(25, 60)], modifiers=SHIFT)
    expected = np.where(swept([(10, 10), (25, 60)]), 2, labelled())

    assert np.array_equal(canvas.document.label_map.labels, expected)
    canvas.document.undo()
    assert np.array_equal(canvas.document.label_map.labels == 2, swept([(10, 10)]))


def test_control_restricts_the_stroke_to_the_class_under_the_press(canvas):
    points = [(20, 20), (40, 20)]
    drag(canvas, points, modifiers=CTRL)
    before = labelled()
    expected = np.where(swept(points) & (before == 0), 2, before)

    assert np.array_equal(canvas.document.label_map.labels, expected)


def test_alt_click_picks_the_class_and_paints_nothing(canvas):
    drag(canvas, [(50, 20)], modifiers=ALT)

    assert canvas.document.active_class == 1
    assert not canvas.document.can_undo


def test_alt_with_the_right_button_drags_the_size(canvas):
    QTest.mousePress(canvas, RIGHT, ALT, QPoint(200, 150))
    QTest.mouseMove(canvas, QPoint(300, 150))
    larger = canvas.document.brush_diameter
    QTest.mouseMove(canvas, QPoint(150, 150))
    smaller = canvas.document.brush_diameter
    QTest.mouseRelease(canvas, RIGHT, ALT, QPoint(150, 150))

    assert smaller < 5 < larger
    assert np.array_equal(canvas.document.label_map.labels, labelled())


def test_escape_takes_back_the_running_stroke_and_the_rest_of_the_drag_does_nothing(canvas):
    drag(canvas, [(10, 10), (10, 40)], release=False)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseMove(canvas, at(canvas, 20, 20))
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 20, 20))

    assert np.array_equal(canvas.document.label_map.labels, labelled())
    assert not canvas.document.can_undo


def test_space_pans_in_the_middle_of_a_stroke_and_the_stroke_goes_on(canvas):
    drag(canvas, [(10, 10), (10, 20)], release=False)
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    QTest.mouseMove(canvas, at(canvas, 10, 20) + QPoint(32, 40))
    QTest.keyRelease(canvas, Qt.Key.Key_Space)
    QTest.mouseMove(canvas, at(canvas, 10, 30))
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 10, 30))
    expected = np.where(swept([(10, 10), (10, 20), (10, 30)]), 2, labelled())

    assert canvas.camera.device_origin == (30 + 40, 40 + 32)
    assert np.array_equal(canvas.document.label_map.labels, expected)


def test_changing_the_tool_finishes_the_stroke(canvas):
    drag(canvas, [(10, 10), (10, 40)], release=False)
    canvas.set_tool(Probe)
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 10, 40))

    assert canvas.document.can_undo
    assert not canvas.document.stroke_active
    assert canvas.document.pin is None


def test_shift_wheel_sizes_the_brush_and_leaves_the_zoom(canvas):
    canvas.document.set_brush_diameter(50)
    wheel(canvas, QPoint(200, 150), 120, SHIFT)
    assert canvas.document.brush_diameter == 60
    for _ in range(4):
        wheel(canvas, QPoint(200, 150), -30, SHIFT)

    assert canvas.document.brush_diameter == 50
    assert canvas.zoom == pytest.approx(4.0)


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("diameter", [1, 2, 5, 24])
def test_the_ring_encloses_exactly_the_pixels_of_a_dab(diameter, square):
    path: QPainterPath = footprint(diameter, square)
    middle = (diameter / 2, diameter / 2)
    stamp = capsule(middle, middle, diameter, (diameter, diameter), square)
    from PySide6.QtCore import QPointF

    inside = [
        [path.contains(QPointF(x + 0.5, y + 0.5)) for x in range(diameter)] for y in range(diameter)
    ]
    whole = np.zeros((diameter, diameter), bool)
    whole[stamp.rect.slices] = stamp.mask

    assert np.array_equal(inside, whole)


@pytest.mark.parametrize("ground", [0, 128, 255])
@pytest.mark.parametrize("square", [False, True])
def test_the_ring_reads_on_any_ground_and_leaves_nothing_behind(qtbot, ground, square):
    canvas = open_canvas(qtbot, np.full((HEIGHT, WIDTH, 3), ground, np.uint8))
    canvas.document.set_view_mode("image")
    canvas.set_tool(Brush)
    canvas.document.set_brush_diameter(21)
    canvas.document.set_square_brush(square)
    canvas.zoom_by(0.75)  # below the zoom at which the ring follows pixels
    before = on_screen(canvas)
    plain = rendered(canvas).astype(int)
    QTest.mouseMove(canvas, at(canvas, 30, 40))
    QTest.mouseMove(canvas, at(canvas, 25, 35))
    shown = rendered(canvas).astype(int)
    edge = at(canvas, 25, 35) + QPoint(-round(10.5 * canvas.camera.scale), 0)

    band = np.abs(shown - plain)[edge.y(), edge.x() - 3 : edge.x() + 4].max()
    assert band >= 60
    canvas.leaveEvent(None)
    assert on_screen(canvas) == before


def test_the_probe_pins_with_a_click_and_unpins_with_another(canvas):
    canvas.set_tool(Probe)
    QTest.mouseClick(canvas, LEFT, pos=at(canvas, 20, 30))
    assert canvas.document.pin == Pixel(20, 30)
    QTest.mouseClick(canvas, LEFT, pos=at(canvas, 40, 30))
    assert canvas.document.pin == Pixel(40, 30)
    QTest.mouseClick(canvas, LEFT, pos=at(canvas, 40, 30))
    assert canvas.document.pin is None


def test_the_pin_can_be_dragged_and_escape_lets_go_of_it(canvas):
    canvas.set_tool(Probe)
    QTest.mouseClick(canvas, LEFT, pos=at(canvas, 25, 35))
    assert canvas.document.pin == Pixel(25, 35)
    drag(canvas, [(25, 35), (30, 40)])
    assert canvas.document.pin == Pixel(30, 40)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.document.pin is None


def test_clicks_beside_the_picture_pin_and_pick_nothing(canvas):
    for tool in (Probe, Pick):
        canvas.set_tool(tool)
        QTest.mouseClick(canvas, LEFT, pos=QPoint(3, 3))

    assert canvas.document.pin is None
    assert canvas.document.active_class == 2


def test_pick_takes_the_class_under_the_mouse_but_no_unlabelled_one(canvas):
    canvas.set_tool(Pick)
    QTest.mouseClick(canvas, LEFT, pos=at(canvas, 50, 10))
    assert canvas.document.active_class == 1
    QTest.mouseClick(canvas, LEFT, pos=at(canvas, 10, WIDTH - 1))
    assert canvas.document.active_class == 1


def test_the_pick_swatch_has_the_colour_under_the_mouse(canvas):
    canvas.set_tool(Pick)
    QTest.mouseMove(canvas, at(canvas, 50, 10))
    point = at(canvas, 50, 10) + QPoint(22, 22)

    assert tuple(rendered(canvas)[point.y(), point.x()]) == (200, 40, 60)
