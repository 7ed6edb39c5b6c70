"""Saving labels by itself: within a second of a stroke, on switching images, and on closing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from pspgui.durable import keep_reserve, sweep
from pspgui.gui.document import Document
from pspgui.gui.label_copier import LabelCopier
from pspgui.gui.label_session import LabelCopy
from pspgui.gui.stroke_keeper import StrokeKeeper
from pspgui.jobs.class_tables import write_classes
from pspgui.labels.classes import ClassTable
from pspgui.project import (
    ChangedByOthersError,
    LabelStore,
    SaveQueue,
    SaveResult,
    Snapshot,
)

# A save begins this long after the last edit, longer where the last one took long; but never later
# than a maximal age. Strokes are in the journal within a second anyway: files follow at leisure,
# at once only where there is no journal.
_QUIET_S: Final = 0.4
_MAX_AGE_S: Final = 5.0
_MAX_AGE_ALONE_S: Final = 0.6
_AT_ONCE_PX: Final = 4_000_000


class Autosave(QObject):
    """Follows a document and hands copies of its labels to the project's save queue.

    Signals: `saved(Path image)`, `failed(SaveResult)`, and `conflicted(Path image)` when another
    program changed a label file, which is then not saved until `overwrite` or `abandon`. `admit`
    is called on the saving thread before each save of an image, and may raise `SaveError` to
    refuse it. GUI thread only; the queue's own thread does the work.
    """

    saved = Signal(object)
    failed = Signal(object)
    conflicted = Signal(object)
    _answered = Signal(object)

    def __init__(
        self, document: Document, store: LabelStore, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._store = store
        self.admit: Callable[[Path], None] = _admit_all
        self.strokes = StrokeKeeper(document, store, self)
        self._queue = SaveQueue(self._write, self._answered.emit)
        self._copier = LabelCopier(document, self)
        self._unsaved: dict[Path, Snapshot] = {}
        self._lent: set[Path] = set()  # images whose snapshot others may be reading
        self._tables: dict[Path, ClassTable] = {}
        self._conflicts: dict[Path, ChangedByOthersError] = {}
        self._overwrite: set[Path] = set()
        self._submitted = -1
        self._dirty_since: float | None = None
        self._took_s = 0.0
        self._tidied: set[Path] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._begin)
        self._copier.copied.connect(self._submit)
        self._answered.connect(self._settle, Qt.ConnectionType.QueuedConnection)
        document.saved_changed.connect(self._watch)

    @property
    def unsaved(self) -> tuple[Path, ...]:
        """Images whose labels are not on disk in their latest version."""
        return tuple(self._unsaved)

    @property
    def location_note(self) -> str:
        """Where labels go when not beside the image; else empty."""
        return self._store.location_note

    def snapshot_of(self, image: Path) -> Snapshot | None:
        """Return the unsaved labels of an image, which count more than its file."""
        snapshot = self._unsaved.get(image)
        if snapshot is not None:
            self._lent.add(image)
        return snapshot

    def table_of(self, image: Path) -> ClassTable | None:
        """Return the classes of an image's unsaved labels."""
        return self._tables.get(image)

    @property
    def conflicts(self) -> Mapping[Path, ChangedByOthersError]:
        """Images whose label file another program changed; they are not saved meanwhile."""
        return self._conflicts

    @Slot()
    def save_now(self) -> None:
        """Hand the document's labels to the save queue if they hold something new.

        Also where a person must choose first: nothing is overwritten, and the copy is the latest.
        """
        self._timer.stop()
        if not self._has_news or self._is_pressed:
            self._rest()
            return
        copied = self._copier.copy_now(self._may_reuse)
        self._rest()
        if copied is not None:
            self._submit(copied)

    def hand_over(self) -> None:
        """Save the document's labels, which no one will change any more: no copy is made."""
        self._rest()
        label_map = self._document.label_map
        if label_map is not None and self._has_news:
            serial = self._document.edit_serial
            self._submit(LabelCopy(label_map.labels, label_map.provenance, serial))

    def save_again(self) -> None:
        """Save whatever has not been saved yet, failed attempts included.

        Of a large map the copy is made in steps, so that the window goes on meanwhile.
        """
        self._submitted = -1
        self._queue.retry()
        label_map = self._document.label_map
        if label_map is not None and label_map.labels.size > _AT_ONCE_PX:
            self._timer.stop()
            self._begin()
        else:
            self.save_now()

    def overwrite(self, image: Path) -> None:
        """Save over a file that another program changed, which is kept in the backups."""
        self._overwrite.add(image)
        self._conflicts.pop(image, None)
        latest = self._unsaved.get(image)
        if latest is not None:
            self._unsaved[image] = replace(latest, overwrite=True)
            self._queue.submit(self._unsaved[image])
        self.save_now()

    def abandon(self, image: Path) -> None:
        """Forget the unsaved labels of an image: another version of them is wanted."""
        self._conflicts.pop(image, None)
        self._overwrite.discard(image)
        self._queue.drop(image)
        self._unsaved.pop(image, None)
        self._tables.pop(image, None)
        if image == self._document.image_path:
            self._rest()
            self._submitted = self._document.edit_serial

    def flush(self, timeout_s: float) -> bool:
        """Save everything and wait for it; True if all of it is on disk. For closing only."""
        self.save_now()
        saved = self._queue.flush(timeout_s)
        return saved and not (self._document.is_dirty and self._document.image_path is None)

    def wait(self, timeout_s: float) -> bool:
        """Wait for what was handed over; True if all of it is on disk. Not on the GUI thread."""
        return self._queue.flush(timeout_s)

    def close(self) -> None:
        """End the queue's thread; call `flush` first and ask the person if it says False."""
        self._rest()
        self._queue.close(1.0)
        self.strokes.close(1.0)

    @property
    def _has_news(self) -> bool:
        document = self._document
        return document.is_dirty and document.edit_serial != self._submitted

    @property
    def _is_pressed(self) -> bool:
        """Whether a save has to wait, as a stroke is under way."""
        history = self._document.history
        return history is not None and history.is_open

    @property
    def _may_reuse(self) -> bool:
        """Whether nobody reads the copy that was handed over last."""
        image = self._document.image_path
        return not any(
            image in those for those in (self._unsaved, self._lent, self._queue.unsaved)
        )

    def _rest(self) -> None:
        self._timer.stop()
        self._copier.stop()
        self._dirty_since = None

    @Slot()
    def _watch(self) -> None:
        if not self._has_news:
            return
        now = time.monotonic()
        if self._dirty_since is None:
            self._dirty_since = now
        age = _MAX_AGE_S if self.strokes.is_healthy else _MAX_AGE_ALONE_S
        left = self._dirty_since + age - now
        quiet = max(_QUIET_S, 2 * self._took_s)
        self._timer.start(round(1000 * max(0.0, min(quiet, left))))

    @Slot()
    def _begin(self) -> None:
        """Begin to copy what is to be saved."""
        if not self._has_news or self._document.image_path in self._conflicts:
            return
        self._dirty_since = None
        self._copier.start(self._may_reuse)

    @Slot(object)
    def _submit(self, copied: LabelCopy) -> None:
        document = self._document
        if document.image_path is None:
            return
        palette = np.ascontiguousarray(document.table.palette())
        stroke = document.history is not None and document.history.is_open
        snapshot = Snapshot(
            document.image_path, copied.labels, copied.provenance, palette, copied.serial,
            -1 if stroke else self.strokes.operation, dict(document.label_map.models),
            document.image_path in self._overwrite,
        )  # fmt: skip
        self._submitted = copied.serial
        self._lent.discard(snapshot.image)
        self._unsaved[snapshot.image] = snapshot
        self._tables[snapshot.image] = document.table
        document.mark_saving()
        self._queue.submit(snapshot)

    def _write(self, snapshot: Snapshot) -> Path:
        """Save one snapshot (the queue's thread)."""
        self.admit(snapshot.image)
        image, operation, journals = snapshot.image, snapshot.operation, self.strokes.journals
        digests: list[str] = []

        def announce(digest: str) -> None:
            digests.append(digest)
            if operation >= 0:
                journals.mark(image, digest, operation)

        path = self._store.save(
            image, snapshot.labels, snapshot.provenance, snapshot.palette,
            snapshot.models, announce, snapshot.overwrite,
        )  # fmt: skip
        if operation >= 0:
            journals.confirm(image, digests[-1], operation)
        table = self._tables.get(image)
        if table is not None:
            write_classes(path, table)
        self._tidy(path.parent.parent)
        return path

    def _tidy(self, home: Path) -> None:
        """Keep a reserve for a full disk, and sweep up after a crash; once a folder is enough."""
        if home not in self._tidied:
            self._tidied.add(home)
            for name in ("labels", "provenance", "provenance-next", "strokes", "classes"):
                sweep(home / name)
        keep_reserve(home)

    @Slot(object)
    def _settle(self, result: SaveResult) -> None:
        latest = self._unsaved.get(result.image)
        is_latest = latest is not None and latest.revision == result.revision
        here = result.image == self._document.image_path
        if result.error is not None:
            if is_latest:
                if here:
                    self._document.mark_save_failed()
                if isinstance(result.error, ChangedByOthersError):
                    self._conflicts[result.image] = result.error
                    self.conflicted.emit(result.image)
                else:
                    self.failed.emit(result)
            return
        self._took_s = result.seconds
        self._overwrite.discard(result.image)
        if is_latest:
            del self._unsaved[result.image]
            self._tables.pop(result.image, None)
        if here:
            self._document.mark_saved(result.revision)
        self.saved.emit(result.image)


def _admit_all(image: Path) -> None:
    """Let every image be saved."""
