"""Images that a model's eight bits are fitted to: a few, spread over a list, made small."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

FEWEST_SAMPLES = 4
MOST_SAMPLES = 12
_SAMPLE_PIXELS = 360_000


def read_samples(images: Sequence[Path]) -> tuple[np.ndarray, ...]:
    """Decode a few images spread over a list, made small, to fit a model's eight bits to them.

    Images that cannot be read are left out; fewer than `FEWEST_SAMPLES` are none. Any thread but
    the GUI's.
    """
    from pspgui.imaging import DecodeError, decode_image
    from pspgui.inference.reducing import reduced

    step = max(1, len(images) // MOST_SAMPLES)
    found = []
    for image in images[::step][:MOST_SAMPLES]:
        with contextlib.suppress(DecodeError):
            pixels = decode_image(image).pixels
            height, width = pixels.shape[:2]
            reduction = math.ceil(math.sqrt(height * width / _SAMPLE_PIXELS))
            found.append(np.ascontiguousarray(reduced(pixels, reduction)))
    return tuple(found) if len(found) >= FEWEST_SAMPLES else ()
