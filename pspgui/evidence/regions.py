"""The evidence of a region: the mean over its pixels, exact, as if every pixel had been asked.

For one target a logit's evidence is linear in how the pixel reads the cells, whatever the gates: so
the reads of all pixels are averaged first, and the cells asked once. A region of thousands of
pixels then costs about what its cells do. numpy only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pspgui.evidence import Evidence
from pspgui.evidence.chain import Places
from pspgui.evidence.parts import CellsEvidence
from pspgui.evidence.psp import LevelMeans, PSPEvidence, gates_between
from pspgui.evidence.psp_reads import Cells, LevelReads, checked_pixel
from pspgui.evidence.readings import (
    SHAPLEY,
    ZERO,
    BranchEvidence,
    GroupShapley,
    LevelReading,
    PixelEvidence,
    PyramidEvidence,
    Reading,
    Source,
    Target,
    around,
)
from pspgui.evidence.shapley import coalitions, exact_values
from pspgui.evidence.targets import offset_of, row_of
from pspgui.evidence.upsampling import UpsamplingEvidence
from pspgui.geometry import Pixel, Rect
from pspgui.inference.activations import Activations
from pspgui.inference.resampling import axis_taps, resample
from pspgui.labels.raster import Stamp

_TILE = 16  # cells a side that are asked at once where a network is followed through its layers
_BATCH_VALUES = 1 << 22
_NOTHING = Rect(0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class RegionPyramid(PyramidEvidence):
    """The mean evidence of the pixels of a region, of a network with a pyramid.

    `pixel` is the one of the region nearest its middle, `pixels` how many there are, `rect` the
    rectangle around them. A bin's weight is the mean over the pixels too, or where stages of
    upsampling lie behind the pyramid over all cells that they read; it is reachable if any pixel
    reads it. `left_out` is how many more pixels the region has beyond the window explained.
    """

    pixels: int = 1
    rect: Rect = _NOTHING
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class RegionBranches(BranchEvidence):
    """The mean evidence of the pixels of a region, of any other network; see `RegionPyramid`."""

    pixels: int = 1
    rect: Rect = _NOTHING
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class RegionShapley(GroupShapley):
    """The mean Shapley values of the pixels of a region; see `RegionPyramid`."""

    pixels: int = 1
    rect: Rect = _NOTHING
    left_out: int = 0


RegionEvidence = RegionPyramid | RegionBranches | RegionShapley
_KINDS: dict[type[PixelEvidence], type[RegionEvidence]] = {
    PyramidEvidence: RegionPyramid,
    BranchEvidence: RegionBranches,
    GroupShapley: RegionShapley,
}
Question = tuple[Pixel, Target, float]
"""The pixel that stands for a region, the target, and its mean logit."""


class Reads(NamedTuple):
    """The mean weight with which a region's pixels read the cells of the scores.

    weights (h', w') of the cells in `cells`, a rectangle of the grid; they add up to 1.
    """

    cells: Rect
    weights: np.ndarray


def region_evidence(
    evidence: Evidence,
    region: Stamp,
    target: Target | None = None,
    reading: Reading = "split",
    baseline: LevelMeans | None = None,
    check: Callable[[], None] = lambda: None,
) -> RegionEvidence:
    """Take the mean logit of a region apart; without a target the margin of `region_target`.

    `baseline` is for pyramids. `check` is called between pieces of work and may raise. Raises
    IndexError for an empty region, one that is not within the image, or an unknown class,
    ValueError as `at` does. Any thread.
    """
    known = evidence.activations
    middle = middle_of(region)
    check_inside(known, region)
    reads = reads_of(known, region)
    goal = region_target(known, region, reads) if target is None else target
    logit = mean_logit(known.scores, reads, goal)
    question = (middle, goal, logit)
    found: PixelEvidence
    if not isinstance(evidence, PSPEvidence):
        if isinstance(evidence, UpsamplingEvidence):
            evidence = evidence.beyond(baseline)
        found = _followed(evidence, reads, question, reading, check)
    elif reading == SHAPLEY:
        found = PyramidRegion(evidence, reads, baseline).shapley(question, check)
    else:
        found = PyramidRegion(evidence, reads, baseline).asked(question, reading, check)
    amounts = {name: getattr(found, name) for name in found.__dataclass_fields__}
    count = int(np.count_nonzero(region.mask))
    return _KINDS[type(found)](**amounts, pixels=count, rect=region.rect)


def region_of(pixels: Iterable[tuple[int, int]]) -> Stamp:
    """Return the region of some pixels (y, x); raises IndexError for none."""
    places = np.array(sorted(set(pixels)), int).reshape(-1, 2)
    if not len(places):
        raise IndexError("a region has at least one pixel")
    (y0, x0), (y1, x1) = places.min(axis=0).tolist(), (places.max(axis=0) + 1).tolist()
    mask = np.zeros((y1 - y0, x1 - x0), bool)
    mask[places[:, 0] - y0, places[:, 1] - x0] = True
    return Stamp(Rect(y0, x0, y1, x1), mask)


def middle_of(region: Stamp) -> Pixel:
    """Return the pixel of a region that is nearest its centre of mass; raises IndexError."""
    by_row, by_column = region.mask.sum(axis=1), region.mask.sum(axis=0)
    count = int(by_row.sum())
    if not count:
        raise IndexError("a region has at least one pixel")
    y, x = (float(np.arange(len(c)) @ c) / count for c in (by_row, by_column))
    if region.mask[round(y), round(x)]:
        return Pixel(region.rect.y0 + round(y), region.rect.x0 + round(x))
    rows, columns = np.nonzero(region.mask)
    nearest = int(((rows - y) ** 2 + (columns - x) ** 2).argmin())
    return Pixel(region.rect.y0 + int(rows[nearest]), region.rect.x0 + int(columns[nearest]))


def reads_of(known: Activations, region: Stamp) -> Reads:
    """Return the mean weight with which a region's pixels read the cells of the scores."""
    rows, top = _axis_reads(known, 0, region.rect.y0, region.rect.y1)
    columns, left = _axis_reads(known, 1, region.rect.x0, region.rect.x1)
    counts = rows.T @ region.mask.astype(rows.dtype) @ columns
    weights = counts / np.count_nonzero(region.mask)
    height, width = weights.shape
    return Reads(Rect(top, left, top + height, left + width), weights)


