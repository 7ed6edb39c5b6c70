"""Evidence of an FCN with learnt upsampling: what each of the backbone's stages adds on the way up.

The last stage goes through all transposed convolutions, a finer one only through those after the
place where it is added. A pixel reads two or three cells a side at every size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pspgui.evidence.chain import Chain, Places
from pspgui.evidence.parts import Aimed, CellsEvidence, branches
from pspgui.evidence.readings import (
    ChannelShares,
    OpenedSource,
    PixelEvidence,
    Reading,
    Source,
    Target,
)
from pspgui.inference.activations import Activations
from pspgui.inference.head_weights import StageWeights
from pspgui.inference.layers import RELU


class _Climb(NamedTuple):
    """One stage at the cells that a pixel reads: its steps, and what is added behind them.

    own (Q, C) is what the steps give, added (Q, C) what the backbone adds to it, zero where
    nothing is added; gradient (Q, C) of the logit at their sum, and what biases add in the steps.
    """

    chain: Chain
    places: Places
    own: np.ndarray
    added: np.ndarray
    gradient: np.ndarray
    biases: float


class StageEvidence(CellsEvidence):
    """What the backbone's last stage and those that are added bring to a pixel."""

    def __init__(self, activations: Activations, weights: StageWeights) -> None:
        super().__init__(activations, weights.classifier, weights.classifier_bias)
        self.weights = weights
        # What every stage reads, coarsest first.
        self._inputs = (activations.features, *(self._maps[title] for title in weights.titles))

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split"
    ) -> PixelEvidence:
        """Take the logit of a pixel (y, x) apart; without a target the winner's margin.

        Raises IndexError for a pixel outside the image or an unknown class, ValueError for a
        class compared with itself or a reading that is not among `readings`.
        """
        aimed = self._aim(pixel, target, reading)
        climbs, gradient = self._climbs(aimed)
        start = climbs[0].chain.start
        features = start.of(self.activations.features)
        if reading == "ablate":
            values, constant = self._silenced(climbs, features, aimed.gradient)
        else:
            constant = sum(climb.biases for climb in climbs)
            values = [float((gradient * features).sum())]
            for climb in climbs[: self.weights.skips]:
                values.append(float((climb.gradient * climb.added).sum()))
        places = [start, *(climb.places for climb in climbs[: self.weights.skips])]
        sources = [
            Source("branch", index, 0, 0, value, 1.0, True, self._around(where),
                   f"backbone at 1/{32 >> index}")
            for index, (value, where) in enumerate(zip(values, places, strict=True))
        ]  # fmt: skip
        return branches(aimed, sources, aimed.offset + constant, reading)

    def worth(self, pixel: tuple[int, int], target: Target, kept: np.ndarray) -> np.ndarray:
        """Return the target's logit with only some stages, (V,); see `CellsEvidence.worth`."""
        aimed = self._aim(pixel, target)
        climbs, _ = self._climbs(aimed)
        features = climbs[0].chain.start.of(self.activations.features)
        spoken = kept.astype(features.dtype)[:, :, None, None]
        variants = spoken[:, 0] * features
        for index, climb in enumerate(climbs):
            variants = climb.chain.run(variants)[0]
            if index < self.weights.skips:
                variants = variants + spoken[:, index + 1] * climb.added
        found: np.ndarray = (variants * aimed.gradient).sum(axis=(1, 2))
        return found + aimed.offset

    def open(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> OpenedSource:
        """Open a stage of the backbone into its own cells; raises as `at` does."""
        aimed = self._aim(pixel, target)
        climbs, gradient = self._climbs(aimed)
        if source.level:
            climb = climbs[source.level - 1]
            where, parts = climb.places, (climb.gradient * climb.added).sum(axis=1)
        else:
            where = climbs[0].chain.start
            parts = (gradient * where.of(self.activations.features)).sum(axis=1)
        values = where.scattered(parts)
        values.flags.writeable = False
        return OpenedSource(source, aimed.target, values, 0.0)

    def channels(
        self, pixel: tuple[int, int], title: str, target: Target | None = None
    ) -> ChannelShares:
        """Return what every channel of a stage's sum adds, or of the features for "".

        A stage's sum and the biases behind it are the logit; the features alone are a source.
        Raises as `at` does, and KeyError for a map that there is not.
        """
        aimed = self._aim(pixel, target)
        climbs, gradient = self._climbs(aimed)
        if not title:
            features = climbs[0].chain.start.of(self.activations.features)
            return ChannelShares(np.einsum("pc,pc->c", gradient, features), 0.0)
        if title not in self.weights.titles:
            raise KeyError(f"there is no map {title}")
        index = self.weights.titles.index(title)
        climb = climbs[index]
        values = np.einsum("pc,pc->c", climb.gradient, climb.places.of(self._maps[title]))
        rest = sum(later.biases for later in climbs[index + 1 :])
        # What is added further up comes from elsewhere, and is no part of these channels.
        return ChannelShares(values, aimed.offset + rest)

    def _climbs(self, aimed: Aimed) -> tuple[list[_Climb], np.ndarray]:
        """Return all stages, coarsest first, and the gradient at the features."""
        places, gradient = aimed.places, aimed.gradient
        found: list[_Climb] = []
        for index in reversed(range(len(self.weights.stages))):
            stage, maps = self.weights.stages[index], self._inputs[index]
            shape = (maps.shape[1], maps.shape[2])
            chain = Chain(
                [stage.layer, RELU, stage.norm], [shape, places.shape, places.shape], places
            )
            outputs, gates = chain.run(chain.start.of(maps)[None])
            own = outputs[0]
            added = np.zeros_like(own)
            if index < self.weights.skips:
                added = places.of(self._maps[self.weights.titles[index]]) - own
            back, biases = chain.back(gradient, gates)
            found.insert(0, _Climb(chain, places, own, added, gradient, biases))
            places, gradient = chain.start, back
        return found, gradient

    def _silenced(
        self, climbs: Sequence[_Climb], features: np.ndarray, gradient: np.ndarray
    ) -> tuple[list[float], float]:
        """Return by how much the logit falls without each source, and what is left without all."""
        # Variants: nothing silent, the features silent, everything silent, and then each stage.
        variants = np.stack([features, np.zeros_like(features), np.zeros_like(features)])
        for index, climb in enumerate(climbs):
            own = climb.chain.run(variants)[0]
            variants = own + climb.added
            variants[2] = own[2]
            if index < self.weights.skips:
                variants = np.concatenate([variants, own[:1]])
        worth = (variants * gradient).sum(axis=(1, 2))
        falls = worth[0] - worth
        return [float(falls[1]), *falls[3:].tolist()], float(worth[2])
