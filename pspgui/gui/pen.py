"""What a graphics pen says beyond the mouse: how hard it is pressed, and which end is down."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QPointingDevice, QTabletEvent
from PySide6.QtWidgets import QWidget

_DOWN = (QEvent.Type.TabletPress, QEvent.Type.TabletMove)


@dataclass
class Pen:
    """The pen as it is now. `sizes`: whether pressure sizes the brush; off at first.

    `pressure` is 0..1, None while no pen is down; `erases` is True for its eraser end.
    """

    sizes: bool = False
    pressure: float | None = None
    erases: bool = False

    def diameter(self, brush_px: int) -> int:
        """Return the brush diameter under this pressure; a full press gives all of it."""
        if not self.sizes or self.pressure is None:
            return brush_px
        return max(1, round(brush_px * self.pressure))


class PenWatch(QObject):
    """Notes a pen's events on a widget and leaves them to Qt, which makes mouse events of them."""

    def __init__(self, pen: Pen, widget: QWidget) -> None:
        super().__init__(widget)
        self._pen = pen
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note pressure and end; nothing is taken."""
        if event.type() in _DOWN and isinstance(event, QTabletEvent):
            self._pen.pressure = event.pressure()
            self._pen.erases = event.pointerType() == QPointingDevice.PointerType.Eraser
        elif event.type() == QEvent.Type.TabletRelease:
            self._pen.pressure, self._pen.erases = None, False
        return False
