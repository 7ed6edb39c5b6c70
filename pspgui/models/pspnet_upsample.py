"""PSPNet whose decoder learns to upsample, as in Lextal/pspnet-pytorch, pspnet.py.

Levels keep all channels and stand before the features in the concatenation, a 1x1 convolution
joins them, and three stages of bilinear x2 and 3x3 convolution lead to every pixel. That code
ends in a log-softmax; here the scores before it are the output, which have the same softmax and
the same winner.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from pspgui.models.backbones import build_backbone
from pspgui.models.segmenter import Cells, Scores, Segmenter
from pspgui.models.spec import BackboneName, DilationFamily, ModelSpec, SizeRule

_STRIDE: Literal[8] = 8


class PSPUpsampleSpec(ModelSpec):
    """A PSPNet with upsampling stages; the defaults are Lextal's.

    `bottleneck_channels` is the width after the 1x1 that joins features and levels, and
    `stage_channels` that of each stage. `dropout` follows the bottleneck, `stage_dropout` every
    stage. `auxiliary` asks for the classifier of whole images (`Scores.image_level`), with
    `auxiliary_channels` hidden units (256). `align_corners` holds for every interpolation.
    """

    scores_pixels: ClassVar[bool] = True

    architecture: Literal["psp_upsample"] = "psp_upsample"
    backbone: BackboneName = "resnet34"
    output_stride: Literal[8] = _STRIDE
    dilation: DilationFamily = "unit"
    align_corners: bool = True
    size_rule: SizeRule = SizeRule(multiple=_STRIDE, offset=0)
    levels: tuple[Annotated[int, Field(ge=1, le=64)], ...] = (1, 2, 3, 6)
    bottleneck_channels: Annotated[int, Field(ge=1, le=8192)] = 1024
    stage_channels: tuple[
        Annotated[int, Field(ge=1, le=4096)],
        Annotated[int, Field(ge=1, le=4096)],
        Annotated[int, Field(ge=1, le=4096)],
    ] = (256, 64, 64)
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    stage_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.15

    @model_validator(mode="after")
    def _levels_make_sense(self) -> PSPUpsampleSpec:
        if not 1 <= len(set(self.levels)) == len(self.levels) <= 16:
            raise ValueError("levels must be one to 16 different numbers of bins")
        return self

    @model_validator(mode="after")
    def _stages_meet_the_image(self) -> PSPUpsampleSpec:
        if self.size_rule.multiple % _STRIDE or self.size_rule.offset % _STRIDE:
            raise ValueError(f"three stages of x2 need sizes that are multiples of {_STRIDE}")
        return self

    @property
    def name(self) -> str:
        """PSPNet, with what sets it apart."""
        return "PSPNet (learnt upsampling)"


class PSPUpsample(Segmenter):
    """The network a `PSPUpsampleSpec` describes, with random weights."""

    spec: PSPUpsampleSpec

    def __init__(self, spec: PSPUpsampleSpec) -> None:
        super().__init__(spec, build_backbone(spec))
        middle, last = self.backbone.channels[-2:]
        self.pyramid = nn.ModuleList(_level(last, bins) for bins in spec.levels)
        joint = last * (len(spec.levels) + 1)
        self.bottleneck = nn.Sequential(
            nn.Conv2d(joint, spec.bottleneck_channels, 1),
            nn.ReLU(inplace=True),
            nn.Dropout2d(spec.dropout),
        )
        widths = (spec.bottleneck_channels, *spec.stage_channels)
        self.upsampling = nn.ModuleList(
            _stage(inputs, outputs, spec.stage_dropout) for inputs, outputs in pairwise(widths)
        )
        self.classifier = nn.Conv2d(widths[-1], len(spec.classes), 1)
        self.auxiliary = _image_classifier(middle, spec) if spec.auxiliary else None

    def forward(self, images: Tensor) -> Scores:
        """Return logits of pixels and, with the auxiliary classifier, of whole images."""
        stages = self.backbone(images, self.keep)
        size = (images.shape[-2], images.shape[-1])
        main = self.cells(stages, size).scores
        if self.auxiliary is None:
            return Scores(main)
        return Scores(main, image_level=self.auxiliary(stages[-2]))

    def cells(self, stages: tuple[Tensor, ...], size: tuple[int, int]) -> Cells:
        """Return the logits of every pixel, with the maps of the levels and of most stages."""
        features = stages[-1]
        levels = [level(features) for level in self.pyramid]
        maps = dict(zip(self.titles, levels, strict=True))
        grid = features.shape[-2:]
        joint = torch.cat([*(self.upsample(level, grid) for level in levels), features], dim=1)
        found = maps["bottleneck"] = self.bottleneck(joint)
        for number, stage in enumerate(self.upsampling, start=1):
            twice = (2 * found.shape[-2], 2 * found.shape[-1])
            found = stage(self.upsample(found, twice))
            # At full size, 64 channels would take more memory than all the others together.
            if number < len(self.upsampling):
                maps[f"upsampling {number}"] = found
        return Cells(self.classifier(found), maps)

    @property
    def titles(self) -> tuple[str, ...]:
        """The names of the levels' maps, in order."""
        return tuple(f"level {bins}×{bins}" for bins in self.spec.levels)


def _level(channels: int, bins: int) -> nn.Sequential:
    """Return one level of the pyramid: all channels, neither norm nor ReLU."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(bins), nn.Conv2d(channels, channels, 1, bias=False))


def _stage(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    """Return what follows one interpolation; the PReLU has one slope for all channels."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.PReLU(),
        nn.Dropout2d(dropout),
    )


def _image_classifier(channels: int, spec: PSPUpsampleSpec) -> nn.Sequential:
    """Return the classifier of whole images on the stage before last."""
    hidden = spec.auxiliary_channels or 256
    return nn.Sequential(
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, len(spec.classes)),
    )
