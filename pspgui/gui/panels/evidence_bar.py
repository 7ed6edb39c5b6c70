"""The signed bar of a pixel's evidence, its legend, and the line that says it adds up."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from pspgui.gui.colours import nice_limit, readable_on
from pspgui.gui.panels.drawing import draw_elided, short, signed
from pspgui.gui.panels.evidence_sums import Part, Sums
from pspgui.gui.panels.pointable import Pointable
from pspgui.gui.theme import Theme, current_theme, quiet_font, text_font

_MARK = 6
_BAR = 24
_AXIS = 18
_LEGEND_ROW = 17
_SUM = 38
_SIGN = 12
_ROOMY = 264  # narrower, "shown margin" leaves no room for the signs between


def part_colour(part: Part, sums: Sums, theme: Theme) -> QColor:
    """Return the colour of a part: one family, told apart by lightness."""
    if part.kind == "local":
        return QColor(theme.local)
    if part.kind in ("constant", "interaction"):
        return QColor(theme.constant if part.kind == "constant" else theme.disabled)
    levels = [p.level for p in sums.parts if p.kind == "level"]
    return level_colour(levels.index(part.level), len(levels), theme)


def level_colour(index: int, count: int, theme: Theme) -> QColor:
    """Return the colour of the index-th of `count` levels, coarse to fine."""
    last = len(theme.levels) - 1
    return QColor(theme.levels[round(index * last / max(1, count - 1)) if count > 1 else 0])


class EvidenceBar(Pointable):
    """One bar stacked from zero: negative parts to the left, positive ones to the right.

    A triangle marks the sum; below are the legend with the printed amounts, and the identity.
    Everything is painted from one frozen `Sums`; nothing is created on a hover.
    `part_pointed(Part | None)` follows the mouse over bar and legend, `part_chosen(Part)` a click.
    """

    part_pointed = Signal(object)
    part_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sums: Sums | None = None
        self._pointed: Part | None = None
        self._segments: list[tuple[Part, float, float]] = []
        self._low, self._high = -1.0, 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Evidence by source")

    @property
    def sums(self) -> Sums | None:
        """The sums shown."""
        return self._sums

    def set_sums(self, sums: Sums | None) -> None:
        """Show another pixel's sums."""
        parts_before = len(self._sums.parts) if self._sums else 0
        self._sums = sums
        self._segments = []
        if sums is None:
            self.update()
            return
        left = right = 0.0
        for part in sums.parts:
            if part.value >= 0:
                self._segments.append((part, right, right + part.value))
                right += part.value
            else:
                self._segments.append((part, left + part.value, left))
                left += part.value
        self._low, self._high = _axis(left, right)
        if len(sums.parts) != parts_before:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Wide as given; high enough for the legend of all parts."""
        rows = (len(self._sums.parts) + 1) // 2 if self._sums else 3
        return QSize(288, _MARK + _BAR + _AXIS + rows * _LEGEND_ROW + 8 + _SUM)

    def minimumSizeHint(self) -> QSize:
        """Narrower than this the legend would be cut."""
        return QSize(200, self.sizeHint().height())

    def part_at(self, position: QPointF) -> Part | None:
        """Return the part of the bar under a point of the widget."""
        if not _MARK <= position.y() <= _MARK + _BAR:
            return None
        for part, low, high in self._segments:
            if self._x(low) <= position.x() < self._x(high):
                return part
        return None

    def legend_at(self, position: QPointF) -> Part | None:
        """Return the part whose line of the legend is under a point of the widget."""
        if self._sums is None:
            return None
        rows = (len(self._sums.parts) + 1) // 2
        row = int((position.y() - _MARK - _BAR - _AXIS) // _LEGEND_ROW)
        index = row + rows * (position.x() > self.width() / 2)
        known = 0 <= row < rows and index < len(self._sums.parts)
        return self._sums.parts[index] if known else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at the part under the mouse, in the bar or in the legend."""
        self._point(self.part_at(event.position()) or self.legend_at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the part under the mouse."""
        part = self.part_at(event.position()) or self.legend_at(event.position())
        if part is not None and event.button() == Qt.MouseButton.LeftButton:
            self.part_chosen.emit(part)

    def point_at_nothing(self) -> None:
        """Let go of the part pointed at."""
        self._point(None)

    def _point(self, part: Part | None) -> None:
        if part != self._pointed:
            self._pointed = part
            self.part_pointed.emit(part)

    def tip_at(self, position: QPointF) -> str:
        """Return the exact amount of the part under a point, in the bar or in the legend."""
        part = self.part_at(position) or self.legend_at(position)
        return "" if part is None else explain_part(part)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint bar, axis, legend and identity."""
        if self._sums is None:
            return
        theme = current_theme()
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            p.setFont(quiet_font(self))
            self._paint_bar(p, theme)
            self._paint_axis(p, theme)
            top = _MARK + _BAR + _AXIS + 4
            top = self._paint_legend(p, theme, top, self._sums)
            self._paint_identity(p, theme, top + 4, self._sums)

    def _x(self, value: float) -> float:
        return (value - self._low) / (self._high - self._low) * self.width()

    def _paint_bar(self, p: QPainter, theme: Theme) -> None:
        assert self._sums is not None
        p.setPen(Qt.PenStyle.NoPen)
        p.setBrush(QColor(theme.base))
        p.drawRoundedRect(QRectF(0, _MARK, self.width(), _BAR), 3, 3)
        metrics = p.fontMetrics()
        for part, low, high in self._segments:
            x0, x1 = self._x(low), self._x(high)
            rect = QRectF(x0, _MARK + 2, x1 - x0, _BAR - 4)
            if rect.width() > 2:
                rect.setWidth(rect.width() - 1)  # a gap of one pixel parts the neighbours
            colour = part_colour(part, self._sums, theme)
            p.fillRect(rect, colour)
            if metrics.horizontalAdvance(part.name) + 8 <= rect.width():
                p.setPen(QColor(readable_on(colour.getRgb()[:3])))
                p.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), part.name)

    def _paint_axis(self, p: QPainter, theme: Theme) -> None:
        assert self._sums is not None
        zero, total = self._x(0.0), self._x(self._sums.total)
        p.setPen(QColor(theme.quiet))
        p.drawLine(QPointF(zero, _MARK - 2), QPointF(zero, _MARK + _BAR + 3))
        p.setPen(QColor(theme.text))
        p.drawLine(QPointF(total, _MARK - 1), QPointF(total, _MARK + _BAR))
        p.setBrush(QColor(theme.text))
        p.drawPolygon(
            QPolygonF([QPointF(total - 4, 0), QPointF(total + 4, 0), QPointF(total, _MARK)])
        )
        metrics = p.fontMetrics()
        top = _MARK + _BAR + 3 + metrics.ascent()
        p.setPen(QColor(theme.quiet))
        half = metrics.horizontalAdvance("0") / 2
        p.drawText(QPointF(min(max(0.0, zero - half), self.width() - 2 * half), top), "0")
        low, high = short(self._low), f"+{short(self._high)}"
        has_negative = any(start < 0 for _, start, _ in self._segments)
        if has_negative and metrics.horizontalAdvance(low) + 12 < zero:
            p.drawText(QPointF(0, top), low)
        if zero + metrics.horizontalAdvance(high) + 12 < self.width():
            p.drawText(QPointF(self.width() - metrics.horizontalAdvance(high), top), high)

    def _paint_legend(self, p: QPainter, theme: Theme, top: float, sums: Sums) -> float:
        rows = (len(sums.parts) + 1) // 2
        gap = 24.0
        column = (self.width() - gap) / 2
        text, quiet = QColor(theme.text), QColor(theme.quiet)
        for i, part in enumerate(sums.parts):
            x, y = (i // rows) * (column + gap), top + (i % rows) * _LEGEND_ROW
            p.fillRect(QRectF(x, y + 4, 10, 10), part_colour(part, sums, theme))
            row = QRectF(x + 18, y, column - 18, _LEGEND_ROW)
            p.setPen(quiet)
            amount = p.fontMetrics().horizontalAdvance(signed(part.shown)) + 8
            draw_elided(p, row.adjusted(0, 0, -amount, 0), part.name)
            p.setPen(text)
            p.drawText(
                row,
                int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight),
                signed(part.shown),
            )
        return top + rows * _LEGEND_ROW

    def terms_for(
        self, numbers: QFontMetrics, words: QFontMetrics
    ) -> tuple[tuple[str, float], ...]:
        """Return the sum's terms, of several ways to say it the longest for which there is room.

        As `Sums.terms`, for amounts and their names written in these fonts.
        """
        assert self._sums is not None
        sums = self._sums
        *terms, (last, total) = sums.terms
        brief = (*terms, (last.removeprefix("shown "), total))
        ways = [sums.terms, brief][self.width() < _ROOMY :]
        for way in ways:
            taken = sum(_widths(*zip(*way, strict=True), numbers, words))
            if taken + _SIGN * (len(way) - 1) <= self.width():
                return way
        return brief if len(terms) < 4 else (("sources", sums.local + sums.bins), *brief[2:])

    def _paint_identity(self, p: QPainter, theme: Theme, top: float, sums: Sums) -> None:
        """Paint local + bins + constant = shown: amounts above, their names below."""
        p.fillRect(QRectF(0, top, self.width(), 1), QColor(theme.line))
        p.setFont(text_font(self))
        numbers = QFontMetrics(text_font(self))
        words = QFontMetrics(quiet_font(self))
        names, amounts = zip(*self.terms_for(numbers, words), strict=True)
        widths = _widths(names, amounts, numbers, words)
        space = max(4.0, (self.width() - sum(widths)) / (len(widths) - 1))
        x, high = 0.0, numbers.height()
        for i, (amount, name, width) in enumerate(zip(amounts, names, widths, strict=True)):
            last = i == len(amounts) - 1
            p.setFont(text_font(self))
            p.setPen(QColor(theme.text))
            align = Qt.AlignmentFlag.AlignRight if last else Qt.AlignmentFlag.AlignLeft
            p.drawText(QRectF(x, top + 6, width, high), int(align), signed(amount))
            if not last:
                sign = "=" if i == len(amounts) - 2 else "+"
                number = numbers.horizontalAdvance(signed(amount))
                middle = (x + number + x + width + space) / 2
                p.setPen(QColor(theme.quiet))
                sign_rect = QRectF(middle - 8, top + 6, 16, high)
                p.drawText(sign_rect, int(Qt.AlignmentFlag.AlignHCenter), sign)
            p.setFont(quiet_font(self))
            p.setPen(QColor(theme.quiet))
            under = QRectF(x - 2 if last else x, top + 6 + high, width + 2, words.height())
            draw_elided(p, under, name, align)
            x += width + space


def _widths(
    names: Sequence[str], amounts: Sequence[float], numbers: QFontMetrics, words: QFontMetrics
) -> list[int]:
    """Return how wide terms are, each as its amount or the name below it."""
    return [
        max(numbers.horizontalAdvance(signed(amount)), words.horizontalAdvance(name))
        for amount, name in zip(amounts, names, strict=True)
    ]


def _axis(left: float, right: float) -> tuple[float, float]:
    """Return round axis ends around the stacks; the emptier side keeps a sixth for its zero."""
    low = nice_limit(-left) if left < 0 else 0.0
    high = nice_limit(right) if right > 0 else 0.0
    if low + high <= 0:
        return -1.0, 1.0
    return -max(low, high / 5), max(high, low / 5)


def explain_part(part: Part) -> str:
    """Return a part's exact amount and what it is."""
    return f"{part.name}  {signed(part.value, 4)}\n{part.meaning}"
