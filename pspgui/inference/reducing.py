"""Images made smaller by a whole number, strip by strip."""

from __future__ import annotations

import numpy as np

from pspgui.imaging.opencv import cv2
from pspgui.imaging.scratch import let_go

_STRIP_BYTES = 32 << 20


def reduced(pixels: np.ndarray, times: int) -> np.ndarray:
    """Return (H, W, 3) uint8 or float32 pixels averaged over squares of `times`.

    The last edge is repeated where a square reaches beyond it. Besides the result a strip of some
    32 MB is held, whatever the image's size; the memory of a mapped one is given back.
    """
    if times == 1:
        return pixels
    height, width = pixels.shape[:2]
    rows, columns = -(-height // times), -(-width // times)
    result = np.empty((rows, columns, 3), pixels.dtype)
    step = max(1, _STRIP_BYTES // (times * pixels[:1].nbytes))
    for top in range(0, rows, step):
        strip = pixels[top * times : (top + step) * times]
        beyond = (0, -strip.shape[0] % times), (0, -width % times), (0, 0)
        if any(after for _, after in beyond):
            strip = np.pad(strip, beyond, mode="edge")
        band = result[top : top + step]
        cv2.resize(strip, (columns, len(band)), dst=band, interpolation=cv2.INTER_AREA)
        let_go(pixels)
    return result
