"""The zoom in the status bar."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QWidget

from pspgui.gui.canvas.canvas import Canvas
from pspgui.gui.panels.status import HEIGHT, QuietText
from pspgui.gui.theme import GRID_PX, quiet_font


class ZoomReadout(QuietText):
    """Device pixels per image pixel in percent; 100 % is one to one on any screen."""

    def __init__(self, canvas: Canvas, parent: QWidget | None = None) -> None:
        super().__init__("Zoom", Qt.AlignmentFlag.AlignLeft, parent)
        self._camera = canvas.camera
        canvas.zoom_changed.connect(self._show)
        self._show(canvas.zoom)

    def sizeHint(self) -> QSize:
        """Always the widest text and a margin, so that nothing moves while zooming."""
        widest = QFontMetrics(quiet_font(self)).horizontalAdvance("6400 %")
        return QSize(widest + 2 * GRID_PX, HEIGHT)

    @Slot(float)
    def _show(self, zoom: float) -> None:
        # A camera without a picture holds a single pixel.
        shown = "" if self._camera.image_shape == (1, 1) else zoom_text(zoom)
        self.set_text(shown, "Zoom (wheel; Ctrl+0 fits, Ctrl+1 is actual size)")


def zoom_text(zoom: float) -> str:
    """Return a zoom in percent, with three figures at most."""
    percent = 100 * zoom
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %"
