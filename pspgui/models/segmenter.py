"""What every network here is: a backbone, logits at cells, and their way to image resolution."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn

from pspgui.models.backbones.stages import Backbone
from pspgui.models.spec import ModelSpec


class Scores(NamedTuple):
    """Logits at image resolution, (B, classes, H, W).

    `auxiliary`: the same from the auxiliary head; `image_level`: (B, classes) logits of which
    classes the image holds. None without such a head, or in use, where only `main` counts.
    """

    main: Tensor
    auxiliary: Tensor | None = None
    image_level: Tensor | None = None


class Cells(NamedTuple):
    """What a network computes before the last upsampling.

    scores: (B, classes, h, w) logits, whose bilinear interpolation to the image's size is the
    network's output (h, w may be that size already); maps: what lies between features and
    scores and is worth showing, by title, each (B, C, h', w').
    """

    scores: Tensor
    maps: Mapping[str, Tensor] = MappingProxyType({})


class Segmenter(nn.Module):
    """A network in the parts that inference and evidence ask for separately.

    `auxiliary`, where there is one, reads the stage before last and is for training only.
    """

    auxiliary: nn.Module | None

    def __init__(self, spec: ModelSpec, backbone: Backbone) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = backbone
        self.auxiliary = None

    @property
    def keep(self) -> int:
        """How many of the backbone's last stages `cells` reads."""
        return 2 if self.auxiliary is not None else 1

    def cells(self, stages: tuple[Tensor, ...], size: tuple[int, int]) -> Cells:
        """Return the logits at cells from the last stages, for images of `size`."""
        raise TypeError(f"{type(self).__name__} has no cells")

    def forward(self, images: Tensor) -> Scores:
        """Return logits for normalised images (B, 3, H, W) whose size meets the spec's rule."""
        stages = self.backbone(images, self.keep)
        size = (images.shape[-2], images.shape[-1])
        main = self.upsample(self.cells(stages, size).scores, size)
        if self.auxiliary is None:
            return Scores(main)
        return Scores(main, self.upsample(self.auxiliary(stages[-2]), size))

    def upsample(self, maps: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
        """Resize bilinearly, corners aligned or not as the spec says."""
        return F.interpolate(maps, size, mode="bilinear", align_corners=self.spec.align_corners)


def convolution(
    inputs: int, outputs: int, kernel: int, dilation: int = 1, *, bias: bool = True
) -> nn.Conv2d:
    """Return a convolution that keeps the size."""
    reach = dilation * (kernel // 2)
    return nn.Conv2d(inputs, outputs, kernel, padding=reach, dilation=dilation, bias=bias)


def conv_bn_relu(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    """Return convolution without bias, batch norm and ReLU, at unchanged size."""
    return nn.Sequential(
        convolution(inputs, outputs, kernel, dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def auxiliary_head(channels: int, spec: ModelSpec) -> nn.Sequential:
    """Return the dense auxiliary head on the stage before last."""
    hidden = spec.auxiliary_channels or channels // 4
    return nn.Sequential(
        *conv_bn_relu(channels, hidden, 3),
        nn.Dropout2d(spec.dropout),
        nn.Conv2d(hidden, len(spec.classes), 1),
    )
