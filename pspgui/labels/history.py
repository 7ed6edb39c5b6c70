"""Undo and redo of label map edits: copy-on-write tiles, counted in bytes."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.label_map import LabelMap

TILE_PX = 256
MIB = 1 << 20
_THIN_SPACE = "\u2009"


@dataclass
class _Plane:
    """One array of a tile, raw or packed; packing takes a fraction of a millisecond a tile."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.unsignedinteger]
    raw: np.ndarray | None
    packed: bytes = b""

    @classmethod
    def copy_of(cls, values: np.ndarray) -> _Plane:
        return cls(values.shape, values.dtype, values.copy())

    @property
    def nbytes(self) -> int:
        return self.raw.nbytes if self.raw is not None else len(self.packed)

    def pack(self) -> None:
        if self.raw is not None:
            self.packed, self.raw = zlib.compress(self.raw.data, 1), None

    def values(self) -> np.ndarray:
        if self.raw is not None:
            return self.raw
        return np.frombuffer(zlib.decompress(self.packed), self.dtype).reshape(self.shape)


@dataclass
class _Tile:
    """What the labels and provenance under one rect are when the edit is swapped."""

    rect: Rect
    labels: _Plane
    provenance: _Plane

    @property
    def nbytes(self) -> int:
        return self.labels.nbytes + self.provenance.nbytes

    @property
    def is_packed(self) -> bool:
        return self.labels.raw is None and self.provenance.raw is None

    def pack(self) -> None:
        self.labels.pack()
        self.provenance.pack()


@dataclass(eq=False)
class Edit:
    """One undoable change: its name, its size and what is needed to swap it.

    `rect` is what to repaint; `pixels_changed` counts labels that really differ, and
    `pixels_confirmed` those where only the provenance does; `area_change` is (label, pixels won
    or lost) pairs; `at` is seconds since the epoch.
    """

    name: str
    rect: Rect
    pixels_changed: int
    pixels_confirmed: int
    area_change: tuple[tuple[int, int], ...]
    at: float
    tiles: tuple[_Tile, ...]

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        return sum(tile.nbytes for tile in self.tiles)

    @property
    def title(self) -> str:
        """Name and size as shown, such as `Brush Road, 3 412 px`."""
        pixels = self.pixels_changed or self.pixels_confirmed
        size = f"{pixels:,}".replace(",", _THIN_SPACE) + " px"
        return f"{self.name}, {size}" + ("" if self.pixels_changed else " confirmed")


