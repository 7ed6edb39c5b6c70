"""The tools that fill areas and the rule of painting over, used as a person does."""

import numpy as np
import pytest
from canvas_case import (
    HEIGHT,
    TABLE,
    WIDTH,
    at,
    labelled,
    on_screen,
    open_canvas,
    pixel,
    prediction_of,
    rendered,
)
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.dialogs.shortcuts import key_groups
from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.main_window import MainWindow
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.gui.tools import (
    AREA_TOOLS,
    Brush,
    Ellipse,
    Fill,
    Lasso,
    LiveWire,
    Polygon,
    Probe,
    Rectangle,
    Select,
)
from pspgui.gui.tools.region_preview import seen, striped
from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.labels.provenance import IMPORTED, MODEL, PERSON
from pspgui.labels.raster import Stamp

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CTRL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier
CORNERS = [(10, 10), (10, 30), (25, 30), (25, 10)]


@pytest.fixture
def canvas(qtbot):
    """A canvas over labels and an equal prediction; class Car is active."""
    made = open_canvas(qtbot, prediction=labelled())
    made.document.set_active_class(2)
    made.said = []
    made.document.message.connect(made.said.append)
    return made


def drag(canvas, points, button=LEFT, modifiers=NONE, release=True):
    QTest.mousePress(canvas, button, modifiers, at(canvas, *points[0]))
    for point in points[1:]:
        QTest.mouseMove(canvas, at(canvas, *point))
    if release:
        QTest.mouseRelease(canvas, button, modifiers, at(canvas, *points[-1]))


def shift_drag(canvas, start, stop, release=True):
    """Drag with Shift held for moves too, which QTest's moves do not do."""
    QTest.mousePress(canvas, LEFT, SHIFT, start)
    event = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(stop), QPointF(canvas.mapToGlobal(stop)), LEFT, LEFT, SHIFT
    )
    QApplication.sendEvent(canvas, event)
    if release:
        QTest.mouseRelease(canvas, LEFT, SHIFT, stop)


def click(canvas, y, x, button=LEFT, modifiers=NONE):
    QTest.mouseClick(canvas, button, modifiers, at(canvas, y, x))


def clicked_apart(canvas, corners, **options):
    for corner in corners:
        click(canvas, *corner, **options)


def box(y0, x0, y1, x1):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def expect(canvas, mask, label=2):
    assert np.array_equal(canvas.document.label_map.labels, np.where(mask, label, labelled()))


def test_the_lasso_fills_what_it_goes_round_as_one_named_edit(canvas):
    canvas.set_tool(Lasso)
    drag(canvas, [(10, 10), (10, 30), (25, 30), (25, 10)])
    # The mouse is over middles of pixels; those on the lower and right edge are not inside.
    inside = canvas.document.label_map.labels == 2

    assert box(11, 11, 25, 30)[inside].sum() == 14 * 19
    assert not inside[~box(10, 10, 26, 31)].any()
    assert canvas.document.history.undo_names == (f"Lasso Car, {inside.sum()} px",)
    assert (canvas.document.label_map.provenance[inside] == PERSON).all()
    assert (canvas.document.label_map.provenance[~inside] == IMPORTED).all()
    canvas.document.undo()
    expect(canvas, box(0, 0, 0, 0))


@pytest.mark.parametrize("tool", [Lasso, Rectangle, Ellipse])
def test_an_area_shows_before_it_is_filled_and_escape_drops_it(canvas, tool):
    canvas.set_tool(tool)
    before = rendered(canvas)
    drag(canvas, [(10, 10), (10, 30), (25, 30), (25, 12)], release=False)
    shown = rendered(canvas)
    expect(canvas, box(0, 0, 0, 0))
    assert (shown != before).any(axis=2).sum() > 50
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 25, 12))

    expect(canvas, box(0, 0, 0, 0))
    assert not canvas.document.can_undo
    canvas.leaveEvent(None)
    assert np.array_equal(rendered(canvas), before)


@pytest.mark.parametrize("tool", [Lasso, Polygon, Rectangle, Ellipse, Fill])
def test_the_preview_leaves_nothing_behind(canvas, tool):
    canvas.set_tool(tool)
    before = on_screen(canvas)
    drag(canvas, [(40, 60), (10, 30), (25, 30), (25, 12), (50, 50)], release=False)
    assert on_screen(canvas) != before
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 50, 50))
    canvas.leaveEvent(None)

    assert on_screen(canvas) == before


