"""The FCN with learnt upsampling as its own modules compute it, with its stages for evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from torch import nn

from pspgui.inference.activations import HeadWeights
from pspgui.inference.heads.explained import ExplainedHead
from pspgui.inference.layers import Scale, Transposed, layers_of, scale_of, transposed_of
from pspgui.models.fcn_stages import FCNStages
from pspgui.models.segmenter import Segmenter


class Doubling(NamedTuple):
    """One stage: a transposed convolution, a ReLU, and a batch norm."""

    layer: Transposed
    norm: Scale


@dataclass(frozen=True, eq=False)
class StageWeights(HeadWeights):
    """The layers between features and logits.

    classifier (N, C) and classifier_bias (N,). After each of the first `skips` of `stages` one of
    the backbone's stages is added, through the norm or behind it: either way a stage's map less
    what the norm gives of the ReLU's output alone is what was added. `titles` name the maps of
    all stages but the last.
    """

    classifier: np.ndarray
    classifier_bias: np.ndarray
    stages: tuple[Doubling, ...]
    titles: tuple[str, ...]
    skips: int


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
