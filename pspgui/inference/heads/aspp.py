"""DeepLabV3 as its own modules compute it, with what evidence needs of its last layers."""

from __future__ import annotations

from pspgui.inference.head_weights import ASPPWeights
from pspgui.inference.heads.explained import ExplainedHead
from pspgui.inference.layer_reading import layers_of
from pspgui.models.deeplabv3 import DeepLabV3
from pspgui.models.segmenter import Segmenter


class ASPPHead(ExplainedHead):
    """Runs DeepLabV3s that have atrous branches."""

    @classmethod
    def runs(cls, model: Segmenter) -> bool:
        """Whether it is a DeepLabV3 with branches."""
        return isinstance(model, DeepLabV3) and model.aspp is not None

    @staticmethod
    def weights_of(model: Segmenter) -> ASPPWeights:
        """Read the last layers' weights, batch norms folded in."""
        assert isinstance(model, DeepLabV3) and model.aspp is not None
        (classifier,) = layers_of([model.classifier])
        branches = zip(model.aspp.titles, model.aspp.branches, strict=True)
        return ASPPWeights(
            classifier.weight[:, :, 0, 0],
            classifier.bias,
            {title: layers_of([branch]) for title, branch in branches},
            layers_of([model.project]),
            layers_of([model.decoder]),
            "" if model.spec.image_pool == "none" else "Image pool",
        )
