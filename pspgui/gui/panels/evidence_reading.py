"""Choosing how evidence is read, with two sentences on what each way means and does not mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from pspgui.gui.icons import icon
from pspgui.gui.theme import ICON_PX

if TYPE_CHECKING:
    from pspgui.gui.document import Document

READINGS: Final = {
    "split": (
        "Split",
        "Gates stay as they are; each amount is gradient times activation, and all add up to the "
        "number shown.\nIt tells what carried the decision, not what would happen without it.",
    ),
    "ig": (
        "Integrated gradients",
        "All sources grow together from nothing to what they are, and each gets what it added on "
        "the way; all add up to the number shown.\nGates that open on the way count in part, so "
        "amounts differ from the split where sources work together.",
    ),
    "ablate": (
        "If removed",
        "How far the number falls when this source alone is silent and every gate answers anew: "
        "the network's own answer.\nThe amounts need not add up, for sources can stand in for "
        "each other; what is left is called together.",
    ),
}
_WORDS: Final = {"split": "", "ig": "integrated", "ablate": "if removed"}


class ReadingButton(QToolButton):
    """A button whose menu holds the readings that this network's evidence has."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setIconSize(QSize(ICON_PX, ICON_PX))
        self.setIcon(icon("sigma"))
        self.setStyleSheet("QToolButton::menu-indicator { image: none; width: 0; }")
        self.setAccessibleName("How evidence is read")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        group = QActionGroup(self)
        self.choices = {}
        for reading, (title, meaning) in READINGS.items():
            action = menu.addAction(title)
            action.setCheckable(True)
            action.setToolTip(meaning)
            action.setData(reading)
            group.addAction(action)
            action.triggered.connect(self._chosen)
            self.choices[reading] = action
        self.setMenu(menu)
        document.reading_changed.connect(self.show_choice)
        self.show_choice()

    def words(self) -> str:
        """Return a few words on the reading in use; empty for the split."""
        return _WORDS[self._document.reading]

    @Slot()
    def show_choice(self) -> None:
        """Show which reading is in use and which there are."""
        current, known = self._document.reading, self._document.readings
        for reading, action in self.choices.items():
            action.setChecked(reading == current)
            action.setEnabled(reading in known)
        title, meaning = READINGS[current]
        self.setToolTip(f"Evidence is read as: {title}\n{meaning}")
        self.setEnabled(len(known) > 1)

    @Slot()
    def _chosen(self) -> None:
        self._document.set_reading(self.sender().data())
