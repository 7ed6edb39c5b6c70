"""Which cells a pixel mixes, which bins those cells read, and what lies where in the image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from pspgui.geometry import Pixel, Rect, bin_span, cell_span
from pspgui.inference.activations import Activations, PSPActivations
from pspgui.inference.resampling import tap_at, tap_matrix


class Cells(NamedTuple):
    """The one to four cells a pixel mixes: rows and columns, and the weights of each axis."""

    rows: list[int]
    columns: list[int]
    row_weights: np.ndarray
    column_weights: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """The convex weight of every cell, row by row, (m,)."""
        return np.outer(self.row_weights, self.column_weights).ravel()

    def of(self, maps: np.ndarray) -> np.ndarray:
        """Return the cells' values of a map (h, w, K), row by row, (m, K)."""
        found: np.ndarray = maps[self.rows][:, self.columns]
        return found.reshape(-1, found.shape[-1])


class Axis(NamedTuple):
    """How cells read the bins of all levels, side by side (B in all), along one axis.

    taps (cells, k, B) as `tap_matrix` gives them, means (cells, B) over the kernel's taps, and
    used (cells, B): whether any tap reads the bin.
    """

    taps: np.ndarray
    means: np.ndarray
    used: np.ndarray


class LevelReads(NamedTuple):
    """One level: its bins, its place among all levels' bins, its parts of the axes, regions.

    rows (h, k, b) and columns (w, k, b) are its parts of the two axes; regions in image pixels.
    """

    bins: int
    place: slice
    rows: np.ndarray
    columns: np.ndarray
    regions: tuple[tuple[Rect, ...], ...]


class PyramidReads:
    """The geometry of one image's pyramid; nothing here depends on the network's weights."""

    def __init__(self, activations: PSPActivations) -> None:
        self._known = activations
        self.kernel = activations.level_taps[0].shape[0]
        self.rows = self._axis(activations.grid[0])
        self.columns = self._axis(activations.grid[1])
        ends = np.cumsum(activations.levels).tolist()
        self.levels = tuple(
            self._level(bins, slice(end - bins, end))
            for bins, end in zip(activations.levels, ends, strict=True)
        )

    def reached(self, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows and which columns of all levels' bins any of the cells reads, (B,)."""
        rows: np.ndarray = np.logical_or.reduce(self.rows.used[cells.rows])
        columns: np.ndarray = np.logical_or.reduce(self.columns.used[cells.columns])
        return rows, columns

    def local_region(self, cells: Cells) -> Rect:
        """Return the image pixels behind the cells that the bottleneck reads there."""
        reach, (height, width) = self.kernel // 2, self._known.grid
        return pixels_of(
            self._known,
            max(0, cells.rows[0] - reach), min(height, cells.rows[-1] + reach + 1),
            max(0, cells.columns[0] - reach), min(width, cells.columns[-1] + reach + 1),
        )  # fmt: skip

    def _axis(self, cells: int) -> Axis:
        known = self._known
        matrices = [tap_matrix(cells, b, self.kernel, known.align_corners) for b in known.levels]
        taps = np.concatenate(matrices, axis=2).astype(known.level_taps[0].dtype)
        return Axis(taps, taps.mean(axis=1), (taps != 0).any(axis=1))

    def _level(self, bins: int, place: slice) -> LevelReads:
        height, width = self._known.grid
        regions = tuple(
            tuple(
                pixels_of(self._known, *bin_span(row, bins, height), *bin_span(col, bins, width))
                for col in range(bins)
            )
            for row in range(bins)
        )
        rows, columns = self.rows.taps[:, :, place], self.columns.taps[:, :, place]
        return LevelReads(bins, place, rows, columns, regions)


def pixels_of(known: Activations, y0: int, y1: int, x0: int, x1: int) -> Rect:
    """Return the image pixels that cells y0..y1, x0..x1 stand over; padding is cut off."""
    top, bottom = cell_span(y0, y1, known.grid[0], known.padded_shape[0])
    left, right = cell_span(x0, x1, known.grid[1], known.padded_shape[1])
    height, width = known.image_shape
    # Not `intersect`: what lies in the padding alone is an empty rect at the image's edge.
    return Rect(min(top, height), min(left, width), min(bottom, height), min(right, width))


def cells_of(known: Activations, pixel: Pixel) -> Cells:
    """Return the cells whose scores a pixel mixes, those of no weight left out."""
    found = [
        _axis_cells(position, size, cells, known.align_corners, known.scores.dtype)
        for position, size, cells in zip(pixel, known.padded_shape, known.grid, strict=True)
    ]
    return Cells(found[0][0], found[1][0], found[0][1], found[1][1])


def checked_pixel(known: Activations, pixel: tuple[int, int]) -> Pixel:
    """Return a pixel (y, x) of the image; raises IndexError for one outside."""
    place = Pixel(int(pixel[0]), int(pixel[1]))
    height, width = known.image_shape
    if not (0 <= place.y < height and 0 <= place.x < width):
        raise IndexError(
            f"the pixel {place.x},{place.y} lies outside the image of {width} × {height}"
        )
    return place


def _axis_cells(
    position: int, size: int, cells: int, align_corners: bool, dtype: DTypeLike
) -> tuple[list[int], np.ndarray]:
    """Return the cells a pixel mixes along one axis, those of no weight left out, and weights."""
    low, high, weight = tap_at(position, size, cells, align_corners, dtype)
    if low == high or weight == 0:
        return [low], np.ones(1, dtype)
    if weight == 1:
        return [high], np.ones(1, dtype)
    return [low, high], np.array([1 - weight, weight], dtype)


def extent(used: np.ndarray) -> slice:
    """Return the slice from the first to the last true entry."""
    places = used.tolist()
    return slice(places.index(True), len(places) - places[::-1].index(True))
