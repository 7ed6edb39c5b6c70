"""Samples of more than 8 bits, kept for the eye: what is shown of them can be chosen later.

The model sees the 8-bit picture that `decode_image` gives; nothing here changes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from pspgui.imaging.checked_pillow import OpenedImage, turned

WHITE: Final = 65535
_TWELVE_BITS: Final = 4096


@dataclass(frozen=True, eq=False)
class DeepSamples:
    """The samples of a 16-bit, 32-bit or float image.

    `samples` is (H, W) grey or (H, W, 3) RGB uint16, upright, C-contiguous and read-only, from 0
    to `white`. A sample s stands for the value low + s / white * (high - low) of the file. At
    s * 255 / white it is what the 8-bit picture shows.
    """

    samples: np.ndarray
    white: int
    low: float
    high: float

    def value_at(self, share: float) -> float:
        """Return the file's value at a share 0..1 of the way from black to white."""
        return self.low + share * (self.high - self.low)


def white_of(highest: int) -> int:
    """Return what counts as white among 16-bit samples: 12 bits in 16 are told by their maximum."""
    return _TWELVE_BITS - 1 if highest < _TWELVE_BITS else WHITE


def quantised(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return values as uint16 samples, `low` at 0 and `high` at WHITE; those not finite are 0."""
    span = (high - low) or 1.0
    scaled = (values.astype(np.float64) - low) * (WHITE / span)
    return np.asarray(np.nan_to_num(np.clip(np.rint(scaled), 0, WHITE), nan=0.0), np.uint16)


def deep_samples(opened: OpenedImage, image: Image.Image, orientation: int) -> DeepSamples | None:
    """Return what an opened and loaded image has beyond 8 bits; None where it has no more.

    Any thread.
    """
    if opened.bits == 16 and image.mode in ("RGB", "RGBA"):
        colour = _colour(opened)
        if colour is None:
            return None
        samples, white = _upright(colour, orientation), opened.maxval or WHITE
        return _frozen(np.minimum(samples, white), white, 0.0, float(white))
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return None
    values = np.asarray(turned(image, orientation))
    if values.dtype.kind in "iu" and opened.bits == 16 and int(values.min()) >= 0:
        white = opened.maxval or white_of(int(values.max()))
        return _frozen(np.minimum(values, white).astype(np.uint16), white, 0.0, float(white))
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = float(finite.min()), float(finite.max())
    return _frozen(quantised(values, low, high), WHITE, low, high)


def _frozen(samples: np.ndarray, white: int, low: float, high: float) -> DeepSamples:
    samples = np.ascontiguousarray(samples)
    samples.setflags(write=False)
    return DeepSamples(samples, white, low, high)


def _colour(opened: OpenedImage) -> np.ndarray | None:
    from pspgui.imaging.opencv import cv2  # 0.1 s to import, and few files need it

    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    deep = cv2.imdecode(np.frombuffer(opened.content, np.uint8), flags)
    if deep is None or deep.dtype != np.uint16 or deep.ndim != 3 or deep.shape[2] < 3:
        return None
    return np.asarray(deep[..., 2::-1])


def _upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Turn (H, W, 3) samples upright; Pillow turns planes of 16 bits only."""
    planes = [
        np.asarray(turned(Image.fromarray(np.ascontiguousarray(samples[..., k])), orientation))
        for k in range(3)
    ]
    return np.stack(planes, axis=-1)
