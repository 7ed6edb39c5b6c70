"""A dock whose panel is built when it is first wanted, so that the window comes sooner."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget


class PanelDock(QDockWidget):
    """Builds its panel when it is shown for the first time, or asked for. GUI thread only.

    A panel shows the state that it finds, so it does not matter when it comes.
    """

    def __init__(
        self, title: str, build: Callable[[QMainWindow], QWidget], parent: QMainWindow
    ) -> None:
        super().__init__(title, parent)
        self.setObjectName(f"dock_{title.lower()}")
        self._build: Callable[[QMainWindow], QWidget] | None = build

    def widget(self) -> QWidget:
        """Return the panel, built if need be."""
        build, self._build = self._build, None
        if build is not None:
            self.setWidget(build(self.parent()))
        return super().widget()

    def showEvent(self, event: QShowEvent) -> None:
        """The panel is wanted now; it comes with the next turn of the event loop.

        An exception that a panel raised in here would end the process.
        """
        super().showEvent(event)
        if self._build is not None:
            QTimer.singleShot(0, self, self.widget)
