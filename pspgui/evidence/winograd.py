"""What the channels read by a 3x3 convolution add in all, with a quarter of the multiplications.

A sum over all cells and taps is a correlation of two maps at nine shifts. Toom's and Winograd's
way to it: both maps are cut into tiles, evaluated as polynomials at six points along each axis,
and multiplied point by point; 36 products stand for the 144 of a tile of 4 x 4 and its nine taps.

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv 1509.09308.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_SIDE = 4  # cells of a tile along each axis
_TAPS = 3
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)  # and infinity
_CHANNELS = 128  # handled at once: what fits the processor's own memory


def channel_sums(
    features: np.ndarray, gradient: np.ndarray, weight: np.ndarray,
    check: Callable[[], None] = lambda: None,
) -> np.ndarray:  # fmt: skip
    """Return what every channel adds through a convolution, (C,), in the features' precision.

    features (C, h + 2, w + 2) with the frame around the cells, zero where that is padding;
    gradient (h, w, K) at the convolution's output; weight (K, C, 3, 3). `check` is called between
    pieces of work and may raise. In float32 some 3e-6 of the largest differs from the plain sum.
    """
    kind, (height, width, hidden) = features.dtype, gradient.shape
    grid = (-(-height // _SIDE), -(-width // _SIDE))
    high, wide = grid[0] * _SIDE, grid[1] * _SIDE
    tiles = np.zeros((high, wide, hidden), kind)
    tiles[:height, :width] = gradient
    tiles = tiles.reshape(grid[0], _SIDE, grid[1], _SIDE, hidden).transpose(1, 3, 4, 0, 2)
    of_tile, of_patch, of_taps = (matrix.astype(kind) for matrix in _evaluated())
    pulled = (of_tile @ tiles.reshape(_SIDE * _SIDE, -1)).reshape(-1, hidden, grid[0] * grid[1])
    found = np.empty(len(features), kind)
    for start in range(0, len(features), _CHANNELS):
        check()
        some = features[start : start + _CHANNELS]
        framed = np.zeros((len(some), high + 2, wide + 2), kind)
        framed[:, : height + 2, : width + 2] = some
        read = (of_patch @ _patches(framed)).reshape(len(pulled), -1, len(some))
        products = pulled @ read  # (36, K, c)
        taps = weight[:, start : start + _CHANNELS].reshape(-1, _TAPS * _TAPS)
        products *= (of_taps @ taps.T).reshape(products.shape)
        found[start : start + _CHANNELS] = products.sum(axis=(0, 1))
    return found


def _patches(framed: np.ndarray) -> np.ndarray:
    """Return the 6 x 6 cells that every tile's taps read, (36, tiles * c), of (c, h', w')."""
    side = _SIDE + _TAPS - 1
    views = np.lib.stride_tricks.sliding_window_view(framed, (side, side), axis=(1, 2))
    tiles = views[:, ::_SIDE, ::_SIDE].transpose(3, 4, 1, 2, 0)
    return np.ascontiguousarray(tiles).reshape(side * side, -1)


def _evaluated() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the matrices that take tiles, patches and taps to the points, both axes at once."""
    whole = _powers(_SIDE + _TAPS - 1)
    sides = (_powers(_SIDE), np.linalg.inv(whole).T, _powers(_TAPS))
    one, other, last = (np.kron(side, side) for side in sides)
    return one, other, last


def _powers(count: int) -> np.ndarray:
    """Return the powers of every point, of infinity the highest alone, (6, count)."""
    found = np.zeros((len(_POINTS) + 1, count))
    found[:-1] = np.power.outer(_POINTS, np.arange(count))
    found[-1, -1] = 1.0
    return found
