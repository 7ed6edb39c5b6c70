"""The classes panel: choosing, hiding, soloing, and areas that follow every edit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel_fakes import predicted_document
from PySide6.QtCore import Qt

from pspgui.geometry import Rect
from pspgui.gui.panels.areas import TILE_PX, AreaCounter
from pspgui.gui.panels.classes import MANY_CLASSES, ClassDelegate, ClassesPanel
from pspgui.labels.classes import ClassTable, LabelClass, table


@pytest.fixture
def document(qapp):
    """A document in which everything is class 3."""
    return predicted_document()


@pytest.fixture
def panel(document, qtbot):
    """The panel at its usual size."""
    panel = ClassesPanel(document)
    qtbot.addWidget(panel)
    panel.resize(320, 340)
    panel.show()
    return panel


def row_rect(panel, label):
    return panel.view.visualRect(panel.model.index(label))


def share(panel, label):
    return panel.model.share_text(panel.model.row_at(panel.model.index_of(label)))


def click(qtbot, panel, point):
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=point)


def test_clicking_a_name_makes_the_class_active(document, panel, qtbot):
    click(qtbot, panel, row_rect(panel, 4).center())
    assert document.active_class == 4
    assert panel.view.currentIndex().row() == 4


def test_the_document_moves_the_current_row(document, panel):
    document.set_active_class(7)
    assert panel.view.currentIndex().row() == 7


@pytest.mark.parametrize("height", [150, 163, 177])
def test_a_class_scrolled_to_cuts_no_row_at_the_top(document, panel, qtbot, height):
    panel.resize(320, height)
    last = panel.model.rowCount() - 1
    document.set_active_class(last)
    view = panel.view
    assert view.verticalScrollBar().value() > 0
    assert view.visualRect(view.indexAt(view.viewport().rect().topLeft())).top() == 0
    assert view.viewport().rect().contains(row_rect(panel, last))


def test_the_eye_hides_and_shows_without_choosing(document, panel, qtbot):
    point = ClassDelegate.eye_rect(row_rect(panel, 5)).center()
    click(qtbot, panel, point)
    assert not document.visible[5] and document.active_class == 0
    click(qtbot, panel, point)
    assert document.visible[5]


def test_solo_by_mouse_and_back_by_the_eye(document, panel, qtbot):
    click(qtbot, panel, ClassDelegate.solo_rect(row_rect(panel, 2)).center())
    assert document.solo == 2 and not document.visible[3]
    click(qtbot, panel, ClassDelegate.eye_rect(row_rect(panel, 3)).center())
    assert document.solo is None and document.visible[3]


def test_keys(document, panel, qtbot):
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_3)
    assert document.active_class == 2
    qtbot.keyClick(panel.view, Qt.Key.Key_Down)
    assert document.active_class == 3
    qtbot.keyClick(panel.view, Qt.Key.Key_Space)
    assert not document.visible[3]
    qtbot.keyClick(panel.view, Qt.Key.Key_Space)
    qtbot.keyClick(panel.view, Qt.Key.Key_O)
    assert document.solo == 3


def test_areas_follow_a_stroke(document, panel, qtbot):
    qtbot.waitUntil(lambda: share(panel, 3) == "100.0 %")
    document.set_active_class(1)
    document.set_brush_diameter(20)
    document.begin_stroke(30.0, 40.0, "brush")
    document.finish_stroke()
    painted = float((document.label_map.labels == 1).mean())
    assert painted > 0
    qtbot.waitUntil(lambda: abs(panel.model.shares[1] - painted) < 1e-9)


GROUPED = ClassTable((
    LabelClass(0, "sky", (1, 2, 3)), LabelClass(1, "car", (4, 5, 6), "vehicle"),
    LabelClass(2, "oak", (7, 8, 9), "nature"),
    LabelClass(3, "bus", (9, 9, 9), "vehicle", ("coach",)),
))  # fmt: skip


def shown(panel):
    return [panel.model.data(panel.model.index(i)) for i in range(panel.model.rowCount())]


@pytest.fixture
def grouped(document, panel):
    """The panel with classes under two headings."""
    document.forget_prediction()
    document.set_table(GROUPED)
    return panel


def test_classes_stand_under_their_groups(grouped):
    assert shown(grouped) == ["sky", "vehicle", "car", "bus", "nature", "oak"]


def test_a_click_on_a_heading_folds_and_unfolds_its_group(document, grouped, qtbot):
    heading = grouped.view.visualRect(grouped.model.index(1)).center()
    document.set_active_class(2)
    click(qtbot, grouped, heading)
    assert shown(grouped) == ["sky", "vehicle", "nature", "oak"]
    assert document.active_class == 2
    assert grouped.view.currentIndex() == grouped.model.index_of(2)
    click(qtbot, grouped, heading)
    assert shown(grouped)[2:4] == ["car", "bus"]


def test_choosing_a_class_unfolds_its_group(document, grouped):
    grouped.model.fold("vehicle", True)
    document.set_active_class(3)
    assert grouped.view.currentIndex() == grouped.model.index_of(3)


def test_arrows_fold_the_group_of_the_active_class(document, grouped, qtbot):
    document.set_active_class(1)
    grouped.view.setFocus()
    qtbot.keyClick(grouped.view, Qt.Key.Key_Left)
    assert "car" not in shown(grouped) and document.active_class == 1
    qtbot.keyClick(grouped.view, Qt.Key.Key_Right)
    assert "car" in shown(grouped)


def test_the_marks_of_a_heading_are_for_the_whole_group(document, grouped, qtbot):
    heading = grouped.view.visualRect(grouped.model.index(1))
    click(qtbot, grouped, ClassDelegate.eye_rect(heading).center())
    assert not document.visible[1] and not document.visible[3] and document.visible[2]
    click(qtbot, grouped, ClassDelegate.lock_rect(heading).center())
    assert document.is_locked(1) and document.is_locked(3) and not document.is_locked(0)
    click(qtbot, grouped, ClassDelegate.lock_rect(heading).center())
    click(qtbot, grouped, ClassDelegate.eye_rect(heading).center())
    assert document.visible[1] and not document.is_locked(3)


def test_a_class_is_found_by_name_group_or_alias(document, grouped, qtbot):
    assert not grouped.find.isVisible()  # four classes need no field
    for wanted, found in (("ca", ["vehicle", "car"]), ("VEHI", ["vehicle", "car", "bus"]),
                          ("coach", ["vehicle", "bus"]), ("zebra", [])):  # fmt: skip
        grouped.model.find(wanted)
        assert shown(grouped) == found


def test_enter_in_the_field_paints_the_first_class_found(document, panel, qtbot):
    document.forget_prediction()
    document.set_table(table(*((f"class {i}", (i, 0, 0)) for i in range(MANY_CLASSES))))
    assert panel.find.isVisible()
    panel.find.setFocus()
    qtbot.keyClicks(panel.find, "s 17")
    assert shown(panel) == ["class 17"]
    qtbot.keyClick(panel.find, Qt.Key.Key_Return)
    assert document.active_class == 17 and panel.find.text() == ""
    assert panel.model.rowCount() == MANY_CLASSES
    qtbot.keyClicks(panel.find, "s 3")
    qtbot.keyClick(panel.find, Qt.Key.Key_Escape)
    assert panel.model.rowCount() == MANY_CLASSES and document.active_class == 17


def test_the_field_comes_when_asked_for_and_goes_again(grouped, document, qtbot):
    grouped.find_class()
    assert grouped.find.isVisible() and grouped.find.hasFocus()
    qtbot.keyClicks(grouped.find, "bus")
    qtbot.keyClick(grouped.find, Qt.Key.Key_Return)
    assert document.active_class == 3 and not grouped.find.isVisible()


def test_another_table_gives_other_rows(document, panel):
    document.set_table(table(("a", (1, 2, 3)), ("b", (4, 5, 6))))
    assert panel.model.rowCount() == 2
    assert panel.view.currentIndex().row() == 0


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 700), st.integers(0, 90)), max_size=4),
)  # fmt: skip
def test_counting_by_tiles_equals_counting_everything(rows, cols, seed, edits):
    shape = (rows * 17, cols * 17)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, shape, np.uint8)
    labels[0] = 255
    counter = AreaCounter(labels, 4)
    counter.step(0.0)
    for y, x, size in edits:
        rect = Rect(y, x, y + size, x + size).intersect(Rect(0, 0, *shape))
        labels[rect.slices] = 1
        counter.touch(rect)
    while not counter.step(1.0):
        pass
    truth = np.bincount(labels.ravel(), minlength=256)[:4] / labels.size
    assert np.allclose(counter.shares(), truth)


def test_an_edit_makes_only_its_tiles_stale():
    counter = AreaCounter(np.zeros((4 * TILE_PX, 4 * TILE_PX), np.uint8), 2)
    while not counter.step():
        pass
    counter.touch(Rect(10, TILE_PX - 1, 20, TILE_PX + 1))
    assert len(counter._stale) == 2
