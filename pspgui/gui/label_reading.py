"""Reading the labels of an image that is being opened, with what stroke journals know of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pspgui.gui.autosave import Autosave
from pspgui.jobs.class_tables import read_classes
from pspgui.jobs.opening import ReadBack
from pspgui.labels.classes import ClassTable, ClassTableError
from pspgui.project import LabelStore, StoreError
from pspgui.project.recovery import Found, Known, Opened, look_up

_DRAIN_S = 5.0


class LabelReading:
    """Reads labels on the files lane: unsaved ones outrank files. Made on the GUI thread."""

    def __init__(self, image: Path, store: LabelStore, autosave: Autosave) -> None:
        self._store, self._journals = store, autosave.strokes.journals
        self._unsaved, self._table = autosave.snapshot_of(image), autosave.table_of(image)

    def __call__(self, image: Path, shape: tuple[int, int]) -> ReadBack | None:
        """Return the labels of an image of `shape` (H, W), or None where nothing is known of it."""
        self._journals.drain(image, _DRAIN_S)
        unsaved = self._unsaved
        if unsaved is not None and unsaved.labels.shape == tuple(shape):
            labels, marks = unsaved.labels.copy(), unsaved.provenance.copy()
            known = Known(self._journals.token_of(image), unsaved.operation)
            found = self._find(Opened(image, shape, labels, marks, "", known))
            return ReadBack(labels, marks, self._table, "", unsaved.models, found)
        try:
            stored = self._store.load(image, shape, to_edit=True)
        except StoreError as error:
            found = self._find(Opened(image, shape, None, None, ""))
            return ReadBack(None, warning=f"The saved labels were not loaded: {error}", found=found)
        if stored is None:
            found = self._find(Opened(image, shape, None, None, ""))
            return None if found == Found() else ReadBack(None, found=found)
        table, warning = self._classes(image)
        labels = stored.labels
        if table is not None and table.ignore > np.iinfo(labels.dtype).max:
            labels = labels.astype(np.uint16)  # so that every class can be painted
        found = self._find(Opened(image, shape, labels, *stored[1:3]))
        return ReadBack(labels, stored.provenance, table, warning, stored.models, found)

    def _classes(self, image: Path) -> tuple[ClassTable | None, str]:
        try:
            return read_classes(self._store.path_for(image)), ""
        except ClassTableError as error:  # labels outweigh their names
            return None, (
                f"{str(error).rstrip('.')}. The labels are shown by the model's classes; "
                "check them before you change any."
            )

    def _find(self, opened: Opened) -> Found:
        return look_up(opened, self._store.homes(opened.image), self._journals.budget_bytes)
