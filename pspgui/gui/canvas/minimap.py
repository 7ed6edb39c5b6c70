"""The whole picture, small, in a corner, with a frame around what is in view."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import two_toned
from pspgui.gui.canvas.pyramid_image import PyramidImage
from pspgui.gui.theme import GRID_PX, current_theme

_SIDE: Final = 160.0
_LEAST_FRAME: Final = 6.0
_ROOM: Final = 3.0  # the canvas has to be as many times as large


class Minimap:
    """Shown while a part of the picture is out of view; a click or drag brings that part there."""

    def __init__(self, picture: PyramidImage) -> None:
        self._picture = picture
        self._image: QImage | None = None
        self._is_held = False

    def forget(self) -> None:
        """Follow another picture, or the same one shown otherwise."""
        self._image = None

    def area(self, camera: Camera) -> QRectF:
        """Return where it lies; empty while it is not shown."""
        height, width = camera.image_shape
        scale = _SIDE / max(height, width)
        w, h = max(8.0, width * scale), max(8.0, height * scale)
        view = camera.viewport
        if camera.shows_all or view.width() < _ROOM * w or view.height() < _ROOM * h:
            return QRectF()
        gap = 2.0 * GRID_PX
        return QRectF(view.width() - w - gap, view.height() - h - gap, round(w), round(h))

    def press(self, point: QPointF, camera: Camera) -> bool:
        """Take the pointer's place as the middle of the view; say whether the press was here."""
        self._is_held = self.area(camera).contains(point)
        return self.drag(point, camera)

    def drag(self, point: QPointF, camera: Camera) -> bool:
        """Follow the pointer if it is held; say whether the view moved."""
        if not self._is_held:
            return False
        area, (height, width) = self.area(camera), camera.image_shape
        if not area.isEmpty():
            y = (point.y() - area.top()) / area.height() * height
            x = (point.x() - area.left()) / area.width() * width
            camera.centre_on(y, x)
        return True

    def release(self) -> None:
        """Let go."""
        self._is_held = False

    def paint(self, painter: QPainter, camera: Camera) -> None:
        """Draw the picture and the frame of what is in view."""
        area = self.area(camera)
        if area.isEmpty():
            return
        theme = current_theme()
        border = area.adjusted(-1, -1, 1, 1)
        painter.fillRect(border, QColor(theme.line))
        painter.fillRect(area, QColor(theme.canvas))
        if self._image is None:
            self._image = self._picture.small()
        painter.save()
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(area, self._image)
        painter.setClipRect(border)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        frame = self._frame(area, camera)
        two_toned(painter, lambda: painter.drawRect(frame))
        painter.restore()

    def _frame(self, area: QRectF, camera: Camera) -> QRectF:
        height, width = camera.image_shape
        seen = camera.to_image_rect(camera.viewport).intersect(Rect(0, 0, height, width))
        across, down = area.width() / width, area.height() / height
        w = max(_LEAST_FRAME, seen.width * across)
        h = max(_LEAST_FRAME, seen.height * down)
        x = area.left() + (seen.x0 + seen.x1) / 2 * across - w / 2
        y = area.top() + (seen.y0 + seen.y1) / 2 * down - h / 2
        return QRectF(round(x) + 0.5, round(y) + 0.5, round(w) - 1, round(h) - 1)
