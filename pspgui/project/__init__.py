"""Keeping a person's work: where label maps are stored, and saving them off the GUI thread."""

from __future__ import annotations

from pspgui.project.journaling import JournalTrouble, StrokeJournals
from pspgui.project.saver import SaveQueue, SaveResult, Snapshot
from pspgui.project.store import ChangedByOthersError, LabelStore, StoredLabels, StoreError

__all__ = [
    "ChangedByOthersError",
    "JournalTrouble",
    "LabelStore",
    "SaveQueue",
    "SaveResult",
    "Snapshot",
    "StoreError",
    "StoredLabels",
    "StrokeJournals",
]
