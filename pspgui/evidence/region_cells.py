"""Opening what a source adds to a region's mean logit into the cells that it was made of.

As the logit of a region is linear in how its pixels read the cells, so is every cell's part: the
reads are averaged first, and each source is opened once. numpy only, any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pspgui.evidence import Evidence
from pspgui.evidence.drill import bins_parts
from pspgui.evidence.naming import tap_words
from pspgui.evidence.psp import LevelMeans, PSPEvidence
from pspgui.evidence.psp_reads import around, pixels_of
from pspgui.evidence.readings import LOCAL, NOWHERE, OpenedSource, Reading, Source, Target
from pspgui.evidence.regions import (
    PyramidRegion,
    check_inside,
    mean_logit,
    middle_of,
    reads_of,
    region_target,
    tiles_of,
)
from pspgui.evidence.winograd import cell_sums
from pspgui.geometry import Rect
from pspgui.labels.raster import Stamp

_BLOCK_CELLS = 128
_MANY_CELLS = 160
Check = Callable[[], None]


def open_in_region(
    evidence: Evidence, region: Stamp, source: Source, target: Target | None = None,
    check: Check = lambda: None,
) -> OpenedSource:  # fmt: skip
    """Open a source of a region's split into cells, which add up to what it adds there.

    Without a target that of `region_target`. `check` is called between pieces of work and may
    raise. Raises as `region_evidence` and `opened` do.
    """
    known = evidence.activations
    check_inside(known, region)
    reads = reads_of(known, region)
    goal = region_target(known, region, reads) if target is None else target
    logit = mean_logit(known.scores, reads, goal)
    if isinstance(evidence, PSPEvidence):
        values, constant = _opened(PyramidRegion(evidence, reads, None), source, goal, check)
        values.flags.writeable = False
        return OpenedSource(source, goal, values, constant)
    total: OpenedSource | None = None
    for places, weights in tiles_of(reads, known.grid):
        check()
        one = evidence.open_at(places, weights, (middle_of(region), goal, logit), source)
        if total is not None:
            one = replace(
                one, values=total.values + one.values, constant=total.constant + one.constant
            )
        total = one
    assert total is not None
    total.values.flags.writeable = False
    return total


def taps_of_region(
    evidence: PSPEvidence, region: Stamp, target: Target | None, reading: Reading = "split",
    baseline: LevelMeans | None = None, check: Check = lambda: None,
) -> tuple[Source, ...]:  # fmt: skip
    """Return a region's local source as the taps of the bottleneck, row by row.

    Without a target that of `region_target`. As `taps_of_local` does for a pixel; a tap's weight
    is the share of its reads that are no padding. `check` and errors as in `open_in_region`.
    """
    weight, known = evidence.weights.local_weight, evidence.activations
    if weight is None or weight.shape[2] == 1 or reading not in ("split", "ig"):
        return ()
    check_inside(known, region)
    reads, kernel = reads_of(known, region), weight.shape[2]
    goal = region_target(known, region, reads) if target is None else target
    cells = PyramidRegion(evidence, reads, baseline)
    gradient = cells.gradient(goal, reading)
    sums = np.zeros((kernel, kernel))
    for some in _local_parts(cells, gradient, check):
        sums += some.parts.sum(axis=0)
    return tuple(
        _tap(cells, row, column, float(sums[row, column]))
        for row, column in np.ndindex(*sums.shape)
    )


def _opened(
    cells: PyramidRegion, source: Source, goal: Target, check: Check
) -> tuple[np.ndarray, float]:
    """Return a source's parts by cell, (h, w), and what its biases add."""
    evidence, gradient = cells.evidence, cells.gradient(goal)
    if source.level == LOCAL and _is_large(cells, gradient):
        return _local_cells(cells, gradient, check), 0.0
    if source.level == LOCAL or source.kind == "tap":
        values = np.zeros(evidence.activations.grid)
        for some in _local_parts(cells, gradient, check):
            for row, column in np.ndindex(*some.parts.shape[1:]):
                if source.kind != "tap" or (row, column) == (source.row, source.col):
                    rows, columns, inside = _read(cells, some.rows, some.columns, row, column)
                    values[rows, columns] += some.parts[inside, row, column]
        return values, 0.0
    read = cells.pulled(evidence.level(source.level), gradient)  # (k, b, k, b, K)
    places = [(source.row, source.col)]
    if source.kind == "level":
        places = list(np.ndindex(source.level, source.level))
    reads = {place: read[:, place[0], :, place[1]] for place in places}
    there = [place for place, one in reads.items() if one.any()] or places[:1]
    check()
    return bins_parts(evidence, source.level, there, np.stack([reads[place] for place in there]))


