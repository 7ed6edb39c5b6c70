"""What becomes of a data set's classes: a table in which each gets one of the labels' classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QComboBox, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from pspgui.gui.icons import draw_icon
from pspgui.gui.theme import GRID_PX, current_theme
from pspgui.jobs.importing import UNLABELLED, ClassMatch
from pspgui.labels.classes import name_key

COLOUR, NAME, TARGET = range(3)
_HEADINGS: Final = ("", "In the data set", "Becomes")
_LEFT_OUT: Final = "unlabelled"
_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX: Final = QModelIndex()


class MatchModel(QAbstractTableModel):
    """Classes of a data set and what they become; `changed()` when a person chose otherwise."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._matches: tuple[ClassMatch, ...] = ()
        self._known: tuple[str, ...] = ()
        self._chosen: dict[str, str] = {}

    def show(self, matches: Sequence[ClassMatch], known: Sequence[str]) -> None:
        """Show other classes; what was chosen for classes of the same name stays."""
        self.beginResetModel()
        self._matches, self._known = tuple(matches), tuple(known)
        names = {match.name for match in self._matches}
        self._chosen = {name: own for name, own in self._chosen.items() if name in names}
        self.endResetModel()

    @property
    def chosen(self) -> dict[str, str]:
        """What a person chose: names of the labels' classes by class of the data set."""
        return dict(self._chosen)

    @property
    def new_classes(self) -> list[str]:
        """The classes that the labels would get."""
        keys = {name_key(name) for name in self._known}
        targets = dict.fromkeys(self.target(row) for row in range(len(self._matches)))
        return [name for name in targets if name != UNLABELLED and name_key(name) not in keys]

    def target(self, row: int) -> str:
        """Return what a class becomes, UNLABELLED for nothing."""
        match = self._matches[row]
        return self._chosen.get(match.name, match.target)

    def offered(self, row: int) -> list[tuple[str, str]]:
        """Return (text, class) of what a class may become."""
        own = self._matches[row].name
        known = [(name, name) for name in self._known]
        if name_key(own) not in {name_key(name) for name in self._known}:
            known = [(f"{own} (new)", own), *known]
        return [*known, (_LEFT_OUT, UNLABELLED)]

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        """Return the number of classes."""
        return 0 if parent.isValid() else len(self._matches)

    def columnCount(self, parent: _Index = _NO_INDEX) -> int:
        """Colour, name, what it becomes."""
        return 0 if parent.isValid() else len(_HEADINGS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the headings."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return _HEADINGS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        """What a class becomes is chosen in place."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == TARGET else flags

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return texts, the colour under DecorationRole; new and left-out classes are told."""
        match, column = self._matches[index.row()], index.column()
        if role == Qt.ItemDataRole.DecorationRole and column == COLOUR:
            return QColor(*match.colour)
        if column == COLOUR:
            return None
        target = self.target(index.row())
        if role == Qt.ItemDataRole.ForegroundRole and column == TARGET and target == UNLABELLED:
            return QColor(current_theme().quiet)
        if role == Qt.ItemDataRole.EditRole:
            return target
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        if column == NAME:
            return match.name
        if target == UNLABELLED:
            return _LEFT_OUT
        is_known = name_key(target) in {name_key(name) for name in self._known}
        return target if is_known else f"{target} (new)"

    def setData(
        self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole
    ) -> bool:
        """Choose what a class becomes."""
        if role != Qt.ItemDataRole.EditRole or value == self.target(index.row()):
            return False
        self._chosen[self._matches[index.row()].name] = str(value)
        self.dataChanged.emit(index, index)
        self.changed.emit()
        return True


class TargetDelegate(QStyledItemDelegate):
    """Offers the labels' classes in a cell, which shows that there is a choice."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Draw the class and the sign of a choice."""
        side, rect = 2 * GRID_PX, QRectF(option.rect)
        sign = QRectF(rect.right() - side - GRID_PX, rect.center().y() - side / 2, side, side)
        option.rect.setRight(int(sign.left()))
        super().paint(painter, option, index)
        draw_icon(painter, "chevron-down", sign, current_theme().quiet)

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: _Index
    ) -> QComboBox:
        """Return the box, which chooses as soon as it is clicked in."""
        box = QComboBox(parent)
        for text, value in index.model().offered(index.row()):
            box.addItem(text, value)
        box.activated.connect(self._commit)
        return box

    def setEditorData(self, editor: QWidget, index: _Index) -> None:
        """Show what is chosen."""
        editor.setCurrentIndex(max(0, editor.findData(index.data(Qt.ItemDataRole.EditRole))))

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: _Index) -> None:
        """Take what was chosen."""
        model.setData(index, editor.currentData())

    def _commit(self) -> None:
        editor = self.sender()
        self.commitData.emit(editor)
        self.closeEditor.emit(editor)
