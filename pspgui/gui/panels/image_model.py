"""The rows of the image list: paths in the order found, and what is known of each. 100 000 fit."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from pspgui.durable import printable
from pspgui.gui.panels.thumbnails import ThumbnailError, Thumbnails
from pspgui.project.index import IndexedImage

MARK_WORDS: Final = {"edited": "edited, not saved yet", "saved": "labels saved"}
Index = QModelIndex | QPersistentModelIndex
Known = Callable[[Path], IndexedImage | None]


class ImageModel(QAbstractListModel):
    """The paths that pass the filter, and what is known of each.

    `known(path)` tells what the index says. `current` is the image on the canvas, which need not
    be the row that the keyboard is at.
    """

    def __init__(
        self, thumbnails: Thumbnails, known: Known = lambda path: None,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.thumbnails = thumbnails
        self.known = known
        self.current: Path | None = None
        self.sort = "name"
        self._all: Sequence[Path] = ()
        self._keys: list[str] | None = None
        self._rows: array[int] | None = None
        self._places: Mapping[str, int] | None = None
        self._marks: dict[Path, str] = {}

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return how many images pass the filter."""
        if parent.isValid():
            return 0
        return len(self._all) if self._rows is None else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the file name, everything known as tooltip, the path itself under UserRole."""
        path = self.path_at(index.row()) if index.isValid() else None
        if path is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return printable(path.name)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join([printable(path), *self._told(path)])
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join([printable(path.name), *self._told(path)])
        return path if role == Qt.ItemDataRole.UserRole else None

    def _told(self, path: Path) -> list[str]:
        """Return, in words, everything known of an image."""
        told = []
        known, mark = self.known(path), MARK_WORDS.get(self._marks.get(path, ""), "")
        if known is not None:
            told.append(known.status)
            if known.margin is not None:
                told.append(f"doubt {1 - known.margin:.2f}")
            if known.tags:
                told.append(f"tags: {', '.join(known.tags)}")
            told += [f"note: {known.note}"] if known.note else []
            if known.comment:
                told.append(f"{known.reviewer or 'review'}: {known.comment}")
        told += [mark] if mark else []
        picture = self.thumbnails.get(path)
        if isinstance(picture, ThumbnailError):
            told.append(picture.reason)
        return told

    @property
    def total(self) -> int:
        """How many images there are without the filter."""
        return len(self._all)

    def set_paths(self, paths: Sequence[Path]) -> None:
        """Take another folder's images, all of them shown; marks of the old ones are forgotten."""
        self.beginResetModel()
        self._all, self._keys, self._rows, self._places = paths, None, None, None
        self._marks = {}
        self.endResetModel()

    def set_rows(self, rows: array[int] | None, places: Mapping[str, int] | None = None) -> None:
        """Show these places of the list, in this order; None shows all as they are."""
        if places is not None:
            self._places = places
        if rows == self._rows:
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def set_names(self, passes: Callable[[str], bool]) -> None:
        """Show images whose folded name passes; for as long as there is no index to ask."""
        if self._keys is None:
            self._keys = [printable(path.name).casefold() for path in self._all]
        self.set_rows(array("q", (i for i, key in enumerate(self._keys) if passes(key))))

    def set_current(self, path: Path | None) -> None:
        """Note which image is on the canvas."""
        before, self.current = self.current, path
        for changed in (before, path):
            self._row_changed(changed)

    def set_status(self, path: Path, mark: str) -> None:
        """Set an image's mark: "edited", "saved" or "" for none."""
        if self._marks.get(path, "") != mark:
            self._marks[path] = mark
            self._row_changed(path)

    def set_saved(self, paths: Collection[Path]) -> None:
        """Mark images as having saved labels, where they have no mark yet."""
        for path in paths:
            self._marks.setdefault(path, "saved")
        if paths:
            self.all_changed()

    def status_of(self, path: Path) -> str:
        """Return "edited", "saved" or ""."""
        return self._marks.get(path, "")

    def all_changed(self) -> None:
        """Tell views that more is known of rows."""
        if self.rowCount():
            self.dataChanged.emit(self.index(0), self.index(self.rowCount() - 1))

    def path_at(self, row: int) -> Path | None:
        """Return the image in a row."""
        if not 0 <= row < self.rowCount():
            return None
        return self._all[row if self._rows is None else self._rows[row]]

    def row_of(self, path: Path | None) -> int:
        """Return the row of an image, -1 when it is not shown."""
        if path is None:
            return -1
        try:
            place = self._all.index(path) if self._places is None else self._places[str(path)]
            return place if self._rows is None else self._rows.index(place)
        except (KeyError, ValueError):
            return -1

    def _row_changed(self, path: Path | None) -> None:
        row = self.row_of(path)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row))
