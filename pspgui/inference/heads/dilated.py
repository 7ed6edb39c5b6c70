"""The dilated FCN as its own modules compute it, with what evidence needs of its last layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pspgui.inference.activations import HeadWeights
from pspgui.inference.heads.explained import ExplainedHead
from pspgui.inference.layers import Layer, layers_of
from pspgui.models.dilated_fcn import DilatedFCN
from pspgui.models.segmenter import Segmenter


@dataclass(frozen=True, eq=False)
class ConvolutionWeights(HeadWeights):
    """Convolutions between features and logits, each followed by a ReLU, batch norms folded in.

    classifier (N, C) and classifier_bias (N,). The map after each of `layers` is among the
    activations' maps, under the title in `titles`.
    """

    classifier: np.ndarray
    classifier_bias: np.ndarray
    layers: tuple[Layer, ...]
    titles: tuple[str, ...]


class DilatedHead(ExplainedHead):
    """Runs dilated FCNs whose convolutions follow one another."""

    @classmethod
    def runs(cls, model: Segmenter) -> bool:
        """Whether it is one, and its head reads the features only once."""
        return isinstance(model, DilatedFCN) and model.joint is None

    @staticmethod
    def weights_of(model: Segmenter) -> ConvolutionWeights:
        """Read the last layers' weights, batch norms folded in."""
        assert isinstance(model, DilatedFCN)
        (classifier,) = layers_of([model.classifier])
        layers = layers_of([model.convolutions])
        return ConvolutionWeights(
            classifier.weight[:, :, 0, 0], classifier.bias, layers, model.titles
        )
