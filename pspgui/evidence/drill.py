"""Opening a source of a PSPNet's evidence into the cells of the backbone that it was made of.

A bin's vector is the reduced mean of the features it pools, so with the gates as they are each
cell's part is again a plain product; a ReLU after the reduction is one more gate. The parts keep
sign and size: what they are drawn with must not stretch them to a common range.
"""

from __future__ import annotations

import numpy as np

from pspgui.evidence.psp import LevelMeans, PSPEvidence, gates_between
from pspgui.evidence.psp_reads import Cells, LevelReads, checked_pixel, pixels_of
from pspgui.evidence.readings import LOCAL, OpenedSource, Reading, Source, Target
from pspgui.evidence.targets import aim, row_of
from pspgui.geometry import Rect, bin_span
from pspgui.inference.activations import LevelWeights


def open_source(
    evidence: PSPEvidence, pixel: tuple[int, int], source: Source, target: Target | None = None
) -> OpenedSource:
    """Open local, one of its taps, a bin or a whole level of the split at a pixel (y, x).

    Raises as `PSPEvidence.at` does, KeyError for a level that there is not, and ValueError where
    the weights before the hidden layer are not known.
    """
    place = checked_pixel(evidence.activations, pixel)
    goal, _ = aim(evidence.activations, place, target)
    cells = evidence.cells(place)
    gates = cells.of(evidence.activations.fused_cells) > 0
    gradient = cells.pull(row_of(evidence.weights.classifier, goal)) * gates
    if source.level == LOCAL or source.kind == "tap":
        taps = local_taps(evidence, cells, gradient)
        if source.kind == "tap":
            taps = _alone(taps, source)
        values, constant = _scattered(evidence, cells, taps), 0.0
    elif source.kind == "level":
        values, constant = _opened_level(evidence, cells, gradient, source)
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


def _alone(taps: np.ndarray, source: Source) -> np.ndarray:
    """Return the taps (m, k, k) with all but one silent."""
    found = np.zeros_like(taps)
    found[:, source.row, source.col] = taps[:, source.row, source.col]
    return found


def _opened_level(
    evidence: PSPEvidence, cells: Cells, gradient: np.ndarray, source: Source
) -> tuple[np.ndarray, float]:
    """Return the cells' parts of all bins of a level that are read, (h, w), and their biases'."""
    level = evidence.level(source.level)
    rows, columns = (used[level.place].nonzero()[0] for used in evidence.reads.reached(cells))
    values, constant = np.zeros(evidence.activations.grid), 0.0
    for row in rows.tolist():
        for column in columns.tolist():
            one = source._replace(kind="bin", row=row, col=column)
            parts, biases = _opened_bin(evidence, cells, gradient, one)
            values += parts
            constant += biases
    return values, constant


def _opened_bin(
    evidence: PSPEvidence, cells: Cells, gradient: np.ndarray, source: Source
) -> tuple[np.ndarray, float]:
    """Return the cells' parts of a bin, (h, w), and that of its reduction's bias."""
    weights, level = level_weights(evidence, source.level), evidence.level(source.level)
    return bin_parts(evidence, source, _pull(level, weights, cells, gradient, source))


def level_weights(evidence: PSPEvidence, bins: int) -> LevelWeights:
    """Return the weights of a level; raises KeyError, and ValueError where they are not known."""
    level = evidence.level(bins)
    if not evidence.weights.levels:
        raise ValueError("the weights of the levels are not known")
    return evidence.weights.levels[evidence.activations.levels.index(level.bins)]


def bin_parts(
    evidence: PSPEvidence, source: Source, pull: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the cells' parts of a bin, (h, w), and that of its reduction's bias.

    `pull` (C_l,) is d logit / d the reduced bin.
    """
    weights = level_weights(evidence, source.level)
    index = evidence.activations.levels.index(source.level)
    prior = evidence.activations.level_priors[index][:, source.row, source.col]
    if weights.rectified:
        pull = pull * (prior > 0)
    constant = 0.0
    if weights.weight is not None:
        assert weights.bias is not None
        constant, pull = float(pull @ weights.bias), weights.weight.T @ pull
    features, values = evidence.activations.features, np.zeros(evidence.activations.grid)
    y0, y1 = bin_span(source.row, source.level, values.shape[0])
    x0, x1 = bin_span(source.col, source.level, values.shape[1])
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


def taps_of_local(
    evidence: PSPEvidence,
    pixel: tuple[int, int],
    target: Target | None = None,
    reading: Reading = "split",
    baseline: LevelMeans | None = None,
) -> tuple[Source, ...]:
    """Return the local source of a pixel (y, x) as the taps of the bottleneck, row by row.

    They add up to the local source of the same reading, "split" or "ig". Empty for a 1x1
    bottleneck, where its weights are not known, and for readings in which parts do not add up.
    """
    weight = evidence.weights.local_weight
    if weight is None or weight.shape[2] == 1 or reading not in ("split", "ig"):
        return ()
    place = checked_pixel(evidence.activations, pixel)
    goal, _ = aim(evidence.activations, place, target)
    cells = evidence.cells(place)
    z, base = cells.of(evidence.activations.fused_cells), evidence.base(cells, baseline)
    pull = cells.pull(row_of(evidence.weights.classifier, goal))
    values = local_taps(evidence, cells, pull * gates_between(z, base, reading)).sum(axis=0)
    return tuple(
        _tap(evidence, cells, row, column, float(values[row, column]))
        for row, column in np.ndindex(*values.shape)
    )


def _tap(evidence: PSPEvidence, cells: Cells, row: int, column: int, value: float) -> Source:
    """Return one tap as a source: where it reads, and which share of its reads is no padding."""
    assert evidence.weights.local_weight is not None
    kernel = evidence.weights.local_weight.shape[2]
    height, width = evidence.activations.grid
    rows = [y + row - kernel // 2 for y in cells.rows if 0 <= y + row - kernel // 2 < height]
    columns = [
        x + column - kernel // 2 for x in cells.columns if 0 <= x + column - kernel // 2 < width
    ]
    share = len(rows) * len(columns) / (len(cells.rows) * len(cells.columns))
    title = f"tap {row - kernel // 2:+d}, {column - kernel // 2:+d}"
    if not share:
        return Source("tap", kernel, row, column, value, 0.0, False, Rect(0, 0, 0, 0), title)
    region = pixels_of(
        evidence.activations, rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    )
    return Source("tap", kernel, row, column, value, share, True, region, title)
