"""Which cells a pixel mixes, which bins those cells read, and what lies where in the image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from pspgui.geometry import Pixel, Rect, bin_span, cell_span
from pspgui.inference.activations import Activations, PSPActivations
from pspgui.inference.resampling import tap_at, tap_matrix


class Cells(NamedTuple):
    """The cells whose hidden layer a pixel's logit reads: their rows, columns, and weights.

    One to four with a 1x1 classifier, up to 16 with a 3x3 one. row_taps (rows, c) and column_taps
    (columns, c) are the weights with which the classifier's taps read them, along each axis.
    """

    rows: list[int]
    columns: list[int]
    row_taps: np.ndarray
    column_taps: np.ndarray

    @property
    def row_weights(self) -> np.ndarray:
        """The mean weight of every row over the classifier's taps."""
        found: np.ndarray = _mean(self.row_taps)
        return found

    @property
    def column_weights(self) -> np.ndarray:
        """The mean weight of every column over the classifier's taps."""
        found: np.ndarray = _mean(self.column_taps)
        return found

    @property
    def weights(self) -> np.ndarray:
        """The mean weight of every cell, row by row, (m,); convex for a 1x1 classifier."""
        return np.outer(self.row_weights, self.column_weights).ravel()

    def pull(self, row: np.ndarray) -> np.ndarray:
        """Return d logit / d hidden at the cells, (m, K), for a classifier's row (K, c, c)."""
        if row.shape[-1] == 1:
            one: np.ndarray = row[:, 0, 0] * self.weights[:, None]
            return one
        mixed: np.ndarray = np.einsum("it,js,kts->ijk", self.row_taps, self.column_taps, row)
        return mixed.reshape(-1, len(row))

    def of(self, maps: np.ndarray) -> np.ndarray:
        """Return the cells' values of a map (h, w, K), row by row, (m, K)."""
        rows, columns = _span(self.rows), _span(self.columns)
        found: np.ndarray = maps[rows, columns]
        return found.reshape(-1, found.shape[-1])


class Axis(NamedTuple):
    """How cells read the bins of all levels, side by side (B in all), along one axis.

    taps (cells, k, B) as `tap_matrix` gives them, means (cells, B) over the kernel's taps, and
    used (cells, B): whether any tap reads the bin.
    """

    taps: np.ndarray
    means: np.ndarray
    used: np.ndarray

    def of(self, places: np.ndarray) -> Axis:
        """Return the axis with other rows (or columns) of bins side by side, each in one piece."""
        return Axis(*(np.ascontiguousarray(part[..., places]) for part in self))


class LevelReads(NamedTuple):
    """One level: its bins, their places, its parts of the axes, regions.

    `place` is where its rows (and columns) of bins lie among those of all levels, `all` where its
    bins do. rows (h, k, b) and columns (w, k, b) are its parts of the two axes; regions in image
    pixels.
    """

    bins: int
    place: slice
    all: slice
    rows: np.ndarray
    columns: np.ndarray
    regions: tuple[tuple[Rect, ...], ...]


class BinsRead(NamedTuple):
    """Which bins some cells read, level by level and row by row; n in all.

    reach (n,) bool; weights (n,): the mean weight over the taps, mixed over the cells; places (r,)
    of those that are reached; taps (r, m, k k): the weight of every tap at each of the m cells.
    """

    reach: np.ndarray
    weights: np.ndarray
    places: np.ndarray
    taps: np.ndarray


