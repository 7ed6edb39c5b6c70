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


@dataclass(frozen=True, eq=False)
class JointWeights(ConvolutionWeights):
    """The same where one more convolution, `joint`, reads the features beside the last map.

    Features come first; a ReLU follows.
    """

    joint: Layer


class DilatedHead(ExplainedHead):
    """Runs dilated FCNs."""

    @classmethod
    def runs(cls, model: Segmenter) -> bool:
        """Whether it is one."""
        return isinstance(model, DilatedFCN)

    @staticmethod
    def weights_of(model: Segmenter) -> ConvolutionWeights:
        """Read the last layers' weights, batch norms folded in."""
        assert isinstance(model, DilatedFCN)
        (classifier,) = layers_of([model.classifier])
        layers = layers_of([model.convolutions])
        matrix, bias = classifier.weight[:, :, 0, 0], classifier.bias
        if model.joint is None:
            return ConvolutionWeights(matrix, bias, layers, model.titles)
        (joint,) = layers_of([model.joint])
        return JointWeights(matrix, bias, layers, model.titles, joint)
