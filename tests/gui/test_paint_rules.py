"""Locks, chosen classes, what the eraser leaves, and the pen: as a person meets them."""

import numpy as np
import pytest
from canvas_case import HEIGHT, TABLE, WIDTH, at, labelled, open_canvas, prediction_of, rendered
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QInputDevice, QPointingDevice, QTabletEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Rect
from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.main_window import MainWindow
from pspgui.gui.panels.classes import ClassDelegate
from pspgui.gui.pen import Pen, PenWatch
from pspgui.gui.session import Session
from pspgui.gui.settings import Settings
from pspgui.gui.tools import Brush, Eraser, Fill, Lasso, Rectangle
from pspgui.labels.morphology import Patch
from pspgui.labels.provenance import IGNORED, PERSON
from pspgui.labels.raster import Stamp

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def canvas(qtbot):
    """A canvas over labels whose prediction says Road everywhere; class Car is active."""
    made = open_canvas(qtbot, prediction=np.ones((HEIGHT, WIDTH), np.uint8))
    made.document.set_active_class(2)
    made.document.set_brush_diameter(9)
    made.said = []
    made.document.message.connect(made.said.append)
    return made


def drag(canvas, points, button=LEFT):
    QTest.mousePress(canvas, button, NONE, at(canvas, *points[0]))
    for point in points[1:]:
        QTest.mouseMove(canvas, at(canvas, *point))
    QTest.mouseRelease(canvas, button, NONE, at(canvas, *points[-1]))


def labels(canvas):
    return canvas.document.label_map.labels


ACROSS = [(10, 10), (10, 40), (50, 41), (50, 10)]  # over Sky and Road


@pytest.mark.parametrize("tool", [Brush, Lasso, Rectangle])
def test_a_locked_class_is_never_painted_over(canvas, tool):
    canvas.document.set_locked(1, True)
    canvas.set_tool(tool)
    drag(canvas, ACROSS)
    changed = labels(canvas) != labelled()
    assert changed[:30].any() and not changed[30:].any()
    canvas.document.set_locked(1, False)
    drag(canvas, ACROSS)
    assert (labels(canvas) != labelled())[30:].any()


@pytest.mark.parametrize("tool", [Brush, Rectangle, Fill])
def test_a_locked_class_is_never_painted_and_that_is_said_once(canvas, tool):
    canvas.document.set_locked(2, True)
    del canvas.said[:]
    canvas.set_tool(tool)
    drag(canvas, ACROSS)
    assert np.array_equal(labels(canvas), labelled())
    assert canvas.said == [
        "Car is locked, so it is not painted; unlock it (K) or choose another class."
    ]


def test_the_eraser_and_accepting_bring_back_no_locked_class(canvas):
    canvas.document.set_locked(1, True)
    canvas.set_tool(Eraser)
    drag(canvas, ACROSS)
    assert np.array_equal(labels(canvas), labelled())
    assert canvas.said[-1] == "Nothing changed: Road is locked (K unlocks)."
    canvas.document.label_map.provenance[:] = 0
    canvas.document.accept_prediction()
    assert np.array_equal(labels(canvas), labelled())
    assert (canvas.document.label_map.provenance == PERSON)[31:, :-1].all()


def test_cleaning_leaves_locked_classes_alone(canvas):
    patch = Patch(
        Rect(28, 10, 32, 12), np.ones((4, 2), bool), np.repeat([[2], [1], [0], [2]], 2, 1)
    )
    canvas.document.set_locked(1, True)
    canvas.document.clean([patch], "Clean")
    assert labels(canvas)[28:32, 10].tolist() == [2, 0, 1, 1]
    assert canvas.document.history.undo_names == ("Clean, 2 px",)


def test_locks_hold_by_name_in_images_with_other_tables(canvas):
    document = canvas.document
    document.set_locked(2, True)
    assert document.paint_filter.locked == {2}
    document.set_table(type(TABLE)(TABLE.classes[:2]))
    assert document.paint_filter.locked == frozenset()
    document.set_table(TABLE)
    assert document.is_locked(2)


