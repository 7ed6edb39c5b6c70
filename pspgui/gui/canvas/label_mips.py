"""Label maps at half, a quarter… of their size for zoomed-out views, made off the GUI thread.

Thin things stay visible in them (see `pspgui.labels.halving`). An edit makes anew only what
depends on it, so it costs its own size and never the map's.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from typing import Final, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal, Slot

from pspgui.geometry import Rect
from pspgui.gui.daemons import emit_late, start_daemon
from pspgui.imaging.scratch import LARGE_BYTES, ScratchError, is_mapped, let_go, zeros
from pspgui.labels.halving import halve, halved_rect, halved_shape

_SMALLEST_SIDE: Final = 256
_STRIP_PIXELS: Final = 2 << 20  # of the half-size map, built at once
_AT_ONCE_PIXELS: Final = 512 * 512  # a map up to this size is halved on the spot
_REDO_PIXELS: Final = 8 << 20  # edits beyond this are made anew off the GUI thread
_KEPT: Final = 4
_MANY: Final = 64

Maps = tuple[np.ndarray, ...]


class Fitting(NamedTuple):
    """Maps halved `shift` times, and the same halved once more where sampling would skip some."""

    maps: Maps
    shift: int = 0
    coarse: Maps = ()


class LabelMips:
    """The levels of one (H, W) map. `build` on any thread, all else on the GUI thread."""

    def __init__(self, source: np.ndarray) -> None:
        """Plan the levels; their memory is a third of the map's."""
        self.source = source
        self.levels: list[np.ndarray] = []
        self.is_ready = self.is_building = False
        self._given_up = threading.Event()
        self._stale: defaultdict[int, list[Rect]] = defaultdict(list)  # by levels that follow

    def build(self) -> bool:
        """Make all levels; False if this was given up meanwhile. Raises what memory raises."""
        levels = []
        below = self.source
        while max(below.shape) > _SMALLEST_SIDE and min(below.shape) > 1:
            level = _empty(halved_shape(below.shape), below.dtype)
            rows = max(1, _STRIP_PIXELS // level.shape[1])
            for y in range(0, len(level), rows):
                if self._given_up.is_set():
                    return False
                halve(below, level, Rect(y, 0, min(y + rows, len(level)), level.shape[1]))
                let_go(below)
                let_go(level)
            levels.append(level)
            below = level
        self.levels = levels
        return True

    def give_up(self) -> None:
        """Let a running build end soon."""
        self._given_up.set()

    def touch(self, changed: Rect) -> None:
        """Note that pixels of the map changed."""
        self._note(0, changed)

    @property
    def stale_pixels(self) -> int:
        """How many pixels of the map are to be gone over."""
        return sum(rect.area for rect in self._stale[0])

    def forget_stale(self) -> None:
        """Note that a build begins, which reads what there is now."""
        self._stale.clear()

    def refresh(self, depth: int) -> None:
        """Bring the first `depth` levels up to all edits noted; the others wait until shown."""
        below = self.source
        for k, level in enumerate(self.levels[:depth]):
            for rect in _merged(self._stale.pop(k, [])):
                changed = halved_rect(rect, below.shape)
                if not changed.is_empty:
                    halve(below, level, changed)
                    self._note(k + 1, changed)
            below = level

    def _note(self, depth: int, changed: Rect) -> None:
        stale = self._stale[depth]
        stale.append(changed)
        if len(stale) > _MANY:  # a long stroke far zoomed in: neighbours become one
            self._stale[depth] = _merged(stale)


class MipStore(QObject):
    """The levels of the maps on the screen. GUI thread only; `ready` comes when some are built."""

    ready = Signal()
    _built = Signal(object, bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: list[LabelMips] = []
        self._built.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def forget(self) -> None:
        """Let go of all maps."""
        for mips in self._kept:
            mips.give_up()
        self._kept = []

    def touch(self, changed: Rect) -> None:
        """Follow an edit, whichever map it was in."""
        for mips in self._kept:
            mips.touch(changed)

    def fitting(self, maps: Maps, zoom: float) -> Fitting:
        """Return what to sample at this zoom.

        A pixel of `coarse` covers one device pixel at least and less than two, so that sampling
        it skips none; one of `maps` half of that. Until the levels are built `maps` are the maps
        themselves; none where these lie over files, which would all be read for it.
        """
        depth = max(0, math.ceil(-math.log2(zoom) - 1e-9))
        if not depth:
            return Fitting(maps)
        found = [self._of(array) for array in maps]
        if not all(mips.is_ready for mips in found):
            return Fitting(() if any(map(is_mapped, maps)) else maps)
        depth = min(depth, *(len(mips.levels) for mips in found))
        if not depth:
            return Fitting(maps)
        for mips in found:
            mips.refresh(depth)
        fine = maps if depth == 1 else tuple(mips.levels[depth - 2] for mips in found)
        return Fitting(fine, depth - 1, tuple(mips.levels[depth - 1] for mips in found))

    def _of(self, source: np.ndarray) -> LabelMips:
        mips = next((m for m in self._kept if m.source is source), None)
        if mips is None:
            mips = LabelMips(source)
            self._kept.append(mips)
            for old in self._kept[:-_KEPT]:
                old.give_up()
            self._kept = self._kept[-_KEPT:]
        if mips.is_ready and mips.stale_pixels > _REDO_PIXELS:
            mips.is_ready = False
        if not mips.is_ready and not mips.is_building:
            self._start(mips)
        return mips

    def _start(self, mips: LabelMips) -> None:
        mips.forget_stale()
        if mips.source.size <= _AT_ONCE_PIXELS:
            mips.is_ready = mips.build()
            return
        mips.is_building = True
        start_daemon("labels", self._build, mips)

    def _build(self, mips: LabelMips) -> None:
        try:
            done = mips.build()
        except (MemoryError, ScratchError):  # the map itself goes on being drawn
            return
        emit_late(self._built, mips, done)

    @Slot(object, bool)
    def _take(self, mips: LabelMips, done: bool) -> None:
        mips.is_building = False
        if done and mips in self._kept:
            mips.is_ready = True
            self.ready.emit()


def _empty(shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    size = shape[0] * shape[1] * dtype.itemsize
    return np.empty(shape, dtype) if size < LARGE_BYTES // 4 else zeros(shape, dtype)


def _merged(rects: list[Rect]) -> list[Rect]:
    """Return fewer rects that cover the same: neighbours in time become one where that is cheap."""
    merged = rects[:1]
    for rect in rects[1:]:
        both = merged[-1].union(rect)
        apart = merged[-1].area + rect.area
        if both.area <= 1.5 * apart + 4096:
            merged[-1] = both
        else:
            merged.append(rect)
    return merged
