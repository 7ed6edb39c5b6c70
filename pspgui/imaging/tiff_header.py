"""The first directory of a TIFF or BigTIFF file, read without decoding: size, turn, place."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, Final, NamedTuple

from pspgui.imaging.sources import open_regular

_WIDTH, _HEIGHT, _ORIENTATION, _NODATA = 256, 257, 274, 42113
_GEO: Final = frozenset({33550, 33922, 34264, 34735})
_INTEGERS: Final = {1: "B", 3: "H", 4: "I", 16: "Q"}
_MOST_ENTRIES: Final = 4096


class TiffHeader(NamedTuple):
    """What a TIFF says of its first picture.

    `height` and `width` are in pixels as stored; `orientation` is its EXIF turn, 1..8;
    `file_bytes` is the size of the file; `has_place` tells of a georeference; `nodata` is GDAL's
    mark of pixels without a value.
    """

    height: int
    width: int
    orientation: int
    file_bytes: int
    has_place: bool
    nodata: str

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.height * self.width


def tiff_header(path: str | os.PathLike[str]) -> TiffHeader | None:
    """Read the header of a TIFF file; None for any other file and for a header without sense.

    A few kilobytes are read. Any thread. Raises `DecodeError` for what cannot be opened.
    """
    with open_regular(path) as file:
        try:
            return _read(file)
        except (struct.error, OSError, OverflowError, ValueError):
            return None


def _read(file: BinaryIO) -> TiffHeader | None:
    start = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None:
        return None
    (magic,) = struct.unpack_from(order + "H", start, 2)
    if magic == 42:
        (at,) = struct.unpack_from(order + "I", start, 4)
        entries = _entries(file, order, at, "H", "HHI4s")
    elif magic == 43:
        (at,) = struct.unpack_from(order + "Q", start, 8)
        entries = _entries(file, order, at, "Q", "HHQ8s")
    else:
        return None
    if _WIDTH not in entries or _HEIGHT not in entries:
        return None
    width, height = (_number(order, entries[tag]) for tag in (_WIDTH, _HEIGHT))
    turn = _number(order, entries[_ORIENTATION]) if _ORIENTATION in entries else 1
    size = file.seek(0, os.SEEK_END)
    nodata = _text(file, order, entries[_NODATA]) if _NODATA in entries else ""
    return TiffHeader(
        height, width, turn if 1 <= turn <= 8 else 1, size, bool(_GEO & entries.keys()), nodata
    )


Entry = tuple[int, int, bytes]  # type, count, value or where it is


def _entries(file: BinaryIO, order: str, at: int, count: str, entry: str) -> dict[int, Entry]:
    file.seek(at)
    size = struct.calcsize(order + count)
    (number,) = struct.unpack(order + count, file.read(size))
    if number > _MOST_ENTRIES:
        return {}
    layout = struct.Struct(order + entry)
    table = file.read(number * layout.size)
    return {tag: (kind, n, value) for tag, kind, n, value in layout.iter_unpack(table)}


def _number(order: str, entry: Entry) -> int:
    kind, _, value = entry
    found: int = struct.unpack_from(order + _INTEGERS.get(kind, "I"), value)[0]
    return found


def _text(file: BinaryIO, order: str, entry: Entry) -> str:
    kind, count, value = entry
    if kind != 2 or count > 256:
        return ""
    if count > len(value):
        file.seek(struct.unpack(order + ("I" if len(value) == 4 else "Q"), value)[0])
        value = file.read(count)
    return value[:count].rstrip(b"\0 ").decode("ascii", "replace")
