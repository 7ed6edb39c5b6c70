"""Pins side by side: a column each, from the constant over every part to the sum, on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from pspgui.gui.canvas.pin_marks import CHIP, draw_chip
from pspgui.gui.panels.drawing import MINUS, draw_elided, signed
from pspgui.gui.panels.evidence_bar import part_colour
from pspgui.gui.panels.evidence_sums import DECIMALS, Part, Sums, walk_of
from pspgui.gui.panels.pointable import Explained
from pspgui.gui.pins import Pin
from pspgui.gui.theme import Theme, current_theme, quiet_font, text_font

_HEAD: Final = 42
_NARROW_HEAD: Final = 26
_ROW: Final = 23
_BAR: Final = 6
_GAP: Final = 8
_NAMES: Final = (60, 104)  # at least and at most as wide
_NUMBERS_FROM: Final = 46.0
_WORDS_FROM: Final = 52.0


class Column(NamedTuple):
    """A pin with the sums of its evidence; `name` of its class and `words` on the target."""

    pin: Pin
    sums: Sums
    name: str
    words: str


class Cell(NamedTuple):
    """One bar of a column: what is printed, the bar's two ends, and its part."""

    name: str
    shown: float
    start: float
    end: float
    part: Part | None


def cells_of(sums: Sums) -> tuple[Cell, ...]:
    """Return the steps from the constant to the logit, and last the sum from zero."""
    steps = [
        Cell(step.part.name, step.part.shown, step.before, step.after, step.part)
        for step in walk_of(sums).steps
    ]
    return (*steps, Cell(_last_word(sums), sums.total, 0.0, sums.total, None))


def differences(one: Sums, other: Sums) -> tuple[Cell, ...]:
    """Return by how much each part of one adds more than that of the other; they add up, too."""
    found = []
    for mine, its in zip(cells_of(one), cells_of(other), strict=True):
        amount = round(mine.shown - its.shown, DECIMALS)
        found.append(Cell(mine.name, amount, 0.0, amount, mine.part))
    return tuple(found)


