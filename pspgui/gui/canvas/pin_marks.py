"""How pins are drawn: a crosshair or outline, and the pin's number in its colour beside it.

The colours are told apart by common colour vision deficiencies; each lies in a light ring within a
dark one, so that it reads on any ground, and the number itself tells pins apart without any colour.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen

from pspgui.geometry import Pixel
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import DARK, LIGHT, NO_BOUNDS, pixel_square, two_toned
from pspgui.gui.colours import readable_on
from pspgui.gui.pins import Pin
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.gui.document import Document

# Okabe and Ito's set, whose black gives way to a grey; by number.
PIN_COLOURS: Final = (
    "#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2", "#b8b9bf",
)  # fmt: skip
CHIP: Final = 8.0  # radius, in widget units
_BESIDE: Final = QPointF(13.0, -13.0)
_ABOVE: Final = QPointF(0.0, -12.0)
_ARM, _GAP, _PIXELS_FROM_SCALE = 10.0, 5.0, 4.0
_REACH: Final = 4.0  # a click this near to a pin means it


def pin_colour(number: int) -> QColor:
    """Return the colour of a pin by its number."""
    return QColor(PIN_COLOURS[(number - 1) % len(PIN_COLOURS)])


def is_on_pin(pin: Pin, y: float, x: float, scale: float) -> bool:
    """Whether an image point lies on a pin's number or, of a pixel's pin, on its pixel.

    `scale` is widget units per image pixel.
    """
    anchor, off = pin.anchor, _offset(pin)
    down, across = (y - anchor.y - 0.5) * scale, (x - anchor.x - 0.5) * scale
    if math.hypot(down - off.y(), across - off.x()) <= CHIP + 2:
        return True
    if pin.region is not None:
        return False
    return math.hypot(down, across) <= _REACH or (math.floor(y), math.floor(x)) == pin.pixel


def draw_chip(painter: QPainter, centre: QPointF, pin: Pin, ringed: bool) -> None:
    """Draw a pin's number in its colour; `ringed` for the picture, where the ground may be any."""
    colour = pin_colour(pin.number)
    painter.setPen(Qt.PenStyle.NoPen)
    if ringed:
        for ground, more in ((DARK, 2.5), (LIGHT, 1.5)):
            painter.setBrush(ground)
            painter.drawEllipse(centre, CHIP + more, CHIP + more)
    painter.setBrush(colour)
    painter.drawEllipse(centre, CHIP, CHIP)
    font = QFont(painter.font())
    font.setPixelSize(11)
    font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    painter.setPen(QColor(readable_on(colour.getRgb()[:3])))
    box = QRectF(centre.x() - CHIP, centre.y() - CHIP, 2 * CHIP, 2 * CHIP)
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), str(pin.number))


