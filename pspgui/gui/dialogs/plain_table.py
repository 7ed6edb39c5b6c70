"""A quiet table of texts and numbers for dialogs: no grid, numbers at the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
)
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from pspgui.gui.theme import current_theme, tabular

_ROW_PX: Final = 28
_COLUMN_PX: Final = 88
_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX: Final = QModelIndex()


class PlainTable(QAbstractTableModel):
    """Rows that do not change; every column but the first holds numbers."""

    def __init__(
        self, headings: Sequence[str], rows: Sequence[Sequence[str]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._headings, self._rows = headings, rows

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        """Return the number of rows."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = _NO_INDEX) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(self._headings)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the headings, aligned as their columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        return _alignment(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the texts; zeros are quiet."""
        text = self._rows[index.row()][index.column()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return text
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(index.column())
        if role == Qt.ItemDataRole.ForegroundRole and text in ("0", "0 %", "–"):
            return QColor(current_theme().quiet)
        return None


def style_table(view: QTableView, stretched: int = 0) -> None:
    """Give a table view the look of dialogs; the column `stretched` takes what is left."""
    theme, colours = current_theme(), view.palette()
    colours.setColor(QPalette.ColorRole.Highlight, theme.selected)
    colours.setColor(QPalette.ColorRole.HighlightedText, theme.text)
    view.setPalette(colours)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setShowGrid(False)
    view.setFont(tabular(view.font()))
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(_ROW_PX)
    header = view.horizontalHeader()
    header.setStyleSheet(
        f"QHeaderView::section {{ background: {theme.panel}; color: {theme.quiet}; border: 0;"
        f" border-bottom: 1px solid {theme.line}; padding: 4px 3px; }}"
    )
    header.setHighlightSections(False)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setMinimumSectionSize(_COLUMN_PX)
    header.setSectionResizeMode(stretched, QHeaderView.ResizeMode.Stretch)


def number(value: int) -> str:
    """Return a number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u2009")


def _alignment(column: int) -> int:
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)
