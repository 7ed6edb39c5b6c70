"""Large label maps as PNG, packed and unpacked a strip of rows at a time.

Pillow holds a whole picture, twice; a map of 30 000 x 30 000 is written and read here with what a
strip takes. Only what label maps need: 8 or 16 bits, grey or palette, not interlaced. Files of
other programs may use row filters that are slow in numpy (Average, Paeth): those are not read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from pspgui.imaging.scratch import LARGE_BYTES, let_go, strips, zeros

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
_STRIP_BYTES: Final = 16 << 20


class StripPngError(ValueError):
    """A PNG that cannot be read by strips; the message is a clause for a person."""


class PngHeader(NamedTuple):
    """What a PNG's first chunk says: rows, columns, the dtype of labels, whether by palette."""

    height: int
    width: int
    dtype: np.dtype[np.uint8] | np.dtype[np.uint16]
    has_palette: bool

    @property
    def is_large(self) -> bool:
        """Whether its labels are to lie over a file."""
        return self.height * self.width * self.dtype.itemsize >= LARGE_BYTES


def png_header(content: bytes) -> PngHeader | None:
    """Return the header of a PNG that can be read by strips; None for any other file."""
    if len(content) < 33 or content[:8] != _SIGNATURE or content[12:16] != b"IHDR":
        return None
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", content[16:29])
    if interlaced or (bits, kind) not in ((8, _GREY), (8, _PALETTE), (16, _GREY)):
        return None
    dtype = np.dtype(np.uint8) if bits == 8 else np.dtype(np.uint16)
    return PngHeader(height, width, dtype, kind == _PALETTE)


def encode_by_strips(
    labels: np.ndarray, palette: np.ndarray, texts: Mapping[str, str], level: int
) -> bytes:
    """Return a label map (H, W) uint8 or uint16 as PNG bytes; what they take is all it holds.

    uint8 is written with the (256, 3) uint8 palette, uint16 as grey; `texts` come first.
    """
    height, width = labels.shape
    kind, bits = (_PALETTE, 8) if labels.dtype == np.uint8 else (_GREY, 16)
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    parts = [_SIGNATURE, _chunk(b"IHDR", header)]
    if kind == _PALETTE:
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(palette)] = palette[:256]
        parts.append(_chunk(b"PLTE", colours.tobytes()))
    for key, text in texts.items():
        parts.append(_chunk(b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1")))
    packer = zlib.compressobj(level)
    for rows in strips(labels.shape, labels.dtype, _STRIP_BYTES):
        here = labels[rows].astype(labels.dtype.newbyteorder(">"), copy=False)
        plain = np.zeros((len(here), 1 + width * labels.dtype.itemsize), np.uint8)
        plain[:, 1:] = np.ascontiguousarray(here).view(np.uint8).reshape(len(here), -1)
        let_go(labels)
        packed = packer.compress(plain.data)
        if packed:
            parts.append(_chunk(b"IDAT", packed))
    parts += [_chunk(b"IDAT", packer.flush()), _chunk(b"IEND", b"")]
    return b"".join(parts)


def decode_by_strips(content: bytes, header: PngHeader) -> np.ndarray:
    """Return the labels of a PNG, (H, W) over a mapped file; checksums are the caller's.

    Raises `StripPngError` for damaged or unusual files and `ScratchError` for a full disk.
    """
    labels = zeros((header.height, header.width), header.dtype)
    row_bytes = 1 + header.width * header.dtype.itemsize
    above = np.zeros(row_bytes - 1, np.uint8)
    waiting, done = bytearray(), 0
    for piece in _unpacked(content):
        waiting += piece
        count = min(len(waiting) // row_bytes, header.height - done)
        if not count:
            continue
        rows = np.frombuffer(bytes(waiting[: count * row_bytes]), np.uint8).reshape(count, -1)
        del waiting[: count * row_bytes]
        plain = _unfiltered(rows, above, header.dtype.itemsize)
        above = plain[-1]
        values = np.ascontiguousarray(plain).view(header.dtype.newbyteorder(">"))
        labels[done : done + count] = values
        let_go(labels)
        done += count
    if done < header.height:
        raise StripPngError("the file is truncated (cut short)")
    return labels


def png_extras(content: bytes) -> tuple[np.ndarray | None, dict[str, str]]:
    """Return a PNG's palette, (256, 3) uint8 or None, and the remarks before its pixels."""
    palette, texts, at = None, {}, len(_SIGNATURE)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + min(length, 1 << 20)]
        if kind == b"PLTE":
            stored = np.frombuffer(body[: len(body) // 3 * 3][:768], np.uint8)
            palette = np.zeros((256, 3), np.uint8)
            palette[: stored.size // 3] = stored.reshape(-1, 3)
        elif kind == b"tEXt":
            key, _, text = body.partition(b"\0")
            texts[key.decode("latin-1")] = text.decode("latin-1")
        elif kind == b"IDAT":
            break
        at += 12 + length
    return palette, texts


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _unpacked(content: bytes) -> Iterator[bytes]:
    """Yield the pixels' bytes, unpacked, about a strip at a time."""
    unpacker, view, at = zlib.decompressobj(), memoryview(content), len(_SIGNATURE)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        if content[at + 4 : at + 8] == b"IDAT":
            left: bytes | memoryview = view[at + 8 : at + 8 + length]
            try:
                while left:
                    yield unpacker.decompress(left, _STRIP_BYTES)
                    left = unpacker.unconsumed_tail
            except zlib.error as error:
                raise StripPngError("its pixels are damaged") from error
        at += 12 + length
    yield unpacker.flush()


def _unfiltered(rows: np.ndarray, above: np.ndarray, size: int) -> np.ndarray:
    """Return rows without their filter bytes; (n, 1 + w) uint8 to (n, w)."""
    filters = rows[:, 0]
    if not filters.any():
        return rows[:, 1:]
    made = rows[:, 1:].copy()
    for k in np.flatnonzero(filters).tolist():
        if filters[k] == 1:
            row = made[k].reshape(-1, size)
            row[:] = np.cumsum(row, axis=0, dtype=np.uint8)
        elif filters[k] == 2:
            made[k] += made[k - 1] if k else above
        else:
            raise StripPngError(
                "labels this large are read only as this program writes them; "
                "save it as an uncompressed or tiled TIFF first"
            )
    return made
