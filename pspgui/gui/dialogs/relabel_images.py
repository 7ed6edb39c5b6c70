"""Asks which class is to become which in all images of the list, and has it done."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from pspgui.gui.class_session import listed, tell_changed_labels
from pspgui.gui.dialogs.form import Choices, Form, Text
from pspgui.gui.theme import GRID_PX
from pspgui.jobs.class_changes import Uses, count_uses
from pspgui.jobs.relabelling import Relabelled, relabel_images

if TYPE_CHECKING:
    from pspgui.gui.commands.row import Parts

_SAVING_S: Final = 20.0


class Relabelling(QObject):
    """Has all images of the list relabelled; the one shown is then read anew. GUI thread only."""

    def __init__(self, parts: Parts, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._parts = parts
        self._document, self._session = parts.document, parts.session

    def apply(self, source: str, target: str | None) -> None:
        """Give one class another one, None for unlabelled; the end is told as a notice."""
        session, document = self._session, self._document
        job = relabel_images(
            listed(self._parts), session.store, document.table, source,
            target, partial(session.autosave.wait, _SAVING_S), session.autosave.strokes.journals,
        )  # fmt: skip
        session.holding.run("files", "relabel", job, "Relabelling", self._done)

    def _done(self, result: Relabelled) -> None:
        tell_changed_labels(self._session, result.sentence, bool(result.error))


class RelabelImagesDialog(QDialog):
    """Two classes, and how much of the first there is on disk."""

    def __init__(self, parts: Parts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts = parts
        table = parts.document.table
        self._uses: Uses | None = None
        self.setWindowTitle("Relabel in all images")
        self.source, self.target = Choices(), Choices()
        active = table.name_of(parts.document.active_class)
        self.source.fill([(name, name) for name in table.names], active)
        rows: list[tuple[str, object]] = [(name, name) for name in table.names]
        self.target.fill([*rows, (table.name_of(table.ignore), None)], None)
        self.effect = Text("Counting labels…")
        self.form = Form("Relabel in all images")
        self.form.add("Class", self.source)
        self.form.add("Into", self.target)
        self.form.add_wide(self.effect)
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self._ok = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        self._ok.setText("Relabel")
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID_PX, 2 * GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        column.setSpacing(2 * GRID_PX)
        column.addWidget(self.form)
        column.addWidget(self._buttons)
        self.setMinimumWidth(56 * GRID_PX)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self.source.activated.connect(self._show)
        self.target.activated.connect(self._show)
        self._count()
        self._show()

    def _count(self) -> None:
        session, document = self._parts.session, self._parts.document
        session.autosave.save_now()
        session.answer_to("count_relabel", self._counted)
        images = listed(self._parts)
        session.ask("background", "count_relabel",
                    count_uses(images, session.store, document.table))  # fmt: skip

    def _counted(self, uses: Uses) -> None:
        self._uses = uses
        self._show()

    @Slot()
    def _show(self) -> None:
        source = str(self.source.value)
        same = self.source.value == self.target.value
        some = self._uses is not None and self._uses.pixels.get(source, 0) > 0
        self._ok.setEnabled(some and not same)
        if self._uses is None:
            return
        pixels = f"{self._uses.pixels.get(source, 0):,}".replace(",", "\u2009")
        images = self._uses.images.get(source, 0)
        noun = "image" if images == 1 else "images"
        self.effect.setText(
            f"Saved labels hold {pixels} px of {source} in {images} {noun}. They are backed up "
            "before they are changed; undo takes it back in each image, File, Backups… in all."
        )

    def done(self, result: int) -> None:
        """Count no further."""
        self._parts.session.cancel("count_relabel")
        super().done(result)


def relabel_in_all(parts: Parts) -> None:
    """Ask, and have it done."""
    document = parts.document
    if not document.may_change():
        return
    if document.image_path is None:
        document.message.emit("Open an image of the folder first.")
        return
    dialog = RelabelImagesDialog(parts, parts.canvas.window())
    accepted = dialog.exec()
    dialog.deleteLater()
    if accepted:
        target = dialog.target.value
        Relabelling(parts, parts.window).apply(
            str(dialog.source.value), None if target is None else str(target)
        )
