"""Evidence of a PSPNet with learnt upsampling: local features and bins, as of the plain PSPNet.

Between the bottleneck and a pixel lie three stages of interpolation, 3x3 convolution and PReLU.
They are computed anew at the few cells that the pixel reads, which the map of the last stage,
too large to be kept, makes necessary anyway.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np

from pspgui.evidence.chain import Chain, Places, opened
from pspgui.evidence.parts import Aimed, Parts, PartsEvidence
from pspgui.evidence.psp import LevelMeans
from pspgui.evidence.psp_reads import pixels_of
from pspgui.evidence.readings import (
    LOCAL,
    ZERO,
    ChannelShares,
    LevelReading,
    PixelEvidence,
    PyramidEvidence,
    Reading,
    Source,
    Target,
)
from pspgui.geometry import Rect, bin_span, interpolation_matrix
from pspgui.inference.activations import Activations
from pspgui.inference.head_weights import LinearLevel, UpsamplingWeights
from pspgui.inference.layers import RELU, Resize, Step


class InterpolatedLevel(NamedTuple):
    """One level of an image: how cells read it along each axis, and what its bins bring.

    rows (h, b), columns (w, b); shares (b, b, K) at the bottleneck where a bin is read wholly.
    """

    weights: LinearLevel
    rows: np.ndarray
    columns: np.ndarray
    shares: np.ndarray
    regions: tuple[tuple[Rect, ...], ...]

    def read(self, places: Places) -> np.ndarray:
        """Return the weight with which every place reads every bin, (P, b, b)."""
        found: np.ndarray = (
            self.rows[places.rows][:, :, None] * self.columns[places.columns][:, None]
        )
        return found


class UpsamplingEvidence(PartsEvidence):
    """What local features and every bin add, through all stages' gates."""

    slow_readings: ClassVar[tuple[Reading, ...]] = ("ablate",)
    """Some 30 ms: all stages are run once for every bin that is read."""
    compares: ClassVar[bool] = True
    """Whether sources can be compared with a mean bin."""

    def __init__(
        self, activations: Activations, weights: UpsamplingWeights,
        baseline: LevelMeans | None = None,
    ) -> None:  # fmt: skip
        super().__init__(activations, weights.classifier, weights.classifier_bias)
        self.weights = weights
        self.baseline = baseline
        """What bins are compared with unless `at` is told otherwise; None for silence."""
        self._grid = (activations.features.shape[1], activations.features.shape[2])
        self._levels = {level.bins: self._level(level) for level in weights.levels}
        self._bias = weights.bias
        if baseline is not None:
            # Interpolation weights add up to 1: what all bins have in common is a bias.
            means = zip(self._levels.items(), baseline.taps, strict=True)
            for (bins, level), mean in means:
                self._levels[bins] = level._replace(shares=level.shares - mean[0, 0])
            self._bias = self._bias + np.sum([mean[0, 0] for mean in baseline.taps], axis=0)
        self._beyond: UpsamplingEvidence | None = None

    def takes(self, baseline: LevelMeans) -> bool:
        """Say whether a baseline is of this network: its levels, and its weights where told."""
        own = baseline.digest in ("", self.activations.stamp.model)
        wide = len(self.weights.bias)
        return own and [mean.shape for mean in baseline.taps] == [(1, 1, wide)] * len(self.levels)

    def beyond(self, baseline: LevelMeans | None) -> UpsamplingEvidence:
        """Return what answers with bins compared with a baseline; None for silence."""
        if baseline is self.baseline:
            return self
        kept = self._beyond  # in one piece: another thread may put another there
        if kept is None or kept.baseline is not baseline:
            kept = UpsamplingEvidence(self.activations, self.weights, baseline)
            self._beyond = kept
        return kept

    def bins_on_average(self) -> tuple[np.ndarray, ...]:
        """Return the mean of each level over its bins, (1, 1, K) each, as `LevelMeans` has it."""
        return tuple(level.shares.mean(axis=(0, 1))[None, None] for level in self._levels.values())

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split",
        baseline: LevelMeans | None = None,
    ) -> PixelEvidence:  # fmt: skip
        """Take the logit of a pixel (y, x) apart; as `PartsEvidence` does, and with a baseline."""
        if baseline is not None and baseline is not self.baseline:
            return self.beyond(baseline).at(pixel, target, reading)
        return super().at(pixel, target, reading)

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels' bins a side."""
        return tuple(self._levels)

    def level(self, bins: int) -> InterpolatedLevel:
        """Return the level of so many bins a side; raises KeyError."""
        return self._levels[bins]

    def reach_map(self, level: int, row: int, col: int) -> np.ndarray:
        """Return the weight with which every cell of the bottleneck reads a bin, (h, w) float32.

        Raises KeyError and IndexError for a bin that there is not.
        """
        found = self._levels[level]
        return np.outer(found.rows[:, row], found.columns[:, col]).astype(np.float32)

    @property
    def _rectifiers(self) -> int:
        return 1 + len(self.weights.stages)

    def _chain(self, outputs: Places) -> Chain:
        steps: list[Step] = [RELU]
        shapes = [self._grid]
        for stage in self.weights.stages:
            height, width = shapes[-1]
            shapes += [(height, width), *[(2 * height, 2 * width)] * 2]
            steps += [Resize(self.activations.align_corners), stage.layer, stage.rectifier]
        return Chain(steps, shapes, outputs)

    def _parts(self, places: Places) -> Parts:
        """Return what the features bring to the bottleneck, and then every bin that is read."""
        found = [places.of(self.activations.features) @ self.weights.local.T]
        for level in self._levels.values():
            read = level.read(places)
            for row, column in np.argwhere(read.any(axis=0)).tolist():
                found.append(read[:, row, column, None] * level.shares[row, column])
        return Parts(np.stack(found), self._bias)

    def _groups(self, places: Places) -> list[slice]:
        """Return where among the parts each level's bins lie."""
        counts = [level.read(places).any(axis=0).sum() for level in self._levels.values()]
        ends = np.cumsum([1, *counts]).tolist()
        return [slice(a, b) for a, b in pairwise(ends)]

    def _split(self, chain: Chain, aimed: Aimed) -> tuple[np.ndarray, float]:
        """Return every part's gradient times value, (S,), and what the biases add.

        Of bins that differ by their weights alone nothing is written out cell by cell.
        """
        if not self._signs_tell:
            return super()._split(chain, aimed)
        pull, biases = chain.back(aimed.gradient, self._read_off(chain, aimed.places))
        features = chain.start.of(self.activations.features)
        local = np.vdot(pull @ self.weights.local, features)
        found = [np.array([local], pull.dtype)]
        for level in self._levels.values():
            read = level.read(chain.start)
            reached = read.any(axis=0)
            shares = pull @ level.shares[reached].T
            found.append((read[:, reached] * shares).sum(axis=0))
        return np.concatenate(found), biases + float(pull.sum(axis=0) @ self._bias)

    @property
    def _signs_tell(self) -> bool:
        """Whether all gates but the last can be read off what passed them."""
        return not any((stage.rectifier.slope <= 0).any() for stage in self.weights.stages[:-1])

    def _gates(self, chain: Chain, outputs: Places, parts: Parts) -> list[np.ndarray]:
        """Return how far the gates are open, read off the maps where their signs tell."""
        if not self._signs_tell:
            return super()._gates(chain, outputs, parts)
        return self._read_off(chain, outputs)

    def _read_off(self, chain: Chain, outputs: Places) -> list[np.ndarray]:
        """Return how far the gates are open by the maps; the last are computed."""
        *stages, last = self.weights.stages
        steps = (RELU, *(stage.rectifier for stage in stages))
        titles = ("bottleneck", *(f"upsampling {n}" for n in range(1, len(steps))))
        found = [
            opened(step, places.of(self._maps[title])[None])
            for step, places, title in zip(steps, chain.gated[:-1], titles, strict=True)
        ]
        before = self._maps[titles[-1]]
        height, width = before.shape[1:]
        tail = Chain(
            [Resize(self.activations.align_corners), *last],
            [(height, width), *[(2 * height, 2 * width)] * 2],
            outputs,
        )
        return [*found, *tail.run(tail.start.of(before)[None])[1]]

    def _found(
        self, aimed: Aimed, places: Places, values: np.ndarray, constant: float, reading: Reading
    ) -> PixelEvidence:
        levels, rest = {}, values[1:]
        for bins, level in self._levels.items():
            read = level.read(places)
            reachable = np.asarray(read.any(axis=0))
            own = np.zeros((bins, bins), values.dtype)
            own[reachable], rest = np.split(rest, [np.count_nonzero(reachable)])
            levels[bins] = LevelReading(own, read.mean(axis=0), reachable, level.regions)
        # What is left are the levels, each silenced as a whole.
        falls = dict(zip(levels, rest.tolist(), strict=True)) if reading == "ablate" else None
        return PyramidEvidence(
            aimed.pixel, aimed.target, aimed.logit, constant, float(values[0]),
            self._around(places), levels, reading,
            ZERO if self.baseline is None else self.baseline.name, falls,
        )  # fmt: skip

    def _opened(
        self, places: Places, gradient: np.ndarray, source: Source
    ) -> tuple[np.ndarray, float]:
        features = self.activations.features
        if source.level == LOCAL:
            parts = np.einsum("pc,pc->p", gradient @ self.weights.local, places.of(features))
            return places.scattered(parts), 0.0
        if source.kind == "level":
            return self._opened_level(places, gradient, source)
        level = self._levels[source.level]
        pull = level.read(places)[:, source.row, source.col] @ gradient
        pull = pull @ level.weights.joint @ level.weights.weight
        values = np.zeros(self._grid, features.dtype)
        y0, y1 = bin_span(source.row, source.level, self._grid[0])
        x0, x1 = bin_span(source.col, source.level, self._grid[1])
        inside = np.tensordot(pull, features[:, y0:y1, x0:x1], axes=1)
        values[y0:y1, x0:x1] = inside / inside.size
        return values, 0.0

    def _opened_level(
        self, places: Places, gradient: np.ndarray, source: Source
    ) -> tuple[np.ndarray, float]:
        """Return what all bins of a level that are read add, by cell."""
        values = np.zeros(self._grid, self.activations.features.dtype)
        read = self._levels[source.level].read(places).any(axis=0)
        for row, column in np.argwhere(read).tolist():
            one = source._replace(kind="bin", row=row, col=column)
            values += self._opened(places, gradient, one)[0]
        return values, 0.0

    def _steps_behind(self, title: str, outputs: Places) -> Chain | None:
        titles = ("bottleneck", *(f"upsampling {n}" for n in range(1, len(self.weights.stages))))
        if title not in titles:
            return None
        steps: list[Step] = []
        height, width = self._maps[title].shape[1:]
        shapes: list[tuple[int, int]] = []
        for stage in self.weights.stages[titles.index(title) :]:
            steps += [Resize(self.activations.align_corners), stage.layer, stage.rectifier]
            shapes += [(height, width), *[(2 * height, 2 * width)] * 2]
            height, width = shapes[-1]
        return Chain(steps, shapes, outputs)

    def _channels_of(
        self, title: str, places: Places, gradient: np.ndarray
    ) -> ChannelShares:
        if not title:
            back = gradient @ self.weights.local
            features = places.of(self.activations.features)
            return ChannelShares(np.einsum("pc,pc->c", back, features), 0.0)
        level = next(own for own in self._levels.values() if own.weights.title == title)
        at_bins = np.einsum("pij,pk->ijk", level.read(places), gradient) @ level.weights.joint
        return ChannelShares(np.einsum("ijc,cij->c", at_bins, self._maps[title]), 0.0)

    def _level(self, level: LinearLevel) -> InterpolatedLevel:
        known, kind = self.activations, self.activations.features.dtype
        spans = [
            [bin_span(index, level.bins, size) for index in range(level.bins)]
            for size in self._grid
        ]
        rows, columns = (
            interpolation_matrix(size, level.bins, known.align_corners).astype(kind)
            for size in self._grid
        )
        regions = tuple(
            tuple(pixels_of(known, *y, *x, self._grid) for x in spans[1]) for y in spans[0]
        )
        shares = np.tensordot(self._maps[level.title], level.joint, axes=(0, 1))
        return InterpolatedLevel(level, rows, columns, shares, regions)
