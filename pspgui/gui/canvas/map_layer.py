"""A pyramid map on the canvas, placed exactly where the model's interpolation puts its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.colours import to_rgb
from pspgui.gui.map_scale import map_scale
from pspgui.gui.qimages import rgb_image

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.inference.views import LevelView

_FINE_SIDE: Final = 1024


def axis_extent(cells: int, padded: int, align_corners: bool) -> tuple[float, float]:
    """Return where a row of cells begins and ends, in continuous image pixels.

    Interpolating a cell map to `padded` pixels puts the middle of cell i on the middle of pixel
    i (padded-1)/(cells-1) with align_corners, and at (i+1/2) padded/cells without; each cell
    reaches half a pitch around its middle. One cell alone fills everything.
    """
    if cells == 1 or not align_corners:
        return 0.0, float(padded)
    pitch = (padded - 1) / (cells - 1)
    return 0.5 - pitch / 2, padded - 0.5 + pitch / 2


def enlarged(cells: np.ndarray, times: int) -> np.ndarray:
    """Return a (h, w) float map at `times` its size, bilinear, covering the same extent.

    Values are interpolated here and not their colours, so a colour map shows its true contours.
    """
    return _stretch(_stretch(np.asarray(cells, np.float32), times).T, times).T


def _stretch(rows: np.ndarray, times: int) -> np.ndarray:
    size = len(rows)
    source = np.clip((np.arange(size * times, dtype=np.float32) + 0.5) / times - 0.5, 0, size - 1)
    low = np.minimum(source.astype(np.intp), max(size - 2, 0))
    weight = (source - low)[:, None]
    return rows[low] * (1 - weight) + rows[np.minimum(low + 1, size - 1)] * weight


class MapLayer:
    """The map chosen in the pyramid strip, at the overlay's opacity, over the picture only.

    The model sees the picture padded at the bottom and right; cells over the padding are cut off.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._key: tuple[object, ...] = ()
        self._image: QImage | None = None

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the shown map, if there is one for this picture."""
        document = self._document
        prediction = document.prediction
        view = next((v for v in document.views if v.name == document.shown_map), None)
        if document.overlay_hidden:
            return
        if view is None or prediction is None or prediction.labels.shape != camera.image_shape:
            self._key, self._image = (), None
            return
        self._colour(view)
        rows, columns = view.after.shape
        top, bottom = axis_extent(rows, prediction.padded_shape[0], prediction.align_corners)
        left, right = axis_extent(columns, prediction.padded_shape[1], prediction.align_corners)
        height, width = camera.image_shape
        painter.save()
        painter.setTransform(camera.transform(), True)
        painter.setClipRect(QRectF(0, 0, width, height), Qt.ClipOperation.IntersectClip)
        painter.setOpacity(document.opacity)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(left, top, right - left, bottom - top), self._image)
        painter.restore()

    def _colour(self, view: LevelView) -> None:
        """Colour the map once; another map, scale or theme colours it anew."""
        lut, low, high = map_scale(view, self._document.views)
        key = (view.after, lut, low, high)
        same_arrays = bool(self._key) and all(key[i] is self._key[i] for i in (0, 1))
        if same_arrays and key[2:] == self._key[2:]:
            return
        times = max(1, _FINE_SIDE // max(view.after.shape))
        self._image = rgb_image(to_rgb(enlarged(view.after, times), lut, low, high))
        self._key = key
