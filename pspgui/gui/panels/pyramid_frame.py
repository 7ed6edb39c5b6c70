"""Where the image's pixels lie in the pictures of the pyramid strip, and where in their maps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QPointF, QRectF

from pspgui.geometry import Pixel, Rect
from pspgui.inference.shown_map import axis_extent


class StripFrame(NamedTuple):
    """The image (H, W), what the network saw of it, and the region (in pixels) that tiles show."""

    shape: tuple[int, int]
    padded: tuple[int, int]
    align_corners: bool
    region: tuple[float, float, float, float]

    @classmethod
    def whole(
        cls, shape: tuple[int, int], padded: tuple[int, int], align_corners: bool
    ) -> StripFrame:
        """Return a frame of all of an image."""
        return cls(shape, padded, align_corners, (0.0, 0.0, float(shape[0]), float(shape[1])))

    def showing(self, rect: Rect | None) -> StripFrame:
        """Return the frame that shows at least `rect`, in the image's proportions; None for all.

        What would jut out of the image is moved into it.
        """
        height, width = self.shape
        if rect is None or rect.is_empty or (rect.height >= height and rect.width >= width):
            return self._replace(region=(0.0, 0.0, float(height), float(width)))
        tall = min(float(height), max(rect.height, rect.width * height / width))
        wide = min(float(width), tall * width / height)
        y = min(max(0.0, (rect.y0 + rect.y1 - tall) / 2), height - tall)
        x = min(max(0.0, (rect.x0 + rect.x1 - wide) / 2), width - wide)
        return self._replace(region=(y, x, y + tall, x + wide))

    @property
    def is_whole(self) -> bool:
        """Whether all of the image is shown."""
        return self.region == (0.0, 0.0, *(float(side) for side in self.shape))

    def source(self, cells: tuple[int, int], bins: bool) -> QRectF:
        """Return the part of a map of (rows, columns) cells that the region covers, in cells."""
        y0, x0, y1, x1 = self.region
        top, left, down, across = self._pitch(cells, bins)
        return QRectF(
            (x0 - left) / across, (y0 - top) / down, (x1 - x0) / across, (y1 - y0) / down
        )

    def pixel_at(self, picture: QRectF, point: QPointF) -> Pixel | None:
        """Return the image pixel under a point of a picture; None beside it."""
        if not picture.contains(point) or picture.isEmpty():
            return None
        y0, x0, y1, x1 = self.region
        y = y0 + (point.y() - picture.top()) / picture.height() * (y1 - y0)
        x = x0 + (point.x() - picture.left()) / picture.width() * (x1 - x0)
        return Pixel(min(self.shape[0] - 1, int(y)), min(self.shape[1] - 1, int(x)))

    def place_of(self, picture: QRectF, pixel: Pixel) -> QPointF | None:
        """Return where a pixel's middle lies in a picture; None outside the region."""
        y0, x0, y1, x1 = self.region
        down, across = (pixel.y + 0.5 - y0) / (y1 - y0), (pixel.x + 0.5 - x0) / (x1 - x0)
        if not (0 <= down <= 1 and 0 <= across <= 1):
            return None
        return QPointF(
            picture.left() + across * picture.width(), picture.top() + down * picture.height()
        )

    def value_at(self, values: np.ndarray, bins: bool, pixel: Pixel) -> float:
        """Return the value of the cell (or bin) that a pixel's middle lies in."""
        rows, columns = values.shape
        top, left, down, across = self._pitch((rows, columns), bins)
        row = int((pixel.y + 0.5 - top) / down)
        column = int((pixel.x + 0.5 - left) / across)
        return float(values[min(rows - 1, max(0, row)), min(columns - 1, max(0, column))])

    def _pitch(self, cells: tuple[int, int], bins: bool) -> tuple[float, float, float, float]:
        """Return the top, the left, and how many pixels a cell takes down and across."""
        aligned = self.align_corners and not bins  # a bin stands over what it pools
        top, bottom = axis_extent(cells[0], self.padded[0], aligned)
        left, right = axis_extent(cells[1], self.padded[1], aligned)
        return top, left, (bottom - top) / cells[0], (right - left) / cells[1]
