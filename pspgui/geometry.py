"""Rect, Pixel, and every coordinate change between image, feature cell and pyramid bin.

Coordinates are (y, x); rects are half-open. Nothing here knows of torch or Qt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Pixel(NamedTuple):
    """A pixel of the full-resolution image."""

    y: int
    x: int


class Rect(NamedTuple):
    """A half-open rectangle of rows y0..y1 and columns x0..x1, in pixels or cells."""

    y0: int
    x0: int
    y1: int
    x1: int

    @property
    def height(self) -> int:
        """Rows, never negative."""
        return max(0, self.y1 - self.y0)

    @property
    def width(self) -> int:
        """Columns, never negative."""
        return max(0, self.x1 - self.x0)

    @property
    def area(self) -> int:
        """Pixels inside."""
        return self.height * self.width

    @property
    def is_empty(self) -> bool:
        """Whether no pixel is inside."""
        return self.area == 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """The (rows, columns) index of this rect into an array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def contains(self, y: float, x: float) -> bool:
        """Whether the point lies inside."""
        return self.y0 <= y < self.y1 and self.x0 <= x < self.x1

    def intersect(self, other: Rect) -> Rect:
        """Return the common part; empty rects come out as zero-area rects."""
        y0, x0 = max(self.y0, other.y0), max(self.x0, other.x0)
        return Rect(y0, x0, max(y0, min(self.y1, other.y1)), max(x0, min(self.x1, other.x1)))

    def union(self, other: Rect) -> Rect:
        """Return the smallest rect around both; an empty rect adds nothing."""
        if self.is_empty:
            return other
        if other.is_empty:
            return self
        return Rect(
            min(self.y0, other.y0), min(self.x0, other.x0),
            max(self.y1, other.y1), max(self.x1, other.x1),
        )  # fmt: skip

    def padded(self, margin: int) -> Rect:
        """Return the rect grown by `margin` on every side."""
        return Rect(self.y0 - margin, self.x0 - margin, self.y1 + margin, self.x1 + margin)

    def moved(self, rows: int, columns: int) -> Rect:
        """Return the rect shifted down and right."""
        return Rect(self.y0 + rows, self.x0 + columns, self.y1 + rows, self.x1 + columns)


def bin_span(index: int, bins: int, size: int) -> tuple[int, int]:
    """Return the half-open range of cells that adaptive pooling averages into bin `index`.

    Edges are floor(i n / b) and ceil((i+1) n / b), so neighbouring bins overlap when n % b != 0
    (torch.nn.AdaptiveAvgPool2d).
    """
    return index * size // bins, -((-(index + 1) * size) // bins)


def pooling_matrix(bins: int, size: int) -> np.ndarray:
    """Return the (bins, size) float64 matrix of one axis of adaptive average pooling."""
    matrix = np.zeros((bins, size))
    for i in range(bins):
        lo, hi = bin_span(i, bins, size)
        matrix[i, lo:hi] = 1.0 / (hi - lo)
    return matrix


def interpolation_taps(
    positions: np.ndarray, out_size: int, in_size: int, align_corners: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (low index, high index, weight of high) of linear interpolation along one axis.

    `positions` are output indices (int array). The same rule as torch's `interpolate(bilinear)`;
    with align_corners=False the source position is clamped below at 0 and, because the high
    index is clamped, above the last cell both taps are that cell and their weights still add to 1.
    """
    out = np.asarray(positions, dtype=np.float64)
    if align_corners:
        source = out * ((in_size - 1) / (out_size - 1)) if out_size > 1 else np.zeros_like(out)
    else:
        source = np.maximum((out + 0.5) * (in_size / out_size) - 0.5, 0.0)
    low = np.minimum(np.floor(source).astype(np.int64), in_size - 1)
    high = np.minimum(low + 1, in_size - 1)
    return low, high, np.clip(source - low, 0.0, 1.0)


def interpolation_matrix(out_size: int, in_size: int, align_corners: bool) -> np.ndarray:
    """Return the (out_size, in_size) float64 matrix of linear interpolation along one axis."""
    low, high, weight = interpolation_taps(np.arange(out_size), out_size, in_size, align_corners)
    matrix = np.zeros((out_size, in_size))
    rows = np.arange(out_size)
    np.add.at(matrix, (rows, low), 1.0 - weight)
    np.add.at(matrix, (rows, high), weight)
    return matrix


def cell_span(lo: int, hi: int, cells: int, size: int) -> tuple[int, int]:
    """Return the pixels that the cells lo..hi-1 of `cells` stand over, along one axis of `size`.

    Each cell is drawn as its equal share of the padded image, which is what a reader of the
    picture expects; receptive fields are far larger.
    """
    return round(lo * size / cells), round(hi * size / cells)
