"""Keys and what they do, painted as a list: on the start page and in the F1 dialog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from pspgui.gui.panels.drawing import draw_elided
from pspgui.gui.theme import current_theme, heading_font, quiet_font, text_font

_ROW = 26
_HEADING = 32
_COLUMN_GAP = 32
_COLUMN_MIN = 224


@dataclass(frozen=True)
class KeyHint:
    """One key, or several alternatives parted by " / ", and what it does."""

    key: str
    text: str


@dataclass(frozen=True)
class KeyGroup:
    """Hints that belong together, with a heading ("" for none)."""

    title: str
    hints: tuple[KeyHint, ...]

    @property
    def height_px(self) -> int:
        """How high the group is when painted."""
        return (_HEADING if self.title else 0) + len(self.hints) * _ROW + 12


def filtered(groups: Sequence[KeyGroup], text: str) -> tuple[KeyGroup, ...]:
    """Return the groups with only the hints whose key or words contain the text."""
    needle = text.strip().casefold()
    kept = (
        KeyGroup(g.title, tuple(h for h in g.hints if needle in f"{h.key} {h.text}".casefold()))
        for g in groups
    )
    return tuple(g for g in kept if g.hints)


class KeyList(QWidget):
    """Groups of hints in as many columns as fit, at most `columns`; keys drawn as caps."""

    def __init__(
        self, groups: Sequence[KeyGroup] = (), columns: int = 2, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._groups: tuple[KeyGroup, ...] = ()
        self._most = columns
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Keys")
        self.set_groups(groups)

    def set_groups(self, groups: Sequence[KeyGroup]) -> None:
        """Show these groups."""
        self._groups = tuple(groups)
        spoken = [f"{h.key}: {h.text}" for g in self._groups for h in g.hints]
        self.setAccessibleDescription("; ".join(spoken))
        self._fit_height()
        self.update()

    def columns(self, width: int) -> list[list[KeyGroup]]:
        """Return the groups dealt into columns of about equal height, their order kept."""
        count = max(1, min(self._most, (width + _COLUMN_GAP) // (_COLUMN_MIN + _COLUMN_GAP)))
        if count == 1 or not self._groups:
            return [list(self._groups)]
        groups = list(self._groups)
        if len(groups) == 1:
            hints, title = groups[0].hints, groups[0].title
            half = -(-len(hints) // count)
            parts = [hints[i : i + half] for i in range(0, len(hints), half)]
            return [[KeyGroup(title if i == 0 else "", part)] for i, part in enumerate(parts)]
        return _dealt(groups, count)

    def heightForWidth(self, width: int) -> int:
        """As high as the highest column."""
        return max((sum(g.height_px for g in c) for c in self.columns(width)), default=0)

    def sizeHint(self) -> QSize:
        """All columns at a good width."""
        width = self._most * 300 + (self._most - 1) * _COLUMN_GAP
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        """One column at least."""
        return QSize(_COLUMN_MIN, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Be as high as this width needs: layouts in layouts do not ask for it reliably."""
        self._fit_height()

    def _fit_height(self) -> None:
        height = self.heightForWidth(max(_COLUMN_MIN, self.width()))
        if height != self.minimumHeight() or height != self.maximumHeight():
            self.setFixedHeight(height)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint all columns."""
        columns = self.columns(self.width())
        width = (self.width() - (len(columns) - 1) * _COLUMN_GAP) / len(columns)
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            for i, column in enumerate(columns):
                x, y = i * (width + _COLUMN_GAP), 0.0
                for group in column:
                    self._paint_group(p, group, QRectF(x, y, width, group.height_px))
                    y += group.height_px

    def _paint_group(self, p: QPainter, group: KeyGroup, rect: QRectF) -> None:
        theme = current_theme()
        top = rect.top()
        if group.title:
            p.setFont(heading_font(self))
            p.setPen(QColor(theme.text))
            draw_elided(p, QRectF(rect.left(), top, rect.width(), _HEADING - 8), group.title)
            top += _HEADING
        for hint in group.hints:
            self._paint_hint(p, hint, QRectF(rect.left(), top, rect.width(), _ROW))
            top += _ROW

    def _paint_hint(self, p: QPainter, hint: KeyHint, row: QRectF) -> None:
        """Paint the words left and the caps right, so that both line up in a column."""
        theme = current_theme()
        metrics = QFontMetrics(quiet_font(self))
        x = row.right()
        p.setFont(quiet_font(self))
        for i, cap in enumerate(reversed(hint.key.split(" / "))):
            if i:
                x -= 6
            width = max(22, metrics.horizontalAdvance(cap) + 12)
            box = QRectF(x - width + 0.5, row.center().y() - 9, width - 1, 18)
            p.setPen(QColor(theme.line))
            p.setBrush(QColor(theme.raised))
            p.drawRoundedRect(box, 4, 4)
            p.setPen(QColor(theme.text))
            p.drawText(box, int(Qt.AlignmentFlag.AlignCenter), cap)
            x -= width
        p.setFont(text_font(self))
        p.setPen(QColor(theme.quiet))
        draw_elided(p, QRectF(row.left(), row.top(), x - row.left() - 12, _ROW), hint.text)


def _dealt(groups: list[KeyGroup], count: int) -> list[list[KeyGroup]]:
    """Break the sequence of groups where the highest column becomes lowest."""
    best: list[list[KeyGroup]] = [groups]
    lowest = float("inf")
    limits = sorted({sum(g.height_px for g in groups[a:b]) for a in range(len(groups))
                     for b in range(a + 1, len(groups) + 1)})  # fmt: skip
    for limit in limits:
        columns: list[list[KeyGroup]] = [[]]
        for group in groups:
            if columns[-1] and sum(g.height_px for g in columns[-1]) + group.height_px > limit:
                columns.append([])
            columns[-1].append(group)
        highest = max(sum(g.height_px for g in c) for c in columns)
        if len(columns) <= count and highest < lowest:
            best, lowest = columns, highest
    return best
