"""What to zoom to: the region under the mouse, or what was changed last."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from pspgui.geometry import Pixel, Rect

_MOST_PIXELS: Final = 1_000_000
_AROUND: Final = 0.15  # of the longer side, on each side
_LEAST_PX: Final = 16


def region_around(labels: np.ndarray, pixel: Pixel) -> Rect:
    """Return the rect of the connected region of one label around a pixel of (H, W) labels.

    Large maps are sampled at about a million pixels, so that the answer takes milliseconds; the
    rect is then right to within a few pixels, and thin bridges may be missed.
    """
    from pspgui.labels.regions import label_region

    step = max(1, math.ceil(math.sqrt(labels.size / _MOST_PIXELS)))
    thin = np.array(labels[pixel.y % step :: step, pixel.x % step :: step], order="C")
    rect, _ = label_region(thin, Pixel(pixel.y // step, pixel.x // step))
    found = Rect(rect.y0 * step, rect.x0 * step, rect.y1 * step, rect.x1 * step)
    return found.moved(pixel.y % step, pixel.x % step).intersect(Rect(0, 0, *labels.shape))


def with_room(rect: Rect) -> Rect:
    """Return a rect with some of its surroundings, so that borders can be judged."""
    side = max(rect.height, rect.width)
    return rect.padded(max(_LEAST_PX, round(_AROUND * side)))
