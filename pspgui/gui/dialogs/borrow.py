"""Asks which image of the list is to lend a bin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pspgui.durable import printable
from pspgui.gui.dialogs.form import Text
from pspgui.gui.theme import GRID_PX

_MOST = 200
_AT_ONCE = 1000
_PATH = 256  # Qt.UserRole


class BorrowDialog(QDialog):
    """A list of images with a filter; `picked(Path)` comes with the one borrowed from.

    Long lists are gone through some names a turn of the event loop.
    """

    picked = Signal(object)

    def __init__(
        self, what: str, images: Sequence[Path], shown: Path | None, before: Path | None,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.setWindowTitle("Borrow from another image")
        self._images, self._shown, self._before = images, shown, before
        self.filter = QLineEdit(placeholderText="Part of a name")
        self.filter.setAccessibleName("Filter images by name")
        self.filter.setClearButtonEnabled(True)
        self.list = QListWidget()
        self.list.setAccessibleName("Images")
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self._ok = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        self._ok.setText("Borrow")
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID_PX, 2 * GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        column.setSpacing(GRID_PX)
        column.addWidget(Text(
            f"{what}: the model reads the image chosen, and its bin at the same place takes the "
            "place of this one."
        ))  # fmt: skip
        column.addWidget(self.filter)
        column.addWidget(self.list, 1)
        column.addWidget(self.buttons)
        self.resize(44 * GRID_PX, 50 * GRID_PX)
        self._scan = QTimer(self, interval=0)
        self._left: Iterator[Path] = iter(())
        self._scan.timeout.connect(self._go_on)
        self.filter.textChanged.connect(self._begin)
        self.list.itemSelectionChanged.connect(self._selected)
        self.list.itemActivated.connect(self.accept)
        self.buttons.accepted.connect(self.accept)
        self.accepted.connect(lambda: self.picked.emit(self.chosen))
        self.buttons.rejected.connect(self.reject)
        self._begin()

    @property
    def chosen(self) -> Path | None:
        """The image picked."""
        item = self.list.currentItem()
        return None if item is None or not item.isSelected() else item.data(_PATH)

    @Slot()
    def _begin(self) -> None:
        self.list.clear()
        self._left = iter(self._images)
        if self._before is not None:
            self._offer(self._before, "  (shown before)")
        self._scan.start()
        self._selected()

    @Slot()
    def _go_on(self) -> None:
        for _ in range(_AT_ONCE):
            path = next(self._left, None)
            if path is None or self.list.count() >= _MOST:
                self._scan.stop()
                return
            if path not in (self._before, self._shown):
                self._offer(path)

    def _offer(self, path: Path, remark: str = "") -> None:
        name = printable(path.name)
        if self.filter.text().casefold() in name.casefold():
            item = QListWidgetItem(name + remark)
            item.setData(_PATH, path)
            item.setToolTip(printable(path))
            self.list.addItem(item)

    @Slot()
    def _selected(self) -> None:
        self._ok.setEnabled(self.chosen is not None)
