"""The picture at any zoom, from mip levels averaged off the GUI thread, toned as chosen."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QImage, QPainter, QTransform

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.mip_levels import SMALLEST_SIDE, build_by_strips, build_levels
from pspgui.gui.canvas.screen_labels import sample, sources
from pspgui.gui.daemons import emit_late, start_daemon
from pspgui.gui.qimages import argb_image, grey_image, rgb_image
from pspgui.imaging.adjusting import NEUTRAL, Adjustment
from pspgui.imaging.deep import DeepSamples
from pspgui.imaging.scratch import ScratchError, is_mapped, let_go

_NEAREST_FROM_ZOOM: Final = 2.0
_BLOCK: Final = 256  # toned parts begin and end at multiples, so that small pans need none anew

_ROWS_AT_ONCE: Final = 64

Levels = tuple[np.ndarray, ...]


class _Part(NamedTuple):
    """A toned part of a level and where it lies in it."""

    key: tuple[object, ...]
    rect: Rect
    image: QImage


class PyramidImage(QObject):
    """One picture with its mip levels. GUI thread only, but for the building itself.

    `levels_ready` comes when a better rendering is available; until then the full picture is
    drawn by nearest sampling, which is fast at any size. Adjusted pictures, and those that lie
    over a file, are toned in the part that is drawn only. Samples deeper than 8 bits are drawn
    from when the picture is adjusted.
    """

    levels_ready = Signal()
    _built = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pixels: np.ndarray | None = None
        self._deep: DeepSamples | None = None
        self._full: QImage | None = None
        self._images: tuple[QImage, ...] = ()  # of the levels of `_pixels`, when not mapped
        self._levels: dict[int, Levels] = {}  # by id of the array they were made of
        self._asked: set[int] = set()
        self._adjustment = NEUTRAL
        self._table: np.ndarray | None = None
        self._part: _Part | None = None
        self._built.connect(self._take_levels, Qt.ConnectionType.QueuedConnection)

    @property
    def is_ready(self) -> bool:
        """Whether the mip levels of the present picture stand."""
        return id(self._pixels) in self._levels

    def set_pixels(self, pixels: np.ndarray | None, deep: DeepSamples | None = None) -> None:
        """Show another picture, (H, W, 3) uint8 RGB; levels of the one before are dropped."""
        if pixels is self._pixels:
            return
        self._pixels, self._deep, self._part = pixels, deep, None
        self._levels, self._images, self._asked = {}, (), set()
        mapped = pixels is not None and is_mapped(pixels)
        self._full = None if pixels is None or mapped else rgb_image(pixels)
        if pixels is not None:
            self._ask_for_levels(pixels, build_by_strips if mapped else build_levels)
        self._choose_table()

    def set_adjustment(self, adjustment: Adjustment) -> None:
        """Tone the picture from now on."""
        self._adjustment = adjustment
        self._choose_table()

    def small(self) -> QImage | None:
        """Return the whole picture toned and small, for a minimap; None before it is built."""
        source = self._source()
        levels = () if source is None else self._levels.get(id(source), ())
        if not levels:
            return None if source is None or max(source.shape[:2]) > 2 * SMALLEST_SIDE else (
                self._toned(source)
            )  # fmt: skip
        return self._toned(levels[-1])

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw what is exposed: smooth below 2x, crisp pixels from there."""
        source = self._source()
        if source is None:
            return
        levels = self._levels.get(id(source), ())
        waiting = camera.zoom < 0.5 and not levels and max(source.shape[:2]) > SMALLEST_SIDE
        plain = self._table is None and self._full is not None
        if camera.zoom >= _NEAREST_FROM_ZOOM or (waiting and not plain):
            self._paint_pixels(painter, camera, exposed, source)
            return
        depth = 0
        while depth < len(levels) and camera.zoom * 2 ** (depth + 1) <= 1.0:
            depth += 1
        level = levels[depth - 1] if depth else source
        height, width = camera.image_shape
        exact = source is not self._pixels or self._full is None  # made by strips: halved exactly
        scale = (2.0**depth, 2.0**depth) if exact else (
            width / level.shape[1], height / level.shape[0]
        )  # fmt: skip
        painter.save()
        painter.setClipRect(camera.to_widget_rect(Rect(0, 0, height, width)),
                            Qt.ClipOperation.IntersectClip)  # fmt: skip
        smooth = camera.zoom != 1.0 and not waiting
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.setTransform(QTransform.fromScale(*scale) * camera.transform(), True)
        if plain:
            painter.drawImage(QPointF(0, 0), self._images[depth - 1] if depth else self._full)
        else:
            part = self._part_of(level, camera.to_image_rect(camera.viewport), scale)
            painter.drawImage(QPointF(part.rect.x0, part.rect.y0), part.image)
        painter.restore()

    def _source(self) -> np.ndarray | None:
        """Return what is drawn from: the deep samples where they are toned, else the pixels."""
        if self._table is None or self._deep is None:
            return self._pixels
        return self._deep.samples

    def _part_of(self, level: np.ndarray, seen: Rect, scale: tuple[float, float]) -> _Part:
        """Return the toned part of a level under an image rect; kept while the view lies in it."""
        need = Rect(
            math.floor(seen.y0 / scale[1]) - 1, math.floor(seen.x0 / scale[0]) - 1,
            math.ceil(seen.y1 / scale[1]) + 1, math.ceil(seen.x1 / scale[0]) + 1,
        )  # fmt: skip
        wide = Rect(
            need.y0 // _BLOCK * _BLOCK, need.x0 // _BLOCK * _BLOCK,
            -(-need.y1 // _BLOCK) * _BLOCK, -(-need.x1 // _BLOCK) * _BLOCK,
        ).intersect(Rect(0, 0, *level.shape[:2]))  # fmt: skip
        key = (id(level), wide, self._adjustment)
        if self._part is None or self._part.key != key:
            self._part = _Part(key, wide, self._toned(level[wide.slices]))
            let_go(level)
        return self._part

    def _paint_pixels(
        self, painter: QPainter, camera: Camera, exposed: QRectF, source: np.ndarray
    ) -> None:
        """Sample single pixels, at the same borders as the labels over them."""
        area = camera.device_rect(exposed)
        if area.is_empty:
            return
        rows, columns = sources(camera, area)
        if camera.zoom < 1:
            image = self._toned(_thinned(source, rows, columns))
        else:
            seen = Rect(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
            small = self._toned(source[seen.slices])
            pixels = np.frombuffer(small.constBits(), np.uint32)
            pixels = pixels.reshape(small.height(), small.width())
            image = argb_image(sample(pixels, rows - rows[0], columns - columns[0]))
        let_go(source)
        image.setDevicePixelRatio(camera.ratio)
        painter.drawImage(QPointF(area.x0 / camera.ratio, area.y0 / camera.ratio), image)

    def _toned(self, window: np.ndarray) -> QImage:
        """Return samples or a level as a QImage of 32 bits, as the adjustment shows them."""
        if window.dtype == np.uint32:
            if self._table is None:
                return argb_image(np.ascontiguousarray(window)).copy()
            octets = np.ascontiguousarray(window).view(np.uint8).reshape(*window.shape, 4)
            made = self._table.take(octets, mode="clip")
            made[..., 3] = 255
            return argb_image(made.view(np.uint32)[..., 0]).copy()
        shown = window if self._table is None else self._table.take(window, mode="clip")
        wrap = grey_image if shown.ndim == 2 else rgb_image
        return wrap(np.ascontiguousarray(shown)).convertToFormat(QImage.Format.Format_RGB32)

    # -- levels -------------------------------------------------------------------------------

    def _choose_table(self) -> None:
        self._part = None
        if self._adjustment.is_neutral:
            self._table = None
            return
        self._table = self._adjustment.table(255 if self._deep is None else self._deep.white)
        if self._deep is not None:
            self._ask_for_levels(self._deep.samples, build_by_strips)

    def _ask_for_levels(
        self, pixels: np.ndarray, build: Callable[[np.ndarray], Levels]
    ) -> None:
        if max(pixels.shape[:2]) > SMALLEST_SIDE and id(pixels) not in self._asked:
            self._asked.add(id(pixels))
            start_daemon("mip levels", self._build, pixels, build)

    def _build(self, pixels: np.ndarray, build: Callable[[np.ndarray], Levels]) -> None:
        try:
            levels = build(pixels)
        except (MemoryError, ScratchError):  # the full picture goes on being drawn
            return
        emit_late(self._built, pixels, levels)

    @Slot(object, object)
    def _take_levels(self, pixels: np.ndarray, levels: Levels) -> None:
        deep = None if self._deep is None else self._deep.samples
        if pixels is not self._pixels and pixels is not deep:
            return  # levels of a picture that is gone
        self._levels[id(pixels)] = levels
        if pixels is self._pixels and self._full is not None:
            self._images = tuple(argb_image(level) for level in levels)
        self.levels_ready.emit()


def _thinned(source: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return samples at rows and columns far apart; of a mapped array little is held at once."""
    parts = []
    for k in range(0, len(rows), _ROWS_AT_ONCE):
        parts.append(sample(source, rows[k : k + _ROWS_AT_ONCE], columns))
        let_go(source)
    return np.concatenate(parts)
