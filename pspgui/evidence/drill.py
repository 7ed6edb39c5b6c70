"""Opening a source of a PSPNet's evidence into the cells of the backbone that it was made of.

A bin's vector is the reduced mean of the features it pools, so with the gates as they are each
cell's part is again a plain product; a ReLU after the reduction is one more gate. The parts keep
sign and size: what they are drawn with must not stretch them to a common range.
"""

from __future__ import annotations

import numpy as np

from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.psp_reads import Cells, LevelReads, checked_pixel
from pspgui.evidence.readings import LOCAL, OpenedSource, Source, Target
from pspgui.evidence.targets import aim, row_of
from pspgui.geometry import bin_span
from pspgui.inference.activations import LevelWeights


def open_source(
    evidence: PSPEvidence, pixel: tuple[int, int], source: Source, target: Target | None = None
) -> OpenedSource:
    """Open the local source or a bin of the split at a pixel (y, x).

    Raises as `PSPEvidence.at` does, KeyError for a level that there is not, and ValueError where
    the weights before the hidden layer are not known.
    """
    place = checked_pixel(evidence.activations, pixel)
    goal, _ = aim(evidence.activations, place, target)
    cells = evidence.cells(place)
    gates = cells.of(evidence.activations.fused_cells) > 0
    gradient = cells.pull(row_of(evidence.weights.classifier, goal)) * gates
    if source.level == LOCAL:
        taps = local_taps(evidence, cells, gradient)
        values, constant = _scattered(evidence, cells, taps), 0.0
    else:
        values, constant = _opened_bin(evidence, cells, gradient, source)
    values.flags.writeable = False
    return OpenedSource(source, goal, values, constant)


def local_taps(evidence: PSPEvidence, cells: Cells, gradient: np.ndarray) -> np.ndarray:
    """Return what each tap of the bottleneck adds through the features, (m, k, k) for m cells.

    `gradient` (m, K) is that of the logit at the cells. Taps in the padding add nothing.
    """
    weight = evidence.weights.local_weight
    if weight is None:
        raise ValueError("the weights of the bottleneck are not known")
    features = evidence.activations.features
    height, width = evidence.activations.grid
    reach, kernel = weight.shape[2] // 2, weight.shape[2]
    back = np.tensordot(gradient, weight, axes=(1, 0))  # (m, C, k, k)
    found = np.zeros((len(gradient), kernel, kernel), gradient.dtype)
    for index, (row, column) in enumerate(_places(cells)):
        for down in range(kernel):
            for across in range(kernel):
                y, x = row + down - reach, column + across - reach
                if 0 <= y < height and 0 <= x < width:
                    found[index, down, across] = back[index, :, down, across] @ features[:, y, x]
    return found


def _scattered(evidence: PSPEvidence, cells: Cells, taps: np.ndarray) -> np.ndarray:
    """Return the taps' parts at the cells they read, (h, w)."""
    height, width = evidence.activations.grid
    reach = taps.shape[1] // 2
    framed = np.zeros((height + 2 * reach, width + 2 * reach), taps.dtype)
    for index, (row, column) in enumerate(_places(cells)):
        framed[row : row + taps.shape[1], column : column + taps.shape[2]] += taps[index]
    return np.ascontiguousarray(framed[reach : reach + height, reach : reach + width])


def _opened_bin(
    evidence: PSPEvidence, cells: Cells, gradient: np.ndarray, source: Source
) -> tuple[np.ndarray, float]:
    """Return the cells' parts of a bin, (h, w), and that of its reduction's bias."""
    level = evidence.level(source.level)
    index = evidence.activations.levels.index(level.bins)
    if not evidence.weights.levels:
        raise ValueError("the weights of the levels are not known")
    weights = evidence.weights.levels[index]
    prior = evidence.activations.level_priors[index][:, source.row, source.col]
    pull = _pull(level, weights, cells, gradient, source)
    if weights.rectified:
        pull = pull * (prior > 0)
    constant = 0.0
    if weights.weight is not None:
        assert weights.bias is not None
        constant, pull = float(pull @ weights.bias), weights.weight.T @ pull
    features, values = evidence.activations.features, np.zeros(evidence.activations.grid)
    y0, y1 = bin_span(source.row, level.bins, values.shape[0])
    x0, x1 = bin_span(source.col, level.bins, values.shape[1])
    inside = features[:, y0:y1, x0:x1]
    if evidence.weights.pool == "average":
        values[y0:y1, x0:x1] = np.tensordot(pull, inside, axes=1) / ((y1 - y0) * (x1 - x0))
        return values, constant
    # Of a maximum, every channel has the cell it was found at.
    flat = inside.reshape(len(inside), -1)
    at = flat.argmax(axis=1)
    parts = np.zeros(flat.shape[1])
    np.add.at(parts, at, pull * flat[np.arange(len(flat)), at])
    values[y0:y1, x0:x1] = parts.reshape(y1 - y0, x1 - x0)
    return values, constant


def _pull(
    level: LevelReads, weights: LevelWeights, cells: Cells, gradient: np.ndarray, source: Source
) -> np.ndarray:
    """Return d logit / d prior of a bin, (C_l,)."""
    rows = level.rows[cells.rows, :, source.row]
    columns = level.columns[cells.columns, :, source.col]
    shape = (len(cells.rows), len(cells.columns), -1)
    read = np.einsum("it,js,ijk->tsk", rows, columns, gradient.reshape(shape))
    found: np.ndarray = np.tensordot(weights.taps, read, axes=3)
    return found


def _places(cells: Cells) -> list[tuple[int, int]]:
    return [(row, column) for row in cells.rows for column in cells.columns]
