"""PSPNet: a backbone, a pyramid of pooled context, a bottleneck and a classifier.

Zhao et al., Pyramid Scene Parsing Network, arXiv 1612.01105; layout after the reference
implementation hszhao/semseg, model/pspnet.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from pspgui.models.backbones import build_backbone
from pspgui.models.backbones.mobilenet import build_v2
from pspgui.models.segmenter import (
    Cells,
    Segmenter,
    auxiliary_head,
    conv_bn_relu,
    convolution,
)
from pspgui.models.spec import ModelSpec


class PSPNetSpec(ModelSpec):
    """A PSPNet, its ablations included.

    `reduction` is what brings a level's pooled channels to `level_channels` (None: C/N of the
    backbone's C channels and N levels): the reference's 1x1 with batch norm and ReLU; the same
    but bare of norm, with a bias, at the 1x1 level (segmentation_models.pytorch); a 1x1 alone
    (Lextal); nothing. `concat` says whether the bottleneck reads the features before the levels.
    `bottleneck_channels` None means C/4. `local_dropout` is the share of the backbone's channels
    that training silences before the bottleneck, so that the levels must carry their part;
    `level_dropout` the share of images in which it silences bins, some or all of them, so that
    there is an answer without them, too.
    `mobilenet` is the form of a MobileNetV2: torchvision's features to 320 channels, or with its
    last 1x1 to 1280 (segmentation_models.pytorch).
    """

    architecture: Literal["pspnet"] = "pspnet"
    mobilenet: Literal["torchvision", "to_1280"] = "torchvision"
    levels: tuple[Annotated[int, Field(ge=1, le=64)], ...] = (1, 2, 3, 6)
    pool: Literal["average", "max"] = "average"
    reduction: Literal["conv_bn_relu", "conv_bn_relu_bare_1", "conv", "none"] = "conv_bn_relu"
    level_channels: Annotated[int, Field(ge=1, le=8192)] | None = None
    concat: Literal["features_first", "features_last"] = "features_first"
    bottleneck_kernel: Literal[1, 3] = 3
    bottleneck_channels: Annotated[int, Field(ge=1, le=8192)] | None = None
    classifier_kernel: Literal[1, 3] = 1
    local_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    level_dropout: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _levels_make_sense(self) -> PSPNetSpec:
        if not self.levels or len(set(self.levels)) != len(self.levels):
            raise ValueError("levels must be one or more different numbers of bins")
        if len(self.levels) > 16:
            raise ValueError("more than 16 levels")
        if self.mobilenet != "torchvision" and self.backbone != "mobilenet_v2":
            raise ValueError(f"the form {self.mobilenet} is one of MobileNetV2's")
        return self

    @property
    def name(self) -> str:
        """PSPNet."""
        return "PSPNet"

    def reduced(self, channels: int) -> int:
        """Return the channels of each level for a backbone's."""
        if self.reduction == "none":
            return channels
        return self.level_channels or max(1, channels // len(self.levels))


class PyramidPooling(nn.Module):
    """Pool the features into bins at every level and reduce each level to fewer channels."""

    def __init__(self, channels: int, spec: PSPNetSpec) -> None:
        super().__init__()
        pool = nn.AdaptiveAvgPool2d if spec.pool == "average" else nn.AdaptiveMaxPool2d
        self.branches = nn.ModuleList(
            nn.Sequential(pool(bins), *_reduction(bins, channels, spec)) for bins in spec.levels
        )

    def forward(self, features: Tensor) -> list[Tensor]:
        """Return one (B, level_channels, bins, bins) map a level."""
        return [branch(features) for branch in self.branches]


class PSPNet(Segmenter):
    """The network a `PSPNetSpec` describes, with random weights."""

    spec: PSPNetSpec

    def __init__(self, spec: PSPNetSpec) -> None:
        whole = spec.mobilenet == "to_1280"
        super().__init__(spec, build_v2(spec, "to_1280") if whole else build_backbone(spec))
        middle, last = self.backbone.channels[-2:]
        joint = last + spec.reduced(last) * len(spec.levels)
        hidden = spec.bottleneck_channels or last // 4
        self.pyramid = PyramidPooling(last, spec)
        self.local_dropout = nn.Dropout2d(spec.local_dropout)
        self.bottleneck = conv_bn_relu(joint, hidden, spec.bottleneck_kernel)
        self.dropout = nn.Dropout2d(spec.dropout)
        self.classifier = convolution(hidden, len(spec.classes), spec.classifier_kernel)
        self.auxiliary = auxiliary_head(middle, spec) if spec.auxiliary else None

    def cells(self, stages: tuple[Tensor, ...], size: tuple[int, int]) -> Cells:
        """Return the logits at the grid of cells."""
        features = stages[-1]
        levels = self.pyramid(features)
        if self.training and self.spec.level_dropout:
            levels = silenced(levels, self.spec.level_dropout)
        joint = self.concatenate(self.local_dropout(features), levels)
        return Cells(self.classifier(self.dropout(self.bottleneck(joint))))

    def concatenate(self, features: Tensor, levels: list[Tensor]) -> Tensor:
        """Upsample the levels to the features' grid and stack all channels in the spec's order."""
        upsampled = [self.upsample(level, features.shape[-2:]) for level in levels]
        if self.spec.concat == "features_first":
            return torch.cat([features, *upsampled], dim=1)
        return torch.cat([*upsampled, features], dim=1)


def silenced(levels: list[Tensor], share: float) -> list[Tensor]:
    """Return the levels with bins silenced at random in a share of the images.

    Of each such image a part of the bins, drawn anew between none and all; the others keep their
    values, as they do when a person mutes bins.
    """
    images = levels[0].shape[0]
    chosen = torch.rand(images, device=levels[0].device) < share
    kept = torch.where(chosen, torch.rand(images, device=levels[0].device) ** 2, 1.0)
    return [
        level * (torch.rand_like(level[:, :1]) < kept[:, None, None, None]) for level in levels
    ]


def _reduction(bins: int, channels: int, spec: PSPNetSpec) -> list[nn.Module]:
    """Return the layers after the pooling of one level."""
    outputs = spec.reduced(channels)
    if spec.reduction == "none":
        return []
    if spec.reduction == "conv":
        return [nn.Conv2d(channels, outputs, 1, bias=False)]
    if spec.reduction == "conv_bn_relu_bare_1" and bins == 1:
        return [nn.Conv2d(channels, outputs, 1), nn.ReLU(inplace=True)]
    return list(conv_bn_relu(channels, outputs, 1))
