"""The what-ifs of an image that were saved under a name: kept in its project, read on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from pspgui.durable import printable
from pspgui.gui.notices import Notice
from pspgui.jobs.messages import Urgency
from pspgui.jobs.what_if_notes import (
    FoundNotes,
    NoteChanges,
    WhatIfNote,
    add_note,
    change_notes,
    drop_note,
    find_notes,
    notes_path,
    now,
)

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.session import Session
    from pspgui.gui.what_if import WhatIfSession

_KIND, _KEEP = "what_if_notes", "what_if_keep"


class WhatIfNotes(QObject):
    """Lists, keeps, applies and deletes the notes of the image shown. GUI thread only.

    `changed()` comes when there are other notes, when they can be kept where they could not, and
    when another model is in use.
    Files are read and written on the files lane.
    """

    changed = Signal()

    def __init__(
        self, document: Document, session: Session, what_if: WhatIfSession,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document, self._session, self._what_if = document, session, what_if
        self._notes: tuple[WhatIfNote, ...] = ()
        self._trouble = ""
        self._changes = NoteChanges()
        session.answer_to(_KIND, self._found)
        session.answer_to(_KEEP, self._found)
        document.image_changed.connect(self._look)
        session.project.project_changed.connect(self._look)
        session.model_changed.connect(self._model_changed)
        self._look()

    @property
    def notes(self) -> tuple[WhatIfNote, ...]:
        """The notes of the image shown, the oldest first."""
        return self._notes

    @property
    def trouble(self) -> str:
        """Why the notes could not be read, a sentence; else empty."""
        return self._trouble

    @property
    def why_not(self) -> str:
        """Why no note can be kept now, a sentence; empty where it can."""
        if self._document.image_path is None:
            return "This image has no file, so there is no place to keep notes beside it."
        if self._session.project.read_only:
            return self._session.project.reason
        if self._what_if.told is None:
            return "Mute or scale something first; then it can be saved as a note."
        return ""

    def is_of_this_model(self, note: WhatIfNote) -> bool:
        """Whether the model in use is the one that a note was made with; True for no model yet."""
        model = self._session.model
        return model is None or model.digest == note.model

    def keep(self, name: str) -> None:
        """Save what is altered, and what came of it, under a name."""
        told, evidence = self._what_if.told, self._what_if.evidence
        image, model = self._document.image_path, self._session.model
        if told is None or evidence is None or image is None or self.why_not:
            return
        table = self._document.reading_table
        gained = {table.name_of(i): int(n) for i, n in enumerate(told.gained) if n}
        loans = {
            place: _from(image, Path(lender.image_id))
            for place, lender in told.what.borrowed.items()
        }
        note = WhatIfNote(
            replace(told.what, note=name, borrowed={}), loans,
            evidence.activations.stamp.model, "" if model is None else model.title,
            told.changed_px, told.pixels, gained, now(),
        )  # fmt: skip
        self._change(lambda path: add_note(path, image.name, note))

    def delete(self, note: WhatIfNote) -> None:
        """Delete a note from the project."""
        image = self._document.image_path
        if image is not None:
            self._change(lambda path: drop_note(path, image.name, note))

    def apply(self, note: WhatIfNote) -> None:
        """Alter what a note says; loans come once their images are read."""
        image, evidence = self._document.image_path, self._what_if.evidence
        if image is None or evidence is None:
            return
        levels = evidence.levels
        places = [*note.what.bins, *note.loans]
        known = all(level in levels for level in note.what.levels)
        if not known or not all(_is_bin(place, levels) for place in places):
            self._document.message.emit(
                f"“{note.name}” was made with a pyramid of other levels; nothing was altered."
            )
            return
        if not self.is_of_this_model(note):
            whose = f"({note.model_title}) " if note.model_title else ""
            self._document.message.emit(
                f"“{note.name}” was made with another model {whose}; its factors are applied to "
                "the one in use, and its counts may differ."
            )
        loans = {place: _to(image, lender) for place, lender in note.loans.items()}
        self._what_if.apply(note.what, loans)

    # -- inside -------------------------------------------------------------------------------

    @Slot()
    def _look(self, _project: object = None) -> None:
        image = self._document.image_path
        self._take((), "")
        if image is not None:
            job = find_notes(image, self._locate(image))
            self._session.ask("files", _KIND, job, Urgency.BACKGROUND)

    def _locate(self, image: Path) -> Callable[[], Path]:
        """Return what says in which file an image's notes are."""
        project, store = self._session.project.project, self._session.store
        beside = project is not None and project.root == image.parent
        home = project.home if beside else None

        def locate() -> Path:
            label_file = store.path_for(image)
            return notes_path(home or label_file.parent.parent, label_file)

        return locate

    def _change(self, change: Callable[[Path], None]) -> None:
        image, project = self._document.image_path, self._session.project.project
        if image is None:
            return
        beside = project is not None and project.root == image.parent
        may = project.demand_change if beside else partial(lambda: None)
        locate = self._locate(image)
        self._changes.add(locate, change, may)
        self._session.ask("files", _KEEP, change_notes(image, locate, self._changes), Urgency.LOOK)
        if beside:
            self._session.project.know(image)

    @Slot()
    def finish(self) -> None:
        """Make at once what changes wait, before the window closes."""
        for trouble in self._changes.carry_out():
            self._session.notice.emit(Notice(trouble, about="what if"))

    def _found(self, found: FoundNotes) -> None:
        shown = found.image == self._document.image_path
        if shown:
            self._take(found.notes, "" if found.changed else found.trouble)
        if found.was_refused:
            self._session.notice.emit(Notice(found.trouble, about="what if"))
        elif found.changed:
            name = printable(found.image.name)
            self._document.message.emit(f"The notes of {name} are saved in its project.")

    @Slot(object)
    def _model_changed(self, _facts: object) -> None:
        self.changed.emit()

    def _take(self, notes: tuple[WhatIfNote, ...], trouble: str) -> None:
        self._notes, self._trouble = notes, trouble
        self.changed.emit()


def _is_bin(place: tuple[int, int, int], levels: tuple[int, ...]) -> bool:
    level, row, column = place
    return level in levels and 0 <= row < level and 0 <= column < level


def _from(image: Path, lender: Path) -> str:
    """Return how a note names a lender: by its name alone where it lies beside the image."""
    return lender.name if lender.parent == image.parent else str(lender)


def _to(image: Path, lender: str) -> Path:
    return image.parent / lender  # an absolute path stays what it is
