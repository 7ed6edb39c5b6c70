"""Asks how much undo may keep, in memory and on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from pspgui.gui.dialogs.form import Form, Text
from pspgui.gui.number_box import NumberBox
from pspgui.gui.theme import GRID_PX

if TYPE_CHECKING:
    from pspgui.gui.session import Session

LEAST_MB: Final = 16
MOST_MB: Final = 65536
_MEANING: Final = (
    "Every edit is kept so that it can be undone, also after closing. What is beyond the "
    "budget goes first where it is oldest; labels themselves are never dropped."
)


class HistoryRoomDialog(QDialog):
    """Two budgets in MB: of one image, and of all images of a folder; used at once and kept."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setWindowTitle("How much undo keeps")
        image, folder = session.settings.history_mb
        self.image_mb, self.folder_mb = _megabytes(image), _megabytes(folder)
        self.image_mb.valueChanged.connect(self._keep_order)
        form = Form("How much undo keeps")
        form.add("One image", self.image_mb)
        form.add("All of a folder", self.folder_mb)
        form.add_wide(Text(_MEANING))
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(*4 * (2 * GRID_PX,))
        column.setSpacing(2 * GRID_PX)
        column.addWidget(form)
        column.addWidget(self.buttons)
        self.setMinimumWidth(50 * GRID_PX)
        self._keep_order(image)

    @Slot(int)
    def _keep_order(self, image_mb: int) -> None:
        """A folder keeps no less than one of its images."""
        self.folder_mb.setMinimum(image_mb)

    def accept(self) -> None:
        """Use the budgets, now and next time."""
        chosen = self.image_mb.value(), self.folder_mb.value()
        self._session.settings.history_mb = chosen
        self._session.keeping.keep_history(*chosen)
        super().accept()


def _megabytes(value: int) -> NumberBox:
    box = NumberBox()
    box.setRange(LEAST_MB, MOST_MB)
    box.setSingleStep(64)
    box.setSuffix(" MB")
    box.setValue(value)
    return box
