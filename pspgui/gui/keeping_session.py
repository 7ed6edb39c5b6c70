"""What must not be lost: strokes to recover after a crash, and label files others have changed."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from pspgui.durable import printable
from pspgui.gui.errors import Failure, telling
from pspgui.gui.notices import Notice
from pspgui.jobs.messages import Job, Step, Steps, Turn, Urgency
from pspgui.jobs.opening import OpenedImage
from pspgui.labels.edits import MIB
from pspgui.project import JournalTrouble, LabelStore, Snapshot
from pspgui.project.recovery import Lost

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.session import Session

RECOVER: Final = "recover"
CONFLICT: Final = "conflict"
_COPY: Final = "keep_copy"


class KeepingSession(QObject):
    """Offers what was found beside an image, and lets a person settle conflicts. GUI thread only.

    `changed()` comes when there is something to recover or to settle, or no longer.
    """

    changed = Signal()

    def __init__(self, document: Document, session: Session) -> None:
        super().__init__(session)
        self._document, self._session = document, session
        self._autosave = session.autosave
        self._lost: Lost | None = None
        self._recovered: set[Path] = set()
        self._given_up: set[Path] = set()
        self._autosave.conflicted.connect(self._tell_conflict)
        self._autosave.saved.connect(self._saved)
        self._autosave.strokes.trouble.connect(self._tell_trouble)
        session.project.project_changed.connect(self._offer)
        session.answer_to(_COPY, self._copied)
        session.cancelled.connect(self._cancelled)

    def keep_history(self, image_mb: int, folder_mb: int) -> None:
        """Let undo keep so much of an image, in memory and on disk, and of all in a folder."""
        journals = self._autosave.strokes.journals
        journals.budget_bytes, journals.total_bytes = image_mb * MIB, folder_mb * MIB
        self._document.set_history_budget(image_mb * MIB)

    # -- strokes of an earlier session ----------------------------------------------------------

    @property
    def lost(self) -> Lost | None:
        """Strokes of the image shown that are in no label file; None for none."""
        return self._lost

    def open(self, opened: OpenedImage) -> None:
        """Take what was found beside an image that was opened just now."""
        document, found = self._document, opened.found
        if document.label_map is not None:
            document.label_map.models.update(opened.models)
        self._autosave.strokes.open(opened.path, found)
        if found is not None and found.note:
            document.message.emit(f"{opened.title}: {found.note}.")
        self._set_lost(None if found is None else found.lost)
        if opened.path in self._given_up:
            self._given_up.discard(opened.path)
            self.discard()
        self._offer()
        if opened.path in self._autosave.conflicts:
            self._tell_conflict(opened.path)

    def recover(self) -> bool:
        """Put the strokes on the labels, as one edit; True if that was done."""
        lost = self._lost
        if lost is None or not self._document.recover(lost):
            return False
        self._autosave.strokes.note_recovery(lost.keys)
        self._recovered.add(lost.image)
        self._set_lost(None)
        if not self._document.is_dirty:  # they were there already
            self._put_away(lost.image)
        return True

    def discard(self) -> None:
        """Offer the strokes no more; the journal that holds them goes to the backups."""
        if self._lost is not None:
            self._autosave.strokes.put_lost_away()
            self._set_lost(None)

    def _set_lost(self, lost: Lost | None) -> None:
        if lost is None and self._lost is not None:
            self._session.settled.emit(RECOVER)
        self._lost = lost
        self.changed.emit()

    @Slot()
    def _offer(self) -> None:
        """Say what can be recovered, unless another window is painting these very strokes."""
        project = self._session.project
        if self._lost is None or project.project is None:
            return
        if project.read_only or self._document.read_only_reason:
            self._session.settled.emit(RECOVER)
            return
        text = f"{offer(self._lost)} They are in the stroke journal, but not in the label file."
        self._session.notice.emit(
            Notice(text, is_error=False, retry=RECOVER, about=RECOVER, button="Show…")
        )

    @Slot(object)
    def _saved(self, image: Path) -> None:
        if image in self._recovered and image not in self._autosave.unsaved:
            self._put_away(image)

    def _put_away(self, image: Path) -> None:
        self._recovered.discard(image)
        self._autosave.strokes.journals.put_away(image)

    # -- files that others changed --------------------------------------------------------------

    @property
    def conflict(self) -> Path | None:
        """An image whose label file another program changed: the one shown, else any; or None."""
        conflicts = self._autosave.conflicts
        shown = self._document.image_path
        return shown if shown in conflicts else next(iter(conflicts), None)

    def keep_mine(self, image: Path) -> None:
        """Save over the other program's file, which is copied to the backups first."""
        self._autosave.overwrite(image)
        self._settle_conflict()

    def take_theirs(self, image: Path, copy_to: Path | None = None) -> None:
        """Show the file's labels; ours are written to `copy_to`, or to the backups, before.

        The strokes that are given up with ours are not offered for recovery; those of an earlier
        session that were still on offer stay so, with them.
        """
        self._document.finish_stroke()
        self._autosave.save_now()
        snapshot = self._autosave.snapshot_of(image)
        if snapshot is None:
            self._copied((image, None))
            return
        # What would be painted meanwhile would be given up without being in the copy.
        self._document.set_read_only("A copy of your labels is being kept; a moment.", _COPY)
        job = telling(_keep_copy(self._session.store, snapshot, copy_to))
        self._session.ask("files", _COPY, job, Urgency.MODEL)

    @Slot(str)
    def _cancelled(self, kind: str) -> None:
        if kind == _COPY:
            self._document.set_read_only("", _COPY)

    def _copied(self, answer: tuple[Path, Path | None] | Failure) -> None:
        self._document.set_read_only("", _COPY)
        if isinstance(answer, Failure):
            self._session.notice.emit(Notice(answer.sentence, about="kept"))
            return
        image, copy = answer
        self._autosave.abandon(image)
        self._settle_conflict()
        if copy is not None:
            if self._lost is None or self._lost.image != image:
                self._given_up.add(image)
            text = f"Your labels of {printable(image.name)} are kept in {printable(copy)}."
            self._session.notice.emit(Notice(text, is_error=False, about="kept"))
        if image == self._document.image_path:
            self._session.reopen()

    def _settle_conflict(self) -> None:
        self._session.settled.emit(CONFLICT)
        self.changed.emit()
        left = self.conflict
        if left is not None:
            self._tell_conflict(left)

    @Slot(object)
    def _tell_conflict(self, image: Path) -> None:
        text = str(self._autosave.conflicts[image])
        self._session.notice.emit(Notice(text, retry=CONFLICT, about=CONFLICT, button="Choose…"))
        self.changed.emit()

    @Slot(object)
    def _tell_trouble(self, trouble: JournalTrouble) -> None:
        text = (
            f"The strokes on {printable(trouble.image.name)} could not be written to their "
            f"journal: {trouble.reason}. They are kept in memory and tried again; free some space "
            "or make the folder writable."
        )
        self._session.notice.emit(Notice(text, retry="save", about="save"))


