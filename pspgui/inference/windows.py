"""Where windows lie, and what a network is shown through each.

Coordinates of windows are pixels of the frame: the image at one scale, padded up to the crop
where the mode says so. Cutting reads the original image: neither the scaled image nor the frame is
ever held whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pspgui.geometry import Rect
from pspgui.inference.modes import InferenceMode
from pspgui.inference.resampling import Taps, axis_taps

# Rows of a scaled picture computed at once, so that what is in between stays small.
_BAND_ROWS = 64


def scaled_size(shape: tuple[int, int], scale: float, base_size: int | None) -> tuple[int, int]:
    """Return the (height, width) of an image at a scale, never below one pixel.

    With a base size the long side is round(scale * base_size) and the other follows, rounded as
    semseg rounds it (halves to even): hszhao/semseg tool/test.py.
    """
    height, width = shape
    if base_size is None:
        return max(1, round(height * scale)), max(1, round(width * scale))
    long = max(1, round(scale * base_size))
    if height > width:
        return long, max(1, round(long / float(height) * width))
    return max(1, round(long / float(width) * height)), long


def window_starts(size: int, window: int, stride: int) -> tuple[int, ...]:
    """Return where windows begin along one axis: a step apart, the last moved back inside."""
    room = max(size - window, 0)
    return tuple(min(i * stride, room) for i in range(-(-room // stride) + 1))


@dataclass(frozen=True)
class WindowPlan:
    """The windows of one scale.

    size: (h, w) of the scaled image; frame: of that padded; offset: where it lies in the frame;
    window: (h, w) of every window; rows, columns: where windows begin, in frame pixels.
    """

    size: tuple[int, int]
    frame: tuple[int, int]
    offset: tuple[int, int]
    window: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @classmethod
    def of(cls, shape: tuple[int, int], mode: InferenceMode, scale: float) -> WindowPlan:
        """Return the windows through which a mode reads an image at a scale."""
        size = scaled_size(shape, scale, mode.base_size)
        crop = size if mode.crop is None else mode.crop
        stride = (
            mode.stride if isinstance(mode.stride, tuple)
            else (math.ceil(crop[0] * mode.stride), math.ceil(crop[1] * mode.stride))
        )  # fmt: skip
        missing = [max(c - s, 0) if mode.pad else 0 for c, s in zip(crop, size, strict=True)]
        frame = size[0] + missing[0], size[1] + missing[1]
        window = min(crop[0], frame[0]), min(crop[1], frame[1])
        return cls(
            size=size,
            frame=frame,
            offset=(missing[0] // 2, missing[1] // 2),
            window=window,
            rows=window_starts(frame[0], window[0], stride[0]),
            columns=window_starts(frame[1], window[1], stride[1]),
        )

    @property
    def count(self) -> int:
        """How many windows there are."""
        return len(self.rows) * len(self.columns)

    def rect(self, row: int, column: int) -> Rect:
        """Return one window as a rect of the scaled image; it may reach out of it."""
        y, x = self.rows[row] - self.offset[0], self.columns[column] - self.offset[1]
        return Rect(y, x, y + self.window[0], x + self.window[1])

    def covers(self) -> tuple[np.ndarray, np.ndarray]:
        """Return how many window rows hold each row of the scaled image, and columns likewise.

        A pixel lies in rows[y] * columns[x] windows.
        """
        return (
            _coverage(self.rows, self.window[0], self.offset[0], self.size[0]),
            _coverage(self.columns, self.window[1], self.offset[1], self.size[1]),
        )


def _coverage(starts: tuple[int, ...], window: int, offset: int, size: int) -> np.ndarray:
    counts = np.zeros(size, np.int64)
    for start in starts:
        counts[max(0, start - offset) : max(0, start - offset + window)] += 1
    return counts


class ScaledPicture:
    """An image at another size, of which parts can be cut.

    Bilinear with pixel centres at halves, as cv2.INTER_LINEAR has it, in float32 without rounding;
    beyond the image lies the mean.
    """

    def __init__(
        self, pixels: np.ndarray, size: tuple[int, int], mean: tuple[float, float, float]
    ) -> None:
        """pixels: (H, W, 3) uint8 or float32, RGB 0..255, kept; mean of RGB in 0..1."""
        self._pixels = pixels
        self._size = size
        self._fill = np.asarray(mean, np.float32) * np.float32(255)
        self._taps: tuple[Taps, Taps] | None = None
        if size != pixels.shape[:2]:
            self._taps = tuple(  # type: ignore[assignment]
                axis_taps(size[axis], pixels.shape[axis], False, np.float64) for axis in (0, 1)
            )

    def cut(self, rect: Rect, stop: Callable[[], None] = lambda: None) -> np.ndarray:
        """Return the (h, w, 3) pixels of a rect of the scaled image.

        As they are where nothing had to be computed (a view), else float32. `stop` is called
        between bands of rows and may raise.
        """
        inside = rect.intersect(Rect(0, 0, *self._size))
        if inside == rect and self._taps is None:
            part: np.ndarray = self._pixels[rect.slices]
            return part
        result = np.empty((rect.height, rect.width, 3), np.float32)
        if inside != rect:
            result[:] = self._fill
        if not inside.is_empty:
            result[inside.moved(-rect.y0, -rect.x0).slices] = self._part(inside, stop)
        return result

    def _part(self, rect: Rect, stop: Callable[[], None]) -> np.ndarray:
        if self._taps is None:
            part: np.ndarray = self._pixels[rect.slices]
            return part
        rows, columns = (t.at(s) for t, s in zip(self._taps, rect.slices, strict=True))
        result = np.empty((rect.height, rect.width, 3), np.float32)
        for start in range(0, rect.height, _BAND_ROWS):
            stop()
            band = slice(start, start + _BAND_ROWS)
            result[band] = self._interpolated(rows.at(band), columns)
        return result

    def _interpolated(self, rows: Taps, columns: Taps) -> np.ndarray:
        across = columns.weight.astype(np.float32)[:, None]
        down = rows.weight.astype(np.float32)[:, None, None]
        result = np.zeros((len(rows.low), len(columns.low), 3), np.float32)
        for lines, share in ((rows.low, 1 - down), (rows.high, down)):
            source = self._pixels[lines]
            for places, part in ((columns.low, 1 - across), (columns.high, across)):
                result += source[:, places] * part * share
        return result