def test_undo_during_a_lasso_drops_it_and_not_the_edit_before(canvas):
    canvas.set_tool(Rectangle)
    drag(canvas, [(40, 40), (45, 45)])
    canvas.set_tool(Lasso)
    drag(canvas, CORNERS, release=False)
    QTest.keyClick(canvas, Qt.Key.Key_Z, CTRL)
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 25, 10))

    expect(canvas, box(40, 40, 46, 46))
    assert len(canvas.document.history.undo_names) == 1


def test_another_tool_drops_a_lasso_under_way(canvas):
    canvas.set_tool(Lasso)
    drag(canvas, CORNERS, release=False)
    canvas.set_tool(Brush)
    canvas.set_tool(Lasso)
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 25, 10))

    assert not canvas.document.can_undo


@pytest.mark.parametrize(("button", "modifiers"), [(RIGHT, NONE), (LEFT, ALT)])
@pytest.mark.parametrize("tool", [Lasso, Rectangle])
def test_the_right_button_and_alt_erase_an_area_to_the_prediction(canvas, tool, button, modifiers):
    canvas.set_tool(Rectangle)
    drag(canvas, [(5, 5), (35, 35)])
    canvas.set_tool(tool)
    corners = [(0, 0), (0, 20), (59, 20), (59, 0)]
    drag(canvas, corners if tool is Lasso else corners[::2], button, modifiers)
    labels, provenance = canvas.document.label_map.labels, canvas.document.label_map.provenance

    assert np.array_equal(labels[:, :20], labelled()[:, :20])
    assert (provenance[5:36, 1:20] == MODEL).all()
    assert (labels[5:36, 21:36] == 2).all()
    assert " to prediction, " in canvas.document.history.undo_names[0]


def test_areas_that_change_nothing_leave_no_edit_and_say_so(canvas):
    canvas.set_tool(Rectangle)
    drag(canvas, [(5, 5), (35, 35)])
    drag(canvas, [(6, 6), (30, 30)])
    drag(canvas, [(50, 50), (55, 55)], RIGHT)  # becomes the model's word: that is a change
    drag(canvas, [(50, 50), (55, 55)], RIGHT)

    assert len(canvas.document.history.undo_names) == 2
    assert canvas.said[-1].startswith("Nothing changed")


@pytest.mark.parametrize("tool", [Lasso, Rectangle, Ellipse])
def test_a_click_without_a_drag_fills_nothing(canvas, tool):
    canvas.set_tool(tool)
    click(canvas, 20, 20)

    assert not canvas.document.can_undo


def test_without_a_prediction_erasing_says_why_not(qtbot):
    canvas = open_canvas(qtbot)
    said = []
    canvas.document.message.connect(said.append)
    canvas.set_tool(Rectangle)
    drag(canvas, [(5, 5), (35, 35)], RIGHT)

    assert said == [
        "Erasing needs a prediction to go back to; Shift+E erases to unlabelled instead."
    ]
    assert not canvas.document.can_undo


@pytest.mark.parametrize(
    "points", [[(10, 12), (20, 30)], [(20, 30), (10, 12)], [(20, 12), (10, 30)]]
)
def test_the_rectangle_holds_both_corners(canvas, points):
    canvas.set_tool(Rectangle)
    drag(canvas, points)
    expect(canvas, box(10, 12, 21, 31))


def test_shift_keeps_the_rectangle_square(canvas):
    canvas.set_tool(Rectangle)
    shift_drag(canvas, at(canvas, 5, 10), at(canvas, 8, 20))
    expect(canvas, box(5, 10, 16, 21))


def test_a_rectangle_may_begin_and_end_beside_the_picture(canvas):
    canvas.set_tool(Rectangle)
    drag(canvas, [(-3, -4), (3, 4)])
    expect(canvas, box(0, 0, 4, 5))


def test_the_ellipse_touches_the_sides_of_its_box(canvas):
    canvas.set_tool(Ellipse)
    drag(canvas, [(4, 10), (24, 50)])
    rows, columns = np.nonzero(canvas.document.label_map.labels == 2)

    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 24, 10, 50)
    assert len(rows) == pytest.approx(np.pi * 21 * 41 / 4, rel=0.02)


# -- polygon ----------------------------------------------------------------------------------


