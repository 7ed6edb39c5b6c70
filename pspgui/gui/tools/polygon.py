"""The polygon: click its corners, correct them, then fill it."""

from __future__ import annotations

import time

from PySide6.QtCore import QLineF, QPointF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPolygonF

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.tools.area import DRAGGED
from pspgui.gui.tools.stepwise import StepwiseTool, paint_dashes, paint_handles
from pspgui.gui.tools.tool import ToolEvent
from pspgui.labels.raster import Point, Stamp
from pspgui.labels.shapes import polygon


class Polygon(StepwiseTool):
    """Fills a polygon whose corners were clicked, and may be dragged, one by one.

    See StepwiseTool for how it is filled and what is taken back.
    """

    name = "polygon"
    text = "Polygon"
    key = "P"
    icon = "mdi6.vector-polygon"
    verb = "Polygon"
    noun = "polygon"
    too_few = "A polygon has three corners or more."

    def drop(self) -> None:
        """Forget all corners."""
        super().drop()
        self._corners: list[Point] = []
        self._held: int | None = None
        self._pressed_at = QPointF()
        self._moved = False
        self._time = float("-inf")

    @property
    def points(self) -> list[Point]:
        """The corners."""
        return self._corners

    def save_steps(self) -> list[Point]:
        """Return the corners."""
        return list(self._corners)

    def load_steps(self, steps: list[Point]) -> None:
        """Bring corners back."""
        self._corners = list(steps)

    # -- mouse --------------------------------------------------------------------------------

    def press(self, event: ToolEvent) -> None:
        """Set a corner, take hold of one, or finish by a double click."""
        before, self._time = self._time, time.monotonic()
        if not self.starts(event):
            return
        near = self.point_near(event)
        if self.is_double(before) and near is not None and near == len(self._corners) - 1:
            self.finish()
            return
        if near is None:
            near = len(self._corners)
            self._corners.append((event.y, event.x))
        self._held, self._pressed_at, self._moved = near, event.at, near == len(self._corners) - 1

    def move(self, event: ToolEvent) -> None:
        """Drag the corner held."""
        if self._held is None:
            return
        if (event.at - self._pressed_at).manhattanLength() >= DRAGGED:
            self._moved = True
            self._corners[self._held] = (event.y, event.x)
            self._pressed_at = QPointF(-1e9, -1e9)

    def release(self, event: ToolEvent) -> None:
        """Let go of the corner; a click on the first one closes the polygon."""
        closes = self._held == 0 and not self._moved and len(self._corners) >= self.fewest
        self._held = None
        if closes:
            self.finish()

    def leave(self) -> None:
        """Keep the corners for when the tool is taken up again."""
        super().leave()
        self._held = None

    def take_back(self) -> None:
        """Take back the last corner."""
        self._corners.pop()
        self._held = None
        if not self._corners:
            self.drop()

    # -- the area -----------------------------------------------------------------------------

    def area(self) -> Stamp:
        """Return the pixels that the corners go round."""
        return polygon(self._corners, self.shape)

    def outline(self, camera: Camera, at: QPointF) -> QPainterPath:
        """Return the outline through the corners: what Enter would fill."""
        path = QPainterPath()
        path.setFillRule(Qt.FillRule.WindingFill)
        path.addPolygon(QPolygonF([camera.to_widget(*corner) for corner in self._corners]))
        path.closeSubpath()
        return path

    def paint_area(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the outline with a handle at each corner; dashes lead to the next one."""
        self.paint_inside(painter, camera, self.outline(camera, at))
        if self._held is None and self._corners:
            ends = (camera.to_widget(*self._corners[i]) for i in (-1, 0))
            paint_dashes(painter, [QLineF(end, at) for end in ends])
        paint_handles(painter, camera, self._corners)
