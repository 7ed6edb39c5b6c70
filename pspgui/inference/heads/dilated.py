"""The dilated FCN as its own modules compute it, with what evidence needs of its last layers."""

from __future__ import annotations

from pspgui.inference.head_weights import ConvolutionWeights, JointWeights
from pspgui.inference.heads.explained import ExplainedHead
from pspgui.inference.layer_reading import layers_of
from pspgui.models.dilated_fcn import DilatedFCN
from pspgui.models.segmenter import Segmenter


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
