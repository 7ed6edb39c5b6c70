"""Live-wire: a path between two points that follows the borders in an image.

The cheapest path by the image's gradients (Mortensen and Barrett 1995), as cv2 has it; cv2 is
imported where it is used. A wire knows one window of the image around where it begins: building
it takes tens of milliseconds, asking it for a path a fraction of one, whatever the image's size.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.raster import Point

REACH_PX: Final = 224  # how far from its beginning a wire follows borders
_CANNY: Final = (32, 100)


class Wire:
    """Paths from one point of an image to any other. One thread at a time."""

    def __init__(self, image: np.ndarray, start: Point) -> None:
        """Prepare for paths from `start` in an image (H, W, 3) uint8; takes a while."""
        import cv2

        height, width = image.shape[:2]
        y = min(max(math.floor(start[0]), 0), height - 1)
        x = min(max(math.floor(start[1]), 0), width - 1)
        self.start: Point = (y + 0.5, x + 0.5)
        self.window = Rect(y, x, y + 1, x + 1).padded(REACH_PX).intersect(Rect(0, 0, height, width))
        self._scissors: Any = cv2.segmentation.IntelligentScissorsMB()
        self._scissors.setEdgeFeatureCannyParameters(*_CANNY)
        self._scissors.setGradientMagnitudeMaxLimit(200)
        self._scissors.applyImage(np.ascontiguousarray(image[self.window.slices][..., ::-1]))
        self._scissors.buildMap((x - self.window.x0, y - self.window.y0))

    def path(self, end: Point) -> list[Point]:
        """Return middles of pixels along a border from the start to the pixel of `end`.

        Beyond the window the path goes on straight. The start itself is left out.
        """
        window = self.window
        y = min(max(math.floor(end[0]), window.y0), window.y1 - 1)
        x = min(max(math.floor(end[1]), window.x0), window.x1 - 1)
        contour = self._scissors.getContour((x - window.x0, y - window.y0))
        points = np.asarray(contour, np.int64).reshape(-1, 2)[:, ::-1]
        found = [(py + window.y0 + 0.5, px + window.x0 + 0.5) for py, px in points.tolist()]
        if found and found[0] == self.start:
            del found[0]
        if not window.contains(*end):
            found.append((math.floor(end[0]) + 0.5, math.floor(end[1]) + 0.5))
        return found