@pytest.fixture
def polygon(canvas, monkeypatch):
    """The same canvas with the polygon, whose clicks are never taken for double clicks."""
    monkeypatch.setattr(QApplication, "doubleClickInterval", lambda: -1)
    canvas.set_tool(Polygon)
    return canvas


def filled(canvas):
    return canvas.document.label_map.labels == 2


def test_clicks_and_enter_make_a_polygon_that_a_person_painted(polygon):
    clicked_apart(polygon, CORNERS)
    assert not polygon.document.can_undo
    QTest.keyClick(polygon, Qt.Key.Key_Return)
    inside = filled(polygon)

    assert inside[11:25, 11:30].all() and not inside[~box(10, 10, 26, 31)].any()
    assert polygon.document.history.undo_names == (f"Polygon Car, {inside.sum()} px",)
    assert (polygon.document.label_map.provenance[inside] == PERSON).all()


def test_a_double_click_closes_the_polygon(canvas, monkeypatch):
    monkeypatch.setattr(QApplication, "doubleClickInterval", lambda: 60_000)
    canvas.set_tool(Polygon)
    clicked_apart(canvas, CORNERS[:3])
    click(canvas, *CORNERS[3])
    QTest.mouseDClick(canvas, LEFT, pos=at(canvas, *CORNERS[3]))  # the second press alone

    assert filled(canvas)[11:25, 11:30].all()
    assert len(canvas.document.history.undo_names) == 1


def test_a_click_on_the_first_corner_closes_the_polygon(polygon):
    clicked_apart(polygon, [*CORNERS, CORNERS[0]])
    assert filled(polygon)[11:25, 11:30].all()


def test_corners_can_be_dragged_before_the_polygon_is_filled(polygon):
    clicked_apart(polygon, CORNERS)
    drag(polygon, [(25, 30), (30, 40), (35, 50)])
    drag(polygon, [(10, 10), (8, 8), (5, 5)])  # the first one: a drag does not close
    QTest.keyClick(polygon, Qt.Key.Key_Enter)

    assert filled(polygon)[33, 47] and filled(polygon)[7, 7]


def test_backspace_and_undo_take_back_corners_and_nothing_else(polygon):
    polygon.set_tool(Rectangle)
    drag(polygon, [(40, 40), (45, 45)])
    polygon.set_tool(Polygon)
    clicked_apart(polygon, [*CORNERS, (50, 70), (50, 10)])
    QTest.keyClick(polygon, Qt.Key.Key_Backspace)
    QTest.keyClick(polygon, Qt.Key.Key_Z, CTRL)
    QTest.keyClick(polygon, Qt.Key.Key_Return)
    inside = filled(polygon)

    assert inside[40:46, 40:46].all()
    assert inside[11:25, 11:30].all() and not inside[26:40].any()
    for _ in range(2):
        polygon.document.undo()
    assert not polygon.document.can_undo


def test_backspace_to_the_last_corner_leaves_the_keys_to_others(polygon):
    clicked_apart(polygon, CORNERS[:1])
    QTest.keyClick(polygon, Qt.Key.Key_Backspace)
    tool = polygon._tool

    assert not tool.running
    clicked_apart(polygon, CORNERS[:2])
    QTest.keyClick(polygon, Qt.Key.Key_Return)
    assert tool.running and polygon.said[-1] == "A polygon has three corners or more."


def test_escape_drops_the_polygon(polygon):
    clicked_apart(polygon, CORNERS)
    QTest.keyClick(polygon, Qt.Key.Key_Escape)
    QTest.keyClick(polygon, Qt.Key.Key_Return)

    assert not polygon.document.can_undo


def test_a_polygon_waits_while_another_tool_is_used(polygon):
    clicked_apart(polygon, CORNERS)
    polygon.set_tool(Probe)
    QTest.keyClick(polygon, Qt.Key.Key_Return)
    click(polygon, 40, 40)
    assert not polygon.document.can_undo
    polygon.set_tool(Polygon)
    QTest.keyClick(polygon, Qt.Key.Key_Return)

    assert filled(polygon)[11:25, 11:30].all()


def test_another_image_drops_the_polygon(polygon):
    clicked_apart(polygon, CORNERS)
    document = polygon.document
    document.set_image(document.image, None, "another", labelled(), None)
    QTest.keyClick(polygon, Qt.Key.Key_Return)

    assert not document.can_undo


