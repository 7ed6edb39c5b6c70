"""The menu of images that are selected: status, words, predicting, exporting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QMenu, QWidget

from pspgui.durable import printable
from pspgui.gui.icons import icon
from pspgui.gui.panels.image_details import StatusMenu

if TYPE_CHECKING:
    from pspgui.gui.queue_session import QueueSession


class SelectionMenu(QMenu):
    """What can be done with these images; it deletes itself when it closes.

    `predict_wanted(paths, keep as labels)`, `export_wanted(paths)`, and `typing_wanted(str)` with
    "tags_field" or "note_field" of the details below the list.
    """

    predict_wanted = Signal(object, bool)
    export_wanted = Signal(object)
    typing_wanted = Signal(str)

    def __init__(
        self, paths: Sequence[Path], queue: QueueSession, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        one = printable(paths[0].name)
        title = self.addAction(one if len(paths) == 1 else f"{len(paths)} images")
        title.setEnabled(False)
        self.addSeparator()
        able = queue.index is not None and not queue.read_only
        status = StatusMenu("Set the status", self)
        status.chosen.connect(lambda chosen: queue.set_status(paths, chosen))
        self.addMenu(status).setEnabled(able)
        for name, text, field in (
            ("tag-outline", "Tags", "tags_field"), ("note-text-outline", "Note", "note_field"),
        ):  # fmt: skip
            action = self.addAction(icon(name), text)
            action.triggered.connect(lambda _=False, field=field: self.typing_wanted.emit(field))
            action.setEnabled(able)
        self.addSeparator()
        count = "" if len(paths) == 1 else f" {len(paths)} images"
        predict = self.addAction(icon("creation-outline"), f"Predict{count}")
        predict.triggered.connect(lambda: self.predict_wanted.emit(paths, False))
        keep = self.addAction(f"Predict{count} and keep as starting labels…")
        keep.triggered.connect(lambda: self.predict_wanted.emit(paths, True))
        keep.setEnabled(able)
        self.addSeparator()
        export = self.addAction(icon("export-variant"), f"Export{count}…")
        export.triggered.connect(lambda: self.export_wanted.emit(paths))
