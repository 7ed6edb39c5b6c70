"""Area averages of a picture at half, a quarter… of its size; any thread, no widgets.

cv2 is imported inside functions, because only these need it in the window.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pspgui.imaging.scratch import LARGE_BYTES, let_go, strips, zeros

SMALLEST_SIDE: Final = 256


def build_levels(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return area averages of (H, W, 3) uint8 RGB at half, a quarter… of its size.

    Each level is (h, w) uint32 0xFFRRGGBB and covers exactly the whole picture, odd sizes
    included.
    """
    from pspgui.imaging.opencv import cv2

    levels = []
    level = pixels
    while max(level.shape[:2]) > SMALLEST_SIDE and min(level.shape[:2]) > 1:
        size = (level.shape[1] + 1) // 2, (level.shape[0] + 1) // 2
        level = cv2.resize(level, size, interpolation=cv2.INTER_AREA)
        bgra = cv2.cvtColor(level, cv2.COLOR_RGB2BGRA)
        levels.append(np.ascontiguousarray(bgra).view(np.uint32)[..., 0])
    return tuple(levels)


def build_by_strips(samples: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return area averages of (H, W) or (H, W, 3) samples, uint8 or uint16, a strip at a time.

    Each level halves the one before exactly; an odd last row or column repeats. Levels that are
    large lie over files, and the memory held besides is a strip. Raises `ScratchError`.
    """
    levels = []
    below = samples
    while max(below.shape[:2]) > SMALLEST_SIDE and min(below.shape[:2]) > 1:
        level = _empty(
            ((below.shape[0] + 1) // 2, (below.shape[1] + 1) // 2, *below.shape[2:]), below.dtype
        )
        for rows in strips(below.shape, below.dtype):
            level[rows.start // 2 : (rows.stop + 1) // 2] = _halved(below[rows])
            let_go(below)
            let_go(level)
        levels.append(level)
        below = level
    return tuple(levels)


def _halved(strip: np.ndarray) -> np.ndarray:
    """Return a strip at exactly half its size, made even first."""
    from pspgui.imaging.opencv import cv2

    height, width = strip.shape[:2]
    if height % 2 or width % 2:
        rest = ((0, height % 2), (0, width % 2), (0, 0))[: strip.ndim]
        strip = np.pad(strip, rest, mode="edge")
    size = strip.shape[1] // 2, strip.shape[0] // 2
    return cv2.resize(strip, size, interpolation=cv2.INTER_AREA)


def _empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    small = int(np.prod(shape)) * dtype.itemsize < LARGE_BYTES // 4
    return np.empty(shape, dtype) if small else zeros(shape, dtype)
