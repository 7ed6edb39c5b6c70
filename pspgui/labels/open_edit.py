"""The edit under way: what its tiles were, and what changed in those that it is done with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.edits import MIB, TILE_PX, AfterTile, Edit, OpenTile, Plane, Tile
from pspgui.labels.label_map import LabelMap

_FEW_LABELS: Final = 24
_NOTHING: Final = Rect(0, 0, 0, 0)
_RAW_BYTES: Final = 64 * MIB  # what an edit may hold that nobody has packed yet

Key = tuple[int, int]


class _Closed(NamedTuple):
    """A tile compared with what it was; `tile` and `after` are None where nothing differs.

    `areas` are the pixels that each label won or lost.
    """

    rect: Rect
    tile: Tile | None = None
    after: AfterTile | None = None
    changed: int = 0
    confirmed: int = 0
    areas: tuple[tuple[int, int], ...] = ()


class _Sum:
    """What closed tiles come to together."""

    def __init__(self) -> None:
        self.rect = _NOTHING
        self.changed = self.confirmed = self.nbytes = 0
        self.areas: dict[int, int] = {}

    def add(self, closed: _Closed) -> None:
        """Count one more tile."""
        if closed.tile is None:
            return
        self.rect = self.rect.union(closed.tile.rect)
        self.changed += closed.changed
        self.confirmed += closed.confirmed
        self.nbytes += closed.tile.nbytes
        for label, pixels in closed.areas:
            self.areas[label] = self.areas.get(label, 0) + pixels


class OpenEdit:
    """An edit that is being made: `touch` before each write, then `finish` or `take_back`.

    Tiles that are done with may be closed before the end, so that the end is quick however large
    the edit is; a closed tile that is touched again is opened again. What an edit keeps beyond
    64 MiB is packed as it is closed. On the thread that writes the label map.
    """

    def __init__(self, name: str, label_map: LabelMap, keeps_after: bool) -> None:
        """Begin; `keeps_after` tells whether `finish` is asked what tiles were afterwards."""
        self.name = name
        self._map = label_map
        self._keeps_after = keeps_after
        self._open: dict[Key, OpenTile] = {}
        self._closed: dict[Key, _Closed] = {}
        self._fresh: set[Key] = set()
        self._sum: _Sum | None = _Sum()

    def touch(self, rect: Rect) -> None:
        """Keep what lies under `rect` before it is written; each tile is copied once."""
        for key in self._keys(rect):
            self._fresh.add(key)
            if key not in self._open:
                self._open[key] = self._opened(key)

    def touched(self, limit: int) -> tuple[OpenTile, ...]:
        """Return up to `limit` tiles that were touched since they were last asked for; copies."""
        keys = [self._fresh.pop() for _ in range(min(limit, len(self._fresh)))]
        return tuple(_as_now(self._open.get(key) or self._reopened(key)) for key in keys)

    def close(self, rect: Rect) -> None:
        """Take down what changed in the tiles under `rect`, which are probably done with."""
        for key in self._keys(rect):
            if key in self._open:
                self._close(key)

    def closing(self) -> Iterator[None]:
        """Close all tiles, one a step."""
        for key in tuple(self._open):
            self._close(key)
            yield

    def finish(self) -> tuple[Edit | None, tuple[AfterTile, ...]]:
        """Return the edit, None when nothing differs, and its tiles as it left them."""
        for _ in self.closing():
            pass
        total = self._summed()
        changed = [closed for closed in self._closed.values() if closed.tile is not None]
        if not changed:
            return None, ()
        areas = tuple(sorted((label, pixels) for label, pixels in total.areas.items() if pixels))
        tiles = tuple(closed.tile for closed in changed if closed.tile is not None)
        edit = Edit(
            self.name, total.rect, total.changed, total.confirmed, areas, time.time(), tiles,
            total.nbytes,
        )
        return edit, tuple(closed.after for closed in changed if closed.after is not None)

    def take_back(self) -> Rect:
        """Put everything back, and return the rect to repaint."""
        rect = _NOTHING
        for closed in self._closed.values():
            if closed.tile is not None:
                swap(closed.tile, self._map)
            rect = rect.union(closed.rect)
        for tile in self._open.values():
            tile.labels_now[:] = tile.labels
            tile.provenance_now[:] = tile.provenance
            rect = rect.union(tile.rect)
        self._map.revision += 1
        return rect

    # -- inside -------------------------------------------------------------------------------

    def _keys(self, rect: Rect) -> Iterator[Key]:
        rect = rect.intersect(self._map.rect)
        if rect.is_empty:
            return
        for row in range(rect.y0 // TILE_PX, (rect.y1 - 1) // TILE_PX + 1):
            for column in range(rect.x0 // TILE_PX, (rect.x1 - 1) // TILE_PX + 1):
                yield row, column

    def _opened(self, key: Key) -> OpenTile:
        """Return a tile as it was before the edit, to be written."""
        if key in self._closed:
            tile = self._reopened(key)
            del self._closed[key]
            self._sum = None
            return tile
        top, left = key[0] * TILE_PX, key[1] * TILE_PX
        rect = Rect(top, left, top + TILE_PX, left + TILE_PX).intersect(self._map.rect)
        labels, marks = self._map.labels[rect.slices], self._map.provenance[rect.slices]
        return OpenTile(rect, labels.copy(), marks.copy(), labels, marks)

    def _reopened(self, key: Key) -> OpenTile:
        """Return what a closed tile was when it was open."""
        closed = self._closed[key]
        labels = self._map.labels[closed.rect.slices]
        marks = self._map.provenance[closed.rect.slices]
        before, marks_before = labels.copy(), marks.copy()
        if closed.tile is not None:
            part = closed.tile.rect.moved(-closed.rect.y0, -closed.rect.x0).slices
            before[part] ^= closed.tile.labels.values()
            marks_before[part] ^= closed.tile.provenance.values()
        return OpenTile(closed.rect, before, marks_before, labels, marks)

    def _close(self, key: Key) -> None:
        closed = _compared(self._open[key], self._keeps_after)
        del self._open[key]
        self._closed[key] = closed
        if self._sum is None:
            return
        if self._sum.nbytes > _RAW_BYTES:
            for side in (closed.tile, closed.after):
                if side is not None:
                    side.labels.pack()
                    side.provenance.pack()
        self._sum.add(closed)

    def _summed(self) -> _Sum:
        if self._sum is None:
            self._sum = _Sum()
            for closed in self._closed.values():
                self._sum.add(closed)
        return self._sum


def swap(tile: Tile, label_map: LabelMap) -> None:
    """Turn a tile from what it was after an edit into what it was before, or the other way."""
    labels, marks = tile.labels.values(), tile.provenance.values()  # both, or neither
    label_map.labels[tile.rect.slices] ^= labels
    label_map.provenance[tile.rect.slices] ^= marks


def _as_now(tile: OpenTile) -> OpenTile:
    return tile._replace(
        labels_now=tile.labels_now.copy(), provenance_now=tile.provenance_now.copy()
    )


def _compared(tile: OpenTile, keeps_after: bool) -> _Closed:
    """Compare a tile as it was with the map as it is now."""
    now, marks_now = tile.labels_now, tile.provenance_now
    labels_xor, marks_xor = tile.labels ^ now, tile.provenance ^ marks_now
    changed = int(np.count_nonzero(labels_xor))
    moved = (labels_xor | marks_xor) != 0
    total = int(np.count_nonzero(moved))
    if total == 0:
        return _Closed(tile.rect)
    inside = _bounds(moved) if total < moved.size else Rect(0, 0, *moved.shape)
    part, where = inside.slices, inside.moved(tile.rect.y0, tile.rect.x0)
    # Only what changed is kept of a tile: of a thousand tiles it is little.
    turned, marks = _cut(labels_xor, inside), _cut(marks_xor, inside)
    areas: dict[int, int] = {}
    if changed:
        differs = slice(None) if changed == turned.size else turned != 0
        _count(areas, tile.labels[part][differs], -1)
        _count(areas, now[part][differs], +1)
    after = None
    if keeps_after:
        left, marks_left = Plane.of(now[part].copy()), Plane.of(marks_now[part].copy())
        after = AfterTile(where, left, marks_left)
    kept = Tile(where, Plane.of(turned), Plane.of(marks))
    return _Closed(tile.rect, kept, after, changed, total - changed, tuple(areas.items()))


def _cut(values: np.ndarray, inside: Rect) -> np.ndarray:
    """Return a part by itself, so that the rest can be freed."""
    whole = (inside.height, inside.width) == values.shape
    return values if whole else values[inside.slices].copy()


def _bounds(mask: np.ndarray) -> Rect:
    """Return the smallest rect around a mask's True pixels; it has at least one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Rect(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _count(areas: dict[int, int], labels: np.ndarray, sign: int) -> None:
    """Add the pixels of each label, of any shape but not empty, to `areas`.

    One comparison a label costs a tenth of what bincount does, which works on a copy of 8 bytes a
    pixel; and strokes meet few labels, whose ids lie close together.
    """
    low, high = int(labels.min()), int(labels.max())
    if low == high:
        found = {low: labels.size}
    elif high - low < _FEW_LABELS:
        found = {i: int(np.count_nonzero(labels == i)) for i in range(low, high + 1)}
    else:
        found = dict(enumerate(np.bincount(labels.ravel()).tolist()))
    for label, pixels in found.items():
        if pixels:
            areas[label] = areas.get(label, 0) + sign * pixels
