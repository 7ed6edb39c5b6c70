"""Keeping a person's work: where label maps are stored, and saving them off the GUI thread."""

from __future__ import annotations

from pspgui.project.saver import SaveQueue, SaveResult, Snapshot
from pspgui.project.store import LabelStore, StoredLabels, StoreError

__all__ = ["LabelStore", "SaveQueue", "SaveResult", "Snapshot", "StoreError", "StoredLabels"]
