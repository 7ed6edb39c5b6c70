"""The rows of the classes panel: classes under the headings of their groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QWidget

from pspgui.gui.panels.drawing import percent
from pspgui.labels.class_groups import ClassRow, class_rows

if TYPE_CHECKING:
    from pspgui.gui.document import Document

Index = QModelIndex | QPersistentModelIndex


class ClassModel(QAbstractListModel):
    """A row for every class of the document's table, and one for every group of them."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._folded: set[str] = set()
        self._wanted = ""
        self._rows = class_rows(document.table)
        self.shares: np.ndarray | None = None

    # -- rows ---------------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of lines, headings included."""
        return 0 if parent.isValid() else len(self._rows)

    def row_at(self, index: Index) -> ClassRow | None:
        """Return what a line shows; None where there is none."""
        return self._rows[index.row()] if 0 <= index.row() < len(self._rows) else None

    def index_of(self, label: int) -> QModelIndex:
        """Return where a class is; an invalid index where it is out of sight."""
        for at, row in enumerate(self._rows):
            if row.label == label:
                return self.index(at)
        return QModelIndex()

    def first_class(self) -> int | None:
        """Return the first class in sight."""
        return next((row.label for row in self._rows if row.label is not None), None)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name, and all the rest in words for screen readers."""
        row = self.row_at(index) if index.isValid() else None
        if row is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return row.group if row.label is None else self._document.table.name_of(row.label)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._words(row)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Only classes can be the current one."""
        row = self.row_at(index)
        if row is not None and row.label is None:
            return Qt.ItemFlag.ItemIsEnabled
        return super().flags(index)

    def _words(self, row: ClassRow) -> str:
        share = self.share_text(row)
        if row.label is None:
            state = "folded" if self.is_folded(row.group) else "open"
            return f"group {row.group}, {len(row.labels)} classes, {share}, {state}"
        shown = "shown" if is_visible(self._document, row) else "hidden"
        locked = ", locked" if self._document.is_locked(row.label) else ""
        return f"{self._document.table.name_of(row.label)}, {share}, {shown}{locked}"

    # -- what they show -----------------------------------------------------------------------

    def share_text(self, row: ClassRow) -> str:
        """Return how much of the labels a line's classes cover, "" before there are labels."""
        if self.shares is None or max(row.labels) >= len(self.shares):
            return ""
        return percent(float(self.shares[list(row.labels)].sum()))

    def set_shares(self, shares: np.ndarray | None) -> None:
        """Show how much of the labels each class covers, (classes,); None for not known."""
        before = [self.share_text(row) for row in self._rows]
        self.shares = shares
        if before != [self.share_text(row) for row in self._rows]:
            self.repaint_all()

    def is_folded(self, group: str) -> bool:
        """Whether the classes of a group are out of sight."""
        return group in self._folded and not self._wanted.strip()

    def fold(self, group: str, folded: bool) -> None:
        """Put the classes of a group out of sight, or show them again."""
        if folded != (group in self._folded):
            (self._folded.add if folded else self._folded.discard)(group)
            self.restart()

    def reveal(self, label: int) -> QModelIndex:
        """Return where a class is, its group unfolded if need be."""
        classes = self._document.table.classes
        if label < len(classes):
            self.fold(classes[label].group, False)
        return self.index_of(label)

    def find(self, wanted: str) -> None:
        """Show only classes whose name, alias or group holds a text."""
        if wanted != self._wanted:
            self._wanted = wanted
            self.restart()

    def restart(self) -> None:
        """Take the rows anew, for another class table above all."""
        self.beginResetModel()
        self._rows = class_rows(self._document.table, self._folded, self._wanted)
        self.endResetModel()

    def repaint_all(self) -> None:
        """Tell the view that shares or visibility changed."""
        if self.rowCount():
            self.dataChanged.emit(self.index(0), self.index(self.rowCount() - 1))


def is_visible(document: Document, row: ClassRow) -> bool:
    """Whether any class of a line is drawn."""
    visible = document.visible
    return any(bool(visible[label]) for label in row.labels)


def is_locked(document: Document, row: ClassRow) -> bool:
    """Whether all classes of a line are locked."""
    return all(document.is_locked(label) for label in row.labels)


def toggle_visible(document: Document, row: ClassRow) -> None:
    """Show or hide a line's classes; a solo ends with it."""
    if document.solo is not None:
        document.set_solo(None)
        return
    visible = is_visible(document, row)
    for label in row.labels:
        document.set_visible(label, not visible)


def toggle_solo(document: Document, row: ClassRow) -> None:
    """Show this class only, or all again; a group cannot be soloed."""
    if row.label is not None:
        document.set_solo(None if document.solo == row.label else row.label)


def toggle_lock(document: Document, row: ClassRow) -> None:
    """Lock a line's classes, or open them to painting again."""
    locked = is_locked(document, row)
    for label in row.labels:
        document.set_locked(label, not locked)
