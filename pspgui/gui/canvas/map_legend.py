"""The legend of the map on the canvas: what it is, its scale, and the value under the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPolygonF
from PySide6.QtWidgets import QWidget

from pspgui.gui.map_scale import MapInView, map_colours, part_colour, value_text
from pspgui.gui.panels.drawing import draw_elided, percent, short
from pspgui.gui.theme import current_theme, heading_font, quiet_font

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.inference.shown_map import ShownMap

_TITLE: Final = 20.0
_LINE: Final = 16.0
_ROW: Final = 18.0
_RAMP: Final = 8.0
_GAP: Final = 6.0
_MARK: Final = 5.0
_MOST_ROWS: Final = 8
_ROOMY: Final = (560, 720)
_WIDTH: Final = 216.0  # in small canvases
_RIGHT: Final = Qt.AlignmentFlag.AlignRight
_WRAP: Final = int(Qt.AlignmentFlag.AlignLeft) | int(Qt.TextFlag.TextWordWrap)


class MapLegend:
    """Title and meaning, then a ramp with its limits or a swatch a part with its share.

    GUI thread only. Numbers are those of the map, never stretched to what happens to be in it
    without saying so.
    """

    def __init__(self, document: Document, canvas: QWidget) -> None:
        self._document, self._canvas = document, canvas
        self._in_view = MapInView(document)

    def size(self, widest: float) -> QSizeF:
        """Return the room it takes; empty without a map."""
        shown = self._in_view.shown
        if shown is None:
            return QSizeF()
        widest = widest if self._is_roomy else min(widest, _WIDTH)
        high = _TITLE + self._words_height(shown, widest) + _GAP
        if shown.kind == "parts":
            rows = min(_MOST_ROWS + 1, len(self._order(shown)))
            return QSizeF(widest, high + _ROW * rows)
        if shown.kind == "colours":
            return QSizeF(widest, high - _GAP)
        return QSizeF(widest, high + _MARK + _RAMP + 2 + 2 * _LINE + 2)

    def paint(self, painter: QPainter, inner: QRectF) -> None:
        """Draw it."""
        shown, theme = self._in_view.shown, current_theme()
        if shown is None:
            return
        painter.setFont(heading_font(self._canvas))
        painter.setPen(QColor(theme.text))
        title, _, subject = shown.title.partition(": ")
        line = QRectF(inner.left(), inner.top() - 2, inner.width(), _TITLE)
        draw_elided(painter, line, title)
        painter.setFont(quiet_font(self._canvas))
        painter.setPen(QColor(theme.quiet))
        high = self._words_height(shown, inner.width())
        top = inner.top() + _TITLE
        if subject:
            draw_elided(painter, QRectF(inner.left(), top - 2, inner.width(), _LINE), subject)
            top += _LINE
        if self._is_roomy:
            painter.drawText(QRectF(inner.left(), top, inner.width(), 200), _WRAP, shown.meaning)
        below = inner.adjusted(0, _TITLE + high + _GAP, 0, 0)
        value = self._value(shown)
        if shown.kind == "parts":
            self._paint_parts(painter, below, shown, value)
        elif shown.kind != "colours":
            self._paint_ramp(painter, below, shown, value)

    # -- inside -------------------------------------------------------------------------------

    def _value(self, shown: ShownMap) -> float | None:
        hover = self._document.hover
        return None if hover is None else shown.value_at(*hover)

    @property
    def _is_roomy(self) -> bool:
        """Whether the legend may say what the map means without hiding much of the picture."""
        return self._canvas.height() >= _ROOMY[0] and self._canvas.width() >= _ROOMY[1]

    def _words_height(self, shown: ShownMap, width: float) -> float:
        high = _LINE if ": " in shown.title else 0.0
        if shown.meaning and self._is_roomy:
            metrics = QFontMetricsF(quiet_font(self._canvas))
            high += metrics.boundingRect(QRectF(0, 0, width, 1000), _WRAP, shown.meaning).height()
        return float(high)

    def _order(self, shown: ShownMap) -> list[int]:
        """Return which parts get a row: all in their order, or of many the largest first."""
        if len(shown.parts) <= _MOST_ROWS:
            return list(range(len(shown.parts)))
        order: list[int] = np.argsort(-shown.shares, kind="stable").tolist()
        return [index for index in order if shown.shares[index] > 0]

    def _paint_ramp(
        self, painter: QPainter, area: QRectF, shown: ShownMap, value: float | None
    ) -> None:
        theme = current_theme()
        lut, low, high = map_colours(shown)
        ramp = QRectF(area.left(), area.top() + _MARK, area.width(), _RAMP)
        painter.drawImage(ramp, QImage(lut.data, 256, 1, 768, QImage.Format.Format_RGB888))
        if value is not None and high > low:
            share = min(1.0, max(0.0, (value - low) / (high - low)))
            self._paint_mark(painter, ramp.left() + share * ramp.width(), ramp.top())
        row = QRectF(area.left(), ramp.bottom() + 2, area.width(), _LINE)
        painter.setPen(QColor(theme.quiet))
        sign = "+" if shown.kind == "signed" else ""
        draw_elided(painter, row, short(low))
        draw_elided(painter, row, f"{sign}{short(high)} {shown.unit}".rstrip(), _RIGHT)
        if shown.kind == "signed":
            draw_elided(painter, row, "0", Qt.AlignmentFlag.AlignHCenter)
        line = row.translated(0, _LINE + 2)
        if value is None:
            draw_elided(painter, line, "Point at the image to read a value")
            return
        draw_elided(painter, line, "Under the mouse")
        painter.setPen(QColor(theme.text))
        draw_elided(painter, line, value_text(shown, value), _RIGHT)

    def _paint_mark(self, painter: QPainter, x: float, y: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(current_theme().text))
        painter.drawPolygon(
            QPolygonF([QPointF(x, y), QPointF(x - 4, y - _MARK), QPointF(x + 4, y - _MARK)])
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_parts(
        self, painter: QPainter, area: QRectF, shown: ShownMap, value: float | None
    ) -> None:
        theme, metrics = current_theme(), painter.fontMetrics()
        column = metrics.horizontalAdvance("100.0 %") + 4.0
        order = self._order(shown)
        for k, index in enumerate(order[:_MOST_ROWS]):
            part, here = shown.parts[index], value is not None and int(value) == index
            row = QRectF(area.left(), area.top() + k * _ROW, area.width(), _ROW)
            if here:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(theme.selected))
                painter.drawRoundedRect(row.adjusted(-6, 0, 6, 0), 3, 3)
            swatch = QRectF(row.left(), row.center().y() - 5, 10, 10)
            colour = part_colour(part) if part.colour else QColor(Qt.GlobalColor.transparent)
            painter.setPen(QColor(theme.quiet))
            painter.setBrush(colour)
            painter.drawRoundedRect(swatch.adjusted(0.5, 0.5, -0.5, -0.5), 2, 2)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(theme.text))
            draw_elided(painter, row.adjusted(18, 0, -column, 0), part.name)
            painter.setPen(QColor(theme.text if here else theme.quiet))
            draw_elided(painter, row, percent(float(shown.shares[index])), _RIGHT)
        if len(order) > _MOST_ROWS:
            painter.setPen(QColor(theme.quiet))
            row = QRectF(area.left(), area.top() + _MOST_ROWS * _ROW, area.width(), _ROW)
            draw_elided(painter, row, f"and {len(order) - _MOST_ROWS} more")
