"""Whether a PNG holds all the rows that its header promises.

Decoders leave the rows that are missing black and say nothing, though every checksum is right.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
           (1, 0, 2, 1))  # fmt: skip
_STEP = 1 << 18


def is_interlaced(content: bytes) -> bool:
    """Whether the rows of a PNG come in seven passes."""
    return len(content) > 28 and content[28] == 1


def has_all_rows(content: bytes) -> bool:
    """Whether the packed rows of a PNG, whose chunks were found to be whole, are as many as told.

    They are unpacked piece by piece and counted, which takes a fraction of decoding. Any thread.
    """
    left = _promised(content)
    if left is None:
        return True  # of a kind that decoders refuse by themselves
    unpacking = zlib.decompressobj()
    for packed in _packed(content):
        while packed and left > 0 and not unpacking.eof:
            try:
                left -= len(unpacking.decompress(packed, _STEP))
            except zlib.error:
                return False
            packed = unpacking.unconsumed_tail
    while left > 0 and not unpacking.eof and (rest := unpacking.decompress(b"", _STEP)):
        left -= len(rest)
    return left <= 0


def _promised(content: bytes) -> int | None:
    """Return the bytes that the rows have, each with its filter; None for an unknown kind."""
    width, height, depth, kind = struct.unpack_from(">IIBB", content, 16)
    if kind not in _CHANNELS:
        return None
    bits = depth * _CHANNELS[kind]
    passes = _PASSES if is_interlaced(content) else ((0, 0, 1, 1),)
    total = 0
    for top, left, down, across in passes:
        rows, columns = -(-(height - top) // down), -(-(width - left) // across)
        if rows > 0 and columns > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def _packed(content: bytes) -> Iterator[bytes]:
    at = 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        if content[at + 4 : at + 8] == b"IDAT":
            yield content[at + 8 : at + 8 + length]
        at += 12 + length
