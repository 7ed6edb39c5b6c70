"""PSPNet with learnt upsampling as its own modules compute it, with its layers for evidence."""

from __future__ import annotations

from typing import cast

import numpy as np
from torch import nn

from pspgui.inference.head_weights import LinearLevel, Stage, UpsamplingWeights
from pspgui.inference.heads.explained import ExplainedHead
from pspgui.inference.layer_reading import layers_of, rectifier_of
from pspgui.models.pspnet_upsample import PSPUpsample
from pspgui.models.segmenter import Segmenter


class UpsamplingHead(ExplainedHead):
    """Runs PSPNets that learn to upsample."""

    @classmethod
    def runs(cls, model: Segmenter) -> bool:
        """Whether it is one."""
        return type(model) is PSPUpsample

    @staticmethod
    def weights_of(model: Segmenter) -> UpsamplingWeights:
        """Read the last layers' weights, batch norms folded in."""
        assert isinstance(model, PSPUpsample)
        (classifier,) = layers_of([model.classifier])
        (bottleneck,) = layers_of([model.bottleneck])
        *joints, local = np.split(bottleneck.weight[:, :, 0, 0], len(model.titles) + 1, axis=1)
        levels = zip(model.spec.levels, model.titles, model.pyramid, joints, strict=True)
        return UpsamplingWeights(
            classifier.weight[:, :, 0, 0],
            classifier.bias,
            tuple(
                LinearLevel(bins, title, layers_of([level])[0].weight[:, :, 0, 0], joint)
                for bins, title, level, joint in levels
            ),
            local,
            bottleneck.bias,
            tuple(_stage(cast(nn.Sequential, stage)) for stage in model.upsampling),
        )


def _stage(stage: nn.Sequential) -> Stage:
    (layer,) = layers_of([stage])
    (slope,) = (rectifier_of(module) for module in stage if isinstance(module, nn.PReLU))
    return Stage(layer, slope)
