"""The rectangle: drag from corner to corner to fill it."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainterPath

from pspgui.geometry import Rect
from pspgui.gui.tools.box import BoxTool
from pspgui.labels.raster import Stamp
from pspgui.labels.shapes import rectangle


class Rectangle(BoxTool):
    """Fills a rectangle of whole pixels."""

    name = "rectangle"
    text = "Rectangle"
    key = "R"
    icon = "mdi6.rectangle-outline"
    verb = "Rectangle"

    def stamp(self, box: Rect) -> Stamp:
        """Return all pixels of the box."""
        return rectangle(box, self.shape)

    def add_shape(self, path: QPainterPath, box: QRectF) -> None:
        """Add the box."""
        path.addRect(box)
