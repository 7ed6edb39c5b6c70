"""Asks which labels to keep when another program changed the label file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFileDialog, QMessageBox, QPushButton, QWidget

from pspgui.durable import printable

if TYPE_CHECKING:
    from pspgui.gui.keeping_session import KeepingSession


class ConflictDialog(QMessageBox):
    """Keep mine, take theirs, save a copy; closing it decides nothing. Nothing is ever deleted."""

    def __init__(
        self, keeping: KeepingSession, image: Path, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._keeping, self._image = keeping, image
        self.setIcon(QMessageBox.Icon.Warning)
        self.setWindowTitle("Labels changed elsewhere")
        self.setText(f"Another program changed the labels of {printable(image.name)}.")
        self.setInformativeText(
            "Keep mine: the labels shown here are saved; the other file is copied to the "
            "backups.\n\n"
            "Take theirs: the file is shown; the labels shown here are copied to the backups.\n\n"
            "Save a copy: the labels shown here go to a file that you name; then the other file "
            "is shown."
        )
        roles = QMessageBox.ButtonRole
        self.mine: QPushButton = self.addButton("Keep mine", roles.AcceptRole)
        self.theirs: QPushButton = self.addButton("Take theirs", roles.ActionRole)
        self.copy: QPushButton = self.addButton("Save a copy…", roles.ActionRole)
        self.later: QPushButton = self.addButton("Decide later", roles.RejectRole)
        self.setDefaultButton(self.later)
        self.setEscapeButton(self.later)
        self.buttonClicked.connect(self._choose)

    @Slot(object)
    def _choose(self, button: QPushButton) -> None:
        if button is self.mine:
            self._keeping.keep_mine(self._image)
        elif button is self.theirs:
            self._keeping.take_theirs(self._image)
        elif button is self.copy:
            suggested = self._image.with_name(f"{self._image.stem} labels.png")
            name, _ = QFileDialog.getSaveFileName(
                self.parentWidget(), "Save a copy of my labels", str(suggested), "PNG (*.png)"
            )
            if name:
                self._keeping.take_theirs(self._image, Path(name))
