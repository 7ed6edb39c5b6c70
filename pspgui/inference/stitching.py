"""Scores of a window at its pixels, from one pass or from shifted passes put together.

Shift-and-stitch. Let t = output stride / factor, a whole number of pixels. A window is read
factor x factor times, each time t pixels further on (over the mean beyond the image), and the cell
grids are interleaved. The interpolation places cell i of a pass at the pixel

    c(i) = i * (P - 1) / (h - 1)       with align_corners, for P padded pixels and h cells
    c(i) = (i + 1/2) * P / h - 1/2     without,

so the same cell of a pass moved by d stands at c(i) + d. With align_corners and P = stride * n + 1
the stitched cells stand at the pixels 0, t, 2t ... exactly: with t = 1 every pixel has a cell of
its own. Without it cells stand around pixel (stride - 1) / 2, so passes are moved by
-floor((stride - t) / 2), ... to spread evenly; where that is half a pixel off (t = 1 and an even
stride) a pixel takes the mean of the cells half a pixel either side. Other sizes give knots that
are not quite even; logits are interpolated linearly between the knots as they lie, whatever they
are, and held beyond the first and the last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pspgui.inference.modes import CellScores
from pspgui.inference.resampling import Taps, axis_taps

OnePass = Callable[[int, int], CellScores]


class CellMap(NamedTuple):
    """Scores (N, h, w) float32 at cells, and the cells that each pixel row and column reads."""

    scores: np.ndarray
    rows: Taps
    columns: Taps

    def mirrored(self) -> CellMap:
        """Return the map of the mirrored picture, left to right, without a copy."""
        return CellMap(self.scores, self.rows, self.columns.at(slice(None, None, -1)))


def cell_map(cells: CellScores) -> CellMap:
    """Return one pass as a map of its picture's pixels."""
    rows, columns = (
        axis_taps(cells.padded[axis], cells.scores.shape[1 + axis], cells.align_corners, np.float32)
        .at(slice(cells.shape[axis]))
        for axis in (0, 1)
    )  # fmt: skip
    return CellMap(cells.scores, rows, columns)


def shifts(stride: int, factor: int, align_corners: bool) -> tuple[int, ...]:
    """Return by how many pixels the passes are moved along each axis, ascending.

    Raises ValueError where the factor does not divide the output stride.
    """
    if stride % factor:
        possible = ", ".join(str(n) for n in range(1, stride + 1) if stride % n == 0)
        raise ValueError(
            f"shift-and-stitch by {factor} does not divide the network's output stride of "
            f"{stride}: choose one of {possible}."
        )
    step = stride // factor
    first = 0 if align_corners else -((stride - step) // 2)
    return tuple(first + step * k for k in range(factor))


def stitched(
    one_pass: OnePass, moves: tuple[int, ...], stop: Callable[[], None] = lambda: None
) -> CellMap:
    """Run one pass for every pair of moves and return the interleaved scores.

    one_pass(dy, dx) reads the picture that begins dy rows further down and dx columns further
    right. All passes must give grids of one size, else ValueError. `stop` is called between pieces
    of work and may raise.
    """
    whole: np.ndarray | None = None
    factor = len(moves)
    for j, dy in enumerate(moves):
        for i, dx in enumerate(moves):
            cells = one_pass(dy, dx)
            classes, height, width = cells.scores.shape
            if whole is None:
                whole = np.empty((classes, height * factor, width * factor), np.float32)
            if whole.shape != (classes, height * factor, width * factor):
                raise ValueError("shifted passes gave grids of different sizes")
            whole[:, j::factor, i::factor] = cells.scores
    assert whole is not None
    (row_order, rows), (column_order, columns) = (
        _knot_taps(cells, axis, np.asarray(moves)) for axis in (0, 1)
    )
    for plane in whole:  # one class at a time, so that stopping is quick and no copy of all is held
        stop()
        if row_order is not None:
            plane[:] = plane[row_order]
        if column_order is not None:
            plane[:] = plane[:, column_order]
    return CellMap(whole, rows, columns)


def cell_centres(cells: int, padded: int, align_corners: bool) -> np.ndarray:
    """Return the (cells,) float64 pixels at which interpolation to `padded` places the cells."""
    i = np.arange(cells, dtype=np.float64)
    if align_corners:
        return i * ((padded - 1) / (cells - 1)) if cells > 1 else i
    return (i + 0.5) * padded / cells - 0.5


def _knot_taps(cells: CellScores, axis: int, moves: np.ndarray) -> tuple[np.ndarray | None, Taps]:
    """Return the order that sorts the interleaved cells of an axis (None: sorted), and taps."""
    centres = cell_centres(
        cells.scores.shape[1 + axis], cells.padded[axis], cells.align_corners
    )
    knots = (centres[:, None] + moves).ravel()
    order = None
    if (np.diff(knots) < 0).any():
        order = np.argsort(knots, kind="stable")
        knots = knots[order]
    pixels = np.arange(cells.shape[axis], dtype=np.float64)
    low = np.clip(np.searchsorted(knots, pixels, side="right") - 1, 0, len(knots) - 1)
    high = np.minimum(low + 1, len(knots) - 1)
    gap = knots[high] - knots[low]
    weight = np.divide(pixels - knots[low], gap, out=np.zeros_like(pixels), where=gap > 0)
    return order, Taps(low, high, np.clip(weight, 0, 1).astype(np.float32))
