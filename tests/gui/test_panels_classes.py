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
from pspgui.gui.panels.classes import ClassDelegate, ClassesPanel
from pspgui.labels.classes import table


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


def click(qtbot, panel, point):
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=point)


def test_clicking_a_name_makes_the_class_active(document, panel, qtbot):
    click(qtbot, panel, row_rect(panel, 4).center())
    assert document.active_class == 4
    assert panel.view.currentIndex().row() == 4


def test_the_document_moves_the_current_row(document, panel):
    document.set_active_class(7)
    assert panel.view.currentIndex().row() == 7


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
    qtbot.waitUntil(lambda: panel.model.share_text(3) == "100.0 %")
    document.set_active_class(1)
    document.set_brush_diameter(20)
    document.begin_stroke(30.0, 40.0, "brush")
    document.finish_stroke()
    painted = float((document.label_map.labels == 1).mean())
    assert painted > 0
    qtbot.waitUntil(lambda: abs(panel.model.shares[1] - painted) < 1e-9)


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
