"""The fill: pour the active class over a region of one label, or of like colours."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter

from pspgui.geometry import Pixel
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.tools.area import AreaTool
from pspgui.gui.tools.region_preview import paint_region, would_change
from pspgui.gui.tools.tool import ToolEvent
from pspgui.labels.raster import NOTHING, Stamp
from pspgui.labels.regions import colour_region, label_region

_SHIFT = Qt.KeyboardModifier.ShiftModifier
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
        allowed = None
        if not self.allowed.is_open:
            shown = camera.device_rect(camera.viewport)
            allowed = would_change(self.document, self.allowed, self.kind, camera, shown)
        paint_region(painter, camera, self.area(), self.colour, allowed)

    def _searched(self, seed: Pixel | None) -> Stamp:
        document = self.document
        if seed is None or document.image is None:
            return NOTHING
        if self._by_colour:
            return colour_region(document.image, seed, self.tolerance)
        return label_region(document.label_map.labels, seed)
