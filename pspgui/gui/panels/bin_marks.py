"""What grids of bins draw beside the bins: their common scale, and marks of what is altered."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPen, QPolygonF

from pspgui.gui.colours import diverging_lut
from pspgui.gui.panels.drawing import short
from pspgui.gui.theme import Theme

_LARGE = 24.0


class Mark(NamedTuple):
    """How a source is altered: its factor, whether it is borrowed, and this in words."""

    factor: float
    is_borrowed: bool
    words: str


def draw_mark(p: QPainter, rect: QRectF, mark: Mark, theme: Theme) -> None:
    """Draw a cross for muted, a triangle down or up for scaled, a dot for borrowed.

    In a small bin they fill it; a large one keeps its number and has the mark in a corner.
    """
    side = min(rect.width(), rect.height(), 24.0)
    p.save()
    p.setRenderHint(QPainter.RenderHint.Antialiasing)
    if mark.factor == 0 and min(rect.width(), rect.height()) > _LARGE:
        rect, side = QRectF(rect.left() + 2, rect.bottom() - 17, 14, 14), 14.0
    if mark.factor == 0:
        reach = max(2.5, side * 0.3)
        centre = rect.center()
        for colour, width in ((theme.panel, 3.5), (theme.text, 1.5)):
            p.setPen(QPen(QColor(colour), width, c=Qt.PenCapStyle.RoundCap))
            for dx in (-reach, reach):
                p.drawLine(centre + QPointF(dx, -reach), centre + QPointF(-dx, reach))
    elif mark.factor != 1:
        _draw_triangle(p, rect, side, up=mark.factor > 1, theme=theme)
    if mark.is_borrowed:
        radius = max(2.0, side * 0.16)
        p.setPen(QPen(QColor(theme.panel), 1.5))
        p.setBrush(QColor(theme.text))
        p.drawEllipse(rect.topRight() + QPointF(-radius - 2, radius + 2), radius, radius)
    p.restore()


def _draw_triangle(p: QPainter, rect: QRectF, side: float, up: bool, theme: Theme) -> None:
    """Draw a triangle in the lower left corner, or in the middle of a small rectangle."""
    size = max(5.0, side * 0.36)
    left, bottom = rect.left() + 2, rect.bottom() - 3
    if side < _LARGE * 0.75:
        size = max(6.0, side * 0.55)
        left, bottom = rect.center().x() - size / 2, rect.center().y() + size / 2
    tip, base = (bottom - size, bottom) if up else (bottom, bottom - size)
    p.setPen(QPen(QColor(theme.panel), 1.5, j=Qt.PenJoinStyle.MiterJoin))
    p.setBrush(QColor(theme.text))
    p.drawPolygon(
        QPolygonF([
            QPointF(left, base), QPointF(left + size, base), QPointF(left + size / 2, tip),
        ])
    )  # fmt: skip


def paint_scale(p: QPainter, theme: Theme, width: float, limit: float, top: float) -> None:
    """Paint the scale of all grids with its numbers, and what hatching means."""
    metrics = p.fontMetrics()
    low, high, words = _signed_end(-limit), _signed_end(limit), "cannot reach"
    before, after, last = (metrics.horizontalAdvance(t) for t in (low, high, words))
    base = top + metrics.ascent() + 1
    p.setPen(QColor(theme.quiet))
    p.drawText(QPointF(0, base), low)
    lut = diverging_lut(theme)
    ramp = QImage(lut.data, 256, 1, 768, QImage.Format.Format_RGB888)
    # The ramp takes what the numbers and the hatched box leave.
    room = width - before - after - last - 12 - 36
    bar = QRectF(before + 6, top + 3, min(110.0, max(24.0, room)), 8)
    p.drawImage(bar, ramp)
    p.fillRect(QRectF(bar.center().x(), bar.top() - 2, 1, 12), QColor(theme.quiet))
    p.drawText(QPointF(bar.right() + 6, base), high)
    box = QRectF(width - last - 20, top + 2, 14, 10)
    if box.left() > bar.right() + 12 + after:
        p.fillRect(box, QBrush(QColor(theme.disabled), Qt.BrushStyle.BDiagPattern))
        p.drawText(QPointF(width - last, base), words)


def _signed_end(value: float) -> str:
    """Return an end of the scale with its sign."""
    return f"+{short(value)}" if value > 0 else short(value)
