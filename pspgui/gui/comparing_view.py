"""One model's answer over the picture, in a view whose camera it shares with its neighbours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.label_mips import MipStore
from pspgui.gui.canvas.layers import GridLayer
from pspgui.gui.canvas.marks import DARK, LIGHT, two_toned
from pspgui.gui.canvas.pyramid_image import PyramidImage
from pspgui.gui.canvas.screen_labels import Look, Maps, ScreenCache
from pspgui.gui.theme import GRID_PX, current_theme, quiet_font

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.labels.classes import ClassTable

_NOTCH: Final = 120.0
_ZOOM_STEP: Final = 1.25
_CLICK: Final = 4.0  # widget units that a press may move and still be a click
_FRAME_MS: Final = 16
_ARM: Final = 14.0
_GAP: Final = 4.0


class CompareView(QWidget):
    """A picture, label maps drawn over it by one look, and marks. GUI thread only.

    The wheel zooms, dragging pans, a click pins; `moved()` tells that the camera did, which
    belongs to all views. The hovered pixel is marked in the views that the mouse is not over.
    """

    moved = Signal()

    def __init__(
        self, document: Document, camera: Camera, picture: PyramidImage,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document, self._camera, self._picture = document, camera, picture
        self._maps: Maps = ()
        self._look: Look | None = None
        self._cache, self._mips = ScreenCache(), MipStore(self)
        self._grid = GridLayer()
        self._words = ""
        self._box: Rect | None = None
        self._press: QPointF | None = None
        self._pans = self._hover_waits = False
        self._at: QPointF | None = None
        self._frame = QTimer(self, singleShot=True, interval=_FRAME_MS)
        self._frame.timeout.connect(self._frame_passed)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(96, 96)
        self._mips.ready.connect(self.update)

    def show_maps(self, maps: Maps, look: Look | None) -> None:
        """Draw these (H, W) maps of the picture's shape by a look; none for the picture alone."""
        if [id(m) for m in maps] != [id(m) for m in self._maps]:
            self._cache.forget()
            self._mips.forget()
        self._maps, self._look = maps, look
        self.update()

    def say(self, words: str) -> None:
        """Say over the picture what is still awaited; nothing for an empty text."""
        if words != self._words:
            self._words = words
            self.update()

    def set_box(self, box: Rect | None) -> None:
        """Frame a part of the picture."""
        if box != self._box:
            self._box = box
            self.update()

    # -- mouse --------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a pan."""
        if self._document.image is not None:
            self._press = event.position()
            self._pans = event.button() == Qt.MouseButton.MiddleButton

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pan, once it is no click any more; else point at the pixel below."""
        at = event.position()
        if self._press is not None:
            step = at - self._press
            if self._pans or math.hypot(step.x(), step.y()) > _CLICK:
                self._pans, self._press = True, at
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
                self._camera.pan(step.x(), step.y())
                self.moved.emit()
        self._at = at
        self._hover_soon()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Pin the pixel clicked, or let go of the pin that was."""
        clicked = self._press is not None and not self._pans
        self._press, self._pans = None, False
        self.setCursor(Qt.CursorShape.CrossCursor)
        if clicked and event.button() == Qt.MouseButton.LeftButton:
            pixel = self._camera.pixel_at(event.position())
            self._document.set_pin(None if pixel == self._document.pin else pixel)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show the whole picture."""
        self._camera.fit()
        self.moved.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the cursor."""
        notches = (event.angleDelta().y() or event.angleDelta().x()) / _NOTCH
        if notches and self._document.image is not None:
            self._camera.zoom_at(event.position(), _ZOOM_STEP**notches)
            self.moved.emit()
            self._at = event.position()
            self._hover_soon()
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        """Point at nothing."""
        self._at, self._hover_waits = None, False
        self._document.set_hover(None)

    def _hover_soon(self) -> None:
        """Point at what is under the mouse, at most once a frame."""
        self._hover_waits = self._frame.isActive()
        if not self._hover_waits and self._at is not None:
            self._document.set_hover(self._camera.pixel_at(self._at))
            self._frame.start()

    @Slot()
    def _frame_passed(self) -> None:
        if self._hover_waits:
            self._hover_soon()

    def event(self, event: QEvent) -> bool:
        """Zoom by the pinch of a trackpad, too."""
        if isinstance(event, QNativeGestureEvent) and (
            event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self._camera.zoom_at(event.position(), 1.0 + event.value())
            self.moved.emit()
            return True
        return super().event(event)

    # -- painting -----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture, the maps, and the marks, bottom to top."""
        exposed = QRectF(event.rect())
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), QColor(current_theme().canvas))
            if self._document.image is None:
                return
            self._picture.paint(painter, self._camera, exposed)
            self._paint_maps(painter)
            self._grid.paint(painter, self._camera, exposed)
            self._paint_box(painter)
            if not self.underMouse():
                self._paint_cross(painter, self._document.hover)
            self._paint_cross(painter, self._document.pin, ringed=True)
            if self._words:
                self._paint_words(painter)

    def _paint_maps(self, painter: QPainter) -> None:
        shape = self._camera.image_shape
        if self._look is None or not self._maps or self._document.overlay_hidden:
            return
        if any(labels.shape != shape for labels in self._maps):
            return
        fitting = self._mips.fitting(self._maps, self._camera.zoom)
        if fitting.maps:
            self._cache.paint(
                painter, self._camera, fitting.maps, self._look, fitting.shift, fitting.coarse
            )

    def _paint_box(self, painter: QPainter) -> None:
        if self._box is None:
            return
        box = self._camera.to_widget_rect(self._box).adjusted(-2.5, -2.5, 2.5, 2.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(DARK, 3.0))
        painter.drawRect(box)
        painter.setPen(QPen(LIGHT, 1.0, Qt.PenStyle.DashLine))
        painter.drawRect(box)

    def _paint_cross(
        self, painter: QPainter, pixel: Pixel | None, ringed: bool = False
    ) -> None:
        """Draw a cross, open in the middle, at the pixel pinned or hovered in another view."""
        if pixel is None:
            return
        centre = self._camera.to_widget(pixel.y + 0.5, pixel.x + 0.5)
        gap = max(_GAP, self._camera.scale / 2 + 2)
        lines = [
            QLineF(centre + QPointF(dx, dy) * gap, centre + QPointF(dx, dy) * (gap + _ARM))
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        two_toned(painter, lambda: painter.drawLines(lines), 1.5)
        if ringed:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            two_toned(painter, lambda: painter.drawEllipse(centre, gap, gap), 1.5)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_words(self, painter: QPainter) -> None:
        """Write what is awaited on a chip in the middle."""
        theme = current_theme()
        painter.setFont(quiet_font(self))
        room = self.width() - 6 * GRID_PX
        metrics = painter.fontMetrics()
        flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
        text = metrics.boundingRect(0, 0, max(48, room), 200, flags, self._words)
        box = QRectF(0, 0, text.width() + 3 * GRID_PX, text.height() + 2 * GRID_PX)
        box.moveCenter(QRectF(self.rect()).center())
        ground = QColor(theme.panel)
        ground.setAlphaF(0.92)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QColor(theme.text))
        painter.drawText(box, flags, self._words)


def class_colours(table: ClassTable, own: int, visible: np.ndarray) -> np.ndarray:
    """Return (K, 4) uint8 straight RGBA by class: opaque, or clear for those not drawn.

    Of the first `own` classes `visible` says which are drawn; of the others all are but one
    called background, which would veil the picture.
    """
    colours = np.zeros((max(256, len(table) + 1), 4), np.uint8)
    for entry in table.classes:
        hidden = entry.id >= own and entry.name.strip("_").casefold() == "background"
        colours[entry.id] = (*entry.colour, 0 if hidden else 255)
    count = min(own, len(visible))
    colours[:count, 3] *= visible[:count]
    return colours
