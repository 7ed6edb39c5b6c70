"""The superpixel brush: paints small regions of like colour, each whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.screen_labels import sample, sources
from pspgui.gui.qimages import argb_image
from pspgui.gui.tools.area import paint_dot, paint_note
from pspgui.gui.tools.painting import PaintingTool
from pspgui.gui.tools.region_preview import edges, paint_region
from pspgui.jobs.regions import find_superpixels_of
from pspgui.labels.raster import capsule
from pspgui.labels.superpixels import SIZES_PX, Superpixels, SuperpixelStroke

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_KIND: Final = "superpixels"
_LINE: Final = np.uint32(0x78787878)  # white at 47 %, premultiplied
_DOT_AT: Final = QPointF(14.0, 14.0)
_FINER: Final = 4  # superpixels of a view so many times larger are found anew


class SuperpixelBrush(PaintingTool):
    """Paints every superpixel that the mouse passes over; the brush's size is theirs.

    They are found for the part of the image in view, on another thread, and kept until the view
    leaves that part, comes much nearer, or another size is chosen.
    """

    name = "superpixel"
    text = "Superpixel brush"
    key = "W"
    icon = "mdi6.hexagon-multiple-outline"

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._found: Superpixels | None = None
        self._size = 0
        self._lines: tuple[object, QImage] | None = None
        document.image_changed.connect(self._forget)

    def begin(self, y: float, x: float, kind: str, to_class: bool) -> None:
        """Begin painting superpixels, or erasing them."""
        document = self.document
        if self._found is None:
            document.message.emit("The superpixels of this view are still being found.")
            return
        if not document.can_paint(kind):
            return
        value, provenance, name = document.writes(kind, "Superpixels")
        document.start_stroke(
            SuperpixelStroke(
                document.label_map, document.history, name, 1, value, self._found,
                document.filter_at(y, x, to_class), provenance,
            ), y, x,
        )  # fmt: skip

    def leave(self) -> None:
        """Let go of what is still being found."""
        self.document.errands.cancel(_KIND)

    # -- finding them -------------------------------------------------------------------------

    @property
    def size_px(self) -> int:
        """How wide superpixels are, about: the size nearest to the brush's."""
        return min(SIZES_PX, key=lambda size: abs(size - self.document.brush_diameter))

    def _look(self, camera: Camera) -> None:
        """Ask for the superpixels of this view unless those at hand do."""
        document = self.document
        view = camera.to_image_rect(camera.viewport)
        if view.is_empty or document.image is None or document.errands.is_busy(_KIND):
            return
        if self._found is not None and self._size == self.size_px and _serves(self._found, view):
            return
        image, size = document.image, self.size_px

        def take(found: Superpixels) -> None:
            if image is document.image:
                self._found, self._size, self._lines = found, size, None
                document.brush_changed.emit()

        document.errands.ask(_KIND, find_superpixels_of(image, view, size), take)

    def _forget(self) -> None:
        self._found = self._lines = None
        self.document.errands.cancel(_KIND)

    # -- painting -----------------------------------------------------------------------------

    def cursor_bounds(self, camera: Camera, at: QPointF) -> QRectF:
        """Return all that is in view: outlines lie everywhere."""
        return camera.viewport

    def paint_cursor(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw outlines, and the superpixel under the mouse as it would be painted."""
        self._look(camera)
        document = self.document
        kind = self._running_kind or self.kind
        rgb = document.colour_of(kind)
        colour = None if rgb is None else QColor(*rgb)
        painter.save()
        if self._found is not None:
            self._paint_lines(painter, camera, self._found)
            if not document.stroke_active:
                self._paint_one(painter, camera, at, colour)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        busy = document.errands.is_busy(_KIND)
        paint_note(painter, at, "finding superpixels…" if busy else f"{self.size_px} px")
        paint_dot(painter, at + _DOT_AT, colour)
        painter.restore()

    def _paint_one(
        self, painter: QPainter, camera: Camera, at: QPointF, colour: QColor | None
    ) -> None:
        pixel = camera.pixel_at(at)
        if pixel is None:
            return
        middle = pixel.y + 0.5, pixel.x + 0.5
        for number in self._found.under(capsule(middle, middle, 1, camera.image_shape)):
            paint_region(painter, camera, self._found.stamp(int(number)), colour)

    def _paint_lines(self, painter: QPainter, camera: Camera, found: Superpixels) -> None:
        shown = camera.device_rect(camera.to_widget_rect(found.rect).intersected(camera.viewport))
        if shown.is_empty:
            return
        key = (id(found), camera.frame, camera.device_origin)
        if self._lines is None or self._lines[0] != key:
            self._lines = (key, _outlines(found, camera, shown))
        corner = QPointF(shown.x0 / camera.ratio, shown.y0 / camera.ratio)
        painter.drawImage(corner, self._lines[1])


def _serves(found: Superpixels, view: Rect) -> bool:
    """Whether superpixels do for a view: they cover it, and were not found from far away."""
    return found.rect.intersect(view) == view and found.rect.area <= _FINER * view.area


def _outlines(found: Superpixels, camera: Camera, shown: Rect) -> QImage:
    """Return the outlines over device pixels `shown` as a picture."""
    rows, columns = sources(camera, shown)
    top, left = found.rect.y0, found.rect.x0
    rows = np.clip(rows - top, 0, found.rect.height - 1)
    columns = np.clip(columns - left, 0, found.rect.width - 1)
    picture = np.where(edges(sample(found.ids, rows, columns)), _LINE, np.uint32(0))
    image = argb_image(np.ascontiguousarray(picture))
    image.setDevicePixelRatio(camera.ratio)
    return image