def offer(lost: Lost) -> str:
    """Return the question, such as "Recover 3 strokes of x.jpg, painted 14:02–14:05?"."""
    count = "1 stroke" if lost.strokes == 1 else f"{lost.strokes} strokes"
    return f"Recover {count} of {printable(lost.image.name)}, painted {_times(lost)}?"


def _times(lost: Lost) -> str:
    first, last = time.localtime(lost.started), time.localtime(lost.ended)
    now = time.localtime()
    begin, end = (time.strftime("%H:%M", moment) for moment in (first, last))
    if first[:3] != last[:3]:
        days = (time.strftime("%Y-%m-%d %H:%M", moment) for moment in (first, last))
        return " – ".join(days)
    span = begin if begin == end else f"{begin}–{end}"
    return span if first[:3] == now[:3] else f"{time.strftime('%Y-%m-%d', first)} {span}"


def _keep_copy(store: LabelStore, snapshot: Snapshot, target: Path | None) -> Job:
    """Return a job that writes labels to a file of their own and gives (image, file)."""
    save = partial(store.save_copy, snapshot.image, np.asarray(snapshot.labels), snapshot.palette)

    def job(turn: Turn) -> Steps:
        yield Step("Keeping a copy of your labels")
        return snapshot.image, save(target)

    return job
