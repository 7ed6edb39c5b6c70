"""Windows, mirrorings and scales averaged at every pixel, a band of rows at a time.

Windows are read as the bands come to them and forgotten once passed, and only their scores at cells
are kept, so that no array over all pixels and classes ever exists. Numpy; the network is the
reader's part.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from pspgui.geometry import Rect
from pspgui.imaging.opencv import cv2
from pspgui.inference.planning import CHUNK_COLUMNS, ModePlan
from pspgui.inference.resampling import Taps, axis_taps
from pspgui.inference.stitching import CellMap
from pspgui.inference.windows import WindowPlan

ReadWindow = Callable[[int, Rect], tuple[CellMap, ...]]
# Below this, so much of a softmax has vanished that it is computed again with its own maximum.
_LEAST_TOTAL = 1e-20


class ScaleBands:
    """The average over all windows of one scale, in bands of rows that go down the image."""

    def __init__(
        self, plan: WindowPlan, softmax: bool, read: Callable[[Rect], tuple[CellMap, ...]]
    ) -> None:
        """`read(rect)` returns a window's scores, and those of its mirrored reading."""
        self._plan, self._softmax, self._read = plan, softmax, read
        self._live: dict[int, list[tuple[CellMap, ...]]] = {}
        self._row_covers, self._column_covers = plan.covers()

    def band(self, start: int, end: int, stop: Callable[[], None]) -> np.ndarray:
        """Return (N, end - start, w) float32 for rows of the scaled image; starts never go back.

        `stop` is called before every piece of work of bounded size, and may raise.
        """
        self._move(start, end, stop)
        result: np.ndarray | None = None
        for row, windows in self._live.items():
            for column, maps in enumerate(windows):
                if result is None:
                    shape = len(maps[0].scores), end - start, self._plan.size[1]
                    result = np.zeros(shape, np.float32)
                self._add(result, start, self._plan.rect(row, column), maps, stop)
        assert result is not None
        return result

    def _move(self, start: int, end: int, stop: Callable[[], None]) -> None:
        """Forget the windows above the band and read those that it reaches."""
        for row in range(len(self._plan.rows)):
            window = self._plan.rect(row, 0)
            if window.y1 <= start:
                self._live.pop(row, None)
            elif window.y0 < end and row not in self._live:
                columns = range(len(self._plan.columns))
                self._live[row] = [self._centred(self._plan.rect(row, c), stop) for c in columns]

    def _centred(self, rect: Rect, stop: Callable[[], None]) -> tuple[CellMap, ...]:
        maps = self._read(rect)
        if not self._softmax:
            return maps
        # No class then exceeds 0 at any pixel, so that exponentials need no maximum of their own.
        return tuple(m._replace(scores=_below_zero(m.scores, stop)) for m in maps)

    def _add(
        self,
        result: np.ndarray,
        start: int,
        window: Rect,
        maps: tuple[CellMap, ...],
        stop: Callable[[], None],
    ) -> None:
        """Add a window's share to a band that begins at row `start`."""
        height, width = result.shape[1:]
        shown = window.intersect(Rect(start, 0, start + height, width))
        for left in range(shown.x0, shown.x1, CHUNK_COLUMNS):
            part = Rect(shown.y0, left, shown.y1, min(left + CHUNK_COLUMNS, shown.x1))
            ys, xs = part.slices
            covers = self._row_covers[ys][:, None] * self._column_covers[xs]
            share = (1 / (covers * len(maps))).astype(np.float32)
            inside = part.moved(-window.y0, -window.x0).slices
            for m in maps:
                stop()
                values = self._values(m, inside, share)
                result[:, part.y0 - start : part.y1 - start, xs] += values

    def _values(
        self, m: CellMap, inside: tuple[slice, slice], share: np.ndarray
    ) -> np.ndarray:
        """Return the values to average at pixels of a window, times their share."""
        rows, columns = m.rows.at(inside[0]), m.columns.at(inside[1])
        values = interpolated(m.scores, rows, columns)
        if self._softmax:
            np.exp(values, out=values)
            total = values.sum(axis=0)
            if float(total.min()) < _LEAST_TOTAL:
                values = interpolated(m.scores, rows, columns)
                values -= values.max(axis=0)
                np.exp(values, out=values)
                total = values.sum(axis=0)
            share = share / total
        values *= share
        return values