def test_only_chosen_classes_are_painted_over(canvas):
    document = canvas.document
    document.choose_over("Road", True)
    document.choose_over("unlabelled", True)
    canvas.set_tool(Rectangle)
    drag(canvas, [(0, 60), (59, 79)])
    changed = labels(canvas) != labelled()
    assert changed[30:, 60:].all() and changed[:, 79].all() and not changed[:30, :79].any()
    assert canvas.said[-2] == "Paint over Road and unlabelled only"
    document.choose_over("Road", False)
    document.choose_over("unlabelled", False)
    assert document.paint_over == "everything"


@pytest.mark.parametrize("tool", [Lasso, Rectangle, Fill])
def test_the_preview_shows_only_what_would_change(canvas, tool):
    canvas.document.set_opacity(0.0)
    canvas.document.set_locked(1, True)
    canvas.set_tool(tool)
    QTest.mousePress(canvas, LEFT, NONE, at(canvas, *ACROSS[0]))
    for point in ACROSS[1:] if tool is Lasso else ACROSS[2:3]:
        QTest.mouseMove(canvas, at(canvas, *point))
    picture = rendered(canvas).reshape(-1, canvas.width(), 3)
    sky, road = (at(canvas, y, 25) for y in (20, 42))
    assert tuple(picture[road.y(), road.x()]) == (100, 100, 100)
    if tool is not Fill:  # the fill's region is under the mouse, which is on the road
        assert tuple(picture[sky.y(), sky.x()]) != (100, 100, 100)


@pytest.mark.parametrize(("target", "label", "mark"), [("unlabelled", 255, IGNORED),
                                                       ("first", 0, PERSON)])  # fmt: skip
def test_the_eraser_leaves_what_was_chosen_and_the_right_button_follows(
    canvas, target, label, mark
):
    canvas.document.set_erase_to(target)
    for tool, button in ((Eraser, LEFT), (Brush, RIGHT), (Rectangle, RIGHT)):
        canvas.set_tool(tool)
        drag(canvas, [(40, 20), (45, 40)], button)
        assert labels(canvas)[42, 30] == label
        assert canvas.document.label_map.provenance[42, 30] == mark
        name = canvas.document.history.undo_names[0]
        assert f" to {'Sky' if target == 'first' else 'unlabelled'}, " in name
        canvas.document.undo()


def test_painting_what_is_not_shown_is_said(canvas):
    document, said = canvas.document, []
    document.message.connect(said.append)
    document.set_active_class(2)

    def paint(column):
        document.fill(Stamp(Rect(0, column, 2, column + 2), np.ones((2, 2), bool)), "Test")
        return said[-1]

    assert paint(0) == "Test Car, 4 px"
    document.set_view_mode("prediction")
    assert paint(2) == "Test Car, 4 px (not in this view, Prediction: V goes to the next)"
    document.set_view_mode("labels")
    document.set_overlay_hidden(True)
    assert paint(4).endswith("(labels are hidden: Tab shows them)")
    document.set_overlay_hidden(False)
    document.set_solo(1)
    assert paint(6).endswith("(Car is hidden)")


def test_erasing_to_unlabelled_needs_no_prediction(qtbot):
    canvas = open_canvas(qtbot)
    canvas.document.set_erase_to("unlabelled")
    canvas.set_tool(Eraser)
    drag(canvas, [(40, 20), (45, 40)])
    assert labels(canvas)[42, 30] == 255


# -- the pen --------------------------------------------------------------------------------------


def pen_event(canvas, kind, point, pressure, eraser=False):
    kinds = QPointingDevice.PointerType
    device = QPointingDevice(
        "pen", 1, QInputDevice.DeviceType.Stylus, kinds.Eraser if eraser else kinds.Pen,
        QInputDevice.Capability.Pressure, 1, 2,
    )  # fmt: skip
    place = QPointF(point)
    event = QTabletEvent(
        kind, device, place, QPointF(canvas.mapToGlobal(point)), pressure, 0, 0, 0, 0, 0, NONE,
        LEFT, LEFT,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)