class History:
    """The edits of one label map, to undo and redo within a budget of bytes.

    An edit is `begin`, `touch` before each write, then `commit` or `abort`. Everything is on the
    thread that writes the label map. The newest edit can always be undone, whatever its size.
    """

    def __init__(self, label_map: LabelMap, budget_bytes: int = 256 * MIB) -> None:
        """Keep edits of `label_map` in at most about `budget_bytes`."""
        self._map = label_map
        self._budget = budget_bytes
        self._name: str | None = None
        self._open: dict[tuple[int, int], _Tile] = {}
        self._done: list[Edit] = []
        self._undone: list[Edit] = []

    @property
    def is_open(self) -> bool:
        """Whether an edit was begun and not yet committed or aborted."""
        return self._name is not None

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Edits that stand, oldest first."""
        return tuple(self._done)

    @property
    def undo_names(self) -> tuple[str, ...]:
        """Titles of what `undo` takes back, next first."""
        return tuple(edit.title for edit in reversed(self._done))

    @property
    def redo_names(self) -> tuple[str, ...]:
        """Titles of what `redo` brings back, next first."""
        return tuple(edit.title for edit in reversed(self._undone))

    @property
    def nbytes(self) -> int:
        """Memory held by all edits."""
        return sum(edit.nbytes for edit in (*self._done, *self._undone))

    def begin(self, name: str) -> None:
        """Open an edit; raises `RuntimeError` while another one is open."""
        if self._name is not None:
            raise RuntimeError(f"the edit {self._name!r} is still open")
        self._name = name
        self._open = {}

    def touch(self, rect: Rect) -> None:
        """Keep what lies under `rect` before it is written; each tile is copied once an edit."""
        if self._name is None:
            raise RuntimeError("no edit is open")
        rect = rect.intersect(self._map.rect)
        if rect.is_empty:
            return
        for row in range(rect.y0 // TILE_PX, (rect.y1 - 1) // TILE_PX + 1):
            for column in range(rect.x0 // TILE_PX, (rect.x1 - 1) // TILE_PX + 1):
                if (row, column) not in self._open:
                    self._open[row, column] = self._copy(_tile_rect(row, column, self._map.rect))

    def commit(self, pack_s: float = 0.002) -> Edit | None:
        """Close the edit and return it; None when nothing changed, which leaves no trace.

        `pack_s` bounds the seconds spent on compression here; `pack` does the rest when idle.
        """
        if self._name is None:
            raise RuntimeError("no edit is open")
        edit = _measured(self._name, tuple(self._open.values()), self._map)
        self._name, self._open = None, {}
        if edit is None:
            return None
        self._undone.clear()
        self._done.append(edit)
        self.pack(pack_s)
        self._trim()
        return edit

    def abort(self) -> Rect:
        """Give up the open edit, put everything back, and return the rect to repaint."""
        rect = Rect(0, 0, 0, 0)
        for tile in self._open.values():
            self._swap(tile)
            rect = rect.union(tile.rect)
        self._name, self._open = None, {}
        return rect

    def undo(self) -> Edit | None:
        """Take back the last edit and return it; None if there is none or one is open."""
        return self._move(self._done, self._undone)

    def redo(self) -> Edit | None:
        """Bring back the edit undone last and return it; None if there is none or one is open."""
        return self._move(self._undone, self._done)

    def pack(self, seconds: float) -> bool:
        """Compress raw tiles, newest edits first, for about `seconds`; True if some remain."""
        end = time.perf_counter() + seconds
        for edit in (*reversed(self._done), *reversed(self._undone)):
            for tile in edit.tiles:
                if not tile.is_packed:
                    if time.perf_counter() >= end:
                        return True
                    tile.pack()
        return False

    def _move(self, source: list[Edit], target: list[Edit]) -> Edit | None:
        if self._name is not None or not source:
            return None
        edit = source.pop()
        for tile in edit.tiles:
            self._swap(tile)
        target.append(edit)
        return edit

    def _swap(self, tile: _Tile) -> None:
        """Exchange a tile with the map: undo and redo are this one act."""
        kept = self._copy(tile.rect)
        self._map.labels[tile.rect.slices] = tile.labels.values()
        self._map.provenance[tile.rect.slices] = tile.provenance.values()
        tile.labels, tile.provenance = kept.labels, kept.provenance
        self._map.revision += 1

    def _copy(self, rect: Rect) -> _Tile:
        labels, provenance = self._map.labels[rect.slices], self._map.provenance[rect.slices]
        return _Tile(rect, _Plane.copy_of(labels), _Plane.copy_of(provenance))

    def _trim(self) -> None:
        """Pack, then forget the oldest edits, until the budget holds; never the newest one."""
        if self.nbytes > self._budget:
            self.pack(float("inf"))
        held = self.nbytes
        while held > self._budget and len(self._done) > 1:
            held -= self._done.pop(0).nbytes


def _tile_rect(row: int, column: int, bounds: Rect) -> Rect:
    top, left = row * TILE_PX, column * TILE_PX
    return Rect(top, left, top + TILE_PX, left + TILE_PX).intersect(bounds)


def _measured(name: str, tiles: tuple[_Tile, ...], label_map: LabelMap) -> Edit | None:
    """Compare kept tiles with the map as it is now; None when nothing differs."""
    kept: list[_Tile] = []
    rect = Rect(0, 0, 0, 0)
    changed = confirmed = 0
    areas: dict[int, int] = {}
    for tile in tiles:
        before, after = tile.labels.values(), label_map.labels[tile.rect.slices]
        differs = before != after
        moved = tile.provenance.values() != label_map.provenance[tile.rect.slices]
        here = int(np.count_nonzero(differs))
        moved |= differs
        total = int(np.count_nonzero(moved))
        if total == 0:
            continue
        kept.append(tile)
        changed += here
        confirmed += total - here
        inside = _bounds(moved)
        rect = rect.union(inside.moved(tile.rect.y0, tile.rect.x0))
        if here:
            _count(areas, before[inside.slices], -1)  # pixels that stay cancel out
            _count(areas, after[inside.slices], +1)
    if not kept:
        return None
    change = tuple(sorted((label, pixels) for label, pixels in areas.items() if pixels))
    return Edit(name, rect, changed, confirmed, change, time.time(), tuple(kept))


def _bounds(mask: np.ndarray) -> Rect:
    """Return the smallest rect around a mask's True pixels; it has at least one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Rect(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _count(areas: dict[int, int], labels: np.ndarray, sign: int) -> None:
    """Add the pixels of each label to `areas`."""
    counts = np.bincount(labels.ravel())
    for label in np.flatnonzero(counts):
        areas[int(label)] = areas.get(int(label), 0) + sign * int(counts[label])
