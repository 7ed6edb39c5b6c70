"""Opening a source of a PSPNet's evidence into the cells of the backbone that it was made of.

A bin's vector is the reduced mean of the features it pools, so with the gates as they are each
cell's part is again a plain product; a ReLU after the reduction is one more gate. The parts keep
sign and size: what they are drawn with must not stretch them to a common range.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pspgui.evidence.naming import tap_words
from pspgui.evidence.psp import LevelMeans, PSPEvidence, gates_between
from pspgui.evidence.psp_reads import Cells, LevelReads, checked_pixel, pixels_of
from pspgui.evidence.readings import LOCAL, OpenedSource, Reading, Source, Target
from pspgui.evidence.targets import aim, row_of
from pspgui.geometry import Rect, bin_span


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
    places = [(row, column) for row in rows.tolist() for column in columns.tolist()]
    read = [_read(level, cells, gradient, *place) for place in places]
    return bins_parts(evidence, source.level, places, np.stack(read))


def _opened_bin(
    evidence: PSPEvidence, cells: Cells, gradient: np.ndarray, source: Source
) -> tuple[np.ndarray, float]:
    """Return the cells' parts of a bin, (h, w), and that of its reduction's bias."""
    level, place = evidence.level(source.level), (source.row, source.col)
    read = _read(level, cells, gradient, *place)
    return bins_parts(evidence, source.level, [place], read[None])


def bins_parts(
    evidence: PSPEvidence, bins: int, places: Sequence[tuple[int, int]], read: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the cells' parts of some bins of a level, (h, w), and that of their biases.

    read (n, k, k, K) is d logit / d what every tap reads of the bins at `places`. Raises KeyError
    for a level that there is not, and ValueError where its weights are not known.
    """
    level = evidence.level(bins)
    if not evidence.weights.levels:
        raise ValueError("the weights of the levels are not known")
    index = evidence.activations.levels.index(level.bins)
    weights, prior = evidence.weights.levels[index], evidence.activations.level_priors[index]
    pull = np.tensordot(read, weights.taps, axes=((1, 2, 3), (1, 2, 3)))  # (n, C_l)
    if weights.rectified:
        pull = pull * np.stack([prior[:, row, column] > 0 for row, column in places])
    constant, values = 0.0, np.zeros(evidence.activations.grid)
    if weights.weight is not None:
        assert weights.bias is not None
        constant, pull = float((pull @ weights.bias).sum()), pull @ weights.weight
    for (row, column), one in zip(places, pull, strict=True):
        spans = zip((row, column), values.shape, strict=True)
        y, x = (slice(*bin_span(at, bins, size)) for at, size in spans)
        inside = evidence.activations.features[:, y, x]
        values[y, x] += _pooled(evidence.weights.pool, one, inside)
    return values, constant


def _pooled(pool: str, pull: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return what the cells (C, h, w) of a bin add of its pooled features, (h, w)."""
    shape = inside.shape[1:]
    if pool == "average":
        mean: np.ndarray = np.tensordot(pull, inside, axes=1) / (shape[0] * shape[1])
        return mean
    # Of a maximum, every channel has the cell it was found at.
    flat = inside.reshape(len(inside), -1)
    at = flat.argmax(axis=1)
    parts = np.zeros(flat.shape[1])
    np.add.at(parts, at, pull * flat[np.arange(len(flat)), at])
    return parts.reshape(shape)


def _read(
    level: LevelReads, cells: Cells, gradient: np.ndarray, row: int, column: int
) -> np.ndarray:
    """Return d logit / d what every tap reads of a bin, (k, k, K)."""
    rows = level.rows[cells.rows][:, :, row]
    columns = level.columns[cells.columns][:, :, column]
    shape = (len(cells.rows), len(cells.columns), -1)
    found: np.ndarray = np.einsum("it,js,ijk->tsk", rows, columns, gradient.reshape(shape))
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
    title = tap_words(row, column, kernel)
    if not share:
        return Source("tap", kernel, row, column, value, 0.0, False, Rect(0, 0, 0, 0), title)
    region = pixels_of(
        evidence.activations, rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    )
    return Source("tap", kernel, row, column, value, share, True, region, title)
