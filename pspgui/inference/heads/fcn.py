"""FCN-32s, 16s and 8s as their own modules compute them, with how their score maps are summed."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from pspgui.inference.head_weights import ScoreWeights
from pspgui.inference.heads.explained import ExplainedHead
from pspgui.inference.layer_reading import to_array, transposed_of
from pspgui.models.fcn import FCN, IMAGE_CUTS
from pspgui.models.segmenter import Segmenter


class FCNHead(ExplainedHead):
    """Runs FCNs that sum score maps."""

    @classmethod
    def runs(cls, model: Segmenter) -> bool:
        """Whether it is one."""
        return type(model) is FCN

    @staticmethod
    def weights_of(model: Segmenter) -> ScoreWeights:
        """Read how the score maps are summed."""
        assert isinstance(model, FCN)
        layers = [cast(nn.Conv2d, layer) for layer in (model.score, *model.skip_scores)]
        return ScoreWeights(
            {
                title: to_array(cast(Tensor, layer.bias))
                for title, layer in zip(model.titles, layers, strict=True)
            },
            tuple(transposed_of(cast(nn.ConvTranspose2d, layer)) for layer in model.doubling),
            transposed_of(model.last, IMAGE_CUTS[model.spec.skips]),
        )
