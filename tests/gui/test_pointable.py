"""Widgets painted whole tell of places in tooltips, and let go of them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip

from pspgui.gui.panels.pointable import Pointable, row_stepped_to


class Halves(Pointable):
    """Two places, left and right; only the left one has anything to say."""

    def __init__(self):
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.let_go = 0

    def tip_at(self, position: QPointF) -> str:
        return "left" if position.x() < 50 else ""

    def point_at_nothing(self) -> None:
        self.let_go += 1


@pytest.fixture
def halves(qtbot):
    found = Halves()
    qtbot.addWidget(found)
    found.resize(100, 40)
    found.show()
    qtbot.waitExposed(found)
    return found


def ask_at(widget, x):
    point = QPoint(x, 10)
    event = QHelpEvent(QEvent.Type.ToolTip, point, widget.mapToGlobal(point))
    QApplication.sendEvent(widget, event)


def test_the_tooltip_is_that_of_the_place(halves, qtbot):
    ask_at(halves, 20)
    assert QToolTip.text() == "left"
    ask_at(halves, 80)
    qtbot.waitUntil(lambda: not QToolTip.isVisible())


def test_nothing_is_pointed_at_once_mouse_or_keyboard_are_elsewhere(halves):
    QApplication.sendEvent(halves, QEvent(QEvent.Type.Leave))
    assert halves.let_go == 1
    halves.setFocus()
    halves.clearFocus()
    assert halves.let_go == 2


def test_up_and_down_stay_within_the_rows():
    up, down = Qt.Key.Key_Up, Qt.Key.Key_Down
    assert [row_stepped_to(down, at, 3) for at in (None, 0, 2)] == [0, 1, 2]
    assert [row_stepped_to(up, at, 3) for at in (None, 0, 2)] == [0, 0, 1]
    assert row_stepped_to(down, None, 0) is None and row_stepped_to(Qt.Key.Key_A, 1, 3) is None
