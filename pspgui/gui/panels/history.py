"""The history panel: every edit of the image, oldest first; a click goes back or forth to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Slot,
)
from PySide6.QtGui import QColor, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from pspgui.gui.icons import draw_icon
from pspgui.gui.panels.drawing import MINUS, draw_elided, draw_swatch
from pspgui.gui.panels.rows import EvenRows, Index, RowList, paint_ground
from pspgui.gui.theme import GRID_PX, ICON_PX, QuietLabel, current_theme, quiet_font, text_font
from pspgui.labels.edits import MIB, Edit

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_ROW: Final = 28
_SWATCHES: Final = 3
_SWATCH: Final = 12
_PACKED_MS: Final = 1500
_THIN_SPACE: Final = "\u2009"


class HistoryModel(QAbstractListModel):
    """Row 0 is the image as it was before the first edit kept; row n follows the n-th edit."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.edits: tuple[Edit, ...] = ()
        self.standing = 0

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the edits and the beginning; nothing before there is an edit."""
        return 0 if parent.isValid() or not self.edits else len(self.edits) + 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return name and size, what changed for the tooltip, and the state for screen readers."""
        row = index.row()
        if not index.isValid() or row > len(self.edits):
            return None
        title = "Before these edits" if row == 0 else self.edits[row - 1].title
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        if role == Qt.ItemDataRole.ToolTipRole:
            return title if row == 0 else self._details(self.edits[row - 1])
        if role == Qt.ItemDataRole.AccessibleTextRole:
            state = ", current" if row == self.standing else ""
            return title + (", undone" if row > self.standing else state)
        return None

    def follow(self) -> None:
        """Take the rows of the history as it is now."""
        history = self._document.history
        done = () if history is None else history.edits
        undone = () if history is None else history.undone
        edits = (*done, *undone)
        same = len(edits) == len(self.edits) and all(map(_is, edits, self.edits))
        self.standing = len(done)
        if same:
            if edits:
                self.dataChanged.emit(self.index(0), self.index(len(edits)))
            return
        self.beginResetModel()
        self.edits = edits
        self.endResetModel()

    def colours(self, row: int) -> list[QColor]:
        """Return the colours of the classes that won pixels most in an edit."""
        if row == 0:
            return []
        won = sorted((pair for pair in self.edits[row - 1].area_change if pair[1] > 0),
                     key=lambda pair: -pair[1])  # fmt: skip
        palette = self._document.table.palette()
        return [QColor(*map(int, palette[min(label, 255)])) for label, _ in won[:_SWATCHES]]

    def _details(self, edit: Edit) -> str:
        lines = [edit.title, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(edit.at))]
        for label, pixels in sorted(edit.area_change, key=lambda pair: -pair[1])[:8]:
            sign = "+" if pixels > 0 else MINUS
            lines.append(f"{self._document.table.name_of(label)} {sign}{_grouped(abs(pixels))} px")
        return "\n".join(lines)


