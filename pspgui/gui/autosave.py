"""Saving labels by itself: within a second of a stroke, on switching images, and on closing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from pspgui.gui.document import Document
from pspgui.jobs.class_tables import write_classes
from pspgui.labels.classes import ClassTable
from pspgui.project import LabelStore, SaveQueue, SaveResult, Snapshot

# A save begins this long after the last edit, but never later than _MAX_AGE_S after the first
# unsaved one, which leaves the rest of a second for encoding and fsync.
_QUIET_S: Final = 0.4
_MAX_AGE_S: Final = 0.6


class Autosave(QObject):
    """Follows a document and hands copies of its labels to the project's save queue.

    Signals: `saved(Path image)` and `failed(SaveResult)`. GUI thread only; the queue's own thread
    does the work.
    """

    saved = Signal(object)
    failed = Signal(object)
    _answered = Signal(object)

    def __init__(
        self, document: Document, store: LabelStore, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._store = store
        # Asked on the saving thread before anything is written; raises `SaveError` to refuse.
        self.admit: Callable[[Path], object] = _admit_all
        self._queue = SaveQueue(self._write, self._answered.emit)
        self._unsaved: dict[Path, Snapshot] = {}
        self._tables: dict[Path, ClassTable] = {}
        self._submitted = -1
        self._dirty_since: float | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.save_now)
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
        return self._unsaved.get(image)

    def table_of(self, image: Path) -> ClassTable | None:
        """Return the classes of an image's unsaved labels."""
        return self._tables.get(image)

    @Slot()
    def save_now(self) -> None:
        """Hand the document's labels to the save queue if they hold something new."""
        self._timer.stop()
        self._dirty_since = None
        document = self._document
        if not document.is_dirty or document.edit_serial == self._submitted:
            return
        self._submit()

    def save_again(self) -> None:
        """Save whatever has not been saved yet, failed attempts included."""
        self._submitted = -1
        self._queue.retry()
        self.save_now()

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
        self._timer.stop()
        self._queue.close(1.0)

    @Slot()
    def _watch(self) -> None:
        document = self._document
        if not document.is_dirty or document.edit_serial == self._submitted:
            return
        now = time.monotonic()
        if self._dirty_since is None:
            self._dirty_since = now
        left = self._dirty_since + _MAX_AGE_S - now
        self._timer.start(round(1000 * max(0.0, min(_QUIET_S, left))))

    def _submit(self) -> None:
        document = self._document
        copied = document.copy_labels()
        if copied is None or document.image_path is None:
            return
        palette = np.ascontiguousarray(document.table.palette())
        snapshot = Snapshot(
            document.image_path, copied.labels, copied.provenance, palette, copied.serial
        )
        self._submitted = copied.serial
        self._unsaved[snapshot.image] = snapshot
        self._tables[snapshot.image] = document.table
        document.mark_saving()
        self._queue.submit(snapshot)

    def _write(self, snapshot: Snapshot) -> Path:
        """Save one snapshot (the queue's thread)."""
        self.admit(snapshot.image)
        path = self._store.save(
            snapshot.image, snapshot.labels, snapshot.provenance, snapshot.palette
        )
        table = self._tables.get(snapshot.image)
        if table is not None:
            write_classes(path, table)
        return path

    @Slot(object)
    def _settle(self, result: SaveResult) -> None:
        latest = self._unsaved.get(result.image)
        is_latest = latest is not None and latest.revision == result.revision
        here = result.image == self._document.image_path
        if result.error is not None:
            if is_latest:
                if here:
                    self._document.mark_save_failed()
                self.failed.emit(result)
            return
        if is_latest:
            del self._unsaved[result.image]
            self._tables.pop(result.image, None)
        if here:
            self._document.mark_saved(result.revision)
        self.saved.emit(result.image)


def _admit_all(image: Path) -> None:
    """Let every image be saved."""
