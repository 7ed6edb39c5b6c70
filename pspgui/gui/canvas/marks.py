"""Marks over the picture: the hovered pixel, and the bin pointed at; pins are in `pin_marks`.

Every mark is two-toned, a dark line under a light one, so that it reads on any ground. A mark
knows its bounds, so the canvas repaints no more than where it was and where it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.theme import current_theme

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.tools.tool import Tool

DARK: Final = QColor(0, 0, 0, 190)
LIGHT: Final = QColor(255, 255, 255, 245)
NO_BOUNDS: Final = QRectF()
_BIN_FILL: Final = 0.08
_HOVER_FROM_SCALE: Final = 4.0


class Mark(Protocol):
    """A layer that covers little."""

    def bounds(self, camera: Camera) -> QRectF:
        """Return the widget area it paints in; empty when there is nothing to show."""

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Paint it."""


def two_toned(painter: QPainter, draw: object, width: float = 1.0) -> None:
    """Call `draw()` with a dark wide pen and then with a light thin one."""
    for colour, extra in ((DARK, 2.0), (LIGHT, 0.0)):
        pen = QPen(colour, width + extra)
        pen.setCapStyle(Qt.PenCapStyle.SquareCap if extra else Qt.PenCapStyle.FlatCap)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        draw()


class BinMark:
    """The rectangle of the picture that the hovered bin (or the local features) looks at.

    Its fill, at 8 %, has the colour of its evidence: orange for, blue against.
    """

    def __init__(self, document: Document) -> None:
        self._document = document

    def bounds(self, camera: Camera) -> QRectF:
        """Return the box with its lines."""
        box = self._box(camera)
        return NO_BOUNDS if box is None else box.adjusted(-3, -3, 3, 3)

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the box, inside its rectangle's edge."""
        box, source = self._box(camera), self._document.hovered_bin
        if box is None or source is None:
            return
        theme = current_theme()
        fill = QColor(theme.positive if source.value >= 0 else theme.negative)
        fill.setAlphaF(_BIN_FILL)
        painter.fillRect(box, fill)
        two_toned(painter, lambda: painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5)))

    def _box(self, camera: Camera) -> QRectF | None:
        source = self._document.hovered_bin
        if source is None:
            return None
        region = source.region.intersect(Rect(0, 0, *camera.image_shape))
        return None if region.is_empty else camera.to_widget_rect(region)


class WindowMark:
    """The frame of the single window that evidence explains, of an image read through windows."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def bounds(self, camera: Camera) -> QRectF:
        """Return the frame with its lines."""
        box = self._box(camera)
        return NO_BOUNDS if box is None else box.adjusted(-3, -3, 3, 3)

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw a dashed frame, inside the window's edge."""
        box = self._box(camera)
        if box is None:
            return
        inside = box.adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(DARK, 2.0))
        painter.drawRect(inside)
        painter.setPen(QPen(LIGHT, 1.0, Qt.PenStyle.DashLine))
        painter.drawRect(inside)

    def _box(self, camera: Camera) -> QRectF | None:
        frame = self._document.window_frame
        if frame is None:
            return None
        return camera.to_widget_rect(frame.intersect(Rect(0, 0, *camera.image_shape)))


class HoverMark:
    """The pixel under the mouse, outlined once pixels are large enough to be told apart."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.shown = True

    def bounds(self, camera: Camera) -> QRectF:
        """Return the pixel with its lines."""
        hover = self._document.hover
        if not self.shown or hover is None or camera.scale < _HOVER_FROM_SCALE:
            return NO_BOUNDS
        return pixel_square(hover, camera).adjusted(-3, -3, 3, 3)

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the pixel's outline."""
        if not self.bounds(camera).isEmpty() and self._document.hover is not None:
            _outline(painter, camera, self._document.hover)


class ToolMark:
    """What the tool in use draws at the mouse; `at` is None while the mouse is elsewhere."""

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.at: QPointF | None = None

    def bounds(self, camera: Camera) -> QRectF:
        """Return the area of the tool's drawing."""
        return NO_BOUNDS if self.at is None else self.tool.cursor_bounds(camera, self.at)

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Let the tool draw."""
        if self.at is not None:
            self.tool.paint_cursor(painter, camera, self.at)


def pixel_square(pixel: Pixel, camera: Camera) -> QRectF:
    """Return where an image pixel lies in the widget."""
    return camera.to_widget_rect(Rect(pixel.y, pixel.x, pixel.y + 1, pixel.x + 1))


def _outline(painter: QPainter, camera: Camera, pixel: Pixel) -> None:
    square = pixel_square(pixel, camera)
    two_toned(painter, lambda: painter.drawRect(square.adjusted(-0.5, -0.5, 0.5, 0.5)))