class PyramidReads:
    """The geometry of one image's pyramid; nothing here depends on the network's weights."""

    def __init__(self, activations: PSPActivations) -> None:
        self._known = activations
        self.kernel = activations.level_taps[0].shape[0]
        self.rows = self._axis(activations.grid[0])
        self.columns = self._axis(activations.grid[1])
        ends = np.cumsum(activations.levels).tolist()
        beyond = np.cumsum(np.square(activations.levels)).tolist()
        self.levels = tuple(
            self._level(bins, slice(end - bins, end), slice(last - bins * bins, last))
            for bins, end, last in zip(activations.levels, ends, beyond, strict=True)
        )
        places = [np.arange(end - b, end) for b, end in zip(activations.levels, ends, strict=True)]
        # Bin by bin, so that a pixel's bins of all levels are found at once.
        self._by_row = self.rows.of(np.concatenate([np.repeat(p, len(p)) for p in places]))
        self._by_column = self.columns.of(np.concatenate([np.tile(p, len(p)) for p in places]))

    def reached(self, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows and which columns of all levels' bins any of the cells reads, (B,)."""
        rows: np.ndarray = np.logical_or.reduce(self.rows.used[cells.rows])
        columns: np.ndarray = np.logical_or.reduce(self.columns.used[cells.columns])
        return rows, columns

    def read_by(self, cells: Cells) -> BinsRead:
        """Return which bins of all levels the cells read, and how strongly."""
        down, across = _span(cells.rows), _span(cells.columns)
        rows, columns = self._by_row, self._by_column
        reach = np.logical_or.reduce(rows.used[down]) & np.logical_or.reduce(columns.used[across])
        weights = (cells.row_weights @ rows.means[down]) * (
            cells.column_weights @ columns.means[across]
        )
        places = reach.nonzero()[0]
        high = rows.taps[down].take(places, axis=2).transpose(2, 0, 1)
        wide = columns.taps[across].take(places, axis=2).transpose(2, 0, 1)
        taps = high[:, :, None, :, None] * wide[:, None, :, None, :]
        count = len(cells.rows) * len(cells.columns)
        return BinsRead(reach, weights, places, taps.reshape(len(places), count, -1))

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

    def _level(self, bins: int, place: slice, everything: slice) -> LevelReads:
        height, width = self._known.grid
        regions = tuple(
            tuple(
                pixels_of(self._known, *bin_span(row, bins, height), *bin_span(col, bins, width))
                for col in range(bins)
            )
            for row in range(bins)
        )
        rows, columns = self.rows.taps[:, :, place], self.columns.taps[:, :, place]
        return LevelReads(bins, place, everything, rows, columns, regions)


def pixels_of(
    known: Activations, y0: int, y1: int, x0: int, x1: int, grid: tuple[int, int] | None = None
) -> Rect:
    """Return the image pixels that cells y0..y1, x0..x1 stand over; padding is cut off.

    The cells are of a map that spans the image: `grid` is its size, that of the scores by default.
    """
    rows, columns = grid or known.grid
    top, bottom = cell_span(y0, y1, rows, known.padded_shape[0])
    left, right = cell_span(x0, x1, columns, known.padded_shape[1])
    height, width = known.image_shape
    # Not `intersect`: what lies in the padding alone is an empty rect at the image's edge.
    return Rect(min(top, height), min(left, width), min(bottom, height), min(right, width))


def cells_of(known: Activations, pixel: Pixel, kernel: int = 1) -> Cells:
    """Return the cells that the classifier reads for a pixel, those of no weight left out."""
    found = []
    for position, size, cells in zip(pixel, known.padded_shape, known.grid, strict=True):
        places, weights = _axis_cells(
            position, size, cells, known.align_corners, known.scores.dtype
        )
        found.append(
            (places, weights[:, None]) if kernel == 1 else _widened(places, weights, kernel, cells)
        )
    return Cells(found[0][0], found[1][0], found[0][1], found[1][1])


class KernelTap(NamedTuple):
    """One tap of a kernel over a band of cells: where it is, the cells, and what they read."""

    row: int
    column: int
    here: tuple[slice, slice]
    there: tuple[slice, slice]


def kernel_taps(kernel: int, grid: tuple[int, int], band: slice) -> Iterator[KernelTap]:
    """Yield a kernel's taps over the rows `band` of a grid; reads in the padding are left out.

    `here` counts rows from the band's first.
    """
    height, width = grid
    first, last = band.indices(height)[:2]
    for row in range(kernel):
        for column in range(kernel):
            down, across = row - kernel // 2, column - kernel // 2
            y0, y1 = max(first, -down), min(last, height - down)
            x0, x1 = max(0, -across), min(width, width - across)
            if y0 < y1 and x0 < x1:
                yield KernelTap(
                    row, column, (slice(y0 - first, y1 - first), slice(x0, x1)),
                    (slice(y0 + down, y1 + down), slice(x0 + across, x1 + across)),
                )  # fmt: skip


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


def _widened(
    places: list[int], weights: np.ndarray, kernel: int, cells: int
) -> tuple[list[int], np.ndarray]:
    """Return the cells that a kernel around some reads, and the weights of each tap, (n, k)."""
    reach = kernel // 2
    around = list(range(max(0, places[0] - reach), min(cells, places[-1] + reach + 1)))
    taps = np.zeros((len(around), kernel), weights.dtype)
    for place, weight in zip(places, weights, strict=True):
        for tap in range(kernel):
            if 0 <= place + tap - reach < cells:
                taps[place + tap - reach - around[0], tap] = weight
    return around, taps


def _mean(taps: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis; most classifiers have one tap, and are asked often."""
    found: np.ndarray = taps[:, 0] if taps.shape[1] == 1 else taps.mean(axis=1)
    return found


def _span(places: list[int]) -> slice:
    """Return the slice of neighbouring cells; indexing by a list would copy all of a map's rows."""
    return slice(places[0], places[-1] + 1)


def around(maps: np.ndarray, cells: Rect, reach: int) -> np.ndarray:
    """Return cells of maps (C, h, w) with a frame of so many around them, zero in the padding."""
    framed = cells.padded(reach)
    inside = framed.intersect(Rect(0, 0, *maps.shape[1:]))
    found = np.zeros((len(maps), framed.height, framed.width), maps.dtype)
    found[:, *inside.moved(-framed.y0, -framed.x0).slices] = maps[:, *inside.slices]
    return found


def extent(used: np.ndarray) -> slice:
    """Return the slice from the first to the last true entry."""
    places = used.tolist()
    return slice(places.index(True), len(places) - places[::-1].index(True))
