"""Asks which backup is to be put back, and has it done."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QModelIndex, QObject, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from pspgui.gui.class_session import is_ready, listed, tell_changed_labels
from pspgui.gui.dialogs.form import Text
from pspgui.gui.dialogs.plain_table import PlainTable, number, style_table
from pspgui.gui.theme import GRID_PX, heading
from pspgui.jobs.messages import Urgency
from pspgui.jobs.restoring import Restored, before, find_backups, labels_in, restore_backup

if TYPE_CHECKING:
    from pspgui.gui.commands.row import Parts
    from pspgui.project.backups import Backup

_MOST_NAMES: Final = 4
_NONE: Final = (
    "There are no backups yet. One is made by itself before labels are imported, before a class is "
    "relabelled in all images, and before classes are changed."
)


class BackupsDialog(QDialog):
    """The backups of the folders in the list, and what putting one back means."""

    def __init__(self, parts: Parts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Backups")
        self.backups: tuple[Backup, ...] = ()
        self.view = QTableView()
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setAccessibleName("Backups")
        self.meaning = Text("Looking for backups…")
        self.meaning.setMinimumHeight(7 * GRID_PX)
        self.take, close = QPushButton("Put back"), QPushButton("Close")
        self.take.setEnabled(False)
        self.take.clicked.connect(self.accept)
        close.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.take)
        buttons.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID_PX, 2 * GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        column.setSpacing(2 * GRID_PX)
        for part in (heading("Labels as they were"), self.view, self.meaning):
            column.addWidget(part)
        column.addLayout(buttons)
        self.take.setAutoDefault(False)  # nothing is put back by Enter alone
        close.setDefault(True)
        self.resize(80 * GRID_PX, 52 * GRID_PX)
        session = parts.session
        session.answer_to("find_backups", self._found)
        session.ask("files", "find_backups", find_backups(listed(parts), session.store),
                    Urgency.LOOK)  # fmt: skip

    @property
    def chosen(self) -> Backup | None:
        """The backup selected."""
        row = self.view.currentIndex().row()
        return self.backups[row] if 0 <= row < len(self.backups) else None

    @Slot(object)
    def _found(self, backups: tuple[Backup, ...]) -> None:
        self.backups = backups
        rows = [
            (f"Before {before(backup)}", when(backup.made_at),
             number(len(labels_in(backup))))
            for backup in backups
        ]  # fmt: skip
        self.view.setModel(PlainTable(("Kept", "Made", "Images"), rows, self))
        style_table(self.view)
        self.view.selectionModel().currentRowChanged.connect(self._show)
        self.meaning.setText("Choose one to see what it holds." if backups else _NONE)

    @Slot(QModelIndex)
    def _show(self, _: QModelIndex) -> None:
        backup = self.chosen
        self.take.setEnabled(backup is not None)
        if backup is None:
            return
        names = labels_in(backup)
        more = f" and {number(len(names) - _MOST_NAMES)} more" if len(names) > _MOST_NAMES else ""
        self.meaning.setText(
            f"Gives {', '.join(names[:_MOST_NAMES])}{more} the labels of {when(backup.made_at)} "
            "back. What they hold now becomes a backup, too, so that this can be taken back here; "
            "Ctrl+Z does not reach behind it. Images that had no labels then stay as they are."
        )


class Restoring(QObject):
    """Has a backup put back; the image shown is then read anew. GUI thread only."""

    def __init__(self, parts: Parts, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document, self._session, self._project = parts.document, parts.session, parts.project

    def apply(self, backup: Backup) -> None:
        """Put it back; the end is told as a notice."""
        saved = partial(is_ready, self._project.project, self._session.autosave)
        job = restore_backup(backup, saved)
        self._session.holding.run("files", "restore", job, "Putting a backup back", self._done)

    def _done(self, result: Restored) -> None:
        tell_changed_labels(self._session, result.sentence, bool(result.error))


def when(made_at: float) -> str:
    """Return a time as people say it here; `made_at` is in seconds since 1970."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(made_at))


def ask_for_backup(parts: Parts) -> None:
    """Ask, and have it done."""
    document = parts.document
    document.finish_stroke()
    dialog = BackupsDialog(parts, parts.canvas.window())
    accepted, backup = dialog.exec(), dialog.chosen
    dialog.deleteLater()
    if accepted and backup is not None and document.may_change():
        Restoring(parts, parts.window).apply(backup)