@pytest.mark.parametrize("first", [{"modifiers": ALT}, {"modifiers": CTRL}, {"button": RIGHT}])
def test_a_polygon_begun_with_alt_control_or_the_right_button_erases(polygon, first):
    polygon.set_tool(Rectangle)
    drag(polygon, [(5, 5), (35, 35)])
    polygon.set_tool(Polygon)
    click(polygon, *CORNERS[0], **first)
    clicked_apart(polygon, CORNERS[1:])
    QTest.keyClick(polygon, Qt.Key.Key_Return)

    assert not filled(polygon)[11:25, 11:30].any() and filled(polygon)[5:10, 5:36].all()
    assert (polygon.document.label_map.provenance[11:25, 11:30] == MODEL).all()


@pytest.mark.parametrize("modifier", [ALT, CTRL])
def test_enter_with_alt_or_control_erases(polygon, modifier):
    polygon.set_tool(Rectangle)
    drag(polygon, [(5, 5), (35, 35)])
    polygon.set_tool(Polygon)
    clicked_apart(polygon, CORNERS)
    QTest.keyClick(polygon, Qt.Key.Key_Return, modifier)

    assert not filled(polygon)[11:25, 11:30].any()


# -- fill -------------------------------------------------------------------------------------


def test_a_click_fills_the_region_of_one_label(canvas):
    canvas.set_tool(Fill)
    click(canvas, 50, 20)

    expect(canvas, labelled() == 1)
    assert canvas.document.history.undo_names[0].startswith("Fill Car, ")


def test_the_region_shows_while_the_button_is_held_and_follows_the_mouse(canvas):
    canvas.set_tool(Fill)
    canvas.document.set_opacity(0.0)
    QTest.mousePress(canvas, LEFT, pos=at(canvas, 50, 20))
    assert pixel(canvas, 10, 60) == (100, 100, 100) != pixel(canvas, 50, 60)
    QTest.mouseMove(canvas, at(canvas, 10, 20))
    assert pixel(canvas, 50, 60) == (100, 100, 100) != pixel(canvas, 10, 60)
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 10, 20))

    expect(canvas, labelled() == 0)


def test_shift_fills_like_colours_and_a_drag_changes_the_tolerance(qtbot):
    image = np.repeat(np.arange(WIDTH, dtype=np.uint8)[None, :, None], HEIGHT, axis=0)
    canvas = open_canvas(qtbot, np.repeat(image, 3, axis=2), np.zeros((HEIGHT, WIDTH), np.uint8))
    canvas.document.set_active_class(2)
    canvas.set_tool(Fill)
    start = at(canvas, 30, 40)
    shift_drag(canvas, start, start)
    assert np.array_equal(filled(canvas), box(0, 24, HEIGHT, 57))
    canvas.document.undo()
    shift_drag(canvas, start, start - QPoint(33, 0))
    assert np.array_equal(filled(canvas), box(0, 35, HEIGHT, 46))
    canvas.document.undo()
    shift_drag(canvas, start, start)  # the tolerance was kept

    assert np.array_equal(filled(canvas), box(0, 35, HEIGHT, 46))


def test_a_fill_beside_the_picture_is_nothing(canvas):
    canvas.set_tool(Fill)
    QTest.mouseClick(canvas, LEFT, pos=QPoint(3, 3))
    assert not canvas.document.can_undo


# -- what may be painted over -------------------------------------------------------------------


@pytest.mark.parametrize("tool", [Brush, Lasso, Rectangle, Fill])
def test_with_the_rule_unlabelled_nothing_else_is_painted_over(canvas, tool):
    canvas.document.set_brush_diameter(60)
    canvas.document.set_paint_over("unlabelled")
    canvas.set_tool(tool)
    drag(canvas, [(2, 79), (2, 50), (58, 50), (58, 79), (30, 90)][:: 1 if tool is Lasso else 3])
    changed = canvas.document.label_map.labels != labelled()

    assert changed.any() and changed[:, :-1].sum() == 0
    click(canvas, 10, 10)  # which the lasso and the rectangle take for nothing
    assert len(canvas.document.history.undo_names) == 1


@pytest.mark.parametrize("tool", [Brush, Lasso, Rectangle])
def test_with_the_rule_class_the_press_decides(canvas, tool):
    canvas.document.set_brush_diameter(9)
    canvas.document.set_paint_over("class")
    canvas.set_tool(tool)
    drag(canvas, [(20, 20), (20, 40), (40, 41), (41, 20)][:: 1 if tool is Lasso else 2])
    changed = canvas.document.label_map.labels != labelled()

    assert changed[:30].any() and not changed[30:].any()


