"""GrabCut: drag a box around a thing; its pixels are told from the ground by their colours."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPainterPath
from PySide6.QtWidgets import QApplication

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import two_toned
from pspgui.gui.tools.area import DRAGGED, AreaTool
from pspgui.gui.tools.region_preview import paint_region, would_change
from pspgui.gui.tools.tool import ToolEvent
from pspgui.jobs.messages import Step
from pspgui.jobs.regions import cut_thing_out
from pspgui.labels.grabcut import Hints
from pspgui.labels.raster import NOTHING, Point, Stamp, capsules
from pspgui.labels.shapes import spanned

_ALT = Qt.KeyboardModifier.AltModifier
_CTRL = Qt.KeyboardModifier.ControlModifier
_KIND: Final = "grabcut"
_HINT_PX: Final = 9.0  # how wide a hint is painted, in widget units
_ENTER: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class GrabCut(AreaTool):
    """Cuts out what is in a dragged box; strokes inside say what belongs to it and what does not.

    Left strokes add, right strokes take away; undo takes back the last of them. Enter or a double
    click fills the thing with the active class (with Alt or Ctrl it erases), Esc drops it. A press
    outside of the box begins another.
    """

    name = "grabcut"
    text = "Cut out in a box (GrabCut)"
    key = "Shift+W"
    icon = "mdi6.image-filter-center-focus"
    verb = "GrabCut"
    steps = True

    def drop(self) -> None:
        """Forget the box and its hints."""
        super().drop()
        self._box: Rect | None = None
        self._corner: Point | None = None
        self._stroke: tuple[bool, Point, float] | None = None
        self._hints: list[tuple[bool, list[Stamp]]] = []
        self._thing: Stamp = NOTHING
        self._done = 0.0
        self._clicked = (QPointF(), float("-inf"))
        self.document.errands.cancel(_KIND)

    # -- mouse and keys -----------------------------------------------------------------------

    def press(self, event: ToolEvent) -> None:
        """Begin a box, or a hint inside of the one there is."""
        double = self._is_double(event)
        if self._box is not None and self._box.contains(event.y, event.x):
            if double:
                self._finish()
                return
            adds = event.button != Qt.MouseButton.RightButton
            self._hints.append((adds, []))
            self._stroke = (adds, (event.y, event.x), max(1.0, _HINT_PX / event.scale))
            return
        self.drop()
        erases = event.holds(_ALT)
        if self.begin(event, erases, event.holds(_CTRL)):
            self._corner, self._pressed_at = (event.y, event.x), event.at

    def _is_double(self, event: ToolEvent) -> bool:
        """Whether a left press follows one in the same place: hints may follow quickly, too."""
        (place, before), now = self._clicked, time.monotonic()
        self._clicked = (event.at, now)
        return (
            event.button == Qt.MouseButton.LeftButton
            and now - before <= QApplication.doubleClickInterval() / 1000
            and (event.at - place).manhattanLength() < DRAGGED
        )

    def move(self, event: ToolEvent) -> None:
        """Draw the box or the hint."""
        if self._corner is not None:
            if (event.at - self._pressed_at).manhattanLength() >= DRAGGED:
                box = spanned(self._corner, (event.y, event.x))
                self._box = box.intersect(Rect(0, 0, *self.shape))
        elif self._stroke is not None:
            adds, last, width = self._stroke
            here = (event.y, event.x)
            self._hints[-1][1].extend(capsules(last, here, round(width), self.shape))
            self._stroke = (adds, here, width)

    def release(self, event: ToolEvent) -> None:
        """Cut out anew; a box without an inside is none, a click no hint."""
        if self._corner is not None:
            self._corner = None
            if self._box is None or self._box.is_empty:
                self.drop()
                return
        elif self._stroke is not None:
            self._stroke = None
            if not self._hints[-1][1]:
                self._hints.pop()
                return
        if self.running:
            self._cut()

    def leave(self) -> None:
        """Drop a box whose release will not come, else keep it for later."""
        if self._corner is not None or self._box is None:
            self.drop()
        self._stroke = None
        if self.document.pending is self:
            self.document.set_pending(None)

    def image_changed(self) -> None:
        """Drop a box of another image, and say so."""
        if self.running and self._box is not None:
            self.document.message.emit(
                "The box of the cut-out went with its image; draw it anew when you are back."
            )
        super().image_changed()

    def takes_key(self, event: QKeyEvent) -> bool:
        """Enter fills the thing; Backspace and undo take back the last hint."""
        if self.running and event.key() in _ENTER and self._box is not None:
            if event.type() == QEvent.Type.KeyPress:
                if event.modifiers() & (_ALT | _CTRL) and self.document.can_paint("erase"):
                    self.kind = "erase"
                self._finish()
            return True
        if self.running and event.key() == Qt.Key.Key_Backspace:
            if event.type() == QEvent.Type.KeyPress:
                self.take_back()
            return True
        return super().takes_key(event)

    def take_back(self) -> None:
        """Take back the last hint, or else the box."""
        if self._hints:
            self._hints.pop()
            self._cut()
        else:
            self.drop()

    def area(self) -> Stamp:
        """Return the pixels of the thing."""
        return self._thing

    def _finish(self) -> None:
        document = self.document
        if document.errands.is_busy(_KIND):
            document.message.emit("Still cutting out; Enter fills it once it shows.")
            return
        if self._thing.rect.is_empty:
            document.message.emit("Nothing stands out in this box; paint inside to say what does.")
            return
        stamp, kind, allowed = self._thing, self.kind, self.allowed
        self.drop()
        document.fill(stamp, self.verb, kind, allowed)

    def _cut(self) -> None:
        """Ask for the thing in the box."""
        document, box = self.document, self._box
        if box is None or document.image is None:
            return
        self._done = 0.0

        def take(stamp: Stamp) -> None:
            self._thing = stamp
            if stamp.rect.is_empty:
                document.message.emit(
                    "Nothing stands out in this box; paint inside to say what does."
                )
            document.brush_changed.emit()

        def tell(step: Step) -> None:
            self._done = step.fraction or 0.0
            document.brush_changed.emit()

        document.errands.ask(_KIND, cut_thing_out(document.image, box, self._hint_masks()), take,
                             tell)  # fmt: skip

    def _hint_masks(self) -> Hints | None:
        box = self._box
        if box is None or not self._hints:
            return None
        masks = {adds: np.zeros((box.height, box.width), bool) for adds in (True, False)}
        for adds, stamps in self._hints:
            for stamp in stamps:
                rect = stamp.rect.intersect(box)
                mask = stamp.mask[rect.moved(-stamp.rect.y0, -stamp.rect.x0).slices]
                masks[adds][rect.moved(-box.y0, -box.x0).slices] |= mask
                masks[not adds][rect.moved(-box.y0, -box.x0).slices] &= ~mask
        return Hints(masks[True], masks[False])

    # -- painting -----------------------------------------------------------------------------

    def note(self) -> str:
        """Return how far it is, or what to do next."""
        if self._corner is not None:
            return "" if self._box is None else f"{self._box.width} × {self._box.height} px"
        if self.document.errands.is_busy(_KIND):
            return f"cutting out… {self._done:.0%}"
        return "Enter fills · drag adds · right-drag removes"

    def outline(self, camera: Camera, at: QPointF) -> QPainterPath:
        """Return the box."""
        path = QPainterPath()
        if self._box is not None:
            path.addRect(camera.to_widget_rect(self._box))
        return path

    def paint_area(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the box, the thing in stripes, and the hints."""

        def changing(shown: Rect) -> np.ndarray:
            return would_change(self.document, self.allowed, self.kind, camera, shown)

        if self._corner is None:
            open_ = self.allowed.is_open
            paint_region(painter, camera, self._thing, self.colour, None if open_ else changing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        path = self.outline(camera, at)
        two_toned(painter, lambda: painter.drawPath(path))
        for adds, stamps in self._hints:
            colour = Qt.GlobalColor.white if adds else Qt.GlobalColor.black
            for stamp in stamps:
                painter.fillRect(_middle(camera, stamp), colour)


def _middle(camera: Camera, stamp: Stamp) -> QRectF:
    """Return a small square in the middle of a hint's piece."""
    box = camera.to_widget_rect(stamp.rect)
    centre = box.center()
    return QRectF(centre.x() - 2, centre.y() - 2, 4, 4)