def _is_large(cells: PyramidRegion, gradient: np.ndarray) -> bool:
    """Say whether there are so many cells that fewer multiplications are worth preparing."""
    weight = cells.evidence.weights.local_weight
    spoken = int(np.count_nonzero(gradient.any(axis=1)))
    return weight is not None and weight.shape[2] == 3 and spoken >= _MANY_CELLS


def _local_cells(cells: PyramidRegion, gradient: np.ndarray, check: Check) -> np.ndarray:
    """Return what every cell adds through the features by all taps of a 3x3 bottleneck, (h, w)."""
    weight, known = cells.evidence.weights.local_weight, cells.evidence.activations
    assert weight is not None
    box = Rect(cells.rows[0], cells.columns[0], cells.rows[-1] + 1, cells.columns[-1] + 1)
    pulled = gradient.reshape(box.height, box.width, -1)
    parts, framed = cell_sums(around(known.features, box, 1), pulled, weight, check), box.padded(1)
    values = np.zeros(known.grid)
    inside = framed.intersect(Rect(0, 0, *known.grid))
    values[inside.slices] = parts[inside.moved(-framed.y0, -framed.x0).slices]
    return values


class _Local(NamedTuple):
    """Some cells (n,) and what every tap of the bottleneck adds there, (n, k, k)."""

    rows: np.ndarray
    columns: np.ndarray
    parts: np.ndarray


def _local_parts(
    cells: PyramidRegion, gradient: np.ndarray, check: Check
) -> Iterator[_Local]:
    """Yield what every tap adds through the features, some cells at a time; none in the padding.

    `gradient` (m, K) is that at the cells; raises ValueError where the weights are not known.
    """
    weight, features = cells.evidence.weights.local_weight, cells.evidence.activations.features
    if weight is None:
        raise ValueError("the weights of the bottleneck are not known")
    kernel, spoken = weight.shape[2], np.flatnonzero(gradient.any(axis=1))
    down, across = np.divmod(spoken, len(cells.columns))
    box = Rect(cells.rows[0], cells.columns[0], cells.rows[-1] + 1, cells.columns[-1] + 1)
    framed = around(features, box, kernel // 2)
    views = np.lib.stride_tricks.sliding_window_view(framed, (kernel, kernel), axis=(1, 2))
    flat = weight.reshape(len(weight), -1)
    for start in range(0, len(spoken), _BLOCK_CELLS):
        check()
        here = slice(start, start + _BLOCK_CELLS)
        back = (gradient[spoken[here]] @ flat).reshape(-1, len(features), kernel * kernel)
        read = views[:, down[here], across[here]].reshape(len(features), len(back), -1)
        parts = np.einsum("nct,cnt->nt", back, read).reshape(-1, kernel, kernel)
        yield _Local(down[here] + cells.rows[0], across[here] + cells.columns[0], parts)


def _read(
    cells: PyramidRegion, ys: np.ndarray, xs: np.ndarray, down: int, across: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows and columns that a tap reads at cells, and for which; padding left out."""
    height, width = cells.evidence.activations.grid
    reach = cells.evidence.reads.kernel // 2
    rows, columns = ys + down - reach, xs + across - reach
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return rows[inside], columns[inside], np.flatnonzero(inside)


def _tap(cells: PyramidRegion, row: int, column: int, value: float) -> Source:
    """Return one tap as a source: where it reads, and which share of its reads is no padding."""
    kernel, known = cells.evidence.reads.kernel, cells.evidence.activations
    present = np.flatnonzero(cells.weights.any(axis=1))
    down, across = np.divmod(present, len(cells.columns))
    rows, columns, inside = _read(
        cells, down + cells.rows[0], across + cells.columns[0], row, column
    )
    title = tap_words(row, column, kernel)
    if not len(inside):
        return Source("tap", kernel, row, column, value, 0.0, False, NOWHERE, title)
    region = pixels_of(
        known, int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1
    )
    share = len(inside) / len(present)
    return Source("tap", kernel, row, column, value, share, True, region, title)
