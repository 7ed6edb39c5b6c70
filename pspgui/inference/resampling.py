"""Bilinear interpolation in numpy with the same arithmetic as torch's.

torch computes source positions in the precision of the values; at float32 that moves a position by
some millionths of a cell, enough to decide a near tie otherwise. So positions here are
computed in the precision of the array too, where `geometry` keeps to float64.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from pspgui.geometry import interpolation_matrix


class Taps(NamedTuple):
    """Linear interpolation along one axis: for each output position two cells and a weight.

    low, high: int64 cell indices; weight: that of `high`, in the precision asked for.
    """

    low: np.ndarray
    high: np.ndarray
    weight: np.ndarray

    def at(self, positions: np.ndarray | slice) -> Taps:
        """Return the taps of some output positions only."""
        return Taps(self.low[positions], self.high[positions], self.weight[positions])


def axis_taps(out_size: int, in_size: int, align_corners: bool, dtype: DTypeLike) -> Taps:
    """Return the taps of all `out_size` positions, computed in `dtype` as torch computes them.

    Source: aten/src/ATen/native/UpSample.h, area_pixel_compute_source_index and
    guard_index_and_lambda.
    """
    real: Any = np.dtype(dtype).type
    source = _source(np.arange(out_size).astype(real), out_size, in_size, align_corners, real)
    low = np.minimum(source.astype(np.int64), in_size - 1)
    high = np.minimum(low + 1, in_size - 1)
    return Taps(low, high, np.clip(source - low.astype(real), real(0), real(1)))


def tap_at(
    position: int, out_size: int, in_size: int, align_corners: bool, dtype: DTypeLike
) -> tuple[int, int, float]:
    """Return (low, high, weight of high) of one output position, as `axis_taps` would."""
    taps = _kept_taps(out_size, in_size, align_corners, np.dtype(dtype))
    return taps.low.item(position), taps.high.item(position), taps.weight.item(position)


# A pointer asks for one position after another of few axes.
_kept_taps = lru_cache(maxsize=16)(axis_taps)


def _source(positions: Any, out_size: int, in_size: int, align_corners: bool, real: Any) -> Any:
    """Return where output positions (a scalar or an array of type `real`) lie among the cells."""
    if align_corners:
        return positions * (real(in_size - 1) / real(max(1, out_size - 1)))
    source = real(in_size) / real(out_size) * (positions + real(0.5)) - real(0.5)
    return np.maximum(source, real(0))


def sample(
    maps: np.ndarray, y: int, x: int, size: tuple[int, int], align_corners: bool
) -> np.ndarray:
    """Return the (N,) values of maps (N, h, w) at one pixel of their interpolation to `size`."""
    y0, y1, wy = tap_at(y, size[0], maps.shape[1], align_corners, maps.dtype)
    x0, x1, wx = tap_at(x, size[1], maps.shape[2], align_corners, maps.dtype)
    top = maps[:, y0, x0] * (1 - wx) + maps[:, y0, x1] * wx
    bottom = maps[:, y1, x0] * (1 - wx) + maps[:, y1, x1] * wx
    result: np.ndarray = top * (1 - wy) + bottom * wy
    return result


def resample(maps: np.ndarray, rows: Taps, columns: Taps) -> np.ndarray:
    """Return maps (N, h, w) interpolated at rows x columns, (N, rows, columns), same precision.

    Only the cell rows that `rows` reads are touched, so a band of a large image stays cheap.
    """
    lowest, beyond = int(rows.low.min()), int(rows.high.max()) + 1
    band = maps[:, lowest:beyond]
    wide = band[:, :, columns.low] * (1 - columns.weight)
    wide += band[:, :, columns.high] * columns.weight
    weight = rows.weight[:, None]
    result: np.ndarray = wide[:, rows.low - lowest] * (1 - weight)
    result += wide[:, rows.high - lowest] * weight
    return result


def tap_matrix(size: int, bins: int, kernel: int, align_corners: bool) -> np.ndarray:
    """Return the (size, kernel, bins) float64 weights with which cells read bins along one axis.

    Entry [q, t, b] is the interpolation weight of bin b at the cell that tap t of a kernel
    centred on q reads; zero where that cell lies outside the map, never clamped to its edge.
    """
    plain = interpolation_matrix(size, bins, align_corners)
    shifted = np.zeros((size, kernel, bins))
    for tap in range(kernel):
        offset = tap - kernel // 2
        inside = slice(max(0, -offset), max(0, min(size, size - offset)))
        source = slice(inside.start + offset, inside.stop + offset)
        if inside.start < inside.stop:
            shifted[inside, tap] = plain[source]
    return shifted