def test_control_restricts_an_area_to_the_class_pressed_on(canvas):
    canvas.set_tool(Rectangle)
    drag(canvas, [(20, 20), (40, 40)], modifiers=CTRL)
    expect(canvas, box(20, 20, 30, 41))


def test_a_stroke_that_the_rule_left_nothing_to_says_so(canvas):
    canvas.document.set_paint_over("unlabelled")
    canvas.set_tool(Brush)
    drag(canvas, [(10, 10), (10, 30)])

    assert canvas.said[-1] == "Nothing changed: only unlabelled pixels are painted over."
    assert not canvas.document.can_undo


# -- previews and the window --------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("zoom", [0.3, 1.0, 7.3])
def test_the_region_shown_is_the_region_filled_at_every_scale(ratio, zoom):
    camera = Camera()
    camera.resize(45.0, 60.0, ratio)
    camera.set_image_shape(HEIGHT, WIDTH)
    camera.zoom_at(QPointF(30, 20), zoom / camera.zoom)
    mask = np.random.default_rng(3).random((30, 50)) < 0.5
    stamp = Stamp(Rect(10, 20, 40, 70), mask)
    whole = np.zeros((HEIGHT, WIDTH), bool)
    whole[stamp.rect.slices] = mask
    shown = camera.device_rect(camera.viewport)
    picture = striped(seen(stamp, shown, camera), shown, camera, QColor(1, 2, 3))

    assert picture.devicePixelRatio() == ratio
    assert (picture.height(), picture.width()) == (shown.height, shown.width)
    for y in range(0, shown.height, 3):
        for x in range(0, shown.width, 2):
            middle = QPointF(shown.x0 + x + 0.5, shown.y0 + y + 0.5) / ratio
            inside = whole[camera.pixel_at(middle)]
            assert picture.pixelIndex(x, y) in ((1, 2, 3) if inside else (0, 3))


@pytest.mark.parametrize("tool", [Lasso, Polygon, Rectangle, Ellipse, Fill])
def test_what_would_be_erased_looks_different(canvas, tool):
    canvas.set_tool(tool)
    shown = []
    for button in (LEFT, RIGHT):
        drag(canvas, [(10, 10), (10, 40)], button, release=False)
        for point in [(25, 40), (25, 12)]:
            if tool is Polygon:
                QTest.mouseRelease(canvas, button, pos=at(canvas, 10, 40))
                QTest.mousePress(canvas, button, pos=at(canvas, *point))
            QTest.mouseMove(canvas, at(canvas, *point))
        shown.append(rendered(canvas))
        QTest.keyClick(canvas, Qt.Key.Key_Escape)
        QTest.mouseRelease(canvas, button, pos=at(canvas, 25, 12))
    assert (shown[0] != shown[1]).any(axis=2).sum() > 100
    assert not canvas.document.can_undo


@pytest.fixture
def window(qtbot):
    """The whole window over a labelled picture and its prediction, with no model running."""
    document, engine, settings = Document(), Engine(), Settings()
    session = Session(document, engine, settings)
    made = MainWindow(document, session, settings)  # never closed: that would ask about the edits
    made.resize(1100, 700)
    made.show()
    document.set_table(TABLE)
    document.set_image(np.full((HEIGHT, WIDTH, 3), 100, np.uint8), None, "picture", labelled())
    document.set_prediction(prediction_of(labelled()))
    document.set_active_class(2)
    made.canvas.zoom_by(4.0 / made.canvas.zoom)
    yield made
    made.hide()
    session.close()
    made.deleteLater()


def test_keys_choose_the_area_tools_and_the_toolbar_follows(window):
    canvas = window.canvas
    for key, modifier, tool in (
        (Qt.Key.Key_L, NONE, Lasso), (Qt.Key.Key_P, NONE, Polygon), (Qt.Key.Key_R, NONE, Rectangle),
        (Qt.Key.Key_R, SHIFT, Ellipse), (Qt.Key.Key_G, NONE, Fill),
    ):  # fmt: skip
        QTest.keyClick(canvas, key, modifier)
        action = window.actions_table[f"tool_{tool.name}"]
        assert canvas.tool is tool and action.isChecked()
        assert window.toolbar._groups[tool].defaultAction() is action


