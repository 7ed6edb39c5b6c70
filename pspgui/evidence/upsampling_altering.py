"""What becomes of the scores of a PSPNet with learnt upsampling when sources are altered.

Behind the sum of local features and bins come four layers of gates, which leave no closed form: the
stages are run again, where an altered source reaches. A stage interpolates to twice the size and
convolves; as both are linear, its products are taken at the small size, a quarter of the work, and
interpolated and shifted after.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from pspgui.evidence.alterations import WhatIf
from pspgui.evidence.altering import NO_CELLS, Altering
from pspgui.evidence.chain import opened
from pspgui.evidence.psp_reads import extent
from pspgui.evidence.upsampling import UpsamplingEvidence
from pspgui.geometry import Rect
from pspgui.inference.activations import Activations
from pspgui.inference.head_weights import Stage, UpsamplingWeights
from pspgui.inference.resampling import tap_matrix

_BAND = 32  # rows and columns of a stage's output that are computed at once


class StageAgain:
    """One stage: interpolation of a map to twice the size, 3x3 convolution, rectifier."""

    def __init__(self, stage: Stage, shape: tuple[int, int], align_corners: bool) -> None:
        """`shape` is that of the map it reads."""
        weight = stage.layer.weight
        kernel, kind = weight.shape[2], weight.dtype
        self._stage = stage
        # Row by row of taps, (I, k * O) each.
        self._weights = [
            np.ascontiguousarray(weight[:, :, row].transpose(1, 2, 0)).reshape(weight.shape[1], -1)
            for row in range(kernel)
        ]
        self._down, self._across = (
            tap_matrix(2 * size, size, kernel, align_corners).astype(kind) for size in shape
        )

    def reached(self, cells: Rect) -> Rect:
        """Return the outputs that read any of some cells of its input."""
        if cells.is_empty:
            return NO_CELLS
        down = _used(self._down[:, :, cells.y0 : cells.y1], (1, 2))
        across = _used(self._across[:, :, cells.x0 : cells.x1], (1, 2))
        return Rect(down.start, across.start, down.stop, across.stop)

    def read(self, outputs: Rect) -> Rect:
        """Return the cells of its input that some outputs read."""
        if outputs.is_empty:
            return NO_CELLS
        down = _used(self._down[outputs.y0 : outputs.y1], (0, 1))
        across = _used(self._across[outputs.x0 : outputs.x1], (0, 1))
        return Rect(down.start, across.start, down.stop, across.stop)

    def run(self, values: np.ndarray, cells: Rect, outputs: Rect) -> np.ndarray:
        """Return some outputs, (h', w', O), of its input (h'', w'', I) at the cells they read."""
        down = self._down[outputs.y0 : outputs.y1, :, cells.y0 : cells.y1]
        across = self._across[outputs.x0 : outputs.x1, :, cells.x0 : cells.x1]
        bias = self._stage.layer.bias
        found = np.empty((outputs.height, outputs.width, len(bias)), values.dtype)
        for start in range(0, outputs.height, _BAND):
            self._band(values, down[start : start + _BAND], across, found[start : start + _BAND])
        found += bias
        found *= opened(self._stage.rectifier, found)
        return found

    def _band(
        self, values: np.ndarray, down: np.ndarray, across: np.ndarray, out: np.ndarray
    ) -> None:
        """Write some rows of outputs; down (h', k, h'') and across (w', k, w'')."""
        kernel, width = across.shape[1], values.shape[1]
        used = _used(down, (0, 1))
        inner = values[used].reshape(-1, values.shape[2])
        tall = np.zeros((len(down), width * kernel * out.shape[2]), values.dtype)
        for row, weight in enumerate(self._weights):
            passed = inner @ weight
            tall += down[:, row, used] @ passed.reshape(used.stop - used.start, -1)
        products = tall.reshape(len(down), width, kernel, -1)
        for start in range(0, len(across), _BAND):
            side = across[start : start + _BAND]
            seen = _used(side, (0, 1))
            taps = side[:, :, seen].transpose(0, 2, 1).reshape(len(side), -1)
            some = products[:, seen].reshape(len(down), taps.shape[1], -1)
            np.matmul(taps, some, out=out[:, start : start + _BAND])


class UpsamplingAltering(Altering):
    """A PSPNet's with learnt upsampling: all stages run again where something changed."""

    def __init__(self, evidence: UpsamplingEvidence) -> None:
        self._evidence = evidence
        self.known, self.levels = evidence.activations, evidence.levels
        stages, maps = evidence.weights.stages, dict(evidence.activations.maps)
        titles = ("bottleneck", *(f"upsampling {n}" for n in range(1, len(stages))))
        # Channels last, views: of a crop they are copied anyway.
        self._maps = [maps[title].transpose(1, 2, 0) for title in titles]
        self._stages = [
            StageAgain(stage, (one.shape[0], one.shape[1]), self.known.align_corners)
            for stage, one in zip(stages, self._maps, strict=True)
        ]

    def can_borrow(self, lender: Activations) -> bool:
        """Say whether this network read an image."""
        own, maps = dict(self.known.maps), dict(lender.maps)
        titles = [level.title for level in self._evidence.weights.levels]
        return lender.stamp.model == self.known.stamp.model and all(
            title in maps and maps[title].shape == own[title].shape for title in titles
        )

    def scores(self, what: WhatIf) -> np.ndarray:
        """Return all cell logits (N, h, w) with alterations; raises as `check`."""
        self.check(what)
        plain = self.known.scores.transpose(1, 2, 0)
        found = self.scores_within(what, Rect(0, 0, *self.known.grid), plain)
        return np.ascontiguousarray(found.transpose(2, 0, 1))

    def differing(self, what: WhatIf, last: WhatIf) -> Rect:
        """Return the cells whose scores may differ between two what-ifs."""
        return self._reached(what, last)[-1]

    def scores_within(self, what: WhatIf, cells: Rect, plain: np.ndarray) -> np.ndarray:
        """Return the scores of some cells, (h', w', N), new; see `Altering`."""
        found: np.ndarray = plain[cells.slices].copy()
        reached = self._reached(what, _NOTHING)
        wanted = [cells.intersect(reached[-1])]
        if wanted[0].is_empty:
            return found
        for stage, there in zip(reversed(self._stages), reversed(reached[:-1]), strict=True):
            wanted.insert(0, stage.read(wanted[0]).intersect(there))
        values = self._bottleneck(what, wanted[0])
        for stage, plain_map, own, goal in zip(
            self._stages, self._maps, wanted, wanted[1:], strict=False
        ):
            read = stage.read(goal)
            around = np.array(plain_map[read.slices], order="C")
            around[own.moved(-read.y0, -read.x0).slices] = values
            values = stage.run(around, read, goal)
        weights = self._evidence.weights
        scores = values @ weights.classifier.T
        scores += weights.classifier_bias
        found[wanted[-1].moved(-cells.y0, -cells.x0).slices] = scores
        return found

    # -- inside -------------------------------------------------------------------------------

    def _reached(self, what: WhatIf, last: WhatIf) -> list[Rect]:
        """Return which cells two what-ifs may set apart: at the bottleneck, and of every stage."""
        found = NO_CELLS
        if what.local != last.local:
            found = Rect(0, 0, *self._maps[0].shape[:2])
        for bins in self.levels:
            other = what.differs(last, bins)
            if other.any():
                level = self._evidence.level(bins)
                down = _used(level.rows[:, other.any(axis=1)], (1,))
                across = _used(level.columns[:, other.any(axis=0)], (1,))
                found = found.union(Rect(down.start, across.start, down.stop, across.stop))
        reached = [found]
        for stage in self._stages:
            reached.append(stage.reached(reached[-1]))
        return reached

    @cached_property
    def _local(self) -> np.ndarray:
        """What the features alone bring to the bottleneck, (h, w, K)."""
        features = self.known.features
        found: np.ndarray = features.reshape(len(features), -1).T @ self._evidence.weights.local.T
        return found.reshape(*features.shape[1:], -1)

    @cached_property
    def _z(self) -> np.ndarray:
        """What enters the bottleneck's ReLU when nothing is altered, (h, w, K)."""
        found: np.ndarray = self._local + self._evidence.weights.bias
        for bins in self.levels:
            level = self._evidence.level(bins)
            found += _spread(level.rows, level.columns, level.shares)
        return found

    def _bottleneck(self, what: WhatIf, cells: Rect) -> np.ndarray:
        """Return some cells of the bottleneck, (h', w', K), with alterations."""
        rows, columns = cells.slices
        kind = self._local.dtype
        change: np.ndarray = self._local[cells.slices] * kind.type(what.local - 1)
        for bins in self.levels:
            altered = what.differs(_NOTHING, bins)
            if not altered.any():
                continue
            level = self._evidence.level(bins)
            factors = what.factors(bins)[:, :, None].astype(level.shares.dtype)
            beyond = self._borrowed(bins, what) * factors - level.shares
            change += _spread(level.rows[rows], level.columns[columns], beyond)
        touched: np.ndarray = np.any(change, axis=-1)
        change += self._z[cells.slices]
        np.maximum(change, 0, out=change)
        np.copyto(change, self._maps[0][cells.slices], where=~touched[..., None])
        return change

    def _borrowed(self, bins: int, what: WhatIf) -> np.ndarray:
        """Return what a level's bins bring, (b, b, K), with the borrowed ones in place."""
        loans = [(place, lender) for place, lender in what.borrowed.items() if place[0] == bins]
        level = self._evidence.level(bins)
        if not loans:
            return level.shares
        shares = level.shares.copy()
        for (_, row, column), lender in loans:
            bin_ = dict(lender.maps)[level.weights.title][:, row, column]
            shares[row, column] = level.weights.joint @ bin_
        return shares


_NOTHING = WhatIf()


def _used(taps: np.ndarray, axes: tuple[int, ...]) -> slice:
    """Return from the first to the last place along the one axis left that has any weight."""
    used: np.ndarray = np.any(taps != 0, axis=axes)
    return extent(used)


def _spread(rows: np.ndarray, columns: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return bins (b, b, K) interpolated by rows (h, b) and columns (w, b), (h, w, K)."""
    across = np.matmul(columns, bins)  # (b, w, K)
    found: np.ndarray = rows @ across.reshape(len(across), -1)
    return found.reshape(len(rows), *across.shape[1:])


def only_levels(found: Activations, weights: UpsamplingWeights) -> Activations:
    """Return activations of which only the levels' maps are left, to be lent."""
    nothing, titles = np.zeros((0, 0, 0), np.float32), [level.title for level in weights.levels]
    maps = tuple(one for one in found.maps if one.title in titles)
    return replace(found, features=nothing, scores=nothing, maps=maps)
