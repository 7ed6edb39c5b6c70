"""What widgets have in common that are painted whole and tell of the place under the mouse."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QToolTip, QWidget

_ROW_KEYS: Final = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}


class Explained(QWidget):
    """Tells of what is under the mouse in a tooltip, as `tip_at` says it."""

    def tip_at(self, position: QPointF) -> str:
        """Return all there is to say of a point of the widget; "" for nothing."""
        raise NotImplementedError

    def event(self, event: QEvent) -> bool:
        """Show the tooltip of the place under the mouse, or take it away."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.tip_at(QPointF(event.pos())), self)
            return True
        return super().event(event)


class Pointable(Explained):
    """Points at what is under the mouse, or at what keys walked to, until either goes elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)

    def point_at_nothing(self) -> None:
        """Let go of what is pointed at, and tell so."""
        raise NotImplementedError

    def leaveEvent(self, event: QEvent) -> None:
        """Point at nothing when the mouse goes."""
        self.point_at_nothing()

    def focusOutEvent(self, event: QEvent) -> None:
        """Point at nothing when the keyboard goes elsewhere."""
        super().focusOutEvent(event)
        self.point_at_nothing()


def row_stepped_to(key: int, at: int | None, rows: int) -> int | None:
    """Return the row to which Up or Down leads from `at`; None for other keys or no rows."""
    if key not in _ROW_KEYS or not rows:
        return None
    return min(max((-1 if at is None else at) + _ROW_KEYS[Qt.Key(key)], 0), rows - 1)
