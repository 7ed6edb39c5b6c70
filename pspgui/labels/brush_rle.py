"""The run lengths of Label Studio's brush: a bit stream of the mask as an RGBA picture.

The stream begins with the number of words (32 bits), the bits of a word less one (5) and the bits
of four kinds of run lengths less one (4 each). Then come runs: a bit that says whether one word is
repeated or several follow, two bits for the kind of length, the length less one, and the word or
the words. A pixel is four words of 8 bits, and is set where its fourth, the opacity, is above 0.
"""

from __future__ import annotations

import numpy as np

from pspgui.labels.rle import RunLengthError

_WORD_BITS = 8
_CHANNELS = 4
_LENGTH_BITS = (3, 4, 8, 16)
_HEADER_BITS = 32 + 5 + 4 * 4
_LONGEST = 1 << _LENGTH_BITS[-1]
_BLOCK = 1 << 16  # runs packed at a time; a run takes at most 27 bits


def encode_brush(mask: np.ndarray) -> bytes:
    """Return the stream of a mask (H, W) bool."""
    flat = np.asarray(mask, np.bool_).ravel()
    if flat.size == 0:
        raise RunLengthError("a mask has at least one pixel")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate(([0], edges))
    lengths = np.diff(np.concatenate((starts, [flat.size]))) * _CHANNELS
    words = np.where(flat[starts], 255, 0)
    pieces = -(-lengths // _LONGEST)
    last = np.cumsum(pieces) - 1
    runs = np.full(int(pieces.sum()), _LONGEST, np.int64)
    runs[last] = lengths - (pieces - 1) * _LONGEST
    values = np.repeat(words, pieces)
    bits = [_bits(np.array([flat.size * _CHANNELS]), np.array([32])),
            _bits(np.array([_WORD_BITS - 1]), np.array([5])),
            _bits(np.array(_LENGTH_BITS) - 1, np.full(4, 4))]  # fmt: skip
    blocks = range(0, len(runs), _BLOCK)
    bits += [_run_bits(runs[at : at + _BLOCK], values[at : at + _BLOCK]) for at in blocks]
    return np.packbits(np.concatenate(bits)).tobytes()


def decode_brush(stream: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Return the mask (H, W) bool of a stream; raises `RunLengthError` unless it fits exactly.

    Nothing larger than the mask is made, whatever the stream says.
    """
    height, width = shape
    if height < 1 or width < 1:
        raise RunLengthError(f"{width} × {height} is no size of a mask")
    wanted, sizes = _header(stream, height * width)
    mask = np.zeros(height * width, np.bool_)
    at, place, end = _HEADER_BITS, 0, 8 * len(stream)
    while place < wanted:
        window = int.from_bytes(stream[at >> 3 : (at >> 3) + 8].ljust(8, b"\0"), "big")
        window = window << (at & 7) & 0xFFFFFFFFFFFFFFFF
        repeats, size = window >> 63, sizes[window >> 61 & 3]
        count = (window >> (61 - size) & ((1 << size) - 1)) + 1
        at += 3 + size
        stop = place + count
        length = _WORD_BITS if repeats else _WORD_BITS * count
        if at + length > end:
            raise RunLengthError(f"it ends after {place:,} of {wanted:,} values")
        if stop > wanted:
            raise RunLengthError(f"a run of {count:,} goes past the {wanted:,} values of the mask")
        if not repeats:
            words = _words(stream, at, count)[(3 - place) % 4 :: 4]
            mask[place // 4 : place // 4 + len(words)] = words > 0
        elif window >> (61 - size - _WORD_BITS) & 255:
            mask[place // 4 : stop // 4] = True
        at += length
        place = stop
    return mask.reshape(shape)


def _header(stream: bytes, pixels: int) -> tuple[int, list[int]]:
    """Return the number of words and the bits of the four kinds of lengths."""
    if 8 * len(stream) < _HEADER_BITS:
        raise RunLengthError("it ends within its header")
    head = int.from_bytes(stream[:7], "big") >> 3
    wanted = head >> 21
    if wanted != pixels * _CHANNELS:
        raise RunLengthError(
            f"it holds {wanted:,} values, but {pixels:,} pixels of four channels have "
            f"{pixels * _CHANNELS:,}"
        )
    if (head >> 16 & 31) + 1 != _WORD_BITS:
        raise RunLengthError(f"its words have {(head >> 16 & 31) + 1} bits, not {_WORD_BITS}")
    return wanted, [(head >> shift & 15) + 1 for shift in (12, 8, 4, 0)]


def _words(stream: bytes, at: int, count: int) -> np.ndarray:
    """Return words that begin at any bit, (count,) uint8."""
    first, shift = at >> 3, at & 7
    content = np.frombuffer(stream[first : first + count + 1].ljust(count + 1, b"\0"), np.uint8)
    wide = content[:count].astype(np.uint16) << 8 | content[1 : count + 1]
    return (wide >> (8 - shift) & 255).astype(np.uint8)


def _run_bits(runs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the bits of runs of one word each."""
    kind = np.searchsorted([1 << size for size in _LENGTH_BITS], runs)
    size = np.array(_LENGTH_BITS)[kind]
    codes = (((4 | kind) << size) | (runs - 1)) << _WORD_BITS | values
    return _bits(codes, 3 + size + _WORD_BITS)


def _bits(codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the last `lengths` bits of every code one after another, the highest first."""
    ends = np.cumsum(lengths)
    place = np.arange(int(ends[-1]))
    owner = np.repeat(np.arange(len(codes)), lengths)
    found: np.ndarray = (codes[owner] >> (ends[owner] - 1 - place) & 1).astype(np.uint8)
    return found
