"""The fill: pour the active class over a region of one label, or of like colours."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter

from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.tools.area import AreaTool
from pspgui.gui.tools.region_preview import paint_region, would_change
from pspgui.gui.tools.tool import ToolEvent
from pspgui.jobs.regions import find_colour_region, find_label_region
from pspgui.labels.raster import NOTHING, Stamp
from pspgui.labels.regions import colour_region, label_region

_SHIFT = Qt.KeyboardModifier.ShiftModifier
_PER_STEP = 3.0  # widget units of a drag for one more of tolerance
LARGE_PX: Final = 4 << 20  # larger images are searched on another thread
_KIND: Final = "fill"


class Fill(AreaTool):
    """Fills the region of one label under the press; with Shift, of colours like the one there.

    While the button is held the region shows; releasing fills it. Dragging moves on to the region
    under the mouse; with Shift it changes the tolerance, which is kept for the next time. In large
    images the region is searched on another thread, and filled when it is found.
    """

    name = "fill"
    text = "Fill region"
    key = "G"
    icon = "mdi6.format-color-fill"
    verb = "Fill"

    def __init__(self, document: object) -> None:
        self.tolerance = 16
        super().__init__(document)

    def drop(self) -> None:
        """Forget the region."""
        super().drop()
        self._region: Stamp | None = None
        self._released = False
        self.document.errands.cancel(_KIND)

    def start(self, event: ToolEvent) -> None:
        """Take the pixel pressed on."""
        self._seed = event.pixel
        self._by_colour = event.holds(_SHIFT)
        self._from = (event.at.x(), self.tolerance)
        self._search()

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
            self._search()

    def move(self, event: ToolEvent) -> None:
        """Carry the area on while the button is down."""
        if not self._released:
            super().move(event)

    def release(self, event: ToolEvent) -> None:
        """Fill the region, or do so once it is found."""
        if self.running and self.document.errands.is_busy(_KIND):
            self._released = True
        else:
            super().release(event)

    def area(self) -> Stamp:
        """Return the region; in a small image it is searched once it is wanted."""
        if self._region is None and not self.document.errands.is_busy(_KIND):
            self._region = self._searched(self._seed)
        return NOTHING if self._region is None else self._region

    def note(self) -> str:
        """Return the tolerance, or that the search goes on."""
        if self.document.errands.is_busy(_KIND):
            return "looking…"
        return f"tolerance {self.tolerance}" if self._by_colour else ""

    def cursor_bounds(self, camera: Camera, at: QPointF) -> QRectF:
        """Return all that is in view while the region shows: where it ends is not known yet."""
        return camera.viewport if self.running else super().cursor_bounds(camera, at)

    def paint_area(self, painter: QPainter, camera: Camera, at: QPointF) -> None:
        """Draw the region in stripes."""

        def changing(shown: Rect) -> np.ndarray:
            return would_change(self.document, self.allowed, self.kind, camera, shown)

        open_ = self.allowed.is_open
        paint_region(painter, camera, self.area(), self.colour, None if open_ else changing)

    def _search(self) -> None:
        """Ask for the region of a large image; a small one is searched at once when painted."""
        document, seed, label_map = self.document, self._seed, self.document.label_map
        if seed is None or label_map is None or label_map.rect.area <= LARGE_PX:
            return
        if self._by_colour:
            job = find_colour_region(document.image, seed, self.tolerance)
        else:
            job = find_label_region(label_map.labels, seed)
        revision = label_map.revision

        def take(found: Stamp) -> None:
            if not self.running:
                return
            if document.label_map is not label_map or revision != label_map.revision:
                self._search()
                return
            self._region = found
            if self._released:
                stamp, kind, allowed = self._region, self.kind, self.allowed
                self.drop()
                document.fill(stamp, self.verb, kind, allowed)
            document.brush_changed.emit()

        document.errands.ask(_KIND, job, take)

    def _searched(self, seed: Pixel | None) -> Stamp:
        document = self.document
        if seed is None or document.label_map is None:
            return NOTHING
        if self._by_colour:
            return colour_region(document.image, seed, self.tolerance)
        return label_region(document.label_map.labels, seed)
