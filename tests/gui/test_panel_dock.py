"""A dock's panel comes step by step, and at once where somebody asks for it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QLabel, QMainWindow, QWidget

from pspgui.gui.panel_dock import PanelDock

WAIT_MS = 60_000


class Builder:
    """Builds a panel in three steps, and lets something be done between the first two."""

    def __init__(self):
        self.done = 0
        self.turn = 0
        self.turns = []
        self.asked_within = []
        self.between = lambda: None

    def build(self, parent):
        self.panel = QWidget(parent)
        for _ in range(3):
            self.asked_within.append(self.dock.widget())
            self.turns.append(self.turn)
            QTimer.singleShot(0, self.next_turn)
            self.done += 1
            if self.done == 1:
                QTimer.singleShot(0, lambda: self.between())
            QLabel("row", self.panel)
            yield
        return self.panel

    def next_turn(self):
        self.turn += 1


@pytest.fixture
def builder(qtbot):
    found = Builder()
    found.window = QMainWindow()
    qtbot.addWidget(found.window)
    found.dock = PanelDock("Rows", found.build, found.window)
    found.window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, found.dock)
    found.dock.setVisible(False)
    found.window.show()
    return found


def test_a_panel_shown_comes_in_turns_of_the_event_loop(qtbot, builder):
    builder.dock.setVisible(True)
    assert builder.done == 0
    qtbot.waitUntil(lambda: builder.done == 3 and builder.panel.isVisible(), timeout=WAIT_MS)
    assert builder.turns == [0, 1, 2]
    assert builder.dock.widget() is builder.panel
    assert builder.asked_within == [None] * 3


def test_a_panel_asked_for_is_finished_at_once(qtbot, builder):
    found = []
    builder.between = lambda: found.append((builder.done, builder.dock.widget(), builder.done))
    builder.dock.setVisible(True)
    qtbot.waitUntil(lambda: bool(found), timeout=WAIT_MS)
    assert found == [(1, builder.panel, 3)]
    assert builder.dock.widget() is builder.panel
    assert len(builder.panel.findChildren(QLabel)) == 3


def test_a_panel_hidden_again_before_it_came_is_there_next_time(qtbot, builder):
    builder.between = lambda: builder.dock.setVisible(False)
    builder.dock.setVisible(True)
    qtbot.waitUntil(lambda: builder.done == 3, timeout=WAIT_MS)
    assert not builder.panel.isVisible()
    builder.dock.setVisible(True)
    qtbot.waitUntil(lambda: builder.panel.isVisible(), timeout=WAIT_MS)
    assert builder.done == 3


def test_a_panel_need_not_be_built_by_steps(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    dock = PanelDock("Plain", QLabel, window)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    window.show()
    qtbot.waitUntil(lambda: isinstance(dock.widget(), QLabel) and dock.widget().isVisible(),
                    timeout=WAIT_MS)  # fmt: skip
