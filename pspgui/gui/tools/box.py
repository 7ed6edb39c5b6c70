"""What rectangle and ellipse share: a box dragged from corner to corner, in whole pixels."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainterPath

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.tools.area import DRAGGED, AreaTool
from pspgui.gui.tools.tool import ToolEvent
from pspgui.labels.raster import NOTHING, Stamp
from pspgui.labels.shapes import spanned, squared

_SHIFT = Qt.KeyboardModifier.ShiftModifier


class BoxTool(AreaTool):
    """An area within a box; Shift keeps its sides equal. A click without a drag is nothing."""

    def start(self, event: ToolEvent) -> None:
        """Set the first corner."""
        self._corner = (event.y, event.x)
        self._pressed_at = event.at
        self._box: Rect | None = None

    def follow(self, event: ToolEvent) -> None:
        """Set the second corner."""
        if self._box is None and (event.at - self._pressed_at).manhattanLength() < DRAGGED:
            return
        other = (event.y, event.x)
        self._box = spanned(
            self._corner, squared(self._corner, other) if event.holds(_SHIFT) else other
        )

    def area(self) -> Stamp:
        """Return the pixels of the shape."""
        return NOTHING if self._box is None else self.stamp(self._box)

    def stamp(self, box: Rect) -> Stamp:
        """Return the pixels of the shape in a box."""
        raise NotImplementedError

    def add_shape(self, path: QPainterPath, box: QRectF) -> None:
        """Add the shape in a box of the widget to a path."""
        raise NotImplementedError

    def note(self) -> str:
        """Return width and height."""
        return "" if self._box is None else f"{self._box.width} × {self._box.height} px"

    def outline(self, camera: Camera, at: QPointF) -> QPainterPath:
        """Return the shape in the widget."""
        path = QPainterPath()
        if self._box is not None:
            self.add_shape(path, camera.to_widget_rect(self._box))
        return path
