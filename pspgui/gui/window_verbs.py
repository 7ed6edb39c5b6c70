"""The verbs of the window that need a dialog, and what is asked before it closes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QWidget

from pspgui.durable import printable
from pspgui.gui.data_sets import DataSets
from pspgui.gui.document import Document
from pspgui.gui.session import WEIGHT_SUFFIXES, Session
from pspgui.gui.settings import Settings
from pspgui.gui.theme import choose_theme

_IMAGES: Final = "Images (*.jpg *.jpeg *.png *.tif *.tiff *.bmp *.webp *.gif *.ppm *.pgm)"
_ALL: Final = "All files (*)"


class WindowVerbs(QObject):
    """File dialogs, theme, key list and closing. GUI thread only.

    `start_page_wanted()`, `keys_wanted()`, `model_wanted()` and `quit_wanted()` are for the window.
    """

    start_page_wanted = Signal()
    keys_wanted = Signal()
    model_wanted = Signal()
    quit_wanted = Signal()

    def __init__(
        self, document: Document, session: Session, settings: Settings, window: QWidget
    ) -> None:
        super().__init__(window)
        self._document = document
        self._session = session
        self._settings = settings
        self._window = window
        self._theme = settings.theme
        self.data_sets = DataSets(document, session, settings, window)

    # -- files --------------------------------------------------------------------------------

    def open_image(self) -> None:
        """Ask for an image and open it."""
        name, _ = QFileDialog.getOpenFileName(
            self._window, "Open image", self._settings.folder("open"), f"{_IMAGES};;{_ALL}"
        )
        self._open(name, "open")

    def open_folder(self) -> None:
        """Ask for a folder and list its images."""
        name = QFileDialog.getExistingDirectory(
            self._window, "Open folder", self._settings.folder("open")
        )
        self._open(name, "open")

    def open_weights(self) -> None:
        """Ask for weights and load them."""
        kinds = " ".join(f"*{suffix}" for suffix in WEIGHT_SUFFIXES)
        name, _ = QFileDialog.getOpenFileName(
            self._window, "Open weights", self._settings.folder("weights"),
            f"Weights ({kinds});;{_ALL}",
        )  # fmt: skip
        if name:
            self._settings.set_folder("weights", Path(name).parent)
            self._session.open_weights(Path(name))

    def export_labels(self) -> None:
        """Ask how, and export all labels."""
        self.data_sets.export()

    def import_labels(self) -> None:
        """Ask for a data set, and import its labels."""
        self.data_sets.import_()

    def _open(self, name: str, purpose: str) -> None:
        if name:
            path = Path(name)
            self._settings.set_folder(purpose, path.parent)
            self._session.open_path(path)

    # -- the window ---------------------------------------------------------------------------

    @property
    def theme(self) -> str:
        """The theme chosen: "system", "dark" or "light"."""
        return self._theme

    def choose_theme(self, name: str, remember: bool = True) -> None:
        """Use a theme now, and also next time."""
        self._theme = name
        choose_theme(QApplication.instance(), name)
        if remember:
            self._settings.theme = name

    def show_start(self) -> None:
        """Show the start page."""
        self.start_page_wanted.emit()

    def show_model(self) -> None:
        """Show what the model is, and how it runs."""
        self.model_wanted.emit()

    def show_keys(self) -> None:
        """Show the list of keys."""
        self.keys_wanted.emit()

    def quit(self) -> None:
        """Close the window."""
        self.quit_wanted.emit()

    def may_close(self) -> bool:
        """Save everything; when that fails, ask what to do. True if the window may close.

        It is asked first whether files still being written are to be given up.
        """
        if self._session.in_turn.open and not self._give_up_files():
            return False
        while not self._session.flush():
            answer = self._ask_about_unsaved()
            if answer == QMessageBox.StandardButton.Discard:
                return True
            if answer == QMessageBox.StandardButton.Cancel:
                return False
            self._session.save_now()
        return True

    def _give_up_files(self) -> bool:
        first, *more = self._session.in_turn.open
        others = f" and {len(more)} more" if more else ""
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Files are still being written")
        box.setText(f"{first}{others} would not be written if pspgui closes now.")
        box.setInformativeText("The status bar says how far it is. Labels are saved in any case.")
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Discard | buttons.Cancel)
        box.button(buttons.Discard).setText("Close without them" if more else "Close without it")
        box.button(buttons.Cancel).setText("Go back")
        box.setDefaultButton(buttons.Cancel)
        return buttons(box.exec()) == buttons.Discard

    def _ask_about_unsaved(self) -> QMessageBox.StandardButton:
        names = [printable(path.name) for path in self._session.autosave.unsaved]
        names = names or [self._document.image_title]
        shown = ", ".join(names[:5]) + ("…" if len(names) > 5 else "")
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Labels are not saved")
        box.setText(f"The labels of {shown} could not be saved.")
        box.setInformativeText(
            "What was saved earlier is untouched. Free some space or make the folder writable and "
            "try again, or go back and export the labels to another folder."
        )
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Retry | buttons.Discard | buttons.Cancel)
        box.button(buttons.Retry).setText("Try again")
        box.button(buttons.Discard).setText("Close without saving")
        box.button(buttons.Cancel).setText("Go back")
        box.setDefaultButton(buttons.Retry)
        return buttons(box.exec())


def local_path(url: QUrl) -> Path:
    """Return the file that a local URL names; names that are no UTF-8 keep their bytes."""
    path = Path(url.toLocalFile())
    if os.name != "posix" or path.exists():
        return path
    encoded = url.path(QUrl.ComponentFormattingOption.FullyEncoded)
    return Path(os.fsdecode(unquote_to_bytes(encoded)))
