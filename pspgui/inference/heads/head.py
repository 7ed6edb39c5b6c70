"""What inference asks of every kind of network."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from torch import Tensor, nn

from pspgui.inference.activations import Activations, Frame, HeadWeights
from pspgui.models.segmenter import Segmenter


class Head(ABC):
    """A network cut in two: `trunk`, heavy and run by any backend, and the rest, exact in fp32.

    `trunk` takes normalised images (1, 3, H, W) and gives a tuple of tensors, features first; it
    is in evaluation mode, with batch norms folded, and shares no weights with the model.
    """

    trunk: nn.Module

    @classmethod
    @abstractmethod
    def runs(cls, model: Segmenter) -> bool:
        """Say whether this kind can run a network."""

    @abstractmethod
    def __init__(self, model: Segmenter, device: str) -> None: ...

    @abstractmethod
    def activations(self, outputs: tuple[Tensor, ...], frame: Frame) -> Activations:
        """Return everything worth keeping from the trunk's outputs, in float32."""

    def scores(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """Return the (N, h, w) float32 logits alone, for passes whose maps nobody will see."""
        raise NotImplementedError

    def weights(self) -> HeadWeights | None:
        """Return what evidence needs of the last layers, or None where there is no evidence."""
        return None


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Return a contiguous copy or view on the CPU."""
    return np.ascontiguousarray(tensor.cpu().numpy())
