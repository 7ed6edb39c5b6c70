"""Which pyramid bins drive a pixel of a PSPNet: exact, and fast enough to follow the pointer.

With the hidden layer's gates (which units are above zero) as they are, a logit is linear in the
local features and in every bin, so each one's share is a plain product; a full-resolution pixel
mixes at most four cells, or sixteen where the classifier is 3x3. numpy only; the products are kept
so small that the linear algebra library runs each on the calling thread, where waking others
would cost more than it gains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, overload

import numpy as np

from pspgui.evidence.psp_reads import (
    BinsRead,
    Cells,
    LevelReads,
    PyramidReads,
    cells_of,
    checked_pixel,
    kernel_taps,
)
from pspgui.evidence.readings import (
    LOCAL,
    READINGS,
    SHAPLEY,
    ZERO,
    LevelReading,
    PixelEvidence,
    PyramidEvidence,
    Reading,
    Source,
    SourceReading,
    Target,
)
from pspgui.evidence.targets import aim, best_two, offset_of, row_of
from pspgui.geometry import Pixel
from pspgui.inference.activations import ClassifierWeights, PSPActivations

# Cells handled at once by the whole-image maps.
_BAND_VALUES = 1 << 22


@dataclass(frozen=True, eq=False)
class LevelMeans:
    """What a bin is on average over some images: one (k, k, K) array a level, as `level_taps`.

    `name` says of what, such as "the mean bin of 12 images", and `digest` of which weights; empty
    where that is not said.
    """

    taps: tuple[np.ndarray, ...]
    name: str
    digest: str = ""


class Terms(NamedTuple):
    """The hidden pre-activation z of a pixel's cells, taken apart: z = base + local + bins.

    z, base and local are (m, K) for the m cells; `bins` holds (level, row, column) of every bin
    that reaches them and `shares` what each adds, (B, m, K).
    """

    cells: Cells
    z: np.ndarray
    base: np.ndarray
    local: np.ndarray
    bins: tuple[tuple[int, int, int], ...]
    shares: np.ndarray


class _Parts(NamedTuple):
    """What all readings of a pixel begin with; cells and hidden units side by side, M in all.

    z, base and mixed (M,): as in `Terms`, and d logit / d hidden; shares (1 + r, M): what the local
    features add to z, and then every bin that is read.
    """

    cells: Cells
    near: BinsRead
    z: np.ndarray
    base: np.ndarray
    mixed: np.ndarray
    shares: np.ndarray


class PSPEvidence:
    """Answers for one image. Immutable after construction: any thread may ask."""

    readings: ClassVar[tuple[SourceReading, ...]] = READINGS
    whole_readings: ClassVar[tuple[Reading, ...]] = (SHAPLEY,)
    """Readings of local features and whole levels, which say nothing of bins."""
    compares: ClassVar[bool] = True
    """Whether sources can be compared with a mean bin."""

    def __init__(self, activations: PSPActivations, weights: ClassifierWeights) -> None:
        self.activations = activations
        self.weights = weights
        self.reads = PyramidReads(activations)
        self.kernel = weights.classifier.shape[-1]
        self._taps = dict(zip(activations.levels, activations.level_taps, strict=True))
        # (n, k k, K): every bin's taps in one piece, level by level.
        self._bins = np.concatenate([_by_bins(taps) for taps in activations.level_taps])
        # (levels, n): which bins are of which level, to be added up by a product.
        sizes = np.square(activations.levels)
        self._members = np.repeat(np.eye(len(sizes), dtype=self._bins.dtype), sizes, axis=1)
        self._beyond: tuple[LevelMeans | None, np.ndarray] = None, self._bins

    # -- one pixel ----------------------------------------------------------------------------

    @overload
    def at(
        self, pixel: tuple[int, int], target: Target | None = None,
        reading: SourceReading = "split", baseline: LevelMeans | None = None,
    ) -> PyramidEvidence: ...  # fmt: skip

    @overload
    def at(
        self, pixel: tuple[int, int], target: Target | None = None,
        reading: Reading = "split", baseline: LevelMeans | None = None,
    ) -> PixelEvidence: ...  # fmt: skip

    def at(
        self,
        pixel: tuple[int, int],
        target: Target | None = None,
        reading: Reading = "split",
        baseline: LevelMeans | None = None,
    ) -> PixelEvidence:
        """Take the logit of a pixel (y, x) apart; without a target the winner's margin.

        Raises IndexError for a pixel outside the image or an unknown class, ValueError for a
        class compared with itself.
        """
        return self.at_all(pixel, target, (reading,), baseline)[0]

    def at_all(
        self,
        pixel: tuple[int, int],
        target: Target | None = None,
        readings: Sequence[Reading] = READINGS,
        baseline: LevelMeans | None = None,
    ) -> tuple[PixelEvidence, ...]:
        """Take a logit apart in several readings, which share nearly all of the work.

        In the order of `readings`, each as `at` gives it alone, all of one target. Raises as `at`.
        """
        place = checked_pixel(self.activations, pixel)
        goal, logit = aim(self.activations, place, target)
        parts: _Parts | None = None
        found: list[PixelEvidence] = []
        for reading in readings:
            if reading == SHAPLEY:
                from pspgui.evidence.shapley import group_shapley

                found.append(group_shapley(self, pixel, goal, baseline))
            else:
                parts = parts or self._parts(place, goal, baseline)
                found.append(self._told(parts, (place, goal, logit), reading, baseline))
        return tuple(found)

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels' bins a side."""
        return self.activations.levels

    def takes(self, baseline: LevelMeans) -> bool:
        """Say whether a baseline is of this network: its levels, and its weights where told."""
        taps = self.activations.level_taps
        shapes = [(t.shape[0], t.shape[2], t.shape[4]) for t in taps]
        own = baseline.digest in ("", self.activations.stamp.model)
        return own and shapes == [mean.shape for mean in baseline.taps]

    def cells(self, place: Pixel) -> Cells:
        """Return the cells whose hidden layer a pixel's logit reads."""
        return cells_of(self.activations, place, self.kernel)

    def margin_target(self, pixel: tuple[int, int]) -> Target:
        """Return the winner and runner-up at a pixel; one class alone has no runner-up."""
        return aim(self.activations, checked_pixel(self.activations, pixel), None)[0]

    def ablate(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> float:
        """Return by how much the logit falls when the source is silent and gates may change.

        Unlike the split these drops need not add up to the logit. Raises as `at` does.
        """
        place = checked_pixel(self.activations, pixel)
        goal, _ = aim(self.activations, place, target)
        cells = self.cells(place)
        z = cells.of(self.activations.fused_cells)
        if source.level == LOCAL:
            share = cells.of(self.activations.local_cells)
        elif source.kind == "level":
            share = self.level_share(self.level(source.level), cells)
        else:
            share = self.share(self.level(source.level), cells, source.row, source.col)
        fall = np.maximum(z, 0) - np.maximum(z - share, 0)
        return float((cells.pull(row_of(self.weights.classifier, goal)) * fall).sum())

    def terms(self, pixel: tuple[int, int], baseline: LevelMeans | None = None) -> Terms:
        """Return the hidden pre-activation of a pixel's cells, taken apart."""
        cells = self.cells(checked_pixel(self.activations, pixel))
        near, known = self.reads.read_by(cells), self.activations
        bins = [
            (level.bins, *divmod(place, level.bins))
            for level in self.reads.levels
            for place in near.reach[level.all].nonzero()[0].tolist()
        ]
        return Terms(
            cells, cells.of(known.fused_cells), self.base(cells, baseline),
            cells.of(known.local_cells), tuple(bins),
            near.taps @ self._bins_beyond(baseline)[near.places],
        )  # fmt: skip

    def share(
        self, level: LevelReads, cells: Cells, row: int, column: int,
        baseline: LevelMeans | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Return what a bin adds to z at the cells, beyond the baseline, (m, K)."""
        rows = level.rows[cells.rows][:, :, row]
        columns = level.columns[cells.columns][:, :, column]
        read = rows[:, None, :, None] * columns[None, :, None, :]
        taps = self._bins_beyond(baseline)[level.all.start + row * level.bins + column]
        found: np.ndarray = read.reshape(len(rows) * len(columns), -1) @ taps
        return found

    def level_share(
        self, level: LevelReads, cells: Cells, baseline: LevelMeans | None = None
    ) -> np.ndarray:
        """Return what all bins of a level add to z at the cells, beyond the baseline, (m, K)."""
        side, taps = level.rows.shape[1] * level.bins, self._taps[level.bins]
        if baseline is not None:
            taps = taps - self._mean(level.bins, baseline)[:, None, :, None]
        bands = level.columns[cells.columns].reshape(-1, side) @ taps.reshape(side, side, -1)
        spread = level.rows[cells.rows].reshape(-1, side) @ bands.reshape(side, -1)
        found: np.ndarray = spread.reshape(len(cells.rows) * len(cells.columns), -1)
        return found

    def level(self, bins: int) -> LevelReads:
        """Return the level of so many bins a side; raises KeyError."""
        for level in self.reads.levels:
            if level.bins == bins:
                return level
        raise KeyError(f"there is no level of {bins} × {bins} bins")

    # -- the whole image ----------------------------------------------------------------------

    def context_share(self, target: Target | None = None) -> np.ndarray:
        """Return how much the pyramid decides at every cell, (h, w) in 0..1.

        |context| / (|context| + |local|), where context is what all bins add to the target's
        logit and local what the features there add; each cell's own margin without a target.
        Zero where neither adds anything.
        """
        known, (height, width) = self.activations, self.activations.grid
        share = np.zeros((height, width), np.float32)
        step = max(1, _BAND_VALUES // (width * self.weights.classifier[0].size))
        for start in range(0, height, step):
            band = slice(start, min(start + step, height))
            rows = self.rows_of(band, target)
            outer = np.zeros((band.stop - start, width), known.fused_cells.dtype)
            inner = np.zeros_like(outer)
            for tap in kernel_taps(self.kernel, known.grid, band):
                row = rows[..., tap.row, tap.column]
                fused, local = known.fused_cells[tap.there], known.local_cells[tap.there]
                gradient = (fused > 0) * (row if row.ndim == 1 else row[tap.here])
                context = fused - local - self.weights.bottleneck_bias
                outer[tap.here] += np.einsum("hwk,hwk->hw", gradient, context)
                inner[tap.here] += np.einsum("hwk,hwk->hw", gradient, local)
            outer, inner = np.abs(outer), np.abs(inner)
            total = outer + inner
            share[band] = np.divide(outer, total, out=np.zeros_like(outer), where=total > 0)
        return share

    def reach_map(self, level: int, row: int, col: int) -> np.ndarray:
        """Return the weight with which every cell reads a bin, (h, w) float32 in 0..1.

        The mean over the bottleneck's taps, as in `Source.weight`. Raises KeyError, IndexError.
        """
        found = self.level(level)
        if not (0 <= row < level and 0 <= col < level):
            raise IndexError(f"level {level} has no bin {row},{col}")
        rows, columns = found.rows[:, :, row].mean(axis=1), found.columns[:, :, col].mean(axis=1)
        return np.outer(rows, columns).astype(np.float32)

    def scores_without(self, levels: tuple[int, ...] | None = None) -> np.ndarray:
        """Return the (N, h, w) cell logits with some levels silent; all of them for None.

        Gates are evaluated anew, so this is what the network would say. Raises KeyError.
        """
        if levels is None:
            fused = self.activations.local_cells + self.weights.bottleneck_bias
        else:
            fused = self.activations.fused_cells.copy()
            for bins in levels:
                fused -= self.spread(self.level(bins), self._taps[bins])
        return self.classified(fused)

    def classified(self, fused: np.ndarray) -> np.ndarray:
        """Return the (N, h, w) logits of pre-activations (h, w, K), which are overwritten."""
        hidden, grid = np.maximum(fused, 0, out=fused), self.activations.grid
        classifier, biases = self.weights.classifier, self.weights.classifier_bias
        if self.kernel == 1:
            scores = classifier[:, :, 0, 0] @ hidden.reshape(-1, fused.shape[-1]).T
            result: np.ndarray = (scores + biases[:, None]).reshape(-1, *grid)
            return result
        result = np.repeat(biases, grid[0] * grid[1]).reshape(-1, *grid)
        for tap in kernel_taps(self.kernel, grid, slice(None)):
            weight = classifier[:, :, tap.row, tap.column]
            result[(slice(None), *tap.here)] += np.tensordot(weight, hidden[tap.there], (1, 2))
        return result

    def spread(self, level: LevelReads, taps: np.ndarray) -> np.ndarray:
        """Return what a level with taps (k, b, k, b, K) adds to z over the grid, (h, w, K)."""
        height, width = self.activations.grid
        side = level.rows.shape[1] * level.bins
        bands = level.columns.reshape(width, side) @ taps.reshape(side, side, -1)
        spread = level.rows.reshape(height, side) @ bands.reshape(side, -1)
        result: np.ndarray = spread.reshape(height, width, -1)
        return result

    def rows_of(self, band: slice, target: Target | None) -> np.ndarray:
        """Return classifier rows (K, c, c) of a target, or (h, w, K, c, c) of cells' margins."""
        classifier = self.weights.classifier
        if target is not None or len(classifier) < 2:
            return row_of(classifier, target or Target(0))
        best, second = best_two(self.activations.scores[:, band])
        rows: np.ndarray = classifier[best] - classifier[second]
        return rows

    def base(self, cells: Cells, baseline: LevelMeans | None) -> np.ndarray:
        """Return z at the cells when local is silent and every bin is the baseline, (m, K)."""
        bias = self.weights.bottleneck_bias
        base = np.repeat(bias[None], len(cells.weights), axis=0)
        if baseline is None:
            return base
        for level in self.reads.levels:
            # Bins that are all alike: what is left of the interpolation is where taps fall outside.
            rows = level.rows[cells.rows].sum(axis=2)
            columns = level.columns[cells.columns].sum(axis=2)
            mean = np.einsum("it,js,tsk->ijk", rows, columns, self._mean(level.bins, baseline))
            base += mean.reshape(base.shape)
        return base

    # -- inside -------------------------------------------------------------------------------

    def _mean(self, bins: int, baseline: LevelMeans) -> np.ndarray:
        return baseline.taps[self.activations.levels.index(bins)]

    def _bins_beyond(self, baseline: LevelMeans | None) -> np.ndarray:
        """Return the taps of every bin, less the baseline's, (n, k k, K)."""
        if baseline is None:
            return self._bins
        kept = self._beyond  # in one piece: another thread may put another there
        if kept[0] is not baseline:
            means = [
                np.repeat(mean.reshape(1, -1, mean.shape[-1]), bins * bins, axis=0)
                for bins, mean in zip(self.activations.levels, baseline.taps, strict=True)
            ]
            kept = self._beyond = baseline, self._bins - np.concatenate(means)
        return kept[1]

    def _parts(self, place: Pixel, goal: Target, baseline: LevelMeans | None) -> _Parts:
        """Return what all readings of a pixel begin with."""
        known, cells = self.activations, self.cells(place)
        near = self.reads.read_by(cells)
        parts = np.empty((1 + len(near.places), *near.taps.shape[1:2], self._bins.shape[2]),
                         self._bins.dtype)  # fmt: skip
        parts[0] = cells.of(known.local_cells)
        np.matmul(near.taps, self._bins_beyond(baseline)[near.places], out=parts[1:])
        return _Parts(
            cells, near, cells.of(known.fused_cells).ravel(), self.base(cells, baseline).ravel(),
            cells.pull(row_of(self.weights.classifier, goal)).ravel(),
            parts.reshape(len(parts), -1),
        )  # fmt: skip

    def _told(
        self, parts: _Parts, question: tuple[Pixel, Target, float], reading: SourceReading,
        baseline: LevelMeans | None,
    ) -> PyramidEvidence:  # fmt: skip
        """Return one reading of a pixel."""
        cells, near, z, base, mixed, shares = parts
        falls = None
        if reading == "ablate":
            amounts, falls = self._falls(parts)
            kept = np.maximum(base, 0)
        else:
            gates = gates_between(z, base, reading)
            amounts = shares @ (mixed * gates)
            kept = np.maximum(base, 0) if reading == "ig" else base * gates
        constant = offset_of(self.weights.classifier_bias, question[1]) + float(mixed @ kept)
        values = np.zeros(len(near.reach), amounts.dtype)
        values[near.places] = amounts[1:]
        levels = {}
        for level in self.reads.levels:
            bins, here = level.bins, level.all
            levels[bins] = LevelReading(
                values[here].reshape(bins, bins), near.weights[here].reshape(bins, bins),
                near.reach[here].reshape(bins, bins), level.regions,
            )  # fmt: skip
        return PyramidEvidence(
            *question, constant, float(amounts[0]), self.reads.local_region(cells), levels, reading,
            ZERO if baseline is None else baseline.name, falls,
        )  # fmt: skip

    def _falls(self, parts: _Parts) -> tuple[np.ndarray, dict[int, float]]:
        """Return by how much the logit falls without local and each bin, (1 + r,), and each level.

        Every one alone is taken to the baseline, of a level all bins at once.
        """
        levels, shares = self.reads.levels, parts.shares
        count = len(shares)
        left = np.empty((count + len(levels), shares.shape[1]), shares.dtype)
        np.matmul(self._members[:, parts.near.places], shares[1:], out=left[count:])
        np.subtract(parts.z, shares, out=left[:count])
        np.subtract(parts.z, left[count:], out=left[count:])
        np.maximum(left, 0, out=left)
        amounts = parts.mixed @ np.maximum(parts.z, 0) - left @ parts.mixed
        falls = zip(levels, amounts[count:].tolist(), strict=True)
        return amounts[:count], {level.bins: fall for level, fall in falls}


def _by_bins(taps: np.ndarray) -> np.ndarray:
    """Return a level's taps (k, b, k, b, K) bin by bin, each one's in one piece, (b b, k k, K)."""
    kernel, bins = taps.shape[:2]
    found: np.ndarray = np.ascontiguousarray(taps.transpose(1, 3, 0, 2, 4))
    return found.reshape(bins * bins, kernel * kernel, -1)


def gates_between(z: np.ndarray, base: np.ndarray, reading: Reading) -> np.ndarray:
    """Return how far every gate is open: now, or on average on the way from the base to z.

    A ReLU passed through from base to z has the mean slope (relu(z) - relu(base)) / (z - base):
    integrated gradients need no steps here, and equal DeepLIFT's rescale rule.
    """
    if reading == "split":
        return (z > 0).astype(z.dtype)
    way = z - base
    moved = np.abs(way) >= np.finfo(z.dtype).tiny
    mean: np.ndarray = (base > 0).astype(z.dtype)
    np.divide(np.maximum(z, 0) - np.maximum(base, 0), way, out=mean, where=moved)
    np.maximum(mean, 0, out=mean)
    np.minimum(mean, 1, out=mean)
    return mean


def bins_on_average(image: PSPActivations) -> tuple[np.ndarray, ...]:
    """Return the mean over all bins of each level of one image, (k, k, K) each."""
    return tuple(np.asarray(taps.mean(axis=(1, 3))) for taps in image.level_taps)


def mean_of(images: Sequence[tuple[np.ndarray, ...]], name: str, digest: str = "") -> LevelMeans:
    """Return the mean of what `bins_on_average` gave for some images of one network."""
    levels = zip(*images, strict=True)
    return LevelMeans(tuple(np.asarray(sum(own) / len(images)) for own in levels), name, digest)


def mean_bins(images: list[PSPActivations], name: str) -> LevelMeans:
    """Return the mean over all bins of each level of some images read by one network."""
    return mean_of([bins_on_average(image) for image in images], name)
