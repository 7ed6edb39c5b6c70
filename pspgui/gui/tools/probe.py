"""The probe: hover to see why a pixel has its class, click to pin it, drag to pin a region."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPainterPath, QPen

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import two_toned
from pspgui.gui.canvas.pin_marks import is_on_pin, pin_colour
from pspgui.gui.pins import MOST_PINS, NO_ROOM, Pin, grouped
from pspgui.gui.tools.area import DRAGGED, paint_note
from pspgui.gui.tools.tool import Tool, ToolEvent
from pspgui.labels.raster import Stamp, capsules
from pspgui.labels.shapes import spanned

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_SHIFT, _ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
_LEFT, _RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
_TINT = 0.25
_NOTE_REACH = 220.0


class Probe(Tool):
    """Shows evidence under the mouse; pins pixels and regions, whose evidence stays.

    A click pins a pixel and the next click moves that pin on; Shift+click keeps it and sets
    another. A drag makes a box a region, Alt or the right button brushes one. A click on a pin
    explains it, a second one follows the mouse again; dragged, a pixel's pin moves. The
    hovering itself is the canvas's: it happens with every tool.
    """

    name = "probe"
    text = "Why here?"
    key = "H"
    icon = "mdi6.crosshairs-question"
    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._forget()
        document.image_changed.connect(self._forget)

    def _forget(self) -> None:
        """Let go of whatever was begun."""
        self._pressed: ToolEvent | None = None
        self._held: Pin | None = None  # the pin under the press
        self._box: Rect | None = None
        self._strokes: list[tuple[float, float]] = []
        self._stamps: list[Stamp] = []
        self._dragged = False

    # -- mouse and keys -----------------------------------------------------------------------

    def press(self, event: ToolEvent) -> None:
        """Wait whether it becomes a click or a drag; Alt and the right button brush at once."""
        self._forget()
        if self.document.image is None:
            return
        self._pressed = event
        if event.holds(_ALT) or event.button == _RIGHT:
            self._strokes = [(event.y, event.x)]
            self._brush((event.y, event.x))
        else:
            self._held = self._pin_at(event)

    def move(self, event: ToolEvent) -> None:
        """Drag the pin, the box's other corner, or the brush along."""
        if self._pressed is None:
            return
        if not self._dragged:
            self._dragged = (event.at - self._pressed.at).manhattanLength() >= DRAGGED
        if self._strokes:
            self._brush((event.y, event.x))
            self._strokes.append((event.y, event.x))
        elif not self._dragged:
            return
        elif self._held is not None:
            if event.pixel is not None:
                self._held = self.document.pins.move(self._held, event.pixel)
        else:
            whole = Rect(0, 0, *self.document.image.shape[:2])
            box = spanned((self._pressed.y, self._pressed.x), (event.y, event.x))
            self._box = box.intersect(whole)

    def release(self, event: ToolEvent) -> None:
        """Pin what was clicked, dragged around or brushed over."""
        pressed, held, box, brushed = self._pressed, self._held, self._box, self._brushed()
        dragged = self._dragged
        self._forget()
        if pressed is None:
            return
        if brushed is not None:
            self._pin_region(brushed)
        elif held is not None:
            if not dragged:
                self._click_pin(held)
        elif box is not None:
            self._pin_region(Stamp(box, np.ones((box.height, box.width), bool)))
        elif not dragged and event.pixel is not None:
            self._click(event)

    def abort(self) -> bool:
        """Drop the drag."""
        running = self._pressed is not None
        self._forget()
        return running

    def leave(self) -> None:
        """Drop a drag whose release will not come."""
        self._forget()

    def takes_key(self, event: QKeyEvent) -> bool:
        """Delete removes the pin that is explained."""
        pins = self.document.pins
        if event.key() != Qt.Key.Key_Delete or pins.current is None:
            return False
        if event.type() == QEvent.Type.KeyPress:
            pins.remove([pins.current])
        return True

    def _click(self, event: ToolEvent) -> None:
        pins = self.document.pins
        if not event.holds(_SHIFT):
            self.document.set_pin(event.pixel)
        elif pins.add(event.pixel) is None:
            self.document.message.emit(NO_ROOM)

    def _click_pin(self, pin: Pin) -> None:
        pins = self.document.pins
        pins.select(None if pin is pins.current else pin)

    def _pin_region(self, region: Stamp) -> None:
        pins = self.document.pins
        if region.mask.any() and pins.add_region(region) is None:
            self.document.message.emit(NO_ROOM)

    def _pin_at(self, event: ToolEvent) -> Pin | None:
        """Return the pin under the mouse, the one that is explained first."""
        pins = self.document.pins
        order = sorted(pins, key=lambda pin: (pin is not pins.current, pin.number))
        return next((p for p in order if is_on_pin(p, event.y, event.x, event.scale)), None)

    def _brush(self, point: tuple[float, float]) -> None:
        """Brush from where the mouse was to a point."""
        shape, diameter = self.document.image.shape[:2], self.document.brush_diameter
        found = capsules(self._strokes[-1], point, diameter, shape)
        self._stamps += [stamp for stamp in found if not stamp.rect.is_empty]

    def _brushed(self) -> Stamp | None:
        """Return the pixels brushed over; None if nothing was."""
        if not self._stamps:
            return None
        around = reduce(Rect.union, (stamp.rect for stamp in self._stamps))
        mask = np.zeros((around.height, around.width), bool)
        for stamp in self._stamps:
            mask[stamp.rect.moved(-around.y0, -around.x0).slices] |= stamp.mask
        return Stamp(around, mask)

    # -- painting -----------------------------------------------------------------------------

    def cursor_bounds(self, camera: Camera, at: QPointF) -> QRectF:
        """Return the area of the box or the strokes, and the note beside the mouse."""
        path = self._path(camera)
        if path is None:
            return QRectF()
        reach = camera.scale * self.document.brush_diameter / 2 + 4 if self._strokes else 4
        edge = path.controlPointRect().adjusted(-reach, -reach, reach, reach)
        note = QRectF(at.x() - _NOTE_REACH, at.y() - 32, 2 * _NOTE_REACH, 64)
        return edge.united(note).intersected(camera.viewport)

    def paint_cursor(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the region under way in the colour of its pin."""
        path = self._path(camera)
        if path is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        taken = {pin.number for pin in self.document.pins}
        free = next((n for n in range(1, MOST_PINS + 1) if n not in taken), MOST_PINS)
        tint = QColor(pin_colour(free))
        tint.setAlphaF(_TINT)
        if self._strokes:
            width = max(1.0, camera.scale * self.document.brush_diameter)
            tint.setAlphaF(2 * _TINT)
            painter.strokePath(
                path, QPen(tint, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap,
                           Qt.PenJoinStyle.RoundJoin)
            )  # fmt: skip
        else:
            painter.fillPath(path, tint)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            two_toned(painter, lambda: painter.drawPath(path))
            paint_note(painter, at, self._note())
        painter.restore()

    def _note(self) -> str:
        box = self._box
        return "" if box is None else f"{box.width} × {box.height} = {grouped(box.area)} px"

    def _path(self, camera: Camera) -> QPainterPath | None:
        """Return the box, or the way of the brush, in the widget."""
        path = QPainterPath()
        if self._strokes:
            first, *more = (camera.to_widget(y, x) for y, x in self._strokes)
            path.moveTo(first)
            for point in more or [first + QPointF(0.01, 0)]:
                path.lineTo(point)
        elif self._box is not None and not self._box.is_empty:
            path.addRect(camera.to_widget_rect(self._box))
        else:
            return None
        return path


__all__ = ["Probe"]
