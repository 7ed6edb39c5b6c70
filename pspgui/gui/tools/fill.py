"""The fill: pour the active class over a region of one label, or of like colours."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.tools.area import AreaTool
from pspgui.gui.tools.tool import ToolEvent
from pspgui.labels.raster import NOTHING, Stamp
from pspgui.labels.regions import colour_region, label_region

_SHIFT = Qt.KeyboardModifier.ShiftModifier
_STRIPE = 4  # device pixels
_PER_STEP = 3.0  # widget units of a drag for one more of tolerance


class Fill(AreaTool):
    """Fills the region of one label under the press; with Shift, of colours like the one there.

    While the button is held the region shows; releasing fills it. Dragging moves on to the region
    under the mouse; with Shift it changes the tolerance, which is kept for the next time.
    """

    name = "fill"
    text = "Fill region"
    key = "G"
    icon = "mdi6.format-color-fill"
    verb = "Fill"

    def __init__(self, document: object) -> None:
        super().__init__(document)
        self.tolerance = 16

    def start(self, event: ToolEvent) -> None:
        """Take the pixel pressed on."""
        self._seed = event.pixel
        self._by_colour = event.holds(_SHIFT)
        self._from = (event.at.x(), self.tolerance)
        self._region: Stamp | None = None

    def follow(self, event: ToolEvent) -> None:
        """Move on to another pixel, or change the tolerance."""
        before = (self._seed, self.tolerance)
        if self._by_colour:
            x, tolerance = self._from
            self.tolerance = max(0, min(255, tolerance + int((event.at.x() - x) / _PER_STEP)))
        else:
            self._seed = event.pixel
        if before != (self._seed, self.tolerance):
            self._region = None

    def area(self) -> Stamp:
        """Return the region; it is searched only once it is wanted, at most once a frame."""
        if self._region is None:
            self._region = self._searched(self._seed)
        return self._region

    def note(self) -> str:
        """Return the tolerance."""
        return f"tolerance {self.tolerance}" if self._by_colour else ""

    def cursor_bounds(self, camera: Camera, at: QPointF) -> QRectF:
        """Return all that is in view while the region shows: where it ends is not known yet."""
        return camera.viewport if self.running else super().cursor_bounds(camera, at)

    def paint_area(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the region in stripes."""
        stamp = self.area()
        shown = camera.device_rect(camera.viewport)
        if stamp.rect.is_empty or shown.is_empty:
            return
        picture = striped(stamp, shown, camera, self.colour)
        corner = QPointF(shown.x0 / camera.ratio, shown.y0 / camera.ratio)
        painter.drawImage(corner, picture)

    def _searched(self, seed: Pixel | None) -> Stamp:
        document = self.document
        if seed is None or document.image is None:
            return NOTHING
        if self._by_colour:
            return colour_region(document.image, seed, self.tolerance)
        return label_region(document.label_map.labels, seed)


def striped(stamp: Stamp, shown: Rect, camera: Camera, colour: QColor | None) -> QImage:
    """Return the part of a region over device pixels `shown`: stripes with a two-toned edge."""
    top, left = camera.device_origin
    rows = ((np.arange(shown.y0, shown.y1) + 0.5 - top) / camera.zoom).astype(int)
    columns = ((np.arange(shown.x0, shown.x1) + 0.5 - left) / camera.zoom).astype(int)
    inside = np.zeros((len(rows), len(columns)), bool)
    y0, y1 = np.searchsorted(rows, (stamp.rect.y0, stamp.rect.y1))
    x0, x1 = np.searchsorted(columns, (stamp.rect.x0, stamp.rect.x1))
    picked = rows[y0:y1] - stamp.rect.y0, columns[x0:x1] - stamp.rect.x0
    inside[y0:y1, x0:x1] = stamp.mask[np.ix_(*picked)]
    places = np.arange(shown.y0, shown.y1)[:, None] + np.arange(shown.x0, shown.x1)
    values = inside.astype(np.uint8)
    values[inside & (places // _STRIPE % 2 == 0)] = 2
    edge = np.zeros(inside.shape, bool)
    edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    edge[1:] |= inside[1:] != inside[:-1]
    values[edge] = 3
    height, width = values.shape
    tint = QColor(255, 255, 255, 0) if colour is None else QColor(colour)
    if colour is not None:
        tint.setAlpha(210)
    stripe = QColor(0, 0, 0, 120) if colour is None else QColor(colour).lighter(135)
    picture = QImage(values.tobytes(), width, height, width, QImage.Format.Format_Indexed8)
    picture.setColorTable([0, tint.rgba(), stripe.rgba(), QColor(255, 255, 255).rgba()])
    picture = picture.copy()  # the bytes above are gone once this returns
    picture.setDevicePixelRatio(camera.ratio)
    return picture