class PinCompare(Explained):
    """Columns of bars, one a pin, on one axis; of two pins a third column says what differs.

    `pin_chosen(Pin)` follows a click on a column.
    """

    pin_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: tuple[Column, ...] = ()
        self._cells: list[tuple[Cell, ...]] = []
        self._lows: list[float] = []
        self._span = 1.0
        self._names = _NAMES[0]
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Pins side by side")

    @property
    def columns(self) -> tuple[Column, ...]:
        """The pins shown."""
        return self._columns

    @property
    def cells(self) -> list[tuple[Cell, ...]]:
        """The bars, column by column; those of the differences last."""
        return self._cells

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other pins; those whose parts are not those of the first are left out."""
        alike = [c for c in columns if _names(c.sums) == _names(columns[0].sums)]
        self._columns = tuple(alike)
        self._cells = [cells_of(column.sums) for column in alike]
        if len(alike) == 2:
            self._cells.append(differences(alike[0].sums, alike[1].sums))
        ends = [[0.0, *(end for cell in cells for end in (cell.start, cell.end))]
                for cells in self._cells]  # fmt: skip
        own = ends[: len(alike)] or [[0.0]]
        low, high = min(map(min, own)), max(map(max, own))
        self._lows = [low] * len(alike)
        self._span = max(high - low, 1e-9)
        if len(alike) == 2:  # its own zero, but the same logits a pixel
            low, high = min(ends[-1]), max(ends[-1])
            self._span = max(self._span, high - low)
            self._lows.append((low + high - self._span) / 2)
        words = QFontMetrics(quiet_font(self))
        widths = [words.horizontalAdvance(c.name) + 8 for cells in self._cells[:1] for c in cells]
        self._names = max(_NAMES[0], min(_NAMES[1], max(widths, default=0)))
        self.setVisible(bool(alike))
        self.setAccessibleDescription("; ".join(map(self._told, range(len(self._cells)))))
        self.updateGeometry()
        self.update()

    @property
    def _head_px(self) -> int:
        """How high the heads are: without their words where columns are too narrow for them."""
        return _HEAD if self.column_rect(0).width() >= _WORDS_FROM else _NARROW_HEAD

    def sizeHint(self) -> QSize:
        """A row a part, and the heads."""
        rows = len(self._cells[0]) if self._cells else 0
        return QSize(288, self._head_px + rows * _ROW + 10)

    def minimumSizeHint(self) -> QSize:
        """As high as it needs to be."""
        return QSize(200, self.sizeHint().height())

    def column_rect(self, column: int) -> QRectF:
        """Return where a column lies, its head included."""
        wide = (self.width() - self._names) / max(1, len(self._cells))
        return QRectF(self._names + column * wide, 0, wide - _GAP, self.height())

    def cell_at(self, point: QPointF) -> tuple[int, int] | None:
        """Return (column, row) under a point; row -1 is the head."""
        if point.x() < self._names or not self._cells:
            return None
        column = int((point.x() - self._names) / (self.width() - self._names) * len(self._cells))
        row = int((point.y() - self._head_px) // _ROW)
        known = column < len(self._cells) and -2 <= row < len(self._cells[0])
        return (column, max(row, -1)) if known else None

    # -- events -------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the pin of a column."""
        found = self.cell_at(event.position())
        if found is not None and found[0] < len(self._columns):
            self.pin_chosen.emit(self._columns[found[0]].pin)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Make room for the words of the heads, or take it back."""
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def tip_at(self, position: QPointF) -> str:
        """Return the exact amount under a point."""
        found = self.cell_at(position)
        return "" if found is None else self._tip(*found)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint names, heads and bars."""
        if not self._cells:
            return
        theme = current_theme()
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            last, head = len(self._cells[0]) - 1, self._head_px
            for row, cell in enumerate(self._cells[0]):
                top = head + row * _ROW + (6 if row == last else 0)
                p.setFont(quiet_font(self))
                p.setPen(QColor(theme.text if row == last else theme.quiet))
                draw_elided(p, QRectF(0, top + 2, self._names - 6, _ROW - 4), cell.name)
            line = head + last * _ROW + 2
            p.fillRect(QRectF(0, line, self.width() - _GAP, 1), QColor(theme.line))
            for column in range(len(self._cells)):
                self._paint_head(p, theme, column)
                self._paint_column(p, theme, column)

    def _paint_head(self, p: QPainter, theme: Theme, column: int) -> None:
        box = self.column_rect(column)
        if column == len(self._columns):
            one, other = (c.pin.number for c in self._columns)
            p.setFont(text_font(self))
            p.setPen(QColor(theme.text))
            draw_elided(p, QRectF(box.left(), 2, box.width(), 20), f"{one} {MINUS} {other}")
            p.setFont(quiet_font(self))
            p.setPen(QColor(theme.quiet))
            draw_elided(p, QRectF(box.left(), 22, box.width(), 16), "difference")
            return
        shown = self._columns[column]
        draw_chip(p, QPointF(box.left() + CHIP, 12), shown.pin, ringed=False)
        if box.width() < _WORDS_FROM:
            return
        p.setFont(text_font(self))
        p.setPen(QColor(theme.text))
        draw_elided(p, QRectF(box.left() + 2 * CHIP + 5, 2, box.width() - 2 * CHIP - 5, 20),
                    shown.name)  # fmt: skip
        p.setFont(quiet_font(self))
        p.setPen(QColor(theme.quiet))
        draw_elided(p, QRectF(box.left(), 22, box.width(), 16), shown.words)

    def _paint_column(self, p: QPainter, theme: Theme, column: int) -> None:
        box, cells = self.column_rect(column), self._cells[column]
        last, zero, head = len(cells) - 1, self._x(column, 0.0), self._head_px
        p.fillRect(QRectF(zero - 0.5, head, 1, len(cells) * _ROW + 4), QColor(theme.line))
        p.setFont(quiet_font(self))
        for row, cell in enumerate(cells):
            top = head + row * _ROW + (6 if row == last else 0)
            start, end = self._x(column, cell.start), self._x(column, cell.end)
            bar = QRectF(min(start, end), top + 14, max(1.0, abs(end - start)), _BAR)
            p.fillRect(bar, self._colour(column, cell, theme))
            if 0 < row < last and column < len(self._columns):  # from where the part before ended
                p.fillRect(QRectF(start - 0.5, top - 3, 1, 17), QColor(theme.disabled))
            if box.width() >= _NUMBERS_FROM:
                room = p.fontMetrics().horizontalAdvance(signed(cell.shown)) + 3
                number = QRectF(box.right() - room, top, room, 14)
                p.fillRect(number, QColor(theme.panel))  # lines must not run through it
                p.setPen(QColor(theme.text))
                draw_elided(p, number, signed(cell.shown), Qt.AlignmentFlag.AlignRight)

    # -- inside -------------------------------------------------------------------------------

    def _x(self, column: int, value: float) -> float:
        box = self.column_rect(column)
        return box.left() + (value - self._lows[column]) / self._span * box.width()

    def _colour(self, column: int, cell: Cell, theme: Theme) -> QColor:
        if column == len(self._columns):
            return QColor(theme.positive if cell.shown >= 0 else theme.negative)
        if cell.part is None:
            return QColor(theme.accent)
        return part_colour(cell.part, self._columns[column].sums, theme)

    def _head(self, column: int) -> str:
        if column == len(self._columns):
            one, other = (c.pin.number for c in self._columns)
            return f"Pin {one} less pin {other}"
        shown = self._columns[column]
        return f"Pin {shown.pin.number}, {shown.pin.title}: {shown.name} {shown.words}"

    def _tip(self, column: int, row: int) -> str:
        head = self._head(column)
        if row < 0:
            return head
        cell = self._cells[column][row]
        return f"{head}\n{cell.name} {signed(cell.shown, 4 if cell.part is None else 2)}"

    def _told(self, column: int) -> str:
        amounts = ", ".join(f"{cell.name} {signed(cell.shown)}" for cell in self._cells[column])
        return f"{self._head(column)}: {amounts}"


def _last_word(sums: Sums) -> str:
    """Return "margin" or "logit"."""
    return sums.words.split()[-1]


def _names(sums: Sums) -> tuple[tuple[str, str], ...]:
    return tuple((part.kind, part.name) for part in sums.parts)

