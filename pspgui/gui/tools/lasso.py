"""The lasso: drag around an area to fill it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainterPath, QPolygonF

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.tools.area import AreaTool
from pspgui.gui.tools.tool import ToolEvent
from pspgui.labels.raster import Stamp
from pspgui.labels.shapes import polygon


class Lasso(AreaTool):
    """Fills what a drag goes round; the outline closes straight from the release to the press."""

    name = "lasso"
    text = "Lasso"
    key = "L"
    icon = "mdi6.lasso"
    verb = "Lasso"

    def start(self, event: ToolEvent) -> None:
        """Begin the outline."""
        self._points = QPolygonF([QPointF(event.x, event.y)])

    def follow(self, event: ToolEvent) -> None:
        """Go on with it."""
        self._points.append(QPointF(event.x, event.y))

    def area(self) -> Stamp:
        """Return the pixels that the outline goes round."""
        return polygon([(p.y(), p.x()) for p in self._points], self.shape)

    def outline(self, camera: Camera, at: QPointF) -> QPainterPath:
        """Return the outline, closed."""
        path = QPainterPath()
        path.setFillRule(Qt.FillRule.WindingFill)
        path.addPolygon(camera.transform().map(self._points))
        path.closeSubpath()
        return path