class ModeBands:
    """What a mode makes of an image: averaged probabilities or logits, in bands of rows."""

    def __init__(self, plan: ModePlan, read: ReadWindow) -> None:
        """`read(scale index, rect)` returns a window's scores, and those of its mirrored one."""
        self._plan = plan
        softmax = plan.mode.blend == "softmax"
        self._scales = [
            ScaleBands(windows, softmax, partial(read, index))
            for index, windows in enumerate(plan.scales)
        ]

    def band(self, start: int, end: int, stop: Callable[[], None]) -> np.ndarray:
        """Return (N, end - start, W) float32 at rows of the image; starts never go back."""
        total: np.ndarray | None = None
        for windows, bands in zip(self._plan.scales, self._scales, strict=True):
            part = self._resized(windows, bands, start, end, stop)
            if total is None:
                total = part
            else:
                total += part
            del part  # or it would be held while the next scale is read
        assert total is not None
        if len(self._scales) > 1:
            total /= len(self._scales)
        return total

    def _resized(
        self,
        windows: WindowPlan,
        bands: ScaleBands,
        start: int,
        end: int,
        stop: Callable[[], None],
    ) -> np.ndarray:
        """Return one scale's rows at the image's own size, as cv2.INTER_LINEAR resizes them."""
        shape = self._plan.shape
        if windows.size == shape:
            return bands.band(start, end, stop)
        rows = axis_taps(shape[0], windows.size[0], False, np.float64).at(slice(start, end))
        first, last = int(rows.low.min()), int(rows.high.max())
        part = bands.band(first, last + 1, stop)
        classes, height, width = part.shape
        stop()
        # All classes and rows as one tall picture: only the columns change.
        tall = cv2.resize(part.reshape(-1, width), (shape[1], classes * height))
        stop()
        matrix = _matrix(Taps(rows.low - first, rows.high - first, rows.weight), height)
        resized: np.ndarray = np.matmul(matrix, tall.reshape(classes, height, shape[1]))
        return resized


def _below_zero(scores: np.ndarray, stop: Callable[[], None]) -> np.ndarray:
    """Return scores (N, h, w) less the largest of each cell."""
    best = scores[0].copy()
    for plane in scores[1:]:
        stop()
        np.maximum(best, plane, out=best)
    result = np.empty_like(scores)
    for plane, place in zip(scores, result, strict=True):
        stop()  # one class at a time: what is new in memory takes as long as the arithmetic
        np.subtract(plane, best, out=place)
    return result


def interpolated(scores: np.ndarray, rows: Taps, columns: Taps) -> np.ndarray:
    """Return scores (N, h, w) float32 interpolated at rows x columns, (N, rows, columns).

    Equal to `resampling.resample` but for rounding: rows are one small matrix product, which
    takes a fifth of the time where a row of cells serves many rows of pixels.
    """
    lowest, beyond = int(rows.low.min()), int(rows.high.max()) + 1
    band = scores[:, lowest:beyond]
    across = columns.weight.astype(np.float32)
    wide = band.take(columns.low, axis=2, mode="clip")
    wide *= 1 - across
    right = band.take(columns.high, axis=2, mode="clip")
    right *= across
    wide += right
    nearby = Taps(rows.low - lowest, rows.high - lowest, rows.weight)
    result: np.ndarray = np.matmul(_matrix(nearby, beyond - lowest), wide)
    return result


def _matrix(taps: Taps, size: int) -> np.ndarray:
    """Return the (positions, size) float32 matrix that interpolates as the taps say."""
    matrix = np.zeros((len(taps.low), size), np.float32)
    line, weight = np.arange(len(taps.low)), taps.weight.astype(np.float32)
    matrix[line, taps.low] = 1 - weight
    matrix[line, taps.high] += weight
    return matrix


def winners(values: np.ndarray, best: np.ndarray, labels: np.ndarray) -> None:
    """Write the first class that reaches `best` (h, w) at each pixel of (N, h, w) to `labels`.

    What argmax over the classes gives, faster where they are far apart in memory.
    """
    same = np.empty(best.shape, bool)
    for class_id in range(len(values) - 1, -1, -1):
        np.equal(values[class_id], best, out=same)
        np.copyto(labels, labels.dtype.type(class_id), where=same)
