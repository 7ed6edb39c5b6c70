"""What lists of painted rows have in common: their height, their ground, and words where empty."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from pspgui.gui.panels.drawing import draw_empty
from pspgui.gui.theme import current_theme

Index = QModelIndex | QPersistentModelIndex
_BAR_PX = 3


class EvenRows(QStyledItemDelegate):
    """Paints rows that are all equally high; `row_size` is that, and how wide they are at least."""

    row_size = QSize(200, 28)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Every row is equally high."""
        return self.row_size


def paint_ground(
    painter: QPainter, option: QStyleOptionViewItem, *, chosen: bool | None = None,
    current: bool = False,
) -> None:  # fmt: skip
    """Fill a row that is chosen or under the mouse; the current one has a bar at its left.

    Without `chosen`, what the view has selected is.
    """
    theme, rect, states = current_theme(), option.rect, QStyle.StateFlag
    if chosen is None:
        chosen = bool(option.state & states.State_Selected)
    if chosen or option.state & states.State_MouseOver:
        painter.fillRect(rect, QColor(theme.selected if chosen else theme.hover))
    if current:
        bar = QRect(rect.left(), rect.top(), _BAR_PX, rect.height())
        painter.fillRect(bar, QColor(theme.accent))


class RowList(QListView):
    """A list of painted rows. `hint` is what stands there without any: icon, title, what to do."""

    hint = ("", "", "")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rows, or what would be here."""
        super().paintEvent(event)
        if self.hint[0] and not self.model().rowCount():
            with QPainter(self.viewport()) as painter:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                draw_empty(painter, self.viewport(), *self.hint)
