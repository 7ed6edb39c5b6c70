"""A network that classifies its backbone's features cell by cell, with nothing in between."""

from __future__ import annotations

from pspgui.inference.head_weights import DirectWeights
from pspgui.inference.heads.explained import ExplainedHead
from pspgui.inference.layer_reading import layers_of
from pspgui.models.deeplabv3 import DeepLabV3
from pspgui.models.segmenter import Segmenter


class DirectHead(ExplainedHead):
    """Runs DeepLabV3s without branches: cascades, whose depth does what branches do elsewhere."""

    @classmethod
    def runs(cls, model: Segmenter) -> bool:
        """Whether it is a DeepLabV3 without branches."""
        return isinstance(model, DeepLabV3) and model.aspp is None

    @staticmethod
    def weights_of(model: Segmenter) -> DirectWeights:
        """Read the classifier's weights."""
        assert isinstance(model, DeepLabV3)
        (classifier,) = layers_of([model.classifier])
        return DirectWeights(classifier.weight[:, :, 0, 0], classifier.bias)