def region_target(known: Activations, region: Stamp, reads: Reads | None = None) -> Target:
    """Return what a region's margin is: the class of most of its pixels over the runner-up.

    The runner-up is the other class of the highest mean logit; its margin may be below zero where
    some pixels are far surer of it. Of classes with as many pixels the lower number counts.
    """
    means = _mean_scores(known.scores, reads or reads_of(known, region))
    if len(means) < 2:
        return Target(0)
    best = int(_counts(known, region).argmax())
    means[best] = -np.inf
    return Target(best, int(means.argmax()))


def mean_logits(known: Activations, region: Stamp) -> np.ndarray:
    """Return every class's mean logit over a region's pixels, (N,); they must be the image's."""
    return _mean_scores(known.scores, reads_of(known, region))


# -- how a region reads the scores ------------------------------------------------------------


def _axis_reads(known: Activations, axis: int, start: int, stop: int) -> tuple[np.ndarray, int]:
    """Return the weights (positions, cells) of some positions along an axis, and the first cell."""
    taps = axis_taps(
        known.padded_shape[axis], known.grid[axis], known.align_corners, known.scores.dtype
    ).at(slice(start, stop))
    first, beyond = int(taps.low.min()), int(taps.high.max()) + 1
    weights = np.zeros((stop - start, beyond - first), known.scores.dtype)
    places = np.arange(stop - start)
    np.add.at(weights, (places, taps.low - first), 1 - taps.weight)
    np.add.at(weights, (places, taps.high - first), taps.weight)
    return weights, first


def _mean_scores(scores: np.ndarray, reads: Reads) -> np.ndarray:
    rows, columns = reads.cells.slices
    found: np.ndarray = np.tensordot(scores[:, rows, columns], reads.weights, 2)
    return found


def mean_logit(scores: np.ndarray, reads: Reads, target: Target) -> float:
    """Return a target's mean logit; raises as `targets.aim` does."""
    for class_id in (target.class_id, target.versus):
        if class_id is not None and not 0 <= class_id < len(scores):
            raise IndexError(f"there is no class {class_id}")
    if target.versus == target.class_id:
        raise ValueError("a class cannot be compared with itself")
    classes = [target.class_id] if target.versus is None else [target.class_id, target.versus]
    means = _mean_scores(scores[classes], reads)
    return float(means[0] - means[1]) if target.versus is not None else float(means[0])


