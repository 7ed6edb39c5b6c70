"""Copying a label map for a thread that saves it, without holding up the brush."""

from __future__ import annotations

import math
import time
from typing import Final, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pspgui.geometry import Rect
from pspgui.gui.label_session import LabelCopy, LabelSession
from pspgui.imaging.scratch import full_map, let_go
from pspgui.labels.edits import TILE_PX
from pspgui.labels.label_map import LabelMap

_STEP_S: Final = 0.002
_PART_PX: Final = 1 << 19
_LET_GO_PARTS: Final = 64
_KEEP_MS: Final = 20_000

Tile = tuple[int, int]


class _Made(NamedTuple):
    """The copy made last, and the tiles of the map that have changed since."""

    map: LabelMap
    labels: np.ndarray
    provenance: np.ndarray
    stale: set[Tile]


class LabelCopier(QObject):
    """Copies labels and provenance a few rows at a time; what changes meanwhile is copied again.

    `copied(LabelCopy)` comes when the copy is the labels as they are at that moment, with no
    stroke under way. The copy made last may be brought up to date instead of making another: then
    only tiles that changed since are copied, whatever the size of the map. GUI thread only.
    """

    copied = Signal(object)

    def __init__(self, document: LabelSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._map: LabelMap | None = None
        self._labels = self._provenance = np.zeros((0, 0), np.uint8)
        self._row = 0
        self._changed: set[Tile] = set()
        self._made: _Made | None = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._step)
        self._keeping = QTimer(self)  # memory is not held for long after the last save
        self._keeping.setSingleShot(True)
        self._keeping.setInterval(_KEEP_MS)
        self._keeping.timeout.connect(self._forget)
        document.labels_changed.connect(self._note)
        document.labels_came.connect(self._forget)
        document.history_changed.connect(self._wake)

    @property
    def is_busy(self) -> bool:
        """Whether a copy was begun and is not there yet."""
        return self._map is not None

    def start(self, may_reuse: bool) -> None:
        """Begin a copy of the document's labels; one that is under way goes on.

        `may_reuse`: nobody reads the copy handed out last any more, so it may be written on.
        """
        label_map = self._document.label_map
        if label_map is None or self._map is label_map:
            return
        self._begin(label_map, may_reuse)
        self._timer.start(0)

    def copy_now(self, may_reuse: bool) -> LabelCopy | None:
        """Finish the copy under way, or make one, and return it; `copied` does not come.

        Not while a stroke is under way.
        """
        label_map = self._document.label_map
        if label_map is None:
            return None
        if self._map is not label_map:
            self._begin(label_map, may_reuse)
        self._advance(label_map, math.inf)
        return self._finish(label_map)

    def stop(self) -> None:
        """Give up the copy under way."""
        self._map = None
        self._labels = self._provenance = np.zeros((0, 0), np.uint8)
        self._timer.stop()

    def _begin(self, label_map: LabelMap, may_reuse: bool) -> None:
        made, self._made = self._made, None
        self._map, self._row, self._changed = label_map, 0, set()
        if may_reuse and made is not None and made.map is label_map:
            self._labels, self._provenance, self._changed = made.labels, made.provenance, made.stale
            self._row = label_map.shape[0]
        else:
            self._labels = _room(label_map.labels)
            self._provenance = _room(label_map.provenance)

    @Slot()
    def _step(self) -> None:
        label_map = self._map
        if label_map is None or self._document.label_map is not label_map:
            self.stop()
            return
        if not self._advance(label_map, time.perf_counter() + _STEP_S):
            return
        self.copied.emit(self._finish(label_map))

    def _advance(self, label_map: LabelMap, end: float) -> bool:
        """Copy until a time; True when nothing is left to copy."""
        height, width = label_map.shape
        rows = max(1, _PART_PX // width)
        while self._row < height:
            self._copy(label_map, slice(self._row, self._row + rows), slice(None))
            self._row += rows
            if self._row // rows % _LET_GO_PARTS == 0:
                self._let_go(label_map)
            if time.perf_counter() >= end:
                return False
        history = self._document.history
        if history is not None and history.is_open:
            self._timer.stop()  # until the stroke is done
            return False
        while self._changed:
            row, column = self._changed.pop()
            self._copy(
                label_map, slice(row * TILE_PX, (row + 1) * TILE_PX),
                slice(column * TILE_PX, (column + 1) * TILE_PX),
            )  # fmt: skip
            if time.perf_counter() >= end:
                return False
        return True

    def _copy(self, label_map: LabelMap, rows: slice, columns: slice) -> None:
        self._labels[rows, columns] = label_map.labels[rows, columns]
        self._provenance[rows, columns] = label_map.provenance[rows, columns]

    def _finish(self, label_map: LabelMap) -> LabelCopy:
        self._let_go(label_map)
        made = _Made(label_map, self._labels, self._provenance, set())
        self.stop()
        self._made = made
        self._keeping.start()
        return LabelCopy(made.labels, made.provenance, self._document.edit_serial)

    def _let_go(self, label_map: LabelMap) -> None:
        """Give back the memory of maps that lie over files."""
        for array in (self._labels, self._provenance, label_map.labels, label_map.provenance):
            let_go(array)

    @Slot()
    def _forget(self) -> None:
        self._made = None

    @Slot(object)
    def _note(self, rect: Rect) -> None:
        """Remember tiles that changed after they were copied."""
        if self._map is not None:
            self._wake()
            self._changed.update(_tiles(rect, min(rect.y1, self._row)))
        elif self._made is not None:
            self._made.stale.update(_tiles(rect, rect.y1))

    @Slot()
    def _wake(self) -> None:
        history = self._document.history
        pressed = history is not None and history.is_open
        if self._map is not None and not pressed and not self._timer.isActive():
            self._timer.start(0)


def _tiles(rect: Rect, bottom: int) -> list[Tile]:
    """Return the tiles that a rect touches above a row."""
    rows = range(rect.y0 // TILE_PX, -(-bottom // TILE_PX))
    columns = range(rect.x0 // TILE_PX, -(-rect.x1 // TILE_PX))
    return [(row, column) for row in rows for column in columns]


def _room(array: np.ndarray) -> np.ndarray:
    """Return an array to copy into; its memory is first touched when it is."""
    return full_map(array.shape, array.dtype, 0)
