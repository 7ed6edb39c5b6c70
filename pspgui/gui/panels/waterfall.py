"""How a logit comes about, step by step: from the constant over every part to the number shown."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from pspgui.gui.panels.drawing import draw_elided, draw_focus, short, signed
from pspgui.gui.panels.evidence_bar import explain_part, part_colour
from pspgui.gui.panels.evidence_sums import Part, Sums, Walk, walk_of
from pspgui.gui.panels.pointable import Pointable, row_stepped_to
from pspgui.gui.theme import Theme, current_theme, quiet_font, text_font

_ROW: Final = 21
_AXIS: Final = 20
_SWATCH: Final = 8
_GAP: Final = 8
_BOTH_FROM: Final = 252  # narrower, the running sum is left to the tooltip


class Waterfall(Pointable):
    """One row a part, each bar beginning where the one above ended; the last row is the sum.

    `part_pointed(Part | None)` follows the mouse, `part_chosen(Part)` comes with a click or
    Enter. Painted whole from one frozen `Sums`; nothing is created on a hover.
    """

    part_pointed = Signal(object)
    part_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sums: Sums | None = None
        self._walk = Walk((), -1.0, 1.0)
        self._pointed: int | None = None
        self._ends = self._columns()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Evidence step by step")

    @property
    def walk(self) -> Walk:
        """The steps shown."""
        return self._walk

    def set_sums(self, sums: Sums | None) -> None:
        """Show another pixel's sums; the row pointed at stays."""
        rows = len(self._walk.steps)
        self._sums = sums
        self._walk = Walk((), -1.0, 1.0) if sums is None else walk_of(sums)
        self._ends = self._columns()
        if len(self._walk.steps) != rows:
            self._point(None)
            self.updateGeometry()
        self.update()

    # -- size ---------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """A row for every part, one for the sum, and the axis."""
        rows = len(self._walk.steps) or 6
        return QSize(288, (rows + 1) * _ROW + _AXIS + 4)

    def minimumSizeHint(self) -> QSize:
        """Narrower than this bars would be slivers."""
        return QSize(200, self.sizeHint().height())

    def row_rect(self, index: int) -> QRectF:
        """Return where the index-th row is drawn; the sum's comes behind all steps."""
        below = 4 if index == len(self._walk.steps) else 0
        return QRectF(0, index * _ROW + below, self.width(), _ROW)

    def bar_rect(self, index: int) -> QRectF:
        """Return where the index-th step's bar is drawn."""
        step = self._walk.steps[index]
        x0, x1 = sorted((self._x(step.before), self._x(step.after)))
        return QRectF(x0, index * _ROW + 4, max(1.0, x1 - x0), _ROW - 8)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the width out anew."""
        super().resizeEvent(event)
        self._ends = self._columns()

    def _columns(self) -> tuple[float, float, float, float]:
        """Return the bars' left and right, and the right ends of amounts and running sums."""
        if self._sums is None:
            return 0.0, float(self.width()), float(self.width()), 0.0
        numbers, words = QFontMetrics(text_font(self)), QFontMetrics(quiet_font(self))
        steps = self._walk.steps
        names = max((words.horizontalAdvance(s.part.name) for s in steps), default=0)
        last = words.horizontalAdvance(self._sums.words) - 2 * _SWATCH
        left = min(max(names, last), 0.36 * self.width()) + 2 * _SWATCH + _GAP
        amounts = (*(s.part.shown for s in steps), self._sums.total)
        wide = max(numbers.horizontalAdvance(signed(a)) for a in amounts)
        right = float(self.width())
        if self.width() >= _BOTH_FROM:
            running = max(words.horizontalAdvance(signed(s.running)) for s in steps)
            return left, right - running - wide - 2 * _GAP, right - running - _GAP, right
        return left, right - wide - _GAP, right, 0.0

    def _x(self, value: float) -> float:
        left, right, *_ = self._ends
        walk = self._walk
        return left + (value - walk.low) / (walk.high - walk.low) * (right - left)

    # -- pointing -----------------------------------------------------------------------------

    def part_at(self, position: QPointF) -> Part | None:
        """Return the part whose row is under a point of the widget."""
        index = int(position.y() // _ROW)
        known = position.y() >= 0 and index < len(self._walk.steps)
        return self._walk.steps[index].part if known else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at the row under the mouse."""
        known = self.part_at(event.position()) is not None
        self._point(int(event.position().y() // _ROW) if known else None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the row under the mouse."""
        part = self.part_at(event.position())
        if part is not None and event.button() == Qt.MouseButton.LeftButton:
            self.part_chosen.emit(part)

    def point_at_nothing(self) -> None:
        """Let go of the row pointed at."""
        self._point(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and Down walk through the rows, Enter opens one."""
        row = row_stepped_to(event.key(), self._pointed, len(self._walk.steps))
        if row is not None:
            self._point(row)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._pointed is not None:
            self.part_chosen.emit(self._walk.steps[self._pointed].part)
        else:
            super().keyPressEvent(event)

    def _point(self, index: int | None) -> None:
        if index != self._pointed:
            self._pointed = index
            part = None if index is None else self._walk.steps[index].part
            self.setAccessibleDescription("" if part is None else explain_part(part))
            self.part_pointed.emit(part)
            self.update()

    def tip_at(self, position: QPointF) -> str:
        """Return the exact amount of the row under a point, and the sum so far."""
        part = self.part_at(position)
        if part is None:
            return ""
        step = self._walk.steps[int(position.y() // _ROW)]
        return f"{explain_part(part)}\nso far {signed(step.after, 4)}"

    # -- painting -----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint all rows, what joins them, the sum and the axis."""
        if self._sums is None:
            return
        theme = current_theme()
        with QPainter(self) as p:
            if self._pointed is not None:
                p.fillRect(self.row_rect(self._pointed), QColor(theme.hover))
            self._paint_axis(p, theme)
            for index in range(len(self._walk.steps)):
                self._paint_step(p, theme, self._sums, index)
            self._paint_sum(p, theme, self._sums)
            if self.hasFocus() and self._pointed is not None:
                draw_focus(p, self.row_rect(self._pointed), theme)

    def _paint_step(self, p: QPainter, theme: Theme, sums: Sums, index: int) -> None:
        step, row, bar = self._walk.steps[index], self.row_rect(index), self.bar_rect(index)
        left, _, amounts, running = self._ends
        p.fillRect(
            QRectF(0, row.center().y() - _SWATCH / 2, _SWATCH, _SWATCH),
            part_colour(step.part, sums, theme),
        )
        p.setFont(quiet_font(self))
        p.setPen(QColor(theme.quiet))
        name = QRectF(2 * _SWATCH, row.top(), left - 2 * _SWATCH - _GAP, _ROW)
        draw_elided(p, name, step.part.name)
        p.fillRect(bar, QColor(theme.positive if step.part.value >= 0 else theme.negative))
        # A thread from this bar's end down to where the next one begins.
        end = round(self._x(step.after)) + 0.5
        p.setPen(QPen(QColor(theme.quiet), 1, Qt.PenStyle.DotLine))
        p.drawLine(QPointF(end, bar.bottom()), QPointF(end, bar.bottom() + 8))
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        p.setFont(text_font(self))
        p.setPen(QColor(theme.text))
        p.drawText(QRectF(0, row.top(), amounts, _ROW), right, signed(step.part.shown))
        if running:
            p.setFont(quiet_font(self))
            p.setPen(QColor(theme.quiet))
            p.drawText(QRectF(0, row.top(), running, _ROW), right, signed(step.running))

    def _paint_sum(self, p: QPainter, theme: Theme, sums: Sums) -> None:
        row = self.row_rect(len(self._walk.steps))
        left, _, amounts, _ = self._ends
        p.fillRect(QRectF(0, row.top() - 2, self.width(), 1), QColor(theme.line))
        p.setFont(quiet_font(self))
        p.setPen(QColor(theme.text))
        draw_elided(p, QRectF(0, row.top(), left - _GAP, _ROW), sums.words)
        x0, x1 = sorted((self._x(0.0), self._x(sums.total)))
        p.fillRect(QRectF(x0, row.top() + 4, max(1.0, x1 - x0), _ROW - 8), QColor(theme.text))
        p.setFont(text_font(self))
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        p.drawText(QRectF(0, row.top(), amounts, _ROW), right, signed(sums.total))

    def _paint_axis(self, p: QPainter, theme: Theme) -> None:
        """Paint the line of zero through all rows, and the numbers below."""
        p.setFont(quiet_font(self))
        metrics = p.fontMetrics()
        left, right, *_ = self._ends
        bottom = self.row_rect(len(self._walk.steps)).bottom()
        zero = round(self._x(0.0)) + 0.5
        p.setPen(QColor(theme.disabled))
        p.drawLine(QPointF(zero, 0), QPointF(zero, bottom))
        p.setPen(QColor(theme.quiet))
        base = bottom + 2 + metrics.ascent()
        for value in ticks(self._walk.low, self._walk.high):
            text = short(value) if value <= 0 else f"+{short(value)}"
            half = metrics.horizontalAdvance(text) / 2
            at = self._x(value)
            if left - 8 <= at - half and at + half <= right + 8:
                p.drawText(QPointF(at - half, base), text)


def ticks(low: float, high: float) -> tuple[float, ...]:
    """Return some round numbers between two ends, zero among them."""
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= (high - low) / 4 - 1e-12)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(index * step, 10) for index in range(first, last + 1))