def test_enter_fills_the_polygon_and_only_then_accepts_the_prediction(window, monkeypatch):
    monkeypatch.setattr(QApplication, "doubleClickInterval", lambda: -1)
    canvas, document = window.canvas, window.document
    QTest.keyClick(canvas, Qt.Key.Key_P)
    clicked_apart(canvas, CORNERS)
    QTest.keyClick(canvas, Qt.Key.Key_Z, CTRL)
    clicked_apart(canvas, CORNERS[3:])
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert [name.split(",")[0] for name in document.history.undo_names] == ["Polygon Car"]
    document.undo()
    QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    assert not document.can_undo


def test_the_rule_is_in_menu_key_and_toolbar(window):
    canvas, document = window.canvas, window.document
    funnel = window.toolbar._rule
    assert not funnel.isChecked()
    for rule in ("class", "chosen", "unlabelled"):
        QTest.keyClick(canvas, Qt.Key.Key_M)
        assert document.paint_over == rule
        assert window.actions_table[f"over_{rule}"].isChecked() and funnel.isChecked()
    window.actions_table["over_everything"].trigger()
    assert document.paint_over == "everything" and not funnel.isChecked()


def test_the_key_list_shows_the_new_keys(window):
    hints = {h.text: h.key for g in key_groups(window.actions_table.rows) for h in g.hints}
    assert [hints[t] for t in ("Lasso", "Polygon", "Rectangle", "Ellipse", "Fill region")] == [
        "L", "P", "R", "Shift+R", "G",
    ]  # fmt: skip
    assert hints["Next rule of painting over"] == "M"
    assert hints["Remove small islands of the class"] == "Ctrl+Shift+I"
    assert hints["Fill polygon, wire or cut-out"] == "Enter / Double-click"


# -- labels that go while an area is under way ------------------------------------------------


@pytest.fixture
def predicted(qtbot):
    """A canvas over an untouched prediction: its labels go when another model is in use."""
    made = open_canvas(qtbot)
    made.document.set_image(made.document.image, None, "another")
    made.document.set_prediction(prediction_of(labelled()))
    made.document.set_active_class(2)
    return made


@pytest.mark.parametrize("tool", [*AREA_TOOLS, Select])
@pytest.mark.parametrize("rule", ["everything", "class"])
@pytest.mark.parametrize("button", [LEFT, RIGHT])
def test_an_area_outlives_the_labels_it_was_begun_on(predicted, tool, rule, button):
    canvas, document = predicted, predicted.document
    document.set_paint_over(rule)
    canvas.set_tool(tool)
    drag(canvas, [(10, 10), (20, 25), (25, 15)], button, release=False)
    rendered(canvas)
    document.set_table(ClassTable((LabelClass(0, "Tree", (0, 90, 0)),)))
    assert document.label_map is None and document.prediction is None
    QTest.mouseMove(canvas, at(canvas, 30, 40))
    rendered(canvas)
    QTest.mouseRelease(canvas, button, NONE, at(canvas, 30, 40))
    click(canvas, 40, 20, button)
    rendered(canvas)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    rendered(canvas)
    assert document.label_map is None


@pytest.mark.parametrize("tool", [Fill, Select])
def test_a_flood_that_is_looked_for_outlives_its_labels(predicted, tool, monkeypatch, qtbot):
    monkeypatch.setattr(f"pspgui.gui.tools.{tool.name}.LARGE_PX", 0)
    canvas, document = predicted, predicted.document
    canvas.set_tool(tool)
    click(canvas, 10, 10)
    document.set_table(ClassTable((LabelClass(0, "Tree", (0, 90, 0)),)))
    rendered(canvas)
    qtbot.waitUntil(lambda: not document.errands._asked)
    click(canvas, 10, 10)
    rendered(canvas)
    assert document.label_map is None and document.selection is None


@pytest.mark.parametrize("tool", [Polygon, LiveWire])
def test_points_go_on_before_their_image_is_predicted_again(predicted, tool):
    canvas, document = predicted, predicted.document
    picture = document.image
    canvas.set_tool(tool)
    clicked_apart(canvas, [(10, 10), (10, 30)])
    document.set_image(picture, None, "third")
    document.set_image(picture, None, "another")
    assert document.label_map is None
    clicked_apart(canvas, [(25, 30), (25, 10)])
    rendered(canvas)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert document.label_map is None
