"""What undo keeps of an edit: how each of its tiles differs, raw or packed, counted in bytes."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pspgui.geometry import Rect

TILE_PX = 256
MIB = 1 << 20
_THIN_SPACE = "\u2009"


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
    labels: Plane
    provenance: Plane


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
    _held: int | None = field(default=None, repr=False)
    _is_packed: bool = field(default=False, repr=False)

    @property
    def nbytes(self) -> int:
        """Memory it holds; as long as it is being packed, what it held before."""
        if self._held is None:
            self._held = sum(tile.nbytes for tile in self.tiles)
        return self._held

    @property
    def title(self) -> str:
        """Name and size as shown, such as `Brush Road, 3 412 px`."""
        pixels = self.pixels_changed or self.pixels_confirmed
        size = f"{pixels:,}".replace(",", _THIN_SPACE) + " px"
        return f"{self.name}, {size}" + ("" if self.pixels_changed else " confirmed")

    def pack(self, end: float = float("inf")) -> bool:
        """Pack its tiles until the clock (`time.perf_counter`) says `end`; True when all are."""
        if self._is_packed:
            return True
        for tile in self.tiles:
            if not (tile.labels.is_packed and tile.provenance.is_packed):
                if time.perf_counter() >= end:
                    return False
                tile.labels.pack()
                tile.provenance.pack()
        self._is_packed, self._held = True, None
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
