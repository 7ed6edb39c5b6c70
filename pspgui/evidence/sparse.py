"""Following the gradient of one logit back through layers, at the few cells that matter.

A pixel mixes at most four cells, a 3x3 convolution reads nine cells for each: whole maps are
never touched, which is what makes answers as fast as the pointer. With gates as they are,
gradient times activation at any layer adds up to the logit less the biases passed on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pspgui.evidence.psp_reads import Cells
from pspgui.inference.layers import Layer


@dataclass(frozen=True, eq=False)
class Patch:
    """d logit / d map at some cells of a map: rows and columns (P,), gradient (P, C).

    No cell comes twice. `outside` counts reads that fell into the padding on the way here.
    """

    rows: np.ndarray
    columns: np.ndarray
    gradient: np.ndarray
    outside: int = 0

    def of(self, maps: np.ndarray) -> np.ndarray:
        """Return a map's (C, h, w) values at the cells, (P, C)."""
        found: np.ndarray = maps[:, self.rows, self.columns].T
        return found

    def parts(self, maps: np.ndarray) -> np.ndarray:
        """Return what each cell of a map adds to the logit, (P,)."""
        found: np.ndarray = np.einsum("pc,pc->p", self.gradient, self.of(maps))
        return found

    def bias_part(self, bias: np.ndarray) -> float:
        """Return what a bias that every cell gets adds to the logit."""
        return float(self.gradient.sum(axis=0) @ bias)

    def gated(self, after: np.ndarray) -> Patch:
        """Pass a ReLU whose output is (C, h, w): closed where that is zero."""
        return self._with(self.gradient * (self.of(after) > 0))

    def channels(self, which: slice) -> Patch:
        """Return the gradient of some channels alone: of one part of a concatenation."""
        return self._with(self.gradient[:, which])

    def through(self, layer: Layer, shape: tuple[int, int]) -> Patch:
        """Pass a convolution back to its input (C', h, w), whose padding adds nothing."""
        kernel = layer.weight.shape[2]
        if layer.is_depthwise:
            back = self.gradient[:, :, None, None] * layer.weight[:, 0]
        else:
            back = np.tensordot(self.gradient, layer.weight, axes=(1, 0))
        if kernel == 1:
            return self._with(back[:, :, 0, 0])
        step = (np.arange(kernel) - kernel // 2) * layer.dilation
        taps = (len(back), kernel, kernel)
        rows = np.broadcast_to(self.rows[:, None, None] + step[:, None], taps)
        columns = np.broadcast_to(self.columns[:, None, None] + step, taps)
        inside = (rows >= 0) & (columns >= 0) & (rows < shape[0]) & (columns < shape[1])
        gradient = back.transpose(0, 2, 3, 1)[inside]
        lost = self.outside + int((~inside).sum())
        return merged(rows[inside], columns[inside], gradient, shape[1], lost)

    def scattered(self, parts: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Return parts (P,) at their cells, (h, w), zero elsewhere."""
        found = np.zeros(shape, parts.dtype)
        found[self.rows, self.columns] = parts
        return found

    def _with(self, gradient: np.ndarray) -> Patch:
        return Patch(self.rows, self.columns, gradient, self.outside)


def merged(
    rows: np.ndarray, columns: np.ndarray, gradient: np.ndarray, width: int, outside: int = 0
) -> Patch:
    """Return a patch of reads (P,), (P,), (P, C), those of one cell added up."""
    keys, place = np.unique(rows * width + columns, return_inverse=True)
    total = np.zeros((len(keys), gradient.shape[1]), gradient.dtype)
    np.add.at(total, place.reshape(-1), gradient)
    return Patch(keys // width, keys % width, total, outside)


def patch_of(cells: Cells, row: np.ndarray) -> Patch:
    """Return the gradient of a logit at the cells a pixel mixes, for the classifier's row (C,)."""
    rows = np.repeat(cells.rows, len(cells.columns))
    columns = np.tile(cells.columns, len(cells.rows))
    return Patch(rows, columns, cells.weights[:, None] * row)
