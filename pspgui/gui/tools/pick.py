"""Pick a class from the picture."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from pspgui.geometry import Pixel
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import DARK, LIGHT
from pspgui.gui.tools.tool import Tool, ToolEvent

_OFFSET = 14.0
_SIDE = 16.0


class Pick(Tool):
    """A click makes the class under the mouse the active one; a swatch shows it beforehand."""

    name = "pick"
    text = "Pick class"
    key = "I"
    icon = "mdi6.eyedropper"
    cursor = Qt.CursorShape.CrossCursor

    def press(self, event: ToolEvent) -> None:
        """Take the class."""
        label = self._label(event.pixel)
        if event.button == Qt.MouseButton.LeftButton and label is not None:
            self.document.set_active_class(label)

    def move(self, event: ToolEvent) -> None:
        """Keep taking classes while dragged."""
        label = self._label(event.pixel)
        if label is not None:
            self.document.set_active_class(label)

    def cursor_bounds(self, camera: Camera, at: QPointF) -> QRectF:
        """Return the swatch's area."""
        return self._swatch(at).adjusted(-3, -3, 3, 3)

    def paint_cursor(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the swatch of the class that a click would take."""
        label = self._label(camera.pixel_at(at))
        if label is None:
            return
        swatch = self._swatch(at)
        painter.fillRect(swatch.adjusted(-2, -2, 2, 2), DARK)
        painter.fillRect(swatch.adjusted(-1, -1, 1, 1), LIGHT)
        painter.fillRect(swatch, QColor(*self.document.table.classes[label].colour))

    def _label(self, pixel: Pixel | None) -> int | None:
        """Return the class at a pixel; None outside, and for labels that are no class."""
        labels = self.document.labels_in_view()
        if pixel is None or labels is None:
            return None
        label = int(labels[pixel])
        return label if label < len(self.document.table) else None

    def _swatch(self, at: QPointF) -> QRectF:
        return QRectF(at.x() + _OFFSET, at.y() + _OFFSET, _SIDE, _SIDE)
