"""Which pyramid bins drive a pixel of a PSPNet: exact, and fast enough to follow the pointer.

With the hidden layer's gates (which units are above zero) as they are, a logit is linear in the
local features and in every bin, so each one's share is a plain product; a full-resolution pixel
mixes at most four cells. numpy only; the products are kept so small that the linear algebra
library runs each on the calling thread, where waking others would cost more than it gains.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from pspgui.evidence.readings import LevelReading, PixelEvidence, Source, Target
from pspgui.geometry import Pixel, Rect, bin_span, cell_span
from pspgui.inference.activations import ClassifierWeights, PSPActivations
from pspgui.inference.resampling import sample, tap_at, tap_matrix

# Cells handled at once by the whole-image maps.
_BAND_VALUES = 1 << 22


class _Cells(NamedTuple):
    """The one to four cells a pixel mixes: rows and columns, and the weights of each axis."""

    rows: list[int]
    columns: list[int]
    row_weights: np.ndarray
    column_weights: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """The convex weight of every cell, row by row, (m,)."""
        return np.outer(self.row_weights, self.column_weights).ravel()


class _Axis(NamedTuple):
    """How cells read the bins of all levels, side by side (B in all), along one axis.

    taps (cells, k, B) as `tap_matrix` gives them, means (cells, B) over the kernel's taps, and
    used (cells, B): whether any tap reads the bin.
    """

    taps: np.ndarray
    means: np.ndarray
    used: np.ndarray


class _Level(NamedTuple):
    """One level: its taps V (k, b, k, b, K), its place among all levels' bins, and regions.

    rows (h, k, b) and columns (w, k, b) are its parts of the two axes; regions in image pixels.
    """

    bins: int
    place: slice
    taps: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    regions: tuple[tuple[Rect, ...], ...]


class PSPEvidence:
    """Answers for one image. Immutable after construction: any thread may ask."""

    def __init__(self, activations: PSPActivations, weights: ClassifierWeights) -> None:
        self.activations = activations
        self.weights = weights
        self._kernel = activations.level_taps[0].shape[0]
        self._rows = self._axis(activations.grid[0])
        self._columns = self._axis(activations.grid[1])
        ends = np.cumsum(activations.levels).tolist()
        self._levels = tuple(
            self._level(bins, slice(end - bins, end), taps)
            for bins, end, taps in zip(
                activations.levels, ends, activations.level_taps, strict=True
            )
        )

    def at(self, pixel: tuple[int, int], target: Target | None = None) -> PixelEvidence:
        """Split the logit of a pixel (y, x) of the image; without a target the winner's margin.

        Raises IndexError for a pixel outside the image or an unknown class, ValueError for a
        class compared with itself.
        """
        place = self._checked(pixel)
        aim, logit = self._aim(place, target)
        cells = self._cells(place)
        gradient, offset = self._gradient(cells, aim)
        local = self.activations.local_cells[cells.rows][:, cells.columns]
        constant = offset + float(gradient.sum(axis=0) @ self.weights.bottleneck_bias)
        return PixelEvidence(
            pixel=place,
            target=aim,
            logit=logit,
            constant=constant,
            local=float(gradient.ravel() @ local.ravel()),
            local_region=self._local_region(cells),
            levels=self._read(cells, gradient),
        )

    def margin_target(self, pixel: tuple[int, int]) -> Target:
        """Return the winner and runner-up at a pixel; one class alone has no runner-up."""
        return self._aim(self._checked(pixel), None)[0]

    def ablate(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> float:
        """Return by how much the logit falls when the source is silent and gates may change.

        Unlike the split these drops need not add up to the logit. Raises as `at` does.
        """
        place = self._checked(pixel)
        aim, _ = self._aim(place, target)
        cells = self._cells(place)
        fused = self.activations.fused_cells[cells.rows][:, cells.columns]
        if source.kind == "local":
            share = self.activations.local_cells[cells.rows][:, cells.columns]
        else:
            share = self._bin_share(source, cells)
        drop = np.maximum(fused, 0) - np.maximum(fused - share, 0)
        return float(cells.weights @ drop.reshape(len(cells.weights), -1) @ self._row(aim))

    def context_share(self, target: Target | None = None) -> np.ndarray:
        """Return how much the pyramid decides at every cell, (h, w) in 0..1.

        |context| / (|context| + |local|), where context is what all bins add to the target's
        logit and local what the features there add; each cell's own margin without a target.
        Zero where neither adds anything.
        """
        height, width = self.activations.grid
        share = np.zeros((height, width), np.float32)
        step = max(1, _BAND_VALUES // (width * len(self.weights.bottleneck_bias)))
        for start in range(0, height, step):
            band = slice(start, start + step)
            fused = self.activations.fused_cells[band]
            local = self.activations.local_cells[band]
            gradient = (fused > 0) * self._rows_of(band, target)
            context = fused - local - self.weights.bottleneck_bias
            outer = np.abs(np.einsum("hwk,hwk->hw", gradient, context))
            inner = np.abs(np.einsum("hwk,hwk->hw", gradient, local))
            total = outer + inner
            share[band] = np.divide(outer, total, out=np.zeros_like(outer), where=total > 0)
        return share

    def reach_map(self, level: int, row: int, col: int) -> np.ndarray:
        """Return the weight with which every cell reads a bin, (h, w) float32 in 0..1.

        The mean over the bottleneck's taps, as in `Source.weight`. Raises KeyError, IndexError.
        """
        found = self._find(level)
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
                fused -= self._spread(self._find(bins))
        hidden = np.maximum(fused, 0, out=fused).reshape(-1, fused.shape[-1])
        scores = self.weights.classifier @ hidden.T + self.weights.classifier_bias[:, None]
        result: np.ndarray = scores.reshape(-1, *self.activations.grid)
        return result

    def _axis(self, cells: int) -> _Axis:
        known = self.activations
        matrices = [tap_matrix(cells, b, self._kernel, known.align_corners) for b in known.levels]
        taps = np.concatenate(matrices, axis=2).astype(known.level_taps[0].dtype)
        return _Axis(taps, taps.mean(axis=1), (taps != 0).any(axis=1))

    def _level(self, bins: int, place: slice, taps: np.ndarray) -> _Level:
        height, width = self.activations.grid
        rows, columns = self._rows.taps[:, :, place], self._columns.taps[:, :, place]
        regions = tuple(
            tuple(
                self._pixels(*bin_span(row, bins, height), *bin_span(col, bins, width))
                for col in range(bins)
            )
            for row in range(bins)
        )
        return _Level(bins, place, taps, rows, columns, regions)

    def _pixels(self, y0: int, y1: int, x0: int, x1: int) -> Rect:
        """Return the image pixels that cells y0..y1, x0..x1 stand over; padding is cut off."""
        known = self.activations
        top, bottom = cell_span(y0, y1, known.grid[0], known.padded_shape[0])
        left, right = cell_span(x0, x1, known.grid[1], known.padded_shape[1])
        height, width = known.image_shape
        # Not `intersect`: what lies in the padding alone is an empty rect at the image's edge.
        return Rect(min(top, height), min(left, width), min(bottom, height), min(right, width))

    def _checked(self, pixel: tuple[int, int]) -> Pixel:
        place = Pixel(int(pixel[0]), int(pixel[1]))
        height, width = self.activations.image_shape
        if not (0 <= place.y < height and 0 <= place.x < width):
            raise IndexError(
                f"the pixel {place.x},{place.y} lies outside the image of {width} × {height}"
            )
        return place

    def _aim(self, pixel: Pixel, target: Target | None) -> tuple[Target, float]:
        """Return the target, chosen by the pixel's logits if there is none, and its logit."""
        known = self.activations
        logits = sample(known.scores, *pixel, known.padded_shape, known.align_corners)
        if target is None:
            best = int(logits.argmax())
            rest = logits.copy()
            rest[best] = -np.inf
            target = Target(best, int(rest.argmax()) if len(logits) > 1 else None)
        for class_id in (target.class_id, target.versus):
            if class_id is not None and not 0 <= class_id < len(logits):
                raise IndexError(f"there is no class {class_id}")
        if target.versus is None:
            return target, float(logits[target.class_id])
        if target.versus == target.class_id:
            raise ValueError("a class cannot be compared with itself")
        return target, float(logits[target.class_id] - logits[target.versus])

    def _cells(self, pixel: Pixel) -> _Cells:
        known = self.activations
        found = [
            _axis_cells(position, size, cells, known.align_corners, known.scores.dtype)
            for position, size, cells in zip(pixel, known.padded_shape, known.grid, strict=True)
        ]
        return _Cells(found[0][0], found[1][0], found[0][1], found[1][1])

    def _row(self, aim: Target) -> np.ndarray:
        """Return the classifier's (K,) weights of a target."""
        classifier = self.weights.classifier
        row: np.ndarray = classifier[aim.class_id]
        return row if aim.versus is None else row - classifier[aim.versus]

    def _gradient(self, cells: _Cells, aim: Target) -> tuple[np.ndarray, float]:
        """Return d logit / d z at each cell, mixing weights included, (m, K), and the offset."""
        fused = self.activations.fused_cells[cells.rows][:, cells.columns]
        gates = fused.reshape(-1, fused.shape[-1]) > 0
        gradient = np.where(gates, self._row(aim), 0) * cells.weights[:, None]
        bias = self.weights.classifier_bias
        offset = bias[aim.class_id] - (0 if aim.versus is None else bias[aim.versus])
        return gradient, float(offset)

    def _rows_of(self, band: slice, target: Target | None) -> np.ndarray:
        """Return classifier rows for a band of cells: (K,) of a target, or each cell's margin."""
        classifier = self.weights.classifier
        if target is not None or len(classifier) < 2:
            return self._row(target or Target(0))
        order = np.argpartition(self.activations.scores[:, band], -2, axis=0)
        rows: np.ndarray = classifier[order[-1]] - classifier[order[-2]]
        return rows

    def _read(self, cells: _Cells, gradient: np.ndarray) -> dict[int, LevelReading]:
        """Split all levels over their bins for the mixed gradient (m, K) at the cells."""
        rows, columns = self._rows, self._columns
        row_used: np.ndarray = np.logical_or.reduce(rows.used[cells.rows])
        column_used: np.ndarray = np.logical_or.reduce(columns.used[cells.columns])
        # Every level's block on the diagonal of these holds its own bins.
        reach = np.outer(row_used, column_used)
        weights = np.outer(
            cells.row_weights @ rows.means[cells.rows],
            cells.column_weights @ columns.means[cells.columns],
        )
        row_taps, column_taps = rows.taps[cells.rows], columns.taps[cells.columns]
        found = {}
        for level in self._levels:
            place = level.place
            # Bins that reach one pixel lie together: the slices keep the taps in place.
            high, wide = _extent(row_used[place]), _extent(column_used[place])
            responses = level.taps[:, high, :, wide] @ gradient.T
            values = np.zeros((level.bins, level.bins), gradient.dtype)
            values[high, wide] = np.einsum(
                "itb,jsd,tbsdij->bd",
                row_taps[:, :, place][:, :, high],
                column_taps[:, :, place][:, :, wide],
                responses.reshape(*responses.shape[:-1], len(cells.rows), len(cells.columns)),
            )
            found[level.bins] = LevelReading(
                values, weights[place, place], reach[place, place], level.regions
            )
        return found

    def _local_region(self, cells: _Cells) -> Rect:
        reach, (height, width) = self._kernel // 2, self.activations.grid
        return self._pixels(
            max(0, cells.rows[0] - reach), min(height, cells.rows[-1] + reach + 1),
            max(0, cells.columns[0] - reach), min(width, cells.columns[-1] + reach + 1),
        )  # fmt: skip

    def _bin_share(self, source: Source, cells: _Cells) -> np.ndarray:
        """Return what a bin adds to z at the cells, (rows, columns, K)."""
        level = self._find(source.level)
        share: np.ndarray = np.einsum(
            "it,js,tsk->ijk",
            level.rows[cells.rows, :, source.row],
            level.columns[cells.columns, :, source.col],
            level.taps[:, source.row, :, source.col],
        )
        return share

    def _spread(self, level: _Level) -> np.ndarray:
        """Return what a level adds to z over the grid, (h, w, K)."""
        height, width = self.activations.grid
        side = level.rows.shape[1] * level.bins
        bands = level.columns.reshape(width, side) @ level.taps.reshape(side, side, -1)
        spread = level.rows.reshape(height, side) @ bands.reshape(side, -1)
        result: np.ndarray = spread.reshape(height, width, -1)
        return result

    def _find(self, bins: int) -> _Level:
        for level in self._levels:
            if level.bins == bins:
                return level
        raise KeyError(f"there is no level of {bins} × {bins} bins")


def _axis_cells(
    position: int, size: int, cells: int, align_corners: bool, dtype: DTypeLike
) -> tuple[list[int], np.ndarray]:
    """Return the cells a pixel mixes along one axis, those of no weight left out, and weights."""
    low, high, weight = tap_at(position, size, cells, align_corners, dtype)
    if low == high or weight == 0:
        return [low], np.ones(1, dtype)
    if weight == 1:
        return [high], np.ones(1, dtype)
    return [low, high], np.array([1 - weight, weight], dtype)


def _extent(used: np.ndarray) -> slice:
    """Return the slice from the first to the last true entry."""
    places = used.tolist()
    return slice(places.index(True), len(places) - places[::-1].index(True))
