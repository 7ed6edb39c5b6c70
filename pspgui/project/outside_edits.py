"""Edits of labels on disk, made while nobody paints there; each enters its image's journal."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pspgui.labels.edits import Change
from pspgui.labels.label_map import LabelMap
from pspgui.project import journal as frames
from pspgui.project.class_files import classes_beside
from pspgui.project.journal import JournalError, read_journal
from pspgui.project.journal_file import JournalFile, thin
from pspgui.project.journaling import BUDGET_BYTES, TOTAL_BYTES, StrokeJournals
from pspgui.project.recovery import Resume, journal_path
from pspgui.project.store import LabelStore

_DRAIN_S: Final = 10.0


class _Long(NamedTuple):
    """A journal above its budget, its label file's SHA-256 and its last operation."""

    file: JournalFile
    digest: str
    operation: int


class OutsideEdits:
    """Saves changed labels of images, each change as an edit that undo takes back there.

    A journal that cannot be read, belongs to other labels or holds strokes which no label file
    has is left alone; so is one that cannot be written. Undo then begins anew: `without` names
    those images. One thread, and no image that somebody is painting.
    """

    def __init__(self, store: LabelStore, journals: StrokeJournals | None = None) -> None:
        """Write to `store`; `journals` are those of a window, whose budgets hold."""
        self._store, self._journals = store, journals
        self._budget = BUDGET_BYTES if journals is None else journals.budget_bytes
        self._total = TOTAL_BYTES if journals is None else journals.total_bytes
        self._long: list[_Long] = []
        self._homes: set[Path] = set()
        self.without: list[Path] = []

    def files(self, image: Path) -> tuple[Path, ...]:
        """Return what saving changed labels of an image may write, all in one `.pspgui` folder.

        To be backed up first, with the class table, which is not written: put back together they
        fit each other, whatever the classes are by then. Waits for strokes on their way to the
        journal.
        """
        if self._journals is not None:
            self._journals.drain(image, _DRAIN_S)
        file = self._store.path_for(image)
        home = file.parent.parent
        marks, table = home / "provenance" / file.name, classes_beside(file)
        return file, marks, journal_path(home, image), table

    def save(
        self, image: Path, label_map: LabelMap, digest: str, palette: np.ndarray, change: Change
    ) -> None:
        """Save labels that `change` has led to; `digest` is the SHA-256 of the file before.

        The journal gets the edit and its mark in one durable write when the label file is about
        to be replaced. Raises `SaveError`, as the store does.
        """
        journal = self._journal(image, label_map, digest)
        announce = None if journal is None else partial(self._add, journal, change)
        if journal is None:
            self.without.append(image)
        self._store.save(
            image, label_map.labels, label_map.provenance, palette, label_map.models, announce
        )

    def tidy(self) -> None:
        """Bring journals to their budgets, once nothing will be taken back. Never raises."""
        for file, digest, operation in self._long:
            with contextlib.suppress(OSError, JournalError):
                file.shorten(digest, operation)
        for home in self._homes:
            with contextlib.suppress(OSError):
                thin(home, self._total, ())
        self._long.clear()
        self._homes.clear()

    # -- inside -------------------------------------------------------------------------------

    def _add(self, journal: JournalFile, change: Change, digest: str) -> None:
        """Add the edit, that it is no stroke, and the mark of the label file to come."""
        number = journal.first + 1
        content = b"".join((
            frames.frame_bytes(frames.OUTSIDE, number),
            frames.edit_frame(number, change.edit, change.after),
            frames.frame_bytes(frames.MARK, number, digest.encode("ascii")),
        ))  # fmt: skip
        try:
            journal.append(content, journal.first)
        except OSError:
            self.without.append(journal.image)
            return
        if journal.is_too_long:
            self._long.append(_Long(journal, digest, number))
        if journal.path is not None:
            self._homes.add(journal.path.parent.parent)

    def _journal(self, image: Path, label_map: LabelMap, digest: str) -> JournalFile | None:
        """Return the journal to go on with, or to begin; None where it is left alone."""
        if self._journals is not None and not self._journals.drain(image, _DRAIN_S):
            return None
        home = self._store.path_for(image).parent.parent
        path = journal_path(home, image)
        others = [p for h in self._store.homes(image) if (p := journal_path(h, image)) != path]
        if any(other.exists() for other in others):
            return None
        resume = None
        try:
            if path.exists():
                resume = _resume(path, label_map, digest)
                if resume is None:
                    return None
        except (OSError, JournalError):
            return None
        labels = label_map.labels
        return JournalFile(
            image, label_map.shape, labels.dtype, resume, lambda _image: (home,), self._budget
        )


def _resume(path: Path, label_map: LabelMap, digest: str) -> Resume | None:
    """Return where to go on with a journal whose last operation the label file holds."""
    journal = read_journal(path)
    head = journal.header
    place = journal.matching(digest)
    fits = (head.height, head.width, head.dtype) == (*label_map.shape, str(label_map.labels.dtype))
    is_whole = not journal.damaged and not journal.ends_early
    if not fits or place is None or not is_whole or journal.has_more_than(place):
        return None
    return Resume(path, head.token, journal.end, place, tail=False, unsaved=False, base=digest)


__all__ = ["OutsideEdits"]