class HistoryDelegate(EvenRows):
    """Paints a row: what was done, in which classes, how much; undone ones dimmed."""

    row_size = QSize(200, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row."""
        theme, model, rect = current_theme(), index.model(), option.rect
        row = index.row()
        current = row == model.standing
        undone = row > model.standing
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option, chosen=current, current=current)
        if undone:
            painter.setOpacity(0.45)
        colours = model.colours(row)
        left = float(rect.left() + 2 * GRID_PX)
        for number, colour in reversed(list(enumerate(colours))):
            x = left + 5 * number
            swatch = QRectF(x, rect.top() + (_ROW - _SWATCH) / 2, _SWATCH, _SWATCH)
            draw_swatch(painter, swatch, colour, theme)
        if row == 0:
            middle = rect.top() + (_ROW - ICON_PX) / 2
            draw_icon(painter, "flag-outline",
                      QRectF(left - 3, middle, ICON_PX, ICON_PX), theme.quiet)  # fmt: skip
        left += _SWATCH + 5 * (_SWATCHES - 1) + GRID_PX
        self._paint_text(painter, option.widget, rect, index, left)
        painter.restore()

    def _paint_text(
        self, painter: QPainter, widget: QWidget, rect: QRect, index: Index, left: float
    ) -> None:
        theme, model, row = current_theme(), index.model(), index.row()
        right = float(rect.right() - GRID_PX)
        name = model.data(index)
        if row:
            edit = model.edits[row - 1]
            name = edit.name
            size = _grouped(edit.pixels_changed or edit.pixels_confirmed)
            text = f"{size} px" if edit.pixels_changed else f"{size} confirmed"
            painter.setFont(quiet_font(widget))
            painter.setPen(QColor(theme.quiet))
            room = painter.fontMetrics().horizontalAdvance(text) + 2
            draw_elided(painter, QRectF(right - room, rect.top(), room, _ROW), text,
                        Qt.AlignmentFlag.AlignRight)  # fmt: skip
            right -= room + GRID_PX
        painter.setFont(text_font(widget))
        painter.setPen(QColor(theme.text if row else theme.quiet))
        draw_elided(painter, QRectF(left, rect.top(), right - left, _ROW), name)


class HistoryView(RowList):
    """The list; its current row is the last edit that stands, and choosing a row goes there."""

    hint = (
        "history", "No edits yet",
        "Every stroke appears here. Click one to go back to it, or press Ctrl+Z.",
    )  # fmt: skip

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._following = False
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAccessibleName("History")

    def show_current(self) -> None:
        """Make the last edit that stands the current row, which changes nothing."""
        self._following = True
        try:
            index = self.model().index(self.model().standing)
            if index.isValid():
                self.setCurrentIndex(index)
                self.scrollTo(index)
        finally:
            self._following = False

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:
        """Go to the edit chosen by key or mouse."""
        super().currentChanged(current, previous)
        if not self._following and current.isValid():
            self._document.jump_history(current.row())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click goes to the row; dragging along the rows does not."""
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and event.button() == Qt.MouseButton.LeftButton:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self.setCurrentIndex(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Only hovering."""
        if event.buttons() == Qt.MouseButton.NoButton:
            super().mouseMoveEvent(event)


class HistoryPanel(QWidget):
    """The list of edits, and what it costs to keep them."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setObjectName("history_panel")
        self.setAutoFillBackground(True)
        self.model = HistoryModel(document, self)
        self.view = HistoryView(document)
        self.view.setModel(self.model)
        self.view.setItemDelegate(HistoryDelegate(self.view))
        self._foot = QuietLabel()
        self._foot.setContentsMargins(2 * GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._foot)
        self.setMinimumSize(224, 4 * _ROW)
        self._later = QTimer(self, singleShot=True, interval=_PACKED_MS)
        self._later.timeout.connect(self._tell_size)
        for signal in (document.history_changed, document.image_changed, document.labels_came,
                       document.classes_changed):  # fmt: skip
            signal.connect(self._follow)
        self._follow()

    def sizeHint(self) -> QSize:
        """A dozen edits, if there is room."""
        return QSize(280, 12 * _ROW)

    @property
    def foot_text(self) -> str:
        """What is said below the list."""
        return self._foot.text()

    @Slot()
    def _follow(self) -> None:
        self.model.follow()
        self.view.show_current()
        self.view.viewport().update()
        self._tell_size()
        self._later.start()  # by then edits are packed

    @Slot()
    def _tell_size(self) -> None:
        history = self._document.history
        count = len(self.model.edits)
        self._foot.setVisible(count > 0)
        if history is not None and count:
            edits = "1 edit" if count == 1 else f"{_grouped(count)} edits"
            budget = f"{history.budget_bytes / MIB:.0f}"
            self._foot.setText(f"{edits}, {_size(history.nbytes)} of {budget} MB")


def _is(one: Edit, other: Edit) -> bool:
    return one is other


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", _THIN_SPACE)


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
