"""What the class table editor asks of the window: counting, changing labels, reading tables."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal

from pspgui.gui.notices import Notice
from pspgui.jobs.class_changes import ClassChange, Uses, change_classes, count_uses
from pspgui.jobs.messages import Urgency
from pspgui.jobs.table_sources import read_table
from pspgui.labels.class_edits import ClassDraft
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pspgui.gui.autosave import Autosave
    from pspgui.gui.commands.row import Parts
    from pspgui.gui.session import Session
    from pspgui.project.project import Project

_SAVING_S: Final = 30.0


class ClassSession(QObject):
    """Runs the editor's jobs for the images of the list. GUI thread only.

    Signals: `counted(Uses)`, `table_read(ClassTable)`, `refused(str)` when something cannot be.
    """

    counted = Signal(object)
    table_read = Signal(object)
    refused = Signal(str)

    def __init__(self, parts: Parts, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._parts = parts
        self._document, self._session = parts.document, parts.session
        self._project = parts.project
        self._session.answer_to("count_classes", self.counted.emit)
        self._session.answer_to("read_classes", self.table_read.emit)
        self._session.failed.connect(self.refused)

    @property
    def table(self) -> ClassTable:
        """The classes of the labels shown."""
        return self._document.table

    @property
    def model_table(self) -> ClassTable | None:
        """The classes of the model in use."""
        model = self._session.model
        return None if model is None else model.table

    @property
    def is_writable(self) -> bool:
        """Whether labels may be changed here."""
        return not self.read_only_reason

    @property
    def read_only_reason(self) -> str:
        """Why nothing can be changed; empty where it can."""
        if self._document.image_path is None:
            return "Open an image first; its folder is where the classes are kept."
        return self._document.read_only_reason

    def count(self) -> None:
        """Count labelled pixels of all images by class; answered by `counted`."""
        job = count_uses(listed(self._parts), self._session.store, self.table)
        self._session.ask("background", "count_classes", job)

    def stop(self) -> None:
        """Count no further."""
        self._session.cancel("count_classes")

    def read_table(self, path: Path) -> None:
        """Read the classes of a file or folder; answered by `table_read` or `refused`."""
        self._session.ask("files", "read_classes", read_table(path), Urgency.LOOK)

    def apply(self, draft: ClassDraft) -> None:
        """Bring all labels of the folder to the draft; the image shown is then read anew."""
        session, document = self._session, self._document
        job = change_classes(
            listed(self._parts), session.store, self.table, draft, document.image_path,
            partial(is_ready, self._project.project, session.autosave),
        )  # fmt: skip
        session.holding.run("files", "change_classes", job, "The change of classes", self._changed)

    def _changed(self, change: ClassChange) -> None:
        tell_changed_labels(self._session, change.sentence, bool(change.error))


def tell_changed_labels(session: Session, sentence: str, is_error: bool) -> None:
    """Tell of label files that a job has changed, and have them counted anew.

    The notice offers the backups, unless nothing was changed.
    """
    session.images_changed.emit(session.images)  # statistics and filters follow
    notice = Notice(sentence, is_error=is_error, about="labels")
    if not is_error:
        notice = replace(notice, retry="backups", button="Backups…")
    session.notice.emit(notice)


def listed(parts: Parts) -> Sequence[Path]:
    """Return the images of the list, and the one shown where it is not among them."""
    shown, images = parts.document.image_path, parts.session.images
    return images if shown is None or shown in images else (*images, shown)


def is_ready(project: Project | None, autosave: Autosave) -> bool:
    """Whether everything is on disk (the job's thread); raises `ProjectError` when read-only."""
    if project is not None:
        project.demand_change()
    saved = autosave.wait(_SAVING_S)
    autosave.strokes.journals.drain(None, _SAVING_S)  # a backup may put journals back, too
    return saved


__all__ = ["ClassSession", "Uses", "is_ready", "listed", "tell_changed_labels"]
