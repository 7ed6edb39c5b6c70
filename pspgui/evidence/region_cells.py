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
from pspgui.evidence.drill import bin_parts, level_weights
from pspgui.evidence.psp import LevelMeans, PSPEvidence
from pspgui.evidence.psp_reads import pixels_of
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
from pspgui.labels.raster import Stamp

_BLOCK_CELLS = 512
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
    for tap in _local_taps(cells, gradient, check):
        sums[tap.down, tap.across] += float(tap.parts.sum())
    return tuple(
        _tap(cells, row, column, float(sums[row, column]))
        for row, column in np.ndindex(*sums.shape)
    )


def _opened(
    cells: PyramidRegion, source: Source, goal: Target, check: Check
) -> tuple[np.ndarray, float]:
    """Return a source's parts by cell, (h, w), and what its biases add."""
    evidence, gradient = cells.evidence, cells.gradient(goal)
    values, constant = np.zeros(evidence.activations.grid), 0.0
    if source.level == LOCAL or source.kind == "tap":
        for tap in _local_taps(cells, gradient, check):
            if source.kind != "tap" or (tap.down, tap.across) == (source.row, source.col):
                values[tap.rows, tap.columns] += tap.parts
        return values, constant
    weights = level_weights(evidence, source.level)
    read = cells.pulled(evidence.level(source.level), gradient)  # (k, b, k, b, K)
    places = [(source.row, source.col)]
    if source.kind == "level":
        places = list(np.ndindex(source.level, source.level))
    for row, column in places:
        pull = np.tensordot(weights.taps, read[:, row, :, column], axes=3)
        if pull.any():
            check()
            one = source._replace(kind="bin", row=row, col=column)
            parts, biases = bin_parts(evidence, one, pull)
            values += parts
            constant += biases
    return values, constant


class _Tap(NamedTuple):
    """One tap of the bottleneck at some cells: the cells that it reads, and what it adds, (n,)."""

    down: int
    across: int
    rows: np.ndarray
    columns: np.ndarray
    parts: np.ndarray


def _local_taps(cells: PyramidRegion, gradient: np.ndarray, check: Check) -> Iterator[_Tap]:
    """Yield what every tap adds through the features, some cells at a time.

    `gradient` (m, K) is that at the cells; raises ValueError where the weights are not known.
    """
    evidence = cells.evidence
    weight, features = evidence.weights.local_weight, evidence.activations.features
    if weight is None:
        raise ValueError("the weights of the bottleneck are not known")
    ys, xs, moved = _spoken(cells, gradient)
    for down, across in np.ndindex(*weight.shape[2:]):
        rows, columns, inside = _read(cells, ys, xs, down, across)
        own = np.ascontiguousarray(weight[:, :, down, across]).T
        for start in range(0, len(inside), _BLOCK_CELLS):
            check()
            here = slice(start, start + _BLOCK_CELLS)
            parts = own @ moved[inside[here]].T
            parts *= features[:, rows[here], columns[here]]
            yield _Tap(down, across, rows[here], columns[here], parts.sum(axis=0))


def _spoken(
    cells: PyramidRegion, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cells that anything is passed on to, (n,) twice, and their gradient, (n, K)."""
    spoken = np.flatnonzero(gradient.any(axis=1))
    down, across = np.divmod(spoken, len(cells.columns))
    return down + cells.rows[0], across + cells.columns[0], gradient[spoken]


def _read(
    cells: PyramidRegion, ys: np.ndarray, xs: np.ndarray, down: int, across: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows and columns that a tap reads at cells, and for which; padding left out."""
    height, width = cells.evidence.activations.grid
    reach = cells.evidence.reads.kernel // 2
    rows, columns = ys + down - reach, xs + across - reach
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return rows[inside], columns[inside], inside.nonzero()[0]


def _tap(cells: PyramidRegion, row: int, column: int, value: float) -> Source:
    """Return one tap as a source: where it reads, and which share of its reads is no padding."""
    kernel, known = cells.evidence.reads.kernel, cells.evidence.activations
    present = np.flatnonzero(cells.weights.any(axis=1))
    down, across = np.divmod(present, len(cells.columns))
    rows, columns, inside = _read(
        cells, down + cells.rows[0], across + cells.columns[0], row, column
    )
    title = f"tap {row - kernel // 2:+d}, {column - kernel // 2:+d}"
    if not len(inside):
        return Source("tap", kernel, row, column, value, 0.0, False, NOWHERE, title)
    region = pixels_of(
        known, int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1
    )
    share = len(inside) / len(present)
    return Source("tap", kernel, row, column, value, share, True, region, title)
