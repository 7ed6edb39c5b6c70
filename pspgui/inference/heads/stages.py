"""The FCN with learnt upsampling as its own modules compute it, with its stages for evidence."""

from __future__ import annotations

from typing import cast

from torch import nn

from pspgui.inference.head_weights import Doubling, StageWeights
from pspgui.inference.heads.explained import ExplainedHead
from pspgui.inference.layer_reading import layers_of, scale_of, transposed_of
from pspgui.models.fcn_stages import FCNStages
from pspgui.models.segmenter import Segmenter


class StagesHead(ExplainedHead):
    """Runs FCNs that learn to upsample."""

    @classmethod
    def runs(cls, model: Segmenter) -> bool:
        """Whether it is one."""
        return type(model) is FCNStages

    @staticmethod
    def weights_of(model: Segmenter) -> StageWeights:
        """Read the stages' weights."""
        assert isinstance(model, FCNStages)
        (classifier,) = layers_of([model.classifier])
        stages = tuple(
            Doubling(
                transposed_of(cast(nn.ConvTranspose2d, cast(nn.Sequential, double)[0])),
                scale_of(cast(nn.BatchNorm2d, norm)),
            )
            for double, norm in zip(model.upsampling, model.norms, strict=True)
        )
        return StageWeights(
            classifier.weight[:, :, 0, 0], classifier.bias, stages, model.titles,
            model.spec.skips,
        )  # fmt: skip
