"""Selecting a region: one connected piece of a class, or what a drag goes round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QKeyEvent, QPainter, QPainterPath, QPolygonF

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import two_toned
from pspgui.gui.qimages import argb_image
from pspgui.gui.tools.area import DRAGGED, paint_note
from pspgui.gui.tools.fill import LARGE_PX
from pspgui.gui.tools.region_preview import edges, seen
from pspgui.gui.tools.tool import Tool, ToolEvent
from pspgui.jobs.regions import find_label_region
from pspgui.labels.raster import NOTHING, Stamp
from pspgui.labels.regions import label_region
from pspgui.labels.shapes import joined, polygon, without

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_SHIFT = Qt.KeyboardModifier.ShiftModifier
_ALT = Qt.KeyboardModifier.AltModifier
_KEYPAD: Final = Qt.KeyboardModifier.KeypadModifier
_KIND: Final = "select"
_ENTER: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_ERASE: Final = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
_EDGE, _VEIL = np.uint32(0xF5F5F5F5), np.uint32(0x46000000)  # premultiplied; outside is veiled


class Select(Tool):
    """A click selects the connected piece of a class, a drag what it goes round.

    Shift adds to the selection, Alt takes away; Enter gives it the active class, Delete erases
    it, Esc lets go of it. Copying, cleaning and relabelling act on it.
    """

    name = "select"
    text = "Select region"
    key = "C"
    icon = "mdi6.select-drag"
    cursor = Qt.CursorShape.CrossCursor
    marks_pixel = False

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._points: QPolygonF | None = None
        self._pressed: ToolEvent | None = None
        self._picture: tuple[object, QImage] | None = None
        self._counted: tuple[Stamp | None, int] = (None, 0)
        document.image_changed.connect(self.leave)

    # -- mouse and keys -----------------------------------------------------------------------

    def press(self, event: ToolEvent) -> None:
        """Begin a click or a drag; the right button lets go of the selection."""
        if event.button == Qt.MouseButton.RightButton:
            self.document.select(None)
        elif self.document.has_labels():
            self._pressed = event
            self._points = None

    def move(self, event: ToolEvent) -> None:
        """Go round an area."""
        pressed = self._pressed
        if pressed is None:
            return
        if self._points is None:
            if (event.at - pressed.at).manhattanLength() < DRAGGED:
                return
            self._points = QPolygonF([QPointF(pressed.x, pressed.y)])
        self._points.append(QPointF(event.x, event.y))

    def release(self, event: ToolEvent) -> None:
        """Select the piece clicked on, or the area gone round."""
        pressed, points = self._pressed, self._points
        self._pressed = self._points = None
        if pressed is None:
            return
        if points is not None:
            shape = self.document.image.shape[:2]
            self._take(polygon([(p.y(), p.x()) for p in points], shape), pressed)
        elif pressed.pixel is not None:
            self._look_up(pressed)

    def abort(self) -> bool:
        """Drop the drag."""
        running = self._pressed is not None
        self._pressed = self._points = None
        return running

    def let_go(self) -> bool:
        """Let go of the selection."""
        had = self.document.selection is not None
        self.document.select(None)
        return had

    def leave(self) -> None:
        """Forget a drag and a search under way; the selection stays."""
        self._pressed = self._points = self._picture = None
        self.document.errands.cancel(_KIND)

    def takes_key(self, event: QKeyEvent) -> bool:
        """Enter relabels the selection, Delete and Backspace erase it."""
        selection = self.document.selection
        wanted = event.key() in _ENTER or event.key() in _ERASE
        if selection is None or not wanted or event.modifiers() & ~_KEYPAD:
            return False
        if event.type() == QEvent.Type.KeyPress:
            kind = "brush" if event.key() in _ENTER else "erase"
            self.document.fill(selection, "Region", kind, self.document.locks)
        return True

    # -- finding ------------------------------------------------------------------------------

    def _look_up(self, pressed: ToolEvent) -> None:
        document = self.document
        label_map = document.label_map
        if not document.has_labels():
            return
        if label_map.rect.area <= LARGE_PX:
            self._take(label_region(label_map.labels, pressed.pixel), pressed)
            return
        revision = label_map.revision

        def take(stamp: Stamp) -> None:
            if document.label_map is label_map and revision == label_map.revision:
                self._take(stamp, pressed)

        document.errands.ask(_KIND, find_label_region(label_map.labels, pressed.pixel), take)

    def _take(self, stamp: Stamp, pressed: ToolEvent) -> None:
        """Make a region the selection, or add or take it away as the press asked."""
        before = self.document.selection or NOTHING
        if pressed.holds(_ALT):
            stamp = without(before, stamp)
        elif pressed.holds(_SHIFT):
            stamp = joined(before, stamp)
        self.document.select(stamp)
        pixels = int(np.count_nonzero(stamp.mask))
        self.document.message.emit(
            f"{_spaced(pixels)} px selected: Enter gives them the active class, Delete erases."
            if pixels
            else "Nothing is selected."
        )

    # -- painting -----------------------------------------------------------------------------

    def cursor_bounds(self, camera: Camera, at: QPointF) -> QRectF:
        """Return all that is in view: outside of the selection it is veiled."""
        return camera.viewport

    def paint_cursor(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the selection, the drag, and what lies under the mouse."""
        painter.save()
        selection = self.document.selection
        if selection is not None:
            self._paint_selection(painter, camera, selection)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._points is not None:
            path = QPainterPath()
            path.addPolygon(camera.transform().map(self._points))
            path.closeSubpath()
            two_toned(painter, lambda: painter.drawPath(path))
        paint_note(painter, at, self._note(camera, at))
        painter.restore()

    def _note(self, camera: Camera, at: QPointF) -> str:
        selection, pixel = self.document.selection, camera.pixel_at(at)
        if self.document.errands.is_busy(_KIND):
            return "looking…"
        if selection is not None and selection is not self._counted[0]:
            self._counted = (selection, int(np.count_nonzero(selection.mask)))
        name = ""
        if pixel is not None and self.document.label_map is not None:
            name = self.document.table.name_of(int(self.document.label_map.labels[pixel]))
        area = "" if selection is None else f"{_spaced(self._counted[1])} px selected"
        return " · ".join(part for part in (name, area) if part)

    def _paint_selection(self, painter: QPainter, camera: Camera, selection: Stamp) -> None:
        shown = camera.device_rect(camera.viewport)
        if shown.is_empty:
            return
        key = (id(selection), camera.frame, camera.device_origin)
        if self._picture is None or self._picture[0] != key:
            inside = seen(selection, shown, camera)
            values = np.where(inside, np.uint32(0), _VEIL)
            values[edges(inside)] = _EDGE
            image = argb_image(values)
            image.setDevicePixelRatio(camera.ratio)
            self._picture = (key, image)
        corner = QPointF(shown.x0 / camera.ratio, shown.y0 / camera.ratio)
        painter.drawImage(corner, self._picture[1])


def _spaced(pixels: int) -> str:
    return f"{pixels:,}".replace(",", "\u2009")
