"""Run lengths of masks as COCO writes them, every count checked before memory is taken.

Runs go down the columns, one column after another, and begin with a run of zeros (which may be 0
long). The compressed form is text: the difference to the count two before, in groups of five bits,
lowest first, each plus 48, with 32 for "more follow".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# 2**35 pixels; a longer number is damage or malice.
_MOST_GROUPS = 7


class RunLengthError(ValueError):
    """Run lengths that are no mask of the size they claim."""


def encode_runs(mask: np.ndarray) -> list[int]:
    """Return the counts of a mask (H, W) bool; their sum is H * W."""
    flat = np.asarray(mask, np.bool_).ravel(order="F")
    if flat.size == 0:
        raise RunLengthError("a mask has at least one pixel")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate(([0], edges, [flat.size])))
    found: list[int] = counts.tolist()
    return [0, *found] if flat[0] else found


def decode_runs(counts: Sequence[int], shape: tuple[int, int]) -> np.ndarray:
    """Return the mask (H, W) bool of counts; raises `RunLengthError` unless they fill it exactly.

    Nothing larger than the mask is made, whatever the counts say.
    """
    height, width = shape
    pixels = height * width
    if height < 1 or width < 1:
        raise RunLengthError(f"{width} × {height} is no size of a mask")
    if len(counts) > 2 * pixels + 1:
        raise RunLengthError(f"{len(counts)} runs are more than {pixels} pixels can have")
    total = 0
    for number, count in enumerate(counts, 1):
        if type(count) is not int or count < 0:
            raise RunLengthError(f"run {number} is {count!r}, not a whole number from 0 up")
        total += count
        if total > pixels:
            raise RunLengthError(f"run {number} goes past the {pixels} pixels of the mask")
    if total < pixels:
        raise RunLengthError(f"the runs end after {total} of {pixels} pixels")
    ones = np.arange(len(counts)) % 2 == 1
    flat = np.repeat(ones, np.array(counts, np.int64))
    return np.ascontiguousarray(flat.reshape((height, width), order="F"))


def pack_runs(counts: Sequence[int]) -> str:
    """Return counts as COCO's compressed text."""
    characters: list[str] = []
    for number, count in enumerate(counts):
        rest = count - counts[number - 2] if number > 2 else count
        while True:
            group, rest = rest & 31, rest >> 5
            more = rest != (-1 if group & 16 else 0)
            characters.append(chr(48 + group + (32 if more else 0)))
            if not more:
                break
    return "".join(characters)


def unpack_runs(text: str, pixels: int) -> list[int]:
    """Return the counts in COCO's compressed text of a mask of so many pixels.

    Raises `RunLengthError` for text that is cut off, holds other characters, or counts that are
    negative or above `pixels`.
    """
    counts: list[int] = []
    value = groups = 0
    for place, character in enumerate(text):
        code = ord(character) - 48
        if not 0 <= code <= 63:
            raise RunLengthError(f"character {place + 1}, {character!r}, is none of run lengths")
        value |= (code & 31) << (5 * groups)
        groups += 1
        if code & 32:
            if groups >= _MOST_GROUPS:
                raise RunLengthError(f"run {len(counts) + 1} is too long a number")
            continue
        if code & 16:
            value -= 1 << (5 * groups)
        if len(counts) > 2:
            value += counts[-2]
        if not 0 <= value <= pixels:
            raise RunLengthError(f"run {len(counts) + 1} is {value} long, of {pixels} pixels")
        counts.append(value)
        value = groups = 0
    if groups:
        raise RunLengthError("the text ends within a number")
    return counts
