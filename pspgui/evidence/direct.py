"""Evidence of a network that classifies its features directly: they are the one source there is.

Nothing comes between the features of a cell and its logits, so all readings are one; the cells
that a pixel mixes, and the channels there, have exact parts.
"""

from __future__ import annotations

import numpy as np

from pspgui.evidence.parts import Aimed, CellsEvidence, branches
from pspgui.evidence.readings import (
    READINGS,
    ChannelShares,
    OpenedSource,
    PixelEvidence,
    Reading,
    Source,
    Target,
)
from pspgui.inference.activations import Activations
from pspgui.inference.heads.direct import DirectWeights


class DirectEvidence(CellsEvidence):
    """What the features add at the one to four cells that a pixel mixes."""

    def __init__(self, activations: Activations, weights: DirectWeights) -> None:
        super().__init__(activations, weights.classifier, weights.classifier_bias)
        self.weights = weights

    @property
    def readings(self) -> tuple[Reading, ...]:
        """All: without gates they are the same."""
        return READINGS

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split"
    ) -> PixelEvidence:
        """Take the logit of a pixel (y, x) apart; without a target the winner's margin.

        Raises IndexError for a pixel outside the image or an unknown class, ValueError for a
        class compared with itself.
        """
        aimed = self._aim(pixel, target, reading)
        source = Source(
            "branch", 0, 0, 0, float(self._shares(aimed).sum()), 1.0, True,
            self._around(aimed.places), "features",
        )  # fmt: skip
        return branches(aimed, [source], aimed.offset, reading)

    def open(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> OpenedSource:
        """Open the features into the cells of the backbone; raises as `at` does."""
        aimed = self._aim(pixel, target)
        values = aimed.places.scattered(self._shares(aimed).sum(axis=1))
        values.flags.writeable = False
        return OpenedSource(source, aimed.target, values, 0.0)

    def worth(self, pixel: tuple[int, int], target: Target, kept: np.ndarray) -> np.ndarray:
        """Return the target's logit with the features or without, (V,); without gates a sum."""
        found = self.at(pixel, target)
        total: np.ndarray = found.constant + kept @ np.array([found.sources[0].value])
        return total

    def channels(
        self, pixel: tuple[int, int], title: str, target: Target | None = None
    ) -> ChannelShares:
        """Return what every channel of the features, "", adds; KeyError for other maps."""
        if title:
            raise KeyError(f"there is no map {title!r} between features and logits")
        return ChannelShares(self._shares(self._aim(pixel, target)).sum(axis=0), 0.0)

    def _shares(self, aimed: Aimed) -> np.ndarray:
        """Return what every channel adds at the cells, (P, C)."""
        found: np.ndarray = aimed.gradient * aimed.places.of(self.activations.features)
        return found
