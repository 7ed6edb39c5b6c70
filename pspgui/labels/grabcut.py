"""Cutting a thing out of its box by its colours (GrabCut, Rother et al. 2004).

cv2 is imported where it is used. Any thread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.raster import NOTHING, Stamp

ROUNDS: Final = 5
_MARGIN: Final = 0.35  # how much around the box teaches what is background, as a part of its side
_LEAST_MARGIN_PX: Final = 8
_LEAST_SHARE: Final = 0.002  # of the box; a few scattered pixels are nothing that stands out
_MOST_CELLS: Final = 300_000  # larger boxes are cut at half, a third... of their resolution


@dataclass(frozen=True)
class Hints:
    """What a person said of pixels of the box: `thing` and `ground` (h, w) bool of its shape."""

    thing: np.ndarray
    ground: np.ndarray


def cut_out(image: np.ndarray, box: Rect, hints: Hints | None = None) -> Iterator[Stamp]:
    """Yield after each round what of `box` in an image (H, W, 3) uint8 is the thing in it.

    Everything outside of the box is background. The last of ROUNDS answers is the best; a box
    without an inside, or of one colour, yields nothing at all, and so does one in which less than a
    share of 0.002 stands out, unless a person painted what is the thing.
    """
    import cv2

    bounds = Rect(0, 0, *image.shape[:2])
    box = box.intersect(bounds)
    around = _around(box).intersect(bounds)
    if box.is_empty or (around == box and hints is None):
        yield NOTHING
        return
    step = max(1, math.ceil(math.sqrt(around.area / _MOST_CELLS)))
    window = np.ascontiguousarray(image[around.slices][::step, ::step, ::-1])
    marks = _marks(box, around, hints)[::step, ::step].copy()
    if not (marks == cv2.GC_BGD).any() or not (marks & 1).any():
        yield NOTHING
        return
    thing, ground = np.zeros((1, 65)), np.zeros((1, 65))
    for turn in range(ROUNDS):
        mode = cv2.GC_INIT_WITH_MASK if turn == 0 else cv2.GC_EVAL
        cv2.setRNGSeed(1)  # the same box gives the same answer
        cv2.grabCut(window, marks, (0, 0, 0, 0), ground, thing, 1, mode)
        yield _stamp(marks, box, around, hints)


def _around(box: Rect) -> Rect:
    rows = max(_LEAST_MARGIN_PX, round(_MARGIN * box.height))
    columns = max(_LEAST_MARGIN_PX, round(_MARGIN * box.width))
    return Rect(box.y0 - rows, box.x0 - columns, box.y1 + rows, box.x1 + columns)


def _marks(box: Rect, around: Rect, hints: Hints | None) -> np.ndarray:
    """Return what is known beforehand, (h, w) uint8 of cv2's GC values."""
    import cv2

    marks = np.full((around.height, around.width), cv2.GC_BGD, np.uint8)
    inside = marks[box.moved(-around.y0, -around.x0).slices]
    inside[:] = cv2.GC_PR_FGD
    if hints is not None:
        inside[hints.thing] = cv2.GC_FGD
        inside[hints.ground] = cv2.GC_BGD
    return marks


def _stamp(marks: np.ndarray, box: Rect, around: Rect, hints: Hints | None) -> Stamp:
    """Return the thing's pixels at full resolution; a person's hints hold exactly."""
    import cv2

    mask = (marks & 1).astype(np.float32)  # GC_FGD and GC_PR_FGD are odd
    if mask.shape != (around.height, around.width):
        size = (around.width, around.height)
        mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR))
    inside = mask[box.moved(-around.y0, -around.x0).slices] > 0.5
    if hints is not None:
        inside |= hints.thing
        inside &= ~hints.ground
    asked_for = hints is not None and bool(hints.thing.any())
    least = 1 if asked_for else max(1, math.ceil(_LEAST_SHARE * inside.size))
    enough = np.count_nonzero(inside) >= least
    return Stamp(box, np.ascontiguousarray(inside)) if enough else NOTHING
