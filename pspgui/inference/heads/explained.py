"""A network as its own modules compute it, whose last layers evidence can follow."""

from __future__ import annotations

from abc import abstractmethod

from pspgui.inference.activations import HeadWeights
from pspgui.inference.heads.plain import PlainHead
from pspgui.models.segmenter import Segmenter


class ExplainedHead(PlainHead):
    """Keeps the last layers' weights once they were asked for: every image asks again."""

    def __init__(self, model: Segmenter, device: str) -> None:
        super().__init__(model, device)
        self._source = model
        self._weights: HeadWeights | None = None

    def weights(self) -> HeadWeights:
        """Return the last layers' weights, which may share memory with the model's."""
        if self._weights is None:
            self._weights = self.weights_of(self._source)
        return self._weights

    @staticmethod
    @abstractmethod
    def weights_of(model: Segmenter) -> HeadWeights:
        """Read the last layers' weights, batch norms folded in."""
