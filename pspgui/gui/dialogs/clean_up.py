"""Asks how small an island or a hole of the active class must be to be cleaned up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QSpinBox, QVBoxLayout, QWidget

from pspgui.gui.theme import GRID_PX, QuietLabel
from pspgui.labels.regions import hole_sizes, island_sizes

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_MOST_PX = 100_000_000
_TEXTS = {
    "islands": ("Remove islands of {}", "Islands smaller than", "Remove"),
    "holes": ("Fill holes in {}", "Holes smaller than", "Fill"),
}
_chosen_px = {"islands": 64, "holes": 64}


class CleanUpDialog(QDialog):
    """One number, and what it comes to: how many pieces and pixels would change.

    `what` is "islands" or "holes" of the document's active class. The number is remembered while
    the program runs.
    """

    def __init__(self, document: Document, what: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document, self._what = document, what
        title, asked, verb = _TEXTS[what]
        label = document.active_class
        sizes = (island_sizes if what == "islands" else hole_sizes)(
            document.label_map.labels, label
        )
        self._sizes = np.sort(sizes)
        self._pixels = np.concatenate([[0], np.cumsum(self._sizes)])
        self.setWindowTitle(title.format(document.table.name_of(label)))
        self.below = QSpinBox()
        self.below.setRange(2, _MOST_PX)
        self.below.setSuffix(" px")
        self.below.setValue(_chosen_px[what])
        self.effect = QuietLabel("")
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self._ok = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        self._ok.setText(verb)
        form = QFormLayout()
        form.addRow(asked, self.below)
        form.addRow("", self.effect)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID_PX, 2 * GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        column.addLayout(form)
        column.addWidget(self._buttons)
        self.below.valueChanged.connect(self._count)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._count()

    def accept(self) -> None:
        """Make the edit."""
        below = _chosen_px[self._what] = self.below.value()
        super().accept()
        if self._what == "islands":
            self._document.remove_islands(below)
        else:
            self._document.fill_holes(below)

    @Slot()
    def _count(self) -> None:
        pieces = int(np.searchsorted(self._sizes, self.below.value()))
        pixels = f"{int(self._pixels[pieces]):,}".replace(",", "\u2009")
        one = self._what.removesuffix("s")
        noun = one if pieces == 1 else self._what
        self.effect.setText(f"{pieces} {noun}, {pixels} px" if pieces else f"no {self._what}")
        self._ok.setEnabled(pieces > 0)


def clean_up(document: Document, what: str, parent: QWidget) -> None:
    """Ask and do it; without labels, say so in the status bar."""
    document.finish_stroke()
    if document.can_paint("brush"):
        CleanUpDialog(document, what, parent).exec()
