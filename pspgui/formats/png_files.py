"""Label PNGs of exports: grey ones, and reading any of them back."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from pspgui.formats.value_map import ValueMap
from pspgui.imaging import labels_from_bytes
from pspgui.imaging.label_files import COMPRESSION


def grey_png(values: np.ndarray) -> bytes:
    """Return values (H, W) uint8 as an 8-bit grey PNG, uint16 as a 16-bit one."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values)).save(
        buffer, "PNG", compress_level=COMPRESSION
    )  # fmt: skip
    return buffer.getvalue()


def png_decoder(path: str, values: ValueMap) -> Callable[[bytes], np.ndarray]:
    """Return what reads labels (H, W) back from a PNG of such values, to be compared.

    It raises `DecodeError` and `ValueError`; where values are labels, unknown ones come back too.
    """
    if values.is_identity:
        return lambda back: labels_from_bytes(path, back).labels
    return lambda back: values.decode(labels_from_bytes(path, back).labels)
