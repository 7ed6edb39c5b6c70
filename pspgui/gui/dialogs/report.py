"""What an export or import did: the table of pixels, the proof, remarks, all of it to copy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from PySide6.QtCore import QSize, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from pspgui.gui.dialogs.form import ElidedText, Text
from pspgui.gui.dialogs.plain_table import PlainTable, style_table
from pspgui.gui.icons import icon
from pspgui.gui.theme import GRID_PX, ICON_PX, heading

_MOST_LINES: Final = 200


class Told(NamedTuple):
    """What a report shows. `is_well` marks the proof; `text` is all of it, to be copied."""

    title: str
    headline: str
    proof: str
    is_well: bool
    headings: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str]
    folder: Path
    text: str


class ReportDialog(QDialog):
    """Shows a report; stays open beside the window."""

    def __init__(self, told: Told, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(told.title)
        self._told = told
        self.setMinimumSize(72 * GRID_PX, 48 * GRID_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID_PX, 2 * GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        column.setSpacing(GRID_PX)
        column.addWidget(heading(told.headline))
        column.addWidget(ElidedText(str(told.folder)))
        if told.proof:
            column.addSpacing(GRID_PX)
            column.addLayout(self._proof())
        column.addSpacing(GRID_PX)
        column.addWidget(self._table(), 3)
        if told.remarks:
            column.addSpacing(GRID_PX)
            column.addWidget(heading("Remarks"))
            column.addWidget(self._remarks())
        column.addSpacing(GRID_PX)
        column.addLayout(self._foot())
        self.resize(self.sizeHint())

    def sizeHint(self) -> QSize:
        """Wide enough for the table of a lossy format."""
        return QSize(720, 600)

    def _proof(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(GRID_PX)
        mark = QLabel()
        name, colour = ("check-circle-outline", "accent") if self._told.is_well else (
            "alert-outline", "warning"
        )  # fmt: skip
        mark.setPixmap(icon(name, colour).pixmap(QSize(ICON_PX, ICON_PX)))
        self.proof = Text(self._told.proof)
        row.addWidget(mark)
        row.addWidget(self.proof, 1)
        return row

    def _table(self) -> QTableView:
        self.table = QTableView()
        self.table.setModel(PlainTable(self._told.headings, self._told.rows, self.table))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setAccessibleName("Pixels by class")
        style_table(self.table)
        return self.table

    def _remarks(self) -> QPlainTextEdit:
        lines = list(self._told.remarks)
        further = len(lines) - _MOST_LINES
        if further > 0:
            lines = [*lines[:_MOST_LINES], f"… and {further} more; Copy takes all of them"]
        self.remarks = QPlainTextEdit("\n".join(lines))
        self.remarks.setReadOnly(True)
        self.remarks.setFrameStyle(0)
        height = self.remarks.fontMetrics().lineSpacing() * min(8, len(lines) + 1) + 2 * GRID_PX
        self.remarks.setFixedHeight(height)
        self.remarks.setAccessibleName("Remarks")
        return self.remarks

    def _foot(self) -> QHBoxLayout:
        foot = QHBoxLayout()
        foot.setSpacing(GRID_PX)
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the report as text")
        self.copy.clicked.connect(self._copy)
        self.show_folder = QPushButton("Open folder")
        self.show_folder.clicked.connect(self._open_folder)
        close = QPushButton("Close")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        foot.addWidget(self.copy)
        foot.addWidget(self.show_folder)
        foot.addStretch(1)
        foot.addWidget(close)
        return foot

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._told.text)
        self.copy.setText("Copied")

    @Slot()
    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._told.folder)))
