"""Mip levels of the picture, averaged off the GUI thread, for calm and fast zoomed-out views."""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QImage, QPainter, QTransform

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.screen_labels import sample, sources
from pspgui.gui.qimages import argb_image, rgb_image

_NEAREST_FROM_ZOOM: Final = 2.0
_SMALLEST_SIDE: Final = 256


def build_levels(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return area averages of (H, W, 3) uint8 RGB at half, a quarter… of its size.

    Each level is (h, w) uint32 0xFFRRGGBB and covers exactly the whole picture, odd sizes
    included. Any thread; cv2 is imported here, because only this needs it in the window.
    """
    import cv2

    levels = []
    level = pixels
    while max(level.shape[:2]) > _SMALLEST_SIDE and min(level.shape[:2]) > 1:
        size = (level.shape[1] + 1) // 2, (level.shape[0] + 1) // 2
        level = cv2.resize(level, size, interpolation=cv2.INTER_AREA)
        bgra = cv2.cvtColor(level, cv2.COLOR_RGB2BGRA)
        levels.append(np.ascontiguousarray(bgra).view(np.uint32)[..., 0])
    return tuple(levels)


class PyramidImage(QObject):
    """One picture with its mip levels. GUI thread only, but for the building itself.

    `levels_ready` comes when a better rendering is available; until then the full picture is
    drawn by nearest sampling, which is fast at any size.
    """

    levels_ready = Signal()
    _built = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pixels: np.ndarray | None = None
        self._full: QImage | None = None
        self._levels: tuple[QImage, ...] = ()
        self._built.connect(self._take_levels, Qt.ConnectionType.QueuedConnection)

    @property
    def is_ready(self) -> bool:
        """Whether the mip levels of the present picture stand."""
        return bool(self._levels)

    def set_pixels(self, pixels: np.ndarray | None) -> None:
        """Show another picture, (H, W, 3) uint8 RGB; levels of the one before are dropped."""
        if pixels is self._pixels:
            return
        self._pixels, self._levels = pixels, ()
        self._full = None if pixels is None else rgb_image(pixels)
        if pixels is not None and max(pixels.shape[:2]) > _SMALLEST_SIDE:
            # A daemon thread: it holds no lock, writes nothing, and ends by itself.
            threading.Thread(
                target=self._build, args=(pixels,), name="mip levels", daemon=True
            ).start()

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw what is exposed: smooth below 2x, crisp pixels from there."""
        if self._full is None:
            return
        if camera.zoom >= _NEAREST_FROM_ZOOM:
            self._paint_pixels(painter, camera, exposed)
            return
        depth, waiting = 0, camera.zoom < 0.5 and not self._levels
        while depth < len(self._levels) and camera.zoom * 2 ** (depth + 1) <= 1.0:
            depth += 1
        image = self._levels[depth - 1] if depth else self._full
        height, width = camera.image_shape
        stretch = QTransform.fromScale(width / image.width(), height / image.height())
        smooth = camera.zoom != 1.0 and not waiting
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.setTransform(stretch * camera.transform(), True)
        painter.drawImage(QPointF(0, 0), image)
        painter.restore()

    def _paint_pixels(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Enlarge by repeating pixels, at the same borders as the labels over them."""
        area = camera.device_rect(exposed)
        if area.is_empty:
            return
        rows, columns = sources(camera, area)
        window = self._full.copy(
            int(columns[0]), int(rows[0]),
            int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1,
        ).convertToFormat(QImage.Format.Format_RGB32)  # fmt: skip
        pixels = np.frombuffer(window.constBits(), np.uint32)
        pixels = pixels.reshape(window.height(), window.width())
        image = argb_image(sample(pixels, rows - rows[0], columns - columns[0]))
        image.setDevicePixelRatio(camera.ratio)
        painter.drawImage(QPointF(area.x0 / camera.ratio, area.y0 / camera.ratio), image)

    def _build(self, pixels: np.ndarray) -> None:
        try:
            levels = build_levels(pixels)
        except MemoryError:  # the full picture goes on being drawn
            return
        try:
            self._built.emit(pixels, levels)
        except RuntimeError:  # the window closed meanwhile
            return

    @Slot(object, object)
    def _take_levels(self, pixels: np.ndarray, levels: tuple[np.ndarray, ...]) -> None:
        if pixels is self._pixels:  # else: levels of a picture that is gone
            self._levels = tuple(argb_image(level) for level in levels)
            self.levels_ready.emit()
