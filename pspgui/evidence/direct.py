"""Evidence of a network that classifies its features directly: they are the one source there is.

Nothing comes between the features of a cell and its logits, so all readings are one; the cells
that a pixel mixes, and the channels there, have exact parts.
"""

from __future__ import annotations

import numpy as np

from pspgui.evidence.parts import Aimed, UngatedEvidence
from pspgui.evidence.readings import ChannelShares, OpenedSource, Source, Target
from pspgui.inference.activations import Activations
from pspgui.inference.head_weights import DirectWeights


class DirectEvidence(UngatedEvidence):
    """What the features add at the one to four cells that a pixel mixes."""

    def __init__(self, activations: Activations, weights: DirectWeights) -> None:
        super().__init__(activations, weights.classifier, weights.classifier_bias)
        self.weights = weights

    def _sources(self, aimed: Aimed) -> tuple[list[Source], float]:
        source = Source(
            "branch", 0, 0, 0, float(self._shares(aimed).sum()), 1.0, True,
            self._around(aimed.places), "features",
        )  # fmt: skip
        return [source], aimed.offset

    def open(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> OpenedSource:
        """Open the features into the cells of the backbone; raises as `at` does."""
        aimed = self._aim(pixel, target)
        values = aimed.places.scattered(self._shares(aimed).sum(axis=1))
        values.flags.writeable = False
        return OpenedSource(source, aimed.target, values, 0.0)

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
