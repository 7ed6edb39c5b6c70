"""The ellipse: drag from corner to corner of the box around it to fill it."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainterPath

from pspgui.geometry import Rect
from pspgui.gui.tools.box import BoxTool
from pspgui.labels.raster import Stamp
from pspgui.labels.shapes import ellipse


class Ellipse(BoxTool):
    """Fills the ellipse that touches a box's sides."""

    name = "ellipse"
    text = "Ellipse"
    key = "Shift+R"
    icon = "mdi6.ellipse-outline"
    verb = "Ellipse"

    def stamp(self, box: Rect) -> Stamp:
        """Return the pixels whose middles lie within."""
        return ellipse(box, self.shape)

    def add_shape(self, path: QPainterPath, box: QRectF) -> None:
        """Add the ellipse."""
        path.addEllipse(box)
