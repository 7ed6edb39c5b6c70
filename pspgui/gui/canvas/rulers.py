"""Rulers in image pixels along the upper and left edge of the canvas."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.theme import current_theme

BREADTH: Final = 20.0
_APART: Final = 72.0  # widget units between two numbers, at least
_TICKS_APART: Final = 6.0


def ruler_step(scale: float) -> tuple[int, int]:
    """Return how many image pixels lie between two numbers, and between two ticks.

    `scale` is widget units per image pixel. Numbers come at 1, 2 or 5 times a power of ten.
    """
    least = max(1.0, _APART / scale)
    power = 10 ** math.floor(math.log10(least))
    step = next(int(power * k) for k in (1, 2, 5, 10) if power * k >= least - 1e-9)
    parts = (10, 5, 2, 1) if str(step)[0] != "2" else (4, 2, 1)
    fits = [k for k in parts if step % k == 0 and step / k * scale >= _TICKS_APART]
    part = fits[0] if fits else 1
    return step, step // part


def paint_rulers(painter: QPainter, camera: Camera) -> None:
    """Draw both rulers over the canvas's edge; numbers are columns and rows, from 0."""
    theme = current_theme()
    view = camera.viewport
    top = QRectF(0, 0, view.width(), BREADTH)
    left = QRectF(0, 0, BREADTH, view.height())
    for bar in (top, left):
        painter.fillRect(bar, QColor(theme.panel))
    painter.setPen(QColor(theme.line))
    painter.drawLine(QLineF(0, BREADTH - 0.5, view.width(), BREADTH - 0.5))
    painter.drawLine(QLineF(BREADTH - 0.5, 0, BREADTH - 0.5, view.height()))
    step, tick = ruler_step(camera.scale)
    y0, x0 = camera.to_image(view.topLeft())
    y1, x1 = camera.to_image(view.bottomRight())
    height, width = camera.image_shape
    painter.setClipRect(top.adjusted(BREADTH, 0, 0, 0))
    for x in _marks(x0, x1, width, tick):
        _draw(painter, camera.to_widget(0, x).x(), x, x % step == 0, upright=True)
    painter.setClipRect(left.adjusted(0, BREADTH, 0, 0))
    for y in _marks(y0, y1, height, tick):
        _draw(painter, camera.to_widget(y, 0).y(), y, y % step == 0, upright=False)
    painter.setClipping(False)


def _marks(start: float, stop: float, size: int, tick: int) -> list[int]:
    """Return the ticks in view, on the picture only."""
    first = max(0, math.floor(start / tick) * tick)
    found: list[int] = np.arange(first, min(size, math.ceil(stop)) + 1, tick).tolist()
    return found


def _draw(painter: QPainter, at: float, value: int, numbered: bool, upright: bool) -> None:
    theme = current_theme()
    at = math.floor(at) + 0.5
    length = BREADTH - 2 if numbered else 5.0
    painter.setPen(QColor(theme.quiet if numbered else theme.disabled))
    if upright:
        painter.drawLine(QLineF(at, BREADTH - length, at, BREADTH - 1))
    else:
        painter.drawLine(QLineF(BREADTH - length, at, BREADTH - 1, at))
    if not numbered:
        return
    align = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    if upright:
        painter.drawText(QRectF(at + 3, 1, _APART, BREADTH), align, str(value))
        return
    painter.save()  # numbers of the upright ruler are read from below
    painter.translate(1, at - 3)
    painter.rotate(-90)
    painter.drawText(QRectF(0, 0, _APART, BREADTH), align, str(value))
    painter.restore()
