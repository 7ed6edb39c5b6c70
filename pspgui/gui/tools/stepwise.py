"""What polygon and live-wire share: points set one by one, kept with their image until filled."""

from __future__ import annotations

import time
from typing import Any, ClassVar, NamedTuple

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import QApplication

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import DARK, LIGHT
from pspgui.gui.tools.area import AreaTool, is_undo
from pspgui.gui.tools.tool import ToolEvent
from pspgui.labels.filters import PaintFilter
from pspgui.labels.raster import Point

_CTRL = Qt.KeyboardModifier.ControlModifier
_ALT = Qt.KeyboardModifier.AltModifier
_REACH = 7.0  # a press this near to a point, in widget units, means the point
_HANDLE = 4.0
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class _Kept(NamedTuple):
    steps: Any
    kind: str
    allowed: PaintFilter


class StepwiseTool(AreaTool):
    """An area whose outline is set point by point, and filled at the end.

    Enter, a double click, or a click on the first point fills it; Alt or Ctrl with the first click
    or with Enter erases instead, as the right button does. Backspace or undo takes back the last
    point, Esc all of them. Another tool may be used in between, and another image shown: what is
    under way comes back with its image.
    """

    steps = True
    noun: ClassVar[str]
    fewest: ClassVar[int] = 3
    too_few: ClassVar[str]

    def __init__(self, document: Any) -> None:
        self._kept: dict[object, _Kept] = {}
        self._image: object = None
        super().__init__(document)

    # -- what a tool of this kind says of itself ----------------------------------------------

    @property
    def points(self) -> list[Point]:
        """The points set so far."""
        raise NotImplementedError

    def save_steps(self) -> Any:
        """Return what brings the points back."""
        raise NotImplementedError

    def load_steps(self, steps: Any) -> None:
        """Bring points back."""
        raise NotImplementedError

    def finish(self) -> None:
        """Fill the area."""
        if len(self.points) < self.fewest:
            self.document.message.emit(self.too_few)
            return
        stamp, kind, allowed = self.area(), self.kind, self.allowed
        self.drop()
        if not stamp.rect.is_empty:
            self.document.fill(stamp, self.verb, kind, allowed)

    # -- images -------------------------------------------------------------------------------

    def image_changed(self) -> None:
        """Keep the points with their image, and bring back those of the image shown now."""
        left, document = self._image, self.document
        self._image = document.image_path or document.image_title
        if left == self._image and self.running:
            self.drop()  # the same image anew: its labels may be others
            return
        if self.running and self.points:
            self._kept[left] = _Kept(self.save_steps(), self.kind, self.allowed)
            document.message.emit(
                f"The {self.noun} under way is kept for when its image is shown again."
            )
        self.drop()
        kept = self._kept.pop(self._image, None)
        if kept is not None:
            self.running, self.kind, self.allowed = True, kept.kind, kept.allowed
            self.load_steps(kept.steps)

    def leave(self) -> None:
        """Keep the points for when the tool is taken up again."""
        if self.document.pending is self:
            self.document.set_pending(None)

    # -- keys and clicks ----------------------------------------------------------------------

    def move(self, event: ToolEvent) -> None:
        """Nothing goes by dragging, unless a tool says otherwise."""

    def release(self, event: ToolEvent) -> None:
        """The area is filled at its end, not by a release."""

    def starts(self, event: ToolEvent) -> bool:
        """Whether there is an area under way, begun with this press if there was none."""
        erases = event.holds(_ALT) or event.holds(_CTRL)
        fine = self.running or self.begin(event, erases, to_class=False)
        self._mark_pending()
        return fine

    def is_double(self, last: float) -> bool:
        """Whether a press follows one at `last` (time.monotonic) fast enough to be a double."""
        return time.monotonic() - last <= QApplication.doubleClickInterval() / 1000

    def takes_key(self, event: QKeyEvent) -> bool:
        """Handle Enter, Backspace and undo while there are points."""
        enter = event.key() in _ENTER
        if not self.running or not (enter or event.key() == Qt.Key.Key_Backspace or is_undo(event)):
            return False
        if event.type() == QEvent.Type.KeyPress and not enter:
            self.take_back()
        elif event.type() == QEvent.Type.KeyPress:
            if event.modifiers() & (_ALT | _CTRL) and self.document.can_paint("erase"):
                self.kind = "erase"
            self.finish()
        return True

    def point_near(self, event: ToolEvent) -> int | None:
        """Return the point nearest to a press, if within reach."""
        away = [
            (max(abs(event.y - y), abs(event.x - x)) * event.scale, i)
            for i, (y, x) in enumerate(self.points)
        ]
        nearest = min(away, default=(_REACH + 1, 0))
        return nearest[1] if nearest[0] <= _REACH else None


def paint_handles(painter: QPainter, camera: Camera, points: list[Point]) -> None:
    """Draw a handle at each point, the first one round."""
    for i, point in enumerate(points):
        centre = camera.to_widget(*point)
        painter.setPen(Qt.PenStyle.NoPen)
        for ground, half in ((DARK, _HANDLE + 1), (LIGHT, _HANDLE)):
            painter.setBrush(ground)
            if i == 0:
                painter.drawEllipse(centre, half + 1, half + 1)
            else:
                step = QPointF(half, half)
                painter.drawRect(QRectF(centre - step, centre + step))


def paint_dashes(painter: QPainter, lines: list[QLineF]) -> None:
    """Draw dashed lines readable on any ground."""
    for pen in (QPen(DARK, 2.0), QPen(LIGHT, 1.0, Qt.PenStyle.DashLine)):
        painter.setPen(pen)
        painter.drawLines(lines)