def outline_of(region: Stamp) -> list[QLineF]:
    """Return the lines between a region's pixels and the others, in image coordinates."""
    if region.mask.all():
        y0, x0, y1, x1 = region.rect
        corners = [QPointF(x0, y0), QPointF(x1, y0), QPointF(x1, y1), QPointF(x0, y1)]
        return [QLineF(a, b) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)]
    inside = np.pad(region.mask, 1)
    lines: list[QLineF] = []
    for across in (True, False):
        edge = inside[1:] != inside[:-1] if across else (inside[:, 1:] != inside[:, :-1]).T
        turns = np.diff(np.pad(edge, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        rows, starts = np.nonzero(turns == 1)
        _, ends = np.nonzero(turns == -1)
        for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True):
            if across:
                lines.append(QLineF(start - 1, row, end - 1, row))
            else:
                lines.append(QLineF(row, start - 1, row, end - 1))
    y, x = region.rect.y0, region.rect.x0
    return [line.translated(x, y) for line in lines]


class PinMark:
    """The pin of one number: a crosshair open in the middle, or a region's outline.

    The one that is explained is drawn large; of the others a small ring, and a thinner outline.
    """

    def __init__(self, document: Document, number: int) -> None:
        self._document, self._number = document, number
        self._outline: tuple[Stamp, QPainterPath] | None = None

    @property
    def state(self) -> tuple[object, ...]:
        """What it shows; the same for as long as nothing needs to be painted anew."""
        pin = self._document.pins.numbered(self._number)
        return pin, self._is_current(pin), pin is not None and self._is_numbered(pin)

    def bounds(self, camera: Camera) -> QRectF:
        """Return the area around crosshair or outline."""
        pin = self._document.pins.numbered(self._number)
        if pin is None:
            return NO_BOUNDS
        if pin.region is not None:
            return camera.to_widget_rect(pin.region.rect).adjusted(-4, -4, 4, 4)
        centre, reach = _middle(pin.pixel, camera), self._gap(camera) + _ARM + 3
        return QRectF(centre.x() - reach, centre.y() - reach, 2 * reach, 2 * reach)

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw crosshair or outline."""
        pin = self._document.pins.numbered(self._number)
        if pin is None or not self.bounds(camera).intersects(exposed):
            return
        current = self._is_current(pin)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if pin.region is not None:
            self._paint_region(painter, camera, pin, current)
        else:
            self._paint_pixel(painter, camera, pin, current)

    def _paint_pixel(self, painter: QPainter, camera: Camera, pin: Pin, current: bool) -> None:
        centre, gap = _middle(pin.pixel, camera), self._gap(camera)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if current:
            lines = [
                QLineF(centre + QPointF(dx, dy) * gap, centre + QPointF(dx, dy) * (gap + _ARM))
                for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
            ]
            two_toned(painter, lambda: painter.drawLines(lines), 1.5)
        if camera.scale >= _PIXELS_FROM_SCALE:
            square = pixel_square(pin.pixel, camera).adjusted(-0.5, -0.5, 0.5, 0.5)
            two_toned(painter, lambda: painter.drawRect(square))
        else:
            two_toned(painter, lambda: painter.drawEllipse(centre, 3.0, 3.0), 1.5)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_region(self, painter: QPainter, camera: Camera, pin: Pin, current: bool) -> None:
        if self._outline is None or self._outline[0] is not pin.region:
            path = QPainterPath()
            for line in outline_of(pin.region):
                path.moveTo(line.p1())
                path.lineTo(line.p2())
            self._outline = (pin.region, path)
        painter.save()
        painter.setTransform(camera.transform(), True)
        ring = [(DARK, 6.0), (LIGHT, 4.0)] if current else [(DARK, 4.0)]
        for colour, width in (*ring, (pin_colour(pin.number), 2.0)):
            pen = QPen(colour, width)
            pen.setCapStyle(Qt.PenCapStyle.SquareCap)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.drawPath(self._outline[1])
        painter.restore()

    def _gap(self, camera: Camera) -> float:
        return max(_GAP, camera.scale / 2 + 3)

    def _is_numbered(self, pin: Pin) -> bool:
        return pin.kept or len(self._document.pins) > 1  # one that follows clicks needs no number

    def _is_current(self, pin: Pin | None) -> bool:
        return pin is not None and pin is self._document.pins.current


class PinNumber(PinMark):
    """The number of a pin, above the outlines of all."""

    def bounds(self, camera: Camera) -> QRectF:
        """Return the area around the number."""
        pin = self._document.pins.numbered(self._number)
        if pin is None or not self._is_numbered(pin):
            return NO_BOUNDS
        centre, reach = _middle(pin.anchor, camera) + _offset(pin), CHIP + 4
        return QRectF(centre.x() - reach, centre.y() - reach, 2 * reach, 2 * reach)

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the number."""
        bounds, pin = self.bounds(camera), self._document.pins.numbered(self._number)
        if pin is None or not bounds.intersects(exposed):
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        draw_chip(painter, bounds.center(), pin, ringed=True)
        painter.setFont(font)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _middle(pixel: Pixel, camera: Camera) -> QPointF:
    return camera.to_widget(pixel.y + 0.5, pixel.x + 0.5)


def _offset(pin: Pin) -> QPointF:
    """Return where the number stands beside its anchor, in widget units."""
    return _BESIDE if pin.region is None else _ABOVE
