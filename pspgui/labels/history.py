"""Undo and redo of label map edits: what changed in each tile, counted in bytes.

An edit keeps the bitwise difference (XOR) of every 256-px tile it changed. Undo and redo are the
same act, need no copy of the map, and leave what is kept as it is: it is packed once, and may be
written to a journal by another thread meanwhile.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.label_map import LabelMap

TILE_PX = 256
MIB = 1 << 20
_THIN_SPACE = "\u2009"
_FEW_LABELS = 24
_NOTHING = Rect(0, 0, 0, 0)


class Plane:
    """One array that no one changes any more, raw or packed. Any thread may pack or read it."""

    __slots__ = ("_content", "dtype", "shape")

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[np.unsignedinteger],
        content: np.ndarray | bytes,
    ) -> None:
        """Take over an array, or zlib-packed bytes of one."""
        self.shape, self.dtype = shape, dtype
        self._content = content

    @classmethod
    def of(cls, values: np.ndarray) -> Plane:
        """Take over an array."""
        return cls(values.shape, values.dtype, values)

    @property
    def is_packed(self) -> bool:
        """Whether it is packed."""
        return isinstance(self._content, bytes)

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        content = self._content
        return len(content) if isinstance(content, bytes) else content.nbytes

    def pack(self) -> bytes:
        """Pack it if it is not, and return the bytes; some tenths of a millisecond a tile."""
        content = self._content  # read once: another thread may be packing it too
        if isinstance(content, np.ndarray):
            content = self._content = zlib.compress(np.ascontiguousarray(content).data, 1)
        return content

    def values(self) -> np.ndarray:
        """Return the array. Raises `ValueError` for packed bytes that are not of its size."""
        content = self._content
        if isinstance(content, np.ndarray):
            return content
        return unpack(content, self.shape, self.dtype)


def unpack(
    packed: bytes, shape: tuple[int, ...], dtype: np.dtype[np.unsignedinteger]
) -> np.ndarray:
    """Return the array of that shape and dtype that was packed, read-only.

    Raises `ValueError` for anything else; never allocates more than the array needs.
    """
    size = int(np.prod(shape)) * dtype.itemsize
    try:
        content = zlib.decompressobj().decompress(packed, size + 1)
    except zlib.error as error:
        raise ValueError(f"a tile cannot be unpacked ({error})") from error
    if len(content) != size:
        raise ValueError(f"a tile of {size} bytes holds {len(content)}")
    return np.frombuffer(content, dtype).reshape(shape)


class Tile(NamedTuple):
    """How labels and provenance under one rect differ between before and after an edit (XOR)."""

    rect: Rect
    labels: Plane
    provenance: Plane

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        return self.labels.nbytes + self.provenance.nbytes


class AfterTile(NamedTuple):
    """What labels and provenance under one rect were after an edit; copies."""

    rect: Rect
    labels: np.ndarray
    provenance: np.ndarray


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
    tiles: tuple[Tile, ...]
    _packed_bytes: int | None = field(default=None, repr=False)

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        if self._packed_bytes is not None:
            return self._packed_bytes
        return sum(tile.nbytes for tile in self.tiles)

    @property
    def title(self) -> str:
        """Name and size as shown, such as `Brush Road, 3 412 px`."""
        pixels = self.pixels_changed or self.pixels_confirmed
        size = f"{pixels:,}".replace(",", _THIN_SPACE) + " px"
        return f"{self.name}, {size}" + ("" if self.pixels_changed else " confirmed")

    def pack(self, end: float = float("inf")) -> bool:
        """Pack its tiles until the clock (`time.perf_counter`) says `end`; True when all are."""
        if self._packed_bytes is not None:
            return True
        for tile in self.tiles:
            if not (tile.labels.is_packed and tile.provenance.is_packed):
                if time.perf_counter() >= end:
                    return False
                tile.labels.pack()
                tile.provenance.pack()
        self._packed_bytes = sum(tile.nbytes for tile in self.tiles)
        return True


class Change(NamedTuple):
    """What a listener of a history hears: "edit", "undo" or "redo", of which edit.

    `after` holds the tiles as an "edit" left them; empty for the others.
    """

    kind: str
    edit: Edit
    after: tuple[AfterTile, ...] = ()


class OpenTile(NamedTuple):
    """A tile of the edit under way: as it was before, and as it is now; copies."""

    rect: Rect
    labels: np.ndarray
    provenance: np.ndarray
    labels_now: np.ndarray
    provenance_now: np.ndarray


class History:
    """The edits of one label map, to undo and redo within a budget of bytes.

    An edit is `begin`, `touch` before each write, then `commit` or `abort`. Everything is on the
    thread that writes the label map. The newest edit can always be undone, whatever its size.
    `listener`, where there is one, hears of every `Change`.
    """

    def __init__(self, label_map: LabelMap, budget_bytes: int = 256 * MIB) -> None:
        """Keep edits of `label_map` in at most about `budget_bytes`."""
        self._map = label_map
        self._budget = budget_bytes
        self._name: str | None = None
        self._open: dict[tuple[int, int], OpenTile] = {}
        self._fresh: set[tuple[int, int]] = set()
        self._done: list[Edit] = []
        self._undone: list[Edit] = []
        self._raw: list[Edit] = []
        self.listener: Callable[[Change], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether an edit was begun and not yet committed or aborted."""
        return self._name is not None

    @property
    def open_name(self) -> str:
        """The name of the edit under way; empty without one."""
        return self._name or ""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Edits that stand, oldest first."""
        return tuple(self._done)

    @property
    def undone(self) -> tuple[Edit, ...]:
        """Edits that were taken back, in the order in which `redo` brings them back."""
        return tuple(reversed(self._undone))

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

    @property
    def budget_bytes(self) -> int:
        """About how much all edits together may hold."""
        return self._budget

    def set_budget(self, budget_bytes: int) -> None:
        """Keep no more than this from now on."""
        self._budget = budget_bytes
        self._trim()

    def restore(self, done: Iterable[Edit], undone: Iterable[Edit]) -> None:
        """Take over edits from an earlier session: `done` oldest first, `undone` next redo first.

        They must fit the label map as it is.
        """
        self._done, self._undone = list(done), list(undone)[::-1]
        self._raw = [*self._done, *self._undone]
        self._trim()

    def begin(self, name: str) -> None:
        """Open an edit; raises `RuntimeError` while another one is open."""
        if self._name is not None:
            raise RuntimeError(f"the edit {self._name!r} is still open")
        self._name = name
        self._open, self._fresh = {}, set()

    def touch(self, rect: Rect) -> None:
        """Keep what lies under `rect` before it is written; each tile is copied once an edit."""
        if self._name is None:
            raise RuntimeError("no edit is open")
        rect = rect.intersect(self._map.rect)
        if rect.is_empty:
            return
        for row in range(rect.y0 // TILE_PX, (rect.y1 - 1) // TILE_PX + 1):
            for column in range(rect.x0 // TILE_PX, (rect.x1 - 1) // TILE_PX + 1):
                key = (row, column)
                self._fresh.add(key)
                if key not in self._open:
                    self._open[key] = self._copy(_tile_rect(row, column, self._map.rect))

    def touched(self, limit: int) -> tuple[OpenTile, ...]:
        """Return up to `limit` tiles written by the edit under way since they were last asked for.

        A journal keeps them, so that a long stroke is not lost in a crash either.
        """
        taken = [self._fresh.pop() for _ in range(min(limit, len(self._fresh)))]
        return tuple(self._as_now(self._open[key]) for key in taken)

    def commit(self, pack_s: float = 0.0) -> Edit | None:
        """Close the edit and return it; None when nothing changed, which leaves no trace.

        `pack_s` bounds the seconds spent on compression here; `pack` does the rest when idle.
        When memory runs out the edit is taken back, so that the next one can begin.
        """
        if self._name is None:
            raise RuntimeError("no edit is open")
        tiles = tuple(self._open.values())
        wants_after = self.listener is not None
        try:
            edit, after = _measured(self._name, tiles, self._map, wants_after)
        except BaseException:
            self.abort()
            raise
        self._name, self._open = None, {}
        if edit is None:
            return None
        self._undone.clear()
        self._done.append(edit)
        self._raw.append(edit)
        self.pack(pack_s)
        self._trim()
        self._tell(Change("edit", edit, after))
        return edit

    def abort(self) -> Rect:
        """Give up the open edit, put everything back, and return the rect to repaint."""
        rect = _NOTHING
        for tile in self._open.values():
            self._map.labels[tile.rect.slices] = tile.labels
            self._map.provenance[tile.rect.slices] = tile.provenance
            self._map.revision += 1
            rect = rect.union(tile.rect)
        self._name, self._open = None, {}
        return rect

    def undo(self) -> Edit | None:
        """Take back the last edit and return it; None if there is none or one is open."""
        return self._move(self._done, self._undone, "undo")

    def redo(self) -> Edit | None:
        """Bring back the edit undone last and return it; None if there is none or one is open."""
        return self._move(self._undone, self._done, "redo")

    def jump(self, standing: int) -> Rect:
        """Undo or redo until `standing` edits stand; return all that is to be repainted."""
        rect = _NOTHING
        standing = max(0, min(standing, len(self._done) + len(self._undone)))
        while len(self._done) != standing:
            edit = self.undo() if len(self._done) > standing else self.redo()
            if edit is None:
                break
            rect = rect.union(edit.rect)
        return rect

    def pack(self, seconds: float) -> bool:
        """Compress raw tiles, newest edits first, for about `seconds`; True if some remain."""
        end = time.perf_counter() + seconds
        while self._raw:
            if not self._raw[-1].pack(end):
                return True
            self._raw.pop()
        return False

    def _move(self, source: list[Edit], target: list[Edit], kind: str) -> Edit | None:
        if self._name is not None or not source:
            return None
        edit = source.pop()
        for tile in edit.tiles:
            self._map.labels[tile.rect.slices] ^= tile.labels.values()
            self._map.provenance[tile.rect.slices] ^= tile.provenance.values()
        self._map.revision += 1
        target.append(edit)
        self._tell(Change(kind, edit))
        return edit

    def _tell(self, change: Change) -> None:
        if self.listener is not None:
            self.listener(change)

    def _copy(self, rect: Rect) -> OpenTile:
        labels, provenance = self._map.labels[rect.slices], self._map.provenance[rect.slices]
        return OpenTile(rect, labels.copy(), provenance.copy(), labels, provenance)

    def _as_now(self, tile: OpenTile) -> OpenTile:
        return tile._replace(
            labels_now=tile.labels_now.copy(), provenance_now=tile.provenance_now.copy()
        )

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


def _measured(
    name: str, tiles: tuple[OpenTile, ...], label_map: LabelMap, wants_after: bool
) -> tuple[Edit | None, tuple[AfterTile, ...]]:
    """Compare kept tiles with the map as it is now; no edit when nothing differs."""
    kept: list[Tile] = []
    left: list[AfterTile] = []
    rect = _NOTHING
    changed = confirmed = 0
    areas: dict[int, int] = {}
    for tile in tiles:
        now, marks_now = tile.labels_now, tile.provenance_now
        labels_xor, marks_xor = tile.labels ^ now, tile.provenance ^ marks_now
        here = int(np.count_nonzero(labels_xor))
        moved = (labels_xor | marks_xor) != 0
        total = int(np.count_nonzero(moved))
        if total == 0:
            continue
        changed += here
        confirmed += total - here
        inside = _bounds(moved)
        part, where = inside.slices, inside.moved(tile.rect.y0, tile.rect.x0)
        rect = rect.union(where)
        turned, marks = labels_xor[part].copy(), marks_xor[part].copy()
        if here:
            differs = turned != 0
            _count(areas, tile.labels[part][differs], -1)
            _count(areas, now[part][differs], +1)
        # Only what changed is kept of a tile: of a thousand tiles it is little.
        kept.append(Tile(where, Plane.of(turned), Plane.of(marks)))
        if wants_after:
            left.append(AfterTile(where, now[part].copy(), marks_now[part].copy()))
    if not kept:
        return None, ()
    change = tuple(sorted((label, pixels) for label, pixels in areas.items() if pixels))
    edit = Edit(name, rect, changed, confirmed, change, time.time(), tuple(kept))
    return edit, tuple(left)


def _bounds(mask: np.ndarray) -> Rect:
    """Return the smallest rect around a mask's True pixels; it has at least one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Rect(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _count(areas: dict[int, int], labels: np.ndarray, sign: int) -> None:
    """Add the pixels of each label, (N,) with N > 0, to `areas`.

    One comparison a label costs a tenth of what bincount does, which works on a copy of 8 bytes a
    pixel; and strokes meet few labels, whose ids lie close together.
    """
    low, high = int(labels.min()), int(labels.max())
    if low == high:
        found = {low: labels.size}
    elif high - low < _FEW_LABELS:
        found = {i: int(np.count_nonzero(labels == i)) for i in range(low, high + 1)}
    else:
        found = dict(enumerate(np.bincount(labels).tolist()))
    for label, pixels in found.items():
        if pixels:
            areas[label] = areas.get(label, 0) + sign * pixels
