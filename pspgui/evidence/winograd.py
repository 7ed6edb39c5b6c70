"""What channels or cells read by a 3x3 convolution add, with a quarter of the multiplications.

A sum over all cells and taps is a correlation of two maps at nine shifts. Toom's and Winograd's
way to it: both maps are cut into tiles, evaluated as polynomials at six points along each axis,
and multiplied point by point; 36 products stand for the 144 of a tile of 4 x 4 and its nine taps.

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv 1509.09308.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

_SIDE = 4  # cells of a tile along each axis
_TAPS = 3
_PATCH = _SIDE + _TAPS - 1  # cells that a tile's taps read along each axis, and points
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)  # and infinity
_CHANNELS = 128  # handled at once: what fits the processor's own memory
Check = Callable[[], None]


def channel_sums(
    features: np.ndarray, gradient: np.ndarray, weight: np.ndarray, check: Check = lambda: None
) -> np.ndarray:
    """Return what every channel adds through a convolution, (C,), in the features' precision.

    features (C, h + 2, w + 2) with the frame around the cells, zero where that is padding;
    gradient (h, w, K) at the convolution's output; weight (K, C, 3, 3). `check` is called between
    pieces of work and may raise. In float32 some 6e-6 of the largest differs from the plain sum.
    """
    found = np.empty(len(features), features.dtype)
    pulled, of_patch = _pulled(gradient, features.dtype), _matrix(_of_patch(), features)
    for some in _blocks(features, gradient, weight):
        check()
        read = (of_patch @ some.patches).reshape(len(pulled), pulled.shape[2], -1)
        products = pulled @ read  # (36, K, c)
        products *= some.taps
        found[some.channels] = products.sum(axis=(0, 1))
    return found


def cell_sums(
    features: np.ndarray, gradient: np.ndarray, weight: np.ndarray, check: Check = lambda: None
) -> np.ndarray:
    """Return what every cell of the features adds through a convolution, (h + 2, w + 2).

    Everything as in `channel_sums`.
    """
    pulled = np.ascontiguousarray(_pulled(gradient, features.dtype).transpose(0, 2, 1))
    back = np.ascontiguousarray(_matrix(_of_patch(), features).T)
    parts = np.zeros(pulled.shape[:2], features.dtype)
    for some in _blocks(features, gradient, weight):
        check()
        at_points = pulled @ some.taps  # (36, tiles, c)
        at_cells = back @ at_points.reshape(len(back), -1)
        at_cells *= some.patches
        parts += at_cells.reshape(at_points.shape).sum(axis=2)
    high, wide = _grid(gradient)
    found = np.zeros((high * _SIDE + 2, wide * _SIDE + 2), features.dtype)
    for index, part in enumerate(parts):
        row, column = divmod(index, _PATCH)
        found[row : row + high * _SIDE : _SIDE, column : column + wide * _SIDE : _SIDE] += (
            part.reshape(high, wide)
        )
    return found[: features.shape[1], : features.shape[2]]


class _Block(NamedTuple):
    """Some channels: every tile's 6 x 6 cells (36, tiles * c), and the taps at the points.

    taps (36, K, c).
    """

    channels: slice
    patches: np.ndarray
    taps: np.ndarray


def _grid(gradient: np.ndarray) -> tuple[int, int]:
    """Return how many tiles there are, down and across."""
    return -(-gradient.shape[0] // _SIDE), -(-gradient.shape[1] // _SIDE)


def _pulled(gradient: np.ndarray, kind: np.dtype[np.floating]) -> np.ndarray:
    """Return the gradient's tiles at the points, (36, K, tiles)."""
    height, width, hidden = gradient.shape
    high, wide = _grid(gradient)
    tiles = np.zeros((high * _SIDE, wide * _SIDE, hidden), kind)
    tiles[:height, :width] = gradient
    side_by_side = tiles.reshape(high, _SIDE, wide, _SIDE, hidden).transpose(1, 3, 4, 0, 2)
    one = _powers(_SIDE)
    found: np.ndarray = np.kron(one, one).astype(kind) @ side_by_side.reshape(_SIDE * _SIDE, -1)
    return found.reshape(-1, hidden, high * wide)


def _blocks(
    features: np.ndarray, gradient: np.ndarray, weight: np.ndarray
) -> Iterator[_Block]:
    """Yield some channels after others."""
    high, wide = _grid(gradient)
    one = _powers(_TAPS)
    of_taps = _matrix(np.kron(one, one), features)
    for start in range(0, len(features), _CHANNELS):
        some = slice(start, min(start + _CHANNELS, len(features)))
        count = some.stop - some.start
        framed = np.zeros((count, high * _SIDE + 2, wide * _SIDE + 2), features.dtype)
        framed[:, : features.shape[1], : features.shape[2]] = features[some]
        views = np.lib.stride_tricks.sliding_window_view(framed, (_PATCH, _PATCH), axis=(1, 2))
        patches = np.ascontiguousarray(views[:, ::_SIDE, ::_SIDE].transpose(3, 4, 1, 2, 0))
        taps = of_taps @ weight[:, some].reshape(-1, _TAPS * _TAPS).T
        yield _Block(
            some, patches.reshape(_PATCH * _PATCH, -1), taps.reshape(len(of_taps), -1, count)
        )


def _matrix(matrix: np.ndarray, like: np.ndarray) -> np.ndarray:
    found: np.ndarray = matrix.astype(like.dtype)
    return found


def _of_patch() -> np.ndarray:
    """Return the matrix that takes a tile's 6 x 6 cells to the points: what undoes the powers."""
    one = np.linalg.inv(_powers(_PATCH)).T
    return np.kron(one, one)


def _powers(count: int) -> np.ndarray:
    """Return the powers of every point, of infinity the highest alone, (6, count)."""
    found = np.zeros((len(_POINTS) + 1, count))
    found[:-1] = np.power.outer(_POINTS, np.arange(count))
    found[-1, -1] = 1.0
    return found
