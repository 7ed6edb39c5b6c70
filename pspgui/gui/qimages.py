"""QImages laid over numpy arrays: no copy, explicit strides, the array kept alive.

QImage holds a reference to the buffer it was built over (checked by a test), so an array may be
dropped by its owner while its QImage lives. A detached copy (`image.copy()`) owns its pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtGui import QImage


def rgb_image(pixels: np.ndarray) -> QImage:
    """Return a QImage over (H, W, 3) uint8 RGB, C-contiguous; read-only arrays are welcome.

    Raises ValueError for another shape, dtype or layout: a silent copy would no longer follow
    the array.
    """
    _require(pixels, np.uint8, "(H, W, 3) uint8", pixels.ndim == 3 and pixels.shape[-1] == 3)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)


def grey_image(pixels: np.ndarray) -> QImage:
    """Return a QImage over (H, W) uint8 grey, C-contiguous. Raises ValueError as `rgb_image`."""
    _require(pixels, np.uint8, "(H, W) uint8", pixels.ndim == 2)
    height, width = pixels.shape
    return QImage(pixels.data, width, height, width, QImage.Format.Format_Grayscale8)


def argb_image(pixels: np.ndarray) -> QImage:
    """Return a QImage over (H, W) uint32 premultiplied 0xAARRGGBB, C-contiguous.

    Raises ValueError as `rgb_image` does.
    """
    _require(pixels, np.uint32, "(H, W) uint32", pixels.ndim == 2)
    height, width = pixels.shape
    return QImage(
        pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied
    )


def indexed_image(pixels: np.ndarray, table: Sequence[int]) -> QImage:
    """Return a QImage over (H, W) uint8 indices into a table of straight 0xAARRGGBB colours.

    Indices beyond the table are not drawn. Raises ValueError as `rgb_image` does.
    """
    _require(pixels, np.uint8, "(H, W) uint8", pixels.ndim == 2)
    height, width = pixels.shape
    image = QImage(pixels.data, width, height, width, QImage.Format.Format_Indexed8)
    image.setColorTable([*table, *([0] * (256 - len(table)))])
    return image


def opaque(colours: np.ndarray) -> list[int]:
    """Return (N, 3) uint8 RGB as a table for `indexed_image`."""
    red, green, blue = colours.astype(np.uint32).T
    table: list[int] = (0xFF000000 | red << 16 | green << 8 | blue).tolist()
    return table


def premultiplied(colours: np.ndarray) -> np.ndarray:
    """Return straight (..., 4) uint8 RGBA as uint32 0xAARRGGBB with the colour times alpha."""
    alpha = colours[..., 3].astype(np.uint32)
    scaled = (colours[..., :3].astype(np.uint32) * alpha[..., None] + 127) // 255
    return alpha << 24 | scaled[..., 0] << 16 | scaled[..., 1] << 8 | scaled[..., 2]


def _require(array: np.ndarray, dtype: type, what: str, right_shape: bool) -> None:
    if not right_shape or array.dtype != dtype or not array.flags.c_contiguous or not array.size:
        raise ValueError(
            f"expected a C-contiguous, non-empty {what} array, not {array.shape} {array.dtype}"
        )