def pen_dab(canvas, pressure, eraser=False):
    point = at(canvas, 20, 30)
    pen_event(canvas, QEvent.Type.TabletPress, point, pressure, eraser)
    QTest.mousePress(canvas, LEFT, NONE, point)  # what Qt makes of it
    pen_event(canvas, QEvent.Type.TabletRelease, point, 0.0, eraser)
    QTest.mouseRelease(canvas, LEFT, NONE, point)


def test_pressure_sizes_the_brush_only_when_asked(canvas):
    PenWatch(canvas.document.pen, canvas)
    canvas.set_tool(Brush)
    canvas.document.set_brush_diameter(20)
    pen_dab(canvas, 0.25)
    whole = (labels(canvas) == 2).sum()
    canvas.document.undo()
    canvas.document.set_pen_sizes(True)
    pen_dab(canvas, 0.25)
    assert (labels(canvas) == 2).sum() == pytest.approx(whole / 16, rel=0.3)
    assert Pen(True, 0.0).diameter(20) == 1


def test_the_eraser_end_of_a_pen_erases_with_the_brush(canvas):
    PenWatch(canvas.document.pen, canvas)
    canvas.document.set_erase_to("unlabelled")
    canvas.set_tool(Brush)
    pen_dab(canvas, 1.0, eraser=True)
    assert labels(canvas)[20, 30] == 255
    drag(canvas, [(20, 30), (20, 31)])  # the mouse is not that end
    assert labels(canvas)[20, 30] == 2


# -- in the window --------------------------------------------------------------------------------


@pytest.fixture
def window(qtbot):
    document, engine, settings = Document(), Engine(), Settings()
    session = Session(document, engine, settings)
    made = MainWindow(document, session, settings)  # never closed: that would ask about the edits
    made.resize(1100, 700)
    made.show()
    document.set_table(TABLE)
    document.set_image(np.full((HEIGHT, WIDTH, 3), 100, np.uint8), None, "picture", labelled())
    document.set_prediction(prediction_of(labelled()))
    document.set_active_class(2)
    yield made
    made.hide()
    session.close()
    made.deleteLater()


def test_keys_choose_erasers_rules_and_locks(window):
    canvas, document, actions = window.canvas, window.document, window.actions_table
    shift = Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(canvas, Qt.Key.Key_E, shift)
    assert canvas.tool is Eraser and document.erase_to == "unlabelled"
    assert window.toolbar._groups[Eraser].defaultAction() is actions["erase_unlabelled"]
    QTest.keyClick(canvas, Qt.Key.Key_E)
    assert document.erase_to == "prediction" and actions["erase_prediction"].isChecked()
    QTest.keyClick(canvas, Qt.Key.Key_K)
    assert document.is_locked(2) and actions["lock"].isChecked()
    assert window.toolbar._rule.isChecked()
    document.set_active_class(1)
    assert not actions["lock"].isChecked()
    QTest.keyClick(canvas, Qt.Key.Key_M, shift)
    assert document.paint_over == "chosen" and document.chosen_names == {"Road"}


def test_the_lock_in_a_row_is_clicked(window):
    view = window.classes.view
    row = view.visualRect(view.model().index(1))
    QTest.mouseClick(view.viewport(), LEFT, NONE, ClassDelegate.lock_rect(row).center())
    assert window.document.is_locked(1) and window.document.active_class == 2
    QTest.mouseClick(view.viewport(), LEFT, NONE, ClassDelegate.lock_rect(row).center())
    assert not window.document.is_locked(1)


def test_the_funnel_lists_classes_to_choose(window):
    menu = window.toolbar._rule.menu()
    menu.aboutToShow.emit()
    names = [action.text() for action in window.toolbar._rule._classes.actions()]
    assert names == ["Sky", "Road", "Car", "unlabelled"]
    window.toolbar._rule._classes.actions()[1].trigger()
    assert window.document.chosen_names == {"Road"}
