"""The polygon: click its corners, correct them, then fill it."""

from __future__ import annotations

import time

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QApplication

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import DARK, LIGHT
from pspgui.gui.tools.area import DRAGGED, AreaTool, is_undo
from pspgui.gui.tools.tool import ToolEvent
from pspgui.labels.raster import Point, Stamp
from pspgui.labels.shapes import polygon

_CTRL = Qt.KeyboardModifier.ControlModifier
_ALT = Qt.KeyboardModifier.AltModifier
_REACH = 7.0  # a press this near to a corner, in widget units, means the corner
_HANDLE = 4.0
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Polygon(AreaTool):
    """Fills a polygon whose corners were clicked, and may be dragged, one by one.

    Enter, a double click, or a click on the first corner fills it; Alt or Ctrl with the first
    click or with Enter erases instead, as the right button does. Backspace or undo takes back the
    last corner, Esc all of them. Another tool may be used in between.
    """

    name = "polygon"
    text = "Polygon"
    key = "P"
    icon = "mdi6.vector-polygon"
    verb = "Polygon"

    def drop(self) -> None:
        """Forget all corners."""
        super().drop()
        self._corners: list[Point] = []
        self._held: int | None = None
        self._pressed_at = QPointF()
        self._moved = False
        self._time = float("-inf")

    # -- mouse and keys -----------------------------------------------------------------------

    def press(self, event: ToolEvent) -> None:
        """Set a corner, take hold of one, or finish by a double click."""
        before, self._time = self._time, time.monotonic()
        if not self.running and not self.begin(
            event, event.holds(_ALT) or event.holds(_CTRL), to_class=False
        ):
            return
        near = self._corner_near(event)
        quick = self._time - before <= QApplication.doubleClickInterval() / 1000
        if quick and near is not None and near == len(self._corners) - 1:
            self._finish()
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
        closes = self._held == 0 and not self._moved and len(self._corners) >= 3
        self._held = None
        if closes:
            self._finish()

    def leave(self) -> None:
        """Keep the corners for when the tool is taken up again."""
        self._held = None

    def takes_key(self, event: QKeyEvent) -> bool:
        """Handle Enter, Backspace and undo while there are corners."""
        enter = event.key() in _ENTER
        if not self.running or not (enter or event.key() == Qt.Key.Key_Backspace or is_undo(event)):
            return False
        if event.type() == QEvent.Type.KeyPress and not enter:
            self.take_back()
        elif event.type() == QEvent.Type.KeyPress:
            if event.modifiers() & (_ALT | _CTRL) and self.document.can_paint("erase"):
                self.kind = "erase"
            self._finish()
        return True

    def take_back(self) -> None:
        """Take back the last corner."""
        self._corners.pop()
        self._held = None
        if not self._corners:
            self.drop()

    def _corner_near(self, event: ToolEvent) -> int | None:
        """Return the corner nearest to a press, if within reach."""
        away = [
            (max(abs(event.y - y), abs(event.x - x)) * event.scale, i)
            for i, (y, x) in enumerate(self._corners)
        ]
        nearest = min(away, default=(_REACH + 1, 0))
        return nearest[1] if nearest[0] <= _REACH else None

    def _finish(self) -> None:
        if len(self._corners) < 3:
            self.document.message.emit("A polygon has three corners or more.")
            return
        stamp, kind, allowed = self.area(), self.kind, self.allowed
        self.drop()
        if not stamp.rect.is_empty:
            self.document.fill(stamp, self.verb, kind, allowed)

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
        """Draw the outline with a handle at each corner, the first one round.

        Dashes lead to where the next corner would be.
        """
        self.paint_inside(painter, camera, self.outline(camera, at))
        if self._held is None:
            ends = (camera.to_widget(*self._corners[i]) for i in (-1, 0))
            lines = [QLineF(end, at) for end in ends]
            for pen in (QPen(DARK, 2.0), QPen(LIGHT, 1.0, Qt.PenStyle.DashLine)):
                painter.setPen(pen)
                painter.drawLines(lines)
        for i, corner in enumerate(self._corners):
            centre = camera.to_widget(*corner)
            painter.setPen(Qt.PenStyle.NoPen)
            for ground, half in ((DARK, _HANDLE + 1), (LIGHT, _HANDLE)):
                painter.setBrush(ground)
                if i == 0:
                    painter.drawEllipse(centre, half + 1, half + 1)
                else:
                    step = QPointF(half, half)
                    painter.drawRect(QRectF(centre - step, centre + step))
