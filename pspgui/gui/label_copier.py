"""Copying a label map for a thread that saves it, without holding up the brush."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pspgui.geometry import Rect
from pspgui.gui.label_session import LabelCopy, LabelSession
from pspgui.imaging.scratch import full_map
from pspgui.labels.history import TILE_PX
from pspgui.labels.label_map import LabelMap

_STEP_S: Final = 0.002
_PART_PX: Final = 1 << 19


class LabelCopier(QObject):
    """Copies labels and provenance a few rows at a time; what changes meanwhile is copied again.

    `copied(LabelCopy)` comes when the copy is the labels as they are at that moment, with no
    stroke under way. GUI thread only.
    """

    copied = Signal(object)

    def __init__(self, document: LabelSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._map: LabelMap | None = None
        self._labels = self._provenance = np.zeros((0, 0), np.uint8)
        self._row = 0
        self._changed: set[tuple[int, int]] = set()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._step)
        document.labels_changed.connect(self._note)
        document.history_changed.connect(self._wake)

    @property
    def is_busy(self) -> bool:
        """Whether a copy was begun and is not there yet."""
        return self._map is not None

    def start(self) -> None:
        """Begin a copy of the document's labels; one that is under way goes on."""
        label_map = self._document.label_map
        if label_map is None or self._map is label_map:
            return
        self._map, self._row, self._changed = label_map, 0, set()
        self._labels = _room(label_map.labels)
        self._provenance = _room(label_map.provenance)
        self._timer.start(0)

    def stop(self) -> None:
        """Give up the copy under way."""
        self._map = None
        self._labels = self._provenance = np.zeros((0, 0), np.uint8)
        self._timer.stop()

    @Slot()
    def _step(self) -> None:
        label_map = self._map
        if label_map is None or self._document.label_map is not label_map:
            self.stop()
            return
        height, width = label_map.shape
        end = time.perf_counter() + _STEP_S
        rows = max(1, _PART_PX // width)
        while self._row < height:
            part = slice(self._row, self._row + rows)
            self._labels[part] = label_map.labels[part]
            self._provenance[part] = label_map.provenance[part]
            self._row += rows
            if time.perf_counter() >= end:
                return
        history = self._document.history
        if history is not None and history.is_open:
            self._timer.stop()  # until the stroke is done
            return
        while self._changed:
            row, column = self._changed.pop()
            tile = Rect(row, column, row + 1, column + 1)
            part = (slice(tile.y0 * TILE_PX, tile.y1 * TILE_PX),
                    slice(tile.x0 * TILE_PX, tile.x1 * TILE_PX))  # fmt: skip
            self._labels[part] = label_map.labels[part]
            self._provenance[part] = label_map.provenance[part]
            if time.perf_counter() >= end:
                return
        copy = LabelCopy(self._labels, self._provenance, self._document.edit_serial)
        self.stop()
        self.copied.emit(copy)

    @Slot(object)
    def _note(self, rect: Rect) -> None:
        """Remember tiles that changed after they were copied."""
        if self._map is None:
            return
        self._wake()
        last = min(rect.y1, self._row)
        for row in range(rect.y0 // TILE_PX, -(-last // TILE_PX)):
            for column in range(rect.x0 // TILE_PX, -(-rect.x1 // TILE_PX)):
                self._changed.add((row, column))

    @Slot()
    def _wake(self) -> None:
        history = self._document.history
        pressed = history is not None and history.is_open
        if self._map is not None and not pressed and not self._timer.isActive():
            self._timer.start(0)


def _room(array: np.ndarray) -> np.ndarray:
    """Return an array to copy into; its memory is first touched when it is."""
    return full_map(array.shape, array.dtype, 0)
