"""Handing every edit of the document to its stroke journal, and long strokes piece by piece."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from pspgui.gui.document import Document
from pspgui.labels.edits import Change
from pspgui.project import JournalTrouble, LabelStore, StrokeJournals
from pspgui.project.recovery import Found

# A stroke under way is written this often, a few tiles at a time.
_PART_MS: Final = 500
_REST_MS: Final = 20
_PART_TILES: Final = 16


class StrokeKeeper(QObject):
    """Follows a document; the journals' own thread does the work. GUI thread only.

    `trouble(JournalTrouble)` comes once for each reason why strokes cannot be written.
    """

    trouble = Signal(object)
    _told = Signal(object)

    def __init__(
        self, document: Document, store: LabelStore, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document = document
        self.journals = StrokeJournals(store.homes, on_trouble=self._told.emit)
        self._image: Path | None = None
        self._found = Found()
        self._operation = 0
        self._follows = False
        self._awaits_labels = False
        self._has_parts = False
        self._has_trouble = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._write_part)
        self._told.connect(self._tell, Qt.ConnectionType.QueuedConnection)
        document.edited.connect(self._record)
        document.labels_came.connect(self._restart)
        document.labels_changed.connect(self._watch)
        document.change_went_on.connect(self._watch)

    @property
    def operation(self) -> int:
        """The number of the last operation on the image shown; -1 where no journal tells."""
        if self._follows:
            return self._operation
        resume = self._found.resume
        return -1 if resume is None or resume.operation is None else resume.operation

    @property
    def is_healthy(self) -> bool:
        """Whether strokes get into the journal."""
        return not self._has_trouble or self.journals.oldest_waiting_s() == 0.0

    def open(self, image: Path | None, found: Found | None) -> None:
        """Take what was found beside an image that is shown from now on."""
        self._restart()
        self._image, self._found = image, found or Found()
        self._awaits_labels = self._document.label_map is None
        self._document.restore_history(self._found.done, self._found.undone)

    def note_recovery(self, keys: tuple[str, ...]) -> None:
        """Note that the last edit brought back the strokes of journals with these keys."""
        if self._image is not None and self._follows:
            self.journals.record_recovery(self._image, self._operation, keys)

    def put_lost_away(self) -> None:
        """Move strokes that were offered for recovery to the backups."""
        if self._image is not None:
            self._follow()
            self.journals.put_away(self._image)

    def close(self, timeout_s: float) -> bool:
        """Write what waits and end the thread; True if everything is written."""
        self._timer.stop()
        return self.journals.close(timeout_s)

    @Slot()
    def _restart(self) -> None:
        """Follow the label map that there is now, from its first stroke on.

        What was found beside the image counts for labels that were opened with it, and for the
        prediction that comes where it has none; not for any that take their place later.
        """
        self._has_parts, self._follows = False, False
        if not self._awaits_labels:
            self._found = Found()
        self._awaits_labels = False

    @Slot(object)
    def _record(self, change: Change) -> None:
        image, labels = self._image, self._document.label_map
        if image is None or labels is None:
            return
        self._follow()
        self._operation += 1
        self._has_parts = False
        self.journals.record(image, self._operation, change)

    def _follow(self) -> None:
        """Begin at the first stroke: only now it is sure what the labels are made on."""
        if not self._follows:
            labels = self._document.label_map
            shape = self._document.image.shape[:2] if labels is None else labels.shape
            kind = np.dtype(np.uint8) if labels is None else labels.labels.dtype
            resume = self._found.resume
            self._operation = self.journals.follow(self._image, shape, kind, resume)
            self._follows = True

    @Slot()
    def _watch(self) -> None:
        history = self._document.history
        if history is None or self._image is None:
            return
        if history.is_open and not self._timer.isActive():
            self._timer.start(_PART_MS)
        elif self._has_parts and not history.is_open:
            self._drop_part()

    @Slot()
    def _write_part(self) -> None:
        history = self._document.history
        if history is None or not history.is_open:
            if self._has_parts:
                self._drop_part()
            return
        self._follow()
        tiles = history.touched(_PART_TILES)
        if tiles:
            self._has_parts = True
            self.journals.record_part(self._image, self._operation, history.open_name, tiles)
        self._timer.start(_REST_MS if len(tiles) == _PART_TILES else _PART_MS)

    def _drop_part(self) -> None:
        self._has_parts = False
        self.journals.drop_part(self._image, self._operation)

    @Slot(object)
    def _tell(self, trouble: JournalTrouble) -> None:
        self._has_trouble = True
        self.trouble.emit(trouble)
