"""The rows of the class table editor: a draft as a table whose cells can be edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from pspgui.gui.panels.drawing import draw_swatch
from pspgui.gui.theme import current_theme
from pspgui.labels.class_edits import ClassDraft
from pspgui.labels.classes import ClassTable, ClassTableError

NUMBER, COLOUR, NAME, GROUP, AMOUNT = range(5)
_HEADINGS: Final = ("", "", "Name", "Group", "Labelled")
_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX: Final = QModelIndex()


class DraftModel(QAbstractTableModel):
    """A `ClassDraft` with its past: every change can be undone.

    `changed()` comes after every change, `refused(str)` with the sentence of one that cannot be.
    `pixels` are labelled pixels by old class name, None while they are being counted.
    """

    changed = Signal()
    refused = Signal(str)

    def __init__(self, table: ClassTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._past: list[ClassDraft] = []
        self.draft = ClassDraft.of(table)
        self._pixels: Mapping[str, int] | None = None

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        """Return the number of classes."""
        return 0 if parent.isValid() else len(self.draft.rows)

    def columnCount(self, parent: _Index = _NO_INDEX) -> int:
        """Number, colour, name, group, amount."""
        return 0 if parent.isValid() else len(_HEADINGS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the headings."""
        horizontal = orientation == Qt.Orientation.Horizontal
        if horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _HEADINGS[section]
        if horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            end = Qt.AlignmentFlag.AlignRight if section == AMOUNT else Qt.AlignmentFlag.AlignLeft
            return int(end | Qt.AlignmentFlag.AlignVCenter)
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        """Names and groups are typed in place."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() in (NAME, GROUP) else flags

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return texts, the colour under DecorationRole, and numbers aligned right."""
        if not index.isValid():
            return None
        row, column = self.draft.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DecorationRole and column == COLOUR:
            return QColor(*row.colour)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (NUMBER, AMOUNT):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ForegroundRole and column in (NUMBER, GROUP, AMOUNT):
            return QColor(current_theme().quiet)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "Double-click for another colour" if column == COLOUR else self._text(index)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole) and column != COLOUR:
            return self._text(index)
        return None

    def setData(
        self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole
    ) -> bool:
        """Rename or group a class."""
        if role != Qt.ItemDataRole.EditRole or str(value).strip() == self._text(index):
            return False
        if index.column() == NAME:
            return self.take(lambda d: d.renamed(index.row(), str(value)))
        return self.take(lambda d: d.grouped(index.row(), str(value)))

    # -- changes ------------------------------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._past)

    def take(self, change: Any) -> bool:
        """Apply `change(draft) -> draft`; what cannot be is told by `refused`."""
        try:
            after = change(self.draft)
        except ClassTableError as error:
            self.refused.emit(str(error))
            return False
        if after == self.draft:
            return False
        self._past.append(self.draft)
        self._show(after)
        return True

    def undo(self) -> None:
        """Take back the latest change."""
        if self._past:
            self._show(self._past.pop())

    def set_pixels(self, pixels: Mapping[str, int]) -> None:
        """Show how many pixels every old class has."""
        self._pixels = pixels
        self.dataChanged.emit(self.index(0, AMOUNT), self.index(self.rowCount() - 1, AMOUNT))

    def _show(self, draft: ClassDraft) -> None:
        if len(draft.rows) == len(self.draft.rows):  # a reset would end an editor under way
            self.draft = draft
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, AMOUNT))
        else:
            self.beginResetModel()
            self.draft = draft
            self.endResetModel()
        self.changed.emit()

    def _text(self, index: _Index) -> str:
        row = self.draft.rows[index.row()]
        if index.column() == NUMBER:
            return str(index.row())
        if index.column() == NAME:
            return row.name
        if index.column() == GROUP:
            return row.group
        if index.column() == AMOUNT and self._pixels is not None:
            pixels = sum(self._pixels.get(name, 0) for name in row.origins)
            return f"{pixels:,} px".replace(",", "\u2009") if pixels else "none"
        return "…" if index.column() == AMOUNT else ""


class SwatchDelegate(QStyledItemDelegate):
    """Paints a class's colour as the classes panel does."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        """A small field."""
        return QSize(32, 28)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Paint the field in the middle of the cell."""
        super().paint(painter, QStyleOptionViewItem(option), QModelIndex())
        field = QRectF(0, 0, 14, 14)
        field.moveCenter(QRectF(option.rect).center())
        colour = index.data(Qt.ItemDataRole.DecorationRole)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_swatch(painter, field, colour, current_theme())
        painter.restore()
