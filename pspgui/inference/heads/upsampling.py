"""PSPNet with learnt upsampling as its own modules compute it, with its layers for evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from torch import nn

from pspgui.inference.activations import HeadWeights
from pspgui.inference.heads.explained import ExplainedHead
from pspgui.inference.layers import Layer, Rectifier, layers_of, rectifier_of
from pspgui.models.pspnet_upsample import PSPUpsample
from pspgui.models.segmenter import Segmenter


class LinearLevel(NamedTuple):
    """One level: bins a side, its map's title, and its two products, with no gate between.

    weight (C, C) follows the pooling; joint (K, C) is the part of the bottleneck that reads it.
    """

    bins: int
    title: str
    weight: np.ndarray
    joint: np.ndarray


class Stage(NamedTuple):
    """What follows one interpolation to twice the size."""

    layer: Layer
    rectifier: Rectifier


@dataclass(frozen=True, eq=False)
class UpsamplingWeights(HeadWeights):
    """The layers between features and logits, batch norms folded in.

    classifier (N, C') and classifier_bias (N,). The bottleneck adds up local (K, C) of the
    features, every level, and bias (K,), and ends in a ReLU.
    """

    classifier: np.ndarray
    classifier_bias: np.ndarray
    levels: tuple[LinearLevel, ...]
    local: np.ndarray
    bias: np.ndarray
    stages: tuple[Stage, ...]


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
