"""Evidence of FCN-32s, 16s and 8s: their score maps, whose upsampled sum the logits are.

There is no gate after the scores, so that all readings are one and every cell of a score map has
its own exact part: the kernel's weight times its score, less the bias, which is the constant's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pspgui.evidence.chain import Chain, Places
from pspgui.evidence.parts import Aimed, UngatedEvidence
from pspgui.evidence.readings import ChannelShares, OpenedSource, Source, Target
from pspgui.geometry import Rect
from pspgui.inference.activations import Activations
from pspgui.inference.head_weights import ScoreWeights
from pspgui.inference.layers import Transposed


class _Map(NamedTuple):
    """A score map as one pixel reads it: its title, its cells and their parts by channel (P, N).

    `level` is its place among all; `biases` is what its bias adds.
    """

    level: int
    title: str
    places: Places
    shares: np.ndarray
    biases: float

    @property
    def parts(self) -> np.ndarray:
        """The cells' parts, (P,)."""
        found: np.ndarray = self.shares.sum(axis=1)
        return found


class ScoreEvidence(UngatedEvidence):
    """What each score map adds: that of fc7, and those of the pools."""

    def __init__(self, activations: Activations, weights: ScoreWeights) -> None:
        classes, kind = len(activations.scores), activations.scores.dtype
        super().__init__(activations, np.eye(classes, dtype=kind), np.zeros(classes, kind))
        self.weights = weights
        self._titles = tuple(weights.biases)

    def _sources(self, aimed: Aimed) -> tuple[list[Source], float]:
        maps = sorted(self._walk(aimed), key=lambda found: found.level)
        sources = [
            Source(
                "score", found.level, 0, 0, float(found.parts.sum()), 1.0, True,
                self._region(found), found.title,
            )
            for found in maps
        ]  # fmt: skip
        return sources, sum(found.biases for found in maps)

    def open(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> OpenedSource:
        """Open a score map into its own cells; raises as `at` does."""
        aimed = self._aim(pixel, target)
        found = next(found for found in self._walk(aimed) if found.level == source.level)
        values = found.places.scattered(found.parts)
        values.flags.writeable = False
        whole = self._over(found.level, 0, 0, *values.shape)
        return OpenedSource(source, aimed.target, values, 0.0, whole)

    def channels(
        self, pixel: tuple[int, int], title: str, target: Target | None = None
    ) -> ChannelShares:
        """Return what every class's score of a map adds; only those that are asked about do.

        Raises as `at` does, and KeyError for the features, whose way to the scores is not kept.
        """
        if title not in self._titles:
            raise KeyError("nothing is known of the channels before the scores")
        found = next(f for f in self._walk(self._aim(pixel, target)) if f.title == title)
        return ChannelShares(found.shares.sum(axis=0), 0.0)

    def _walk(self, aimed: Aimed) -> Iterator[_Map]:
        """Yield every score map, finest first: the gradient passes them on its way back."""
        places, gradient = aimed.places, aimed.gradient
        for index in reversed(range(len(self._titles))):
            title = self._titles[index]
            maps, bias = self._maps[title], self.weights.biases[title]
            chain = Chain([self._step(index)], [(maps.shape[1], maps.shape[2])], places)
            gradient, _ = chain.back(gradient, ())
            places = chain.start
            shares = gradient * (places.of(maps) - bias)
            yield _Map(index, title, places, shares, float(gradient.sum(axis=0) @ bias))

    def _step(self, index: int) -> Transposed:
        """Return what the sum at a map's size passes next."""
        return (*self.weights.doubling, self.weights.last)[index]

    def _region(self, found: _Map) -> Rect:
        """Return the image pixels around the cells read."""
        rows, columns = found.places.rows, found.places.columns
        around = self._over(
            found.level, int(rows.min()), int(columns.min()), int(rows.max()) + 1,
            int(columns.max()) + 1,
        )  # fmt: skip
        return around.intersect(Rect(0, 0, *self.activations.image_shape))

    def _over(self, index: int, y0: int, x0: int, y1: int, x1: int) -> Rect:
        """Return the image pixels that cells of a map stand over, to the nearest."""
        stride, middle = 1, 0.0
        for step in reversed((*self.weights.doubling, self.weights.last)[index:]):
            # Cell i lies in the middle of the outputs that read it.
            middle += stride * ((step.weight.shape[-1] - 1) / 2 - step.cut)
            stride *= step.stride
        first, scale = middle + 0.5 - stride / 2, self.activations.reduction
        edges = (round((stride * cell + first) * scale) for cell in (y0, x0, y1, x1))
        return Rect(*edges)
