"""The histogram of a picture with two handles for what is shown as black and white."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from pspgui.gui.theme import GRID_PX, current_theme
from pspgui.imaging.adjusting import BINS

_HEIGHT: Final = 112
_HANDLE: Final = 10.0
_LEAST_APART: Final = 0.01
_REACH: Final = 16.0  # widget units around a handle in which a press takes it
_CHANNELS: Final = ("#d9534f", "#4fa76a", "#4f7fd9")


class Histogram(QWidget):
    """Counts by brightness, and the window (low, high) in shares 0..1 of the range.

    `window_changed(low, high)` comes while a handle is dragged; `released()` when it is let go.
    """

    window_changed = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves: np.ndarray | None = None
        self._window = (0.0, 1.0)
        self._held: int | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setAccessibleName("Histogram with black and white point")
        self.setToolTip("Drag the handles: what lies left is shown black, right white")

    @property
    def window_shares(self) -> tuple[float, float]:
        """The shares shown as black and white."""
        return self._window

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(200, _HEIGHT)

    def set_counts(self, counts: np.ndarray | None) -> None:
        """Show (1 or 3, 256) counts; None while they are not known."""
        if counts is None:
            self._curves = None
        else:
            inner = counts[:, 1:-1] if counts.shape[1] > 2 else counts
            top = max(1.0, float(np.sqrt(inner.max(initial=1))))
            self._curves = np.minimum(np.sqrt(counts) / top, 1.0)
        self.update()

    def set_window(self, low: float, high: float) -> None:
        """Put the handles."""
        self._window = (low, high)
        self.update()

    def _plot(self) -> QRectF:
        return QRectF(self.rect()).adjusted(GRID_PX, 1, -GRID_PX, -_HANDLE - 2)

    def _x(self, share: float) -> float:
        plot = self._plot()
        return plot.left() + share * plot.width()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the nearer handle."""
        gaps = [abs(event.position().x() - self._x(share)) for share in self._window]
        nearer = 0 if gaps[0] < gaps[1] else 1
        if gaps[0] == gaps[1]:  # both in one place: the one that can move that way
            nearer = 1 if event.position().x() > self._x(self._window[0]) else 0
        self._held = nearer if gaps[nearer] <= _REACH else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the handle; the other one stays a little away."""
        if self._held is None:
            return
        plot = self._plot()
        share = (event.position().x() - plot.left()) / max(1.0, plot.width())
        low, high = self._window
        if self._held == 0:
            low = max(0.0, min(share, high - _LEAST_APART))
        else:
            high = min(1.0, max(share, low + _LEAST_APART))
        self.set_window(low, high)
        self.window_changed.emit(low, high)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._held = None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the field, the curves, what is cut off, and the handles."""
        theme, plot = current_theme(), self._plot()
        with QPainter(self) as p:
            p.fillRect(plot, QColor(theme.field))
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self._curves is not None and self.isEnabled():
                self._draw_curves(p, plot)
            low, high = (self._x(share) for share in self._window)
            veil = QColor(theme.panel)
            veil.setAlphaF(0.7)
            p.fillRect(QRectF(plot.left(), plot.top(), low - plot.left(), plot.height()), veil)
            p.fillRect(QRectF(high, plot.top(), plot.right() - high, plot.height()), veil)
            for x, fill in ((low, "#000000"), (high, "#ffffff")):
                p.setPen(QColor(theme.quiet))
                p.drawLine(QLineF(x, plot.top(), x, plot.bottom()))
                self._draw_handle(p, x, plot.bottom(), fill)

    def _draw_curves(self, p: QPainter, plot: QRectF) -> None:
        curves = self._curves
        assert curves is not None
        colours = _CHANNELS if len(curves) == 3 else (current_theme().quiet,)
        for curve, name in zip(curves, colours, strict=True):
            xs = plot.left() + (np.arange(BINS) + 0.5) * plot.width() / BINS
            ys = plot.bottom() - curve * (plot.height() - 2)
            line = QPolygonF([QPointF(x, y) for x, y in zip(xs, ys, strict=True)])
            area = QPolygonF([
                QPointF(xs[0], plot.bottom()), *line, QPointF(xs[-1], plot.bottom())
            ])  # fmt: skip
            colour = QColor(name)
            p.setPen(colour)
            colour.setAlphaF(0.35)
            p.setBrush(colour)
            p.drawPolygon(area)
        p.setBrush(Qt.BrushStyle.NoBrush)

    def _draw_handle(self, p: QPainter, x: float, y: float, fill: str) -> None:
        theme = current_theme()
        p.setPen(QColor(theme.quiet))
        p.setBrush(QColor(fill))
        half = _HANDLE / 2
        p.drawPolygon(QPolygonF([
            QPointF(x, y), QPointF(x + half, y + _HANDLE), QPointF(x - half, y + _HANDLE)
        ]))  # fmt: skip
        p.setBrush(Qt.BrushStyle.NoBrush)
