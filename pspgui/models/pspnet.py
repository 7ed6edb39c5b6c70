"""PSPNet: a backbone, a pyramid of pooled context, a bottleneck and a classifier.

Zhao et al., Pyramid Scene Parsing Network, arXiv 1612.01105; layout after the reference
implementation hszhao/semseg, model/pspnet.py.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn

from pspgui.models.backbones import build_backbone
from pspgui.models.spec import ModelSpec


class Scores(NamedTuple):
    """Logits at image resolution, (B, classes, H, W); `auxiliary` is None without that head."""

    main: Tensor
    auxiliary: Tensor | None


class PyramidPooling(nn.Module):
    """Pool the features into bins at every level and reduce each level to fewer channels."""

    def __init__(self, channels: int, level_channels: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), *conv_bn_relu(channels, level_channels, 1))
            for bins in levels
        )

    def forward(self, features: Tensor) -> list[Tensor]:
        """Return one (B, level_channels, bins, bins) map a level."""
        return [branch(features) for branch in self.branches]


class PSPNet(nn.Module):
    """The network a `ModelSpec` describes, with random weights."""

    spec: ModelSpec

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = build_backbone(spec)
        middle, last = self.backbone.channels
        reduced = spec.level_channels or last // len(spec.levels)
        hidden = spec.bottleneck_channels or last // 4
        classes = len(spec.classes)

        self.pyramid = PyramidPooling(last, reduced, spec.levels)
        self.local_dropout = nn.Dropout2d(spec.local_dropout)
        self.bottleneck = conv_bn_relu(last + reduced * len(spec.levels), hidden, 3)
        self.dropout = nn.Dropout2d(spec.dropout)
        self.classifier = nn.Conv2d(hidden, classes, 1)
        self.auxiliary = (
            nn.Sequential(
                *conv_bn_relu(middle, spec.auxiliary_channels or middle // 4, 3),
                nn.Dropout2d(spec.dropout),
                nn.Conv2d(spec.auxiliary_channels or middle // 4, classes, 1),
            )
            if spec.auxiliary
            else None
        )

    def forward(self, images: Tensor) -> Scores:
        """Return logits for normalised images (B, 3, H, W) whose size meets the spec's rule."""
        middle, features = self.backbone(images)
        levels = self.pyramid(features)
        hidden = self.bottleneck(self.concatenate(self.local_dropout(features), levels))
        main = self.upsample(self.classifier(self.dropout(hidden)), images.shape[-2:])
        if self.auxiliary is None:
            return Scores(main, None)
        return Scores(main, self.upsample(self.auxiliary(middle), images.shape[-2:]))

    def concatenate(self, features: Tensor, levels: list[Tensor]) -> Tensor:
        """Upsample the levels to the features' grid and stack all channels in the spec's order."""
        grid = features.shape[-2:]
        upsampled = [self.upsample(level, grid) for level in levels]
        if self.spec.concat == "features_first":
            return torch.cat([features, *upsampled], dim=1)
        return torch.cat([*upsampled, features], dim=1)

    def upsample(self, maps: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
        """Resize bilinearly, corners aligned or not as the spec says."""
        return F.interpolate(maps, size, mode="bilinear", align_corners=self.spec.align_corners)


def conv_bn_relu(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Return convolution without bias, batch norm and ReLU, at unchanged size."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