def _counts(known: Activations, region: Stamp) -> np.ndarray:
    """Return how many of a region's pixels each class wins, (N,)."""
    classes, height, width = known.scores.shape
    rows, columns = (
        axis_taps(size, cells, known.align_corners, known.scores.dtype)
        for size, cells in zip(known.padded_shape, (height, width), strict=True)
    )
    rect, counts = region.rect, np.zeros(classes, int)
    across = columns.at(slice(rect.x0, rect.x1))
    step = max(1, _BATCH_VALUES // (classes * rect.width))
    for start in range(0, rect.height, step):
        band = region.mask[start : start + step]
        places = slice(rect.y0 + start, rect.y0 + start + len(band))
        winners = resample(known.scores, rows.at(places), across).argmax(axis=0)
        counts += np.bincount(winners[band], minlength=classes)
    return counts


def check_inside(known: Activations, region: Stamp) -> None:
    """Raise IndexError for a region that is not within the image."""
    y0, x0, y1, x1 = region.rect
    for corner in ((y0, x0), (y1 - 1, x1 - 1)):
        checked_pixel(known, corner)


# -- a pyramid --------------------------------------------------------------------------------


class PyramidRegion:
    """The cells whose hidden layer a region reads, all at once, and how.

    They are all of a rectangle, `rows` by `columns`; `weights` (m, c * c) are their mean weights
    for every tap of the classifier, zero for those that no pixel reads.
    """

    def __init__(self, evidence: PSPEvidence, reads: Reads, baseline: LevelMeans | None) -> None:
        self.evidence, self._baseline = evidence, baseline
        known, reach = evidence.activations, evidence.kernel // 2
        inner = reads.cells
        box = inner.padded(reach).intersect(Rect(0, 0, *known.grid))
        self.rows, self.columns = list(range(box.y0, box.y1)), list(range(box.x0, box.x1))
        taps = np.zeros((evidence.kernel, evidence.kernel, *_shape(box)), reads.weights.dtype)
        for row in range(evidence.kernel):
            for column in range(evidence.kernel):
                # Tap t of the score at p reads cell p + t - reach.
                there = inner.moved(row - reach, column - reach).intersect(box)
                here = there.moved(reach - row - inner.y0, reach - column - inner.x0)
                spot = there.moved(-box.y0, -box.x0)
                taps[row, column][spot.slices] = reads.weights[here.slices]
        self.weights = taps.reshape(evidence.kernel**2, -1).T
        # Weights of the cells as such, for what does not ask which class they speak for.
        ones = np.ones((len(self.rows), 1), taps.dtype), np.ones((len(self.columns), 1), taps.dtype)
        self._cells = Cells(self.rows, self.columns, *ones)

    def gradient(self, goal: Target, reading: Reading = "split") -> np.ndarray:
        """Return d mean logit / d z at the cells, (m, K), with the gates of "split" or "ig"."""
        z = self._cells.of(self.evidence.activations.fused_cells)
        gates = gates_between(z, self.evidence.base(self._cells, self._baseline), reading)
        found: np.ndarray = self._mixed(goal) * gates
        return found

    def pulled(self, level: LevelReads, gradient: np.ndarray) -> np.ndarray:
        """Return d mean logit / d what every tap reads of a level's bins, (k, b, k, b, K).

        `gradient` (m, K) is that at the cells: spreading, backwards.
        """
        height, width, kernel = len(self.rows), len(self.columns), self.evidence.reads.kernel
        side = kernel * level.bins
        rows = level.rows[self.rows].reshape(height, side)
        columns = level.columns[self.columns].reshape(width, side)
        bands = (rows.T @ gradient.reshape(height, -1)).reshape(side, width, -1)
        found: np.ndarray = np.matmul(columns.T, bands)
        return found.reshape(kernel, level.bins, kernel, level.bins, -1)

    def asked(
        self, question: Question, reading: Reading, check: Callable[[], None]
    ) -> PyramidEvidence:
        """Return the evidence of a target."""
        evidence, cells, (middle, goal, logit) = self.evidence, self._cells, question
        known, mixed = evidence.activations, self._mixed(goal)
        z, local = cells.of(known.fused_cells), cells.of(known.local_cells)
        base = evidence.base(cells, self._baseline)
        constant = offset_of(evidence.weights.classifier_bias, goal)
        falls: dict[int, float] | None = None
        if reading == "ablate":
            constant += float((mixed * np.maximum(base, 0)).sum())
            own = float((mixed * (np.maximum(z, 0) - np.maximum(z - local, 0))).sum())
            values = self._falls(mixed, z, check)
            falls = self._level_falls(mixed, z, check)
        else:
            gates = gates_between(z, base, reading)
            gradient = mixed * gates
            kept = np.maximum(base, 0) if reading == "ig" else base * gates
            constant += float(np.vdot(mixed, kept))
            own = float(np.vdot(gradient, local))
            values = self._split(gradient)
        levels = {
            level.bins: self._told(level, values[level.bins]) for level in evidence.reads.levels
        }
        return PyramidEvidence(
            middle, goal, logit, constant, own, evidence.reads.local_region(self._used()), levels,
            reading, ZERO if self._baseline is None else self._baseline.name, falls,
        )  # fmt: skip

    def shapley(self, question: Question, check: Callable[[], None]) -> GroupShapley:
        """Return the Shapley values of local and levels, some rows of cells at a time."""
        evidence, known, goal = self.evidence, self.evidence.activations, question[1]
        levels = evidence.reads.levels
        mixed = self._mixed(goal).reshape(len(self.rows), len(self.columns), -1)
        worth = np.zeros(1 << (1 + len(levels)))
        step = max(1, _BATCH_VALUES // (len(worth) * mixed[0].size))
        for start in range(0, len(self.rows), step):
            check()
            here = slice(start, start + step)
            cells = self._cells._replace(
                rows=self.rows[here], row_taps=self._cells.row_taps[here]
            )
            parts = [cells.of(known.local_cells)]
            parts += [evidence.level_share(level, cells, self._baseline) for level in levels]
            pull = mixed[here].reshape(-1, mixed.shape[2])
            worth += coalitions(evidence.base(cells, self._baseline), np.stack(parts), pull)
        own, *values = exact_values(worth, 1 + len(levels)).tolist()
        constant = offset_of(evidence.weights.classifier_bias, goal) + float(worth[0])
        told = {level.bins: self._told(level, np.zeros(0)) for level in levels}
        return GroupShapley(
            *question, constant, own, dict(zip(told, values, strict=True)),
            ZERO if self._baseline is None else self._baseline.name,
            evidence.reads.local_region(self._used()),
            {
                bins: around(reading.regions[y][x] for y, x in np.argwhere(reading.reachable))
                for bins, reading in told.items()
            },
        )  # fmt: skip

    def _whole(self, level: LevelReads) -> np.ndarray:
        """Return what a level's bins bring through every tap, beyond the baseline."""
        index = self.evidence.activations.levels.index(level.bins)
        taps = self.evidence.activations.level_taps[index]
        if self._baseline is None:
            return taps
        beyond: np.ndarray = taps - self._baseline.taps[index][:, None, :, None]
        return beyond

    def _mixed(self, goal: Target) -> np.ndarray:
        """Return d mean logit / d hidden at the cells, (m, K)."""
        row = row_of(self.evidence.weights.classifier, goal)
        found: np.ndarray = self.weights @ row.reshape(len(row), -1).T
        return found

    def _split(self, gradient: np.ndarray) -> dict[int, np.ndarray]:
        """Return what every bin adds for the gradient (m, K) at the cells."""
        return {
            level.bins: np.einsum(
                "tbsdk,tbsdk->bd", self.pulled(level, gradient), self._whole(level)
            )
            for level in self.evidence.reads.levels
        }

    def _falls(
        self, mixed: np.ndarray, z: np.ndarray, check: Callable[[], None]
    ) -> dict[int, np.ndarray]:
        """Return by how much the mean logit falls without each bin, at the cells that read it."""
        evidence, found = self.evidence, {}
        open_now = np.maximum(z, 0)
        height, width = len(self.rows), len(self.columns)
        places = np.arange(height * width).reshape(height, width)
        for level in evidence.reads.levels:
            values = np.zeros((level.bins, level.bins), z.dtype)
            by_row = (level.rows[self.rows] != 0).any(axis=1)
            by_column = (level.columns[self.columns] != 0).any(axis=1)
            for row, column in np.ndindex(values.shape):
                check()
                ys, xs = np.flatnonzero(by_row[:, row]), np.flatnonzero(by_column[:, column])
                if not len(ys) or not len(xs):
                    continue
                here = places[np.ix_(ys, xs)].ravel()
                cells = Cells(
                    [self.rows[y] for y in ys], [self.columns[x] for x in xs],
                    self._cells.row_taps[ys], self._cells.column_taps[xs],
                )  # fmt: skip
                share = evidence.share(level, cells, row, column, self._baseline)
                fall = open_now[here] - np.maximum(z[here] - share, 0)
                values[row, column] = np.vdot(mixed[here], fall)
            found[level.bins] = values
        return found

    def _level_falls(
        self, mixed: np.ndarray, z: np.ndarray, check: Callable[[], None]
    ) -> dict[int, float]:
        """Return by how much the mean logit falls when each level is silenced as a whole."""
        now, found = float(np.vdot(mixed, np.maximum(z, 0))), {}
        for level in self.evidence.reads.levels:
            check()
            left = self.evidence.level_share(level, self._cells, self._baseline)
            np.maximum(np.subtract(z, left, out=left), 0, out=left)
            found[level.bins] = now - float(np.vdot(mixed, left))
        return found

    def _told(self, level: LevelReads, values: np.ndarray) -> LevelReading:
        """Return a level's bins with the mean weight of their reads and whether there are any."""
        height, width = len(self.rows), len(self.columns)
        weights = self.weights.mean(axis=1).reshape(height, width)
        present = (self.weights != 0).any(axis=1).reshape(height, width)
        rows, columns = level.rows[self.rows], level.columns[self.columns]
        read = rows.mean(axis=1).T @ weights @ columns.mean(axis=1)
        by_row, by_column = (rows != 0).any(axis=1), (columns != 0).any(axis=1)
        reachable = (by_row.T.astype(np.float32) @ present @ by_column) > 0
        return LevelReading(values, read, reachable, level.regions)

    def _used(self) -> Cells:
        """Return the cells between the first and the last of any weight."""
        used = (self.weights != 0).any(axis=1).reshape(len(self.rows), len(self.columns))
        ys, xs = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
        return self._cells._replace(
            rows=self.rows[int(ys[0]) : int(ys[-1]) + 1],
            columns=self.columns[int(xs[0]) : int(xs[-1]) + 1],
        )


def _shape(rect: Rect) -> tuple[int, int]:
    return rect.height, rect.width


# -- any other network ------------------------------------------------------------------------


def _followed(
    evidence: CellsEvidence, reads: Reads, question: Question, reading: Reading,
    check: Callable[[], None],
) -> PyramidEvidence | BranchEvidence:  # fmt: skip
    """Follow the network from a tile of cells after another, and add up what each says."""
    total: PyramidEvidence | BranchEvidence | None = None
    seen = 0
    for places, weights in tiles_of(reads, evidence.activations.grid):
        check()
        found = evidence.at_places(places, weights, question, reading)
        assert isinstance(found, PyramidEvidence | BranchEvidence)
        total = found if total is None else _added(total, found, seen / (seen + len(weights)))
        seen += len(weights)
    assert total is not None
    return total


def tiles_of(reads: Reads, grid: tuple[int, int]) -> Iterator[tuple[Places, np.ndarray]]:
    """Yield the cells that are read and their weights, tile by tile."""
    height, width = reads.weights.shape
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = reads.weights[top : top + _TILE, left : left + _TILE]
            ys, xs = np.nonzero(tile)
            if len(ys):
                rows, columns = ys + top + reads.cells.y0, xs + left + reads.cells.x0
                yield Places(rows, columns, grid), tile[ys, xs]


def _added(
    one: PyramidEvidence | BranchEvidence, other: PyramidEvidence | BranchEvidence, share: float
) -> PyramidEvidence | BranchEvidence:
    """Return the sum of two tiles' evidence; `share` is how much of the weights is the first's."""
    constant = one.constant + other.constant
    if isinstance(one, PyramidEvidence) and isinstance(other, PyramidEvidence):
        levels = {
            bins: LevelReading(
                reading.values + other.levels[bins].values,
                share * reading.weights + (1 - share) * other.levels[bins].weights,
                reading.reachable | other.levels[bins].reachable,
                reading.regions,
            )
            for bins, reading in one.levels.items()
        }
        falls = one.level_falls
        if falls is not None and other.level_falls is not None:
            falls = {bins: fall + other.level_falls[bins] for bins, fall in falls.items()}
        return replace(
            one, constant=constant, local=one.local + other.local, levels=levels,
            level_falls=falls, local_region=one.local_region.union(other.local_region),
        )  # fmt: skip
    assert isinstance(one, BranchEvidence) and isinstance(other, BranchEvidence)
    parts = tuple(
        _together(a, b, share) for a, b in zip(one.parts, other.parts, strict=True)
    )
    return replace(one, constant=constant, parts=parts)


def _together(one: Source, other: Source, share: float) -> Source:
    regions = [source.region for source in (one, other) if not source.region.is_empty]
    region = regions[0].union(regions[-1]) if regions else one.region
    return one._replace(
        value=one.value + other.value,
        weight=share * one.weight + (1 - share) * other.weight,
        reachable=one.reachable or other.reachable,
        region=region,
    )

