"""Taking the evidence shown elsewhere: as a table, as CSV, as the command line's JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from pspgui.durable import printable
from pspgui.gui.icons import icon
from pspgui.gui.theme import ICON_PX

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence
    from pspgui.evidence.tables import Origin
    from pspgui.gui.document import Document
    from pspgui.labels.classes import ClassTable

FORMS: Final = {
    "table": ("Copy as table", "Tabs between cells: paste it into a spreadsheet"),
    "csv": ("Copy as CSV", "Commas between cells, as RFC 4180 has it"),
    "json": ("Copy as JSON", "Exact numbers: what pspgui explain --json prints, and its origin"),
}


def origin_of(document: Document) -> Origin:
    """Return the image's file and the model behind what a document shows."""
    from pspgui.evidence.tables import Origin

    path, prediction = document.image_path, document.prediction
    stamp = getattr(prediction, "stamp", None)
    name = document.image_title if path is None else printable(path)
    return Origin(name, document.network, "" if stamp is None else stamp.model)


def written(evidence: PixelEvidence, table: ClassTable, origin: Origin, form: str) -> str:
    """Return evidence in one of FORMS.

    A table begins with lines on what it is about; CSV and JSON say it in columns and members.
    """
    from pspgui.evidence.tables import as_csv, as_json, as_tsv, json_of, rows_of

    if form == "json":
        return as_json(json_of(evidence, table, origin))
    rows = rows_of(evidence, table)
    if form == "csv":
        return as_csv(rows)
    head = f"image\t{origin.image}\nmodel\t{origin.model}\nweights\t{origin.digest}\n"
    return f"{head}logit\t{evidence.logit!r}\n\n{as_tsv(rows)}"


class CopyButton(QToolButton):
    """A button whose menu copies what `shown()` gives; disabled while that is nothing."""

    def __init__(
        self, document: Document, shown: Callable[[], PixelEvidence | None],
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document, self._shown = document, shown
        self.setIconSize(QSize(ICON_PX, ICON_PX))
        self.setIcon(icon("content-copy"))
        self.setStyleSheet("QToolButton::menu-indicator { image: none; width: 0; }")
        self.setAccessibleName("Copy the evidence")
        self.setToolTip("Copy the evidence (Ctrl+C)")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self.choices = {}
        for form, (title, meaning) in FORMS.items():
            action = menu.addAction(title)
            action.setToolTip(meaning)
            action.setData(form)
            action.triggered.connect(self._chosen)
            self.choices[form] = action
        self.setMenu(menu)
        self.setEnabled(False)

    def copy(self, form: str = "table") -> bool:
        """Put the evidence on the clipboard; return whether there was any."""
        evidence = self._shown()
        if evidence is None:
            return False
        table = self._document.reading_table
        text = written(evidence, table, origin_of(self._document), form)
        QGuiApplication.clipboard().setText(text)
        y, x = evidence.pixel
        form_name = {"table": "a table", "csv": "CSV", "json": "JSON"}[form]
        self._document.message.emit(f"The evidence at x {x}, y {y} is copied as {form_name}.")
        return True

    @Slot()
    def _chosen(self) -> None:
        self.copy(self.sender().data())
