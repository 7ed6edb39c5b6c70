"""A map on the canvas, placed exactly where the model's interpolation puts its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.grey_ground import paint_grey
from pspgui.gui.colours import to_steps
from pspgui.gui.map_scale import MapInView, map_colours, part_colours
from pspgui.gui.qimages import indexed_image, opaque, rgb_image
from pspgui.gui.theme import current_theme
from pspgui.inference.shown_map import axis_extent

if TYPE_CHECKING:
    from pspgui.gui.canvas.divider import Divider
    from pspgui.gui.canvas.pyramid_image import PyramidImage
    from pspgui.gui.document import Document
    from pspgui.inference.shown_map import ShownMap

_FINE_SIDE: Final = 480
_MOST_SIDE: Final = 1600
_GREY: Final = 2.0


def enlarged(cells: np.ndarray, times: int) -> np.ndarray:
    """Return a (h, w) float map at `times` its size, bilinear, covering the same extent."""
    return _stretch(_stretch(np.asarray(cells, np.float32), times).T, times).T


def _stretch(rows: np.ndarray, times: int) -> np.ndarray:
    size = len(rows)
    source = np.clip((np.arange(size * times, dtype=np.float32) + 0.5) / times - 0.5, 0, size - 1)
    low = np.minimum(source.astype(np.intp), max(size - 2, 0))
    weight = (source - low)[:, None]
    return rows[low] * (1 - weight) + rows[np.minimum(low + 1, size - 1)] * weight


class MapLayer:
    """The map on show, at the overlay's opacity, over the picture only.

    The model sees the picture padded at the bottom and right; cells over the padding are cut off.
    With the divider on, the map lies to its right only. Under hues that mean something the picture
    is drawn in greys.
    """

    def __init__(
        self, document: Document, divider: Divider | None = None,
        picture: PyramidImage | None = None,
    ) -> None:  # fmt: skip
        self._document = document
        self._divider, self._picture = divider, picture
        self._in_view = MapInView(document)
        self._key: tuple[object, ...] = ()
        self._image: QImage | None = None

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the shown map, if there is one for this picture."""
        document, shown = self._document, self._in_view.shown
        if document.overlay_hidden or document.opened is not None:
            return  # opened cells have a layer of their own
        if shown is None:
            self._key, self._image = (), None
            return
        self._colour(shown)
        height, width = camera.image_shape
        painter.save()
        if self._divider is not None and document.has_aid("split"):
            painter.setClipRect(self._divider.right_of(camera), Qt.ClipOperation.IntersectClip)
        if self._picture is not None and _tells_by_hue(shown):
            opacity = min(1.0, _GREY * document.opacity)
            paint_grey(painter, self._picture, camera, exposed, opacity)
        painter.setTransform(camera.transform(), True)
        frame = Rect(0, 0, height, width)
        if shown.lattice is not None and shown.lattice.frame is not None:
            frame = frame.intersect(shown.lattice.frame)  # of a window, its padding left out
        clip = QRectF(frame.x0, frame.y0, frame.width, frame.height)
        painter.setClipRect(clip, Qt.ClipOperation.IntersectClip)
        painter.setOpacity(document.opacity)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, shown.interpolates)
        painter.drawImage(place_of(shown), self._image)
        painter.restore()

    def _colour(self, shown: ShownMap) -> None:
        """Colour the map once; another map or theme colours it anew."""
        theme = current_theme()
        if not self._key or self._key[0] is not shown or self._key[1] is not theme:
            self._image, self._key = map_image(shown), (shown, theme)


def place_of(shown: ShownMap) -> QRectF:
    """Return where a map lies, in image pixels; its padding included."""
    rows, columns = shown.values.shape[:2]
    if shown.lattice is None:
        return QRectF(0, 0, columns, rows)
    top, left, bottom, right = shown.lattice.extent((rows, columns))
    return QRectF(left, top, right - left, bottom - top)


def _tells_by_hue(shown: ShownMap) -> bool:
    """Whether the picture's own colours could be taken for the map's, and so become greys."""
    whole = all(part.colour for part in shown.parts)
    return shown.kind == "signed" or (shown.kind == "parts" and whole)


def map_image(shown: ShownMap) -> QImage:
    """Return a map in its colours, at the size of its values or finer.

    Values are interpolated here and not their colours, so a colour map shows its true contours.
    Of values at full resolution every n-th is drawn where there are very many.
    """
    values = shown.values
    if shown.kind == "parts":
        indices = np.ascontiguousarray(values, np.uint8)
        return indexed_image(indices, part_colours(shown.parts))
    if shown.kind == "colours":
        times = max(1, _FINE_SIDE // max(values.shape)) if shown.interpolates else 1
        fine = np.stack([enlarged(values[..., i], times) for i in range(3)], axis=-1)
        return rgb_image(np.ascontiguousarray(np.rint(255 * fine), np.uint8))
    step = -(-max(values.shape) // _MOST_SIDE)
    if shown.interpolates:
        values = enlarged(values, max(1, _FINE_SIDE // max(values.shape)))
    elif step > 1:
        values = values[::step, ::step]
    lut, low, high = map_colours(shown)
    steps = np.ascontiguousarray(to_steps(values, low, high))
    return indexed_image(steps, opaque(lut))


__all__ = ["MapLayer", "axis_extent", "enlarged", "map_image", "place_of"]
