"""Dilated FCN: a backbone that keeps its resolution, 3x3 convolutions and a classifier.

What torchvision calls `fcn_resnet50` and mmsegmentation `FCNHead`. It has neither the skips nor
the transposed convolutions of the FCN of Long et al., which is `pspgui.models.fcn`. Layout after
torchvision/models/segmentation/fcn.py and mmsegmentation's mmseg/models/decode_heads/fcn_head.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from pspgui.models.backbones import build_backbone
from pspgui.models.segmenter import Cells, Segmenter, auxiliary_head, conv_bn_relu
from pspgui.models.spec import BackboneName, ModelSpec, SizeRule


class DilatedFCNSpec(ModelSpec):
    """A dilated FCN; the defaults are torchvision's.

    `convolutions` is how many 3x3 the head has before its classifier; `concat_input` adds one more
    that reads the backbone's features beside them (mmsegmentation has two and concatenates).
    `head_channels` None means C/4 of the backbone's C channels.
    """

    architecture: Literal["dilated_fcn"] = "dilated_fcn"
    backbone: BackboneName = "resnet50"
    output_stride: Literal[8, 16, 32] = 8
    align_corners: bool = False
    size_rule: SizeRule = SizeRule(multiple=1, offset=0)
    convolutions: Annotated[int, Field(ge=1, le=8)] = 1
    concat_input: bool = False
    head_kernel: Literal[1, 3] = 3
    head_channels: Annotated[int, Field(ge=1, le=8192)] | None = None

    @property
    def name(self) -> str:
        """Dilated FCN."""
        return "Dilated FCN"


class DilatedFCN(Segmenter):
    """The network a `DilatedFCNSpec` describes, with random weights."""

    spec: DilatedFCNSpec

    def __init__(self, spec: DilatedFCNSpec) -> None:
        super().__init__(spec, build_backbone(spec))
        middle, last = self.backbone.channels[-2:]
        hidden = spec.head_channels or last // 4
        inputs = [last, *[hidden] * (spec.convolutions - 1)]
        self.convolutions = nn.Sequential(
            *(conv_bn_relu(channels, hidden, spec.head_kernel) for channels in inputs)
        )
        self.joint: nn.Module | None = None
        if spec.concat_input:
            self.joint = conv_bn_relu(last + hidden, hidden, spec.head_kernel)
        self.dropout = nn.Dropout(spec.dropout)
        self.classifier = nn.Conv2d(hidden, len(spec.classes), 1)
        self.auxiliary = auxiliary_head(middle, spec) if spec.auxiliary else None

    def cells(self, stages: tuple[Tensor, ...], size: tuple[int, int]) -> Cells:
        """Return the logits at the grid of cells."""
        features = hidden = stages[-1]
        maps = {}
        for title, convolution in zip(self.titles, self.convolutions, strict=True):
            hidden = maps[title] = convolution(hidden)
        if self.joint is not None:
            hidden = maps["Joint"] = self.joint(torch.cat([features, hidden], dim=1))
        return Cells(self.classifier(self.dropout(hidden)), maps)

    @property
    def titles(self) -> tuple[str, ...]:
        """The names of the maps after the head's convolutions, in order."""
        count = self.spec.convolutions
        return ("Hidden",) if count == 1 else tuple(f"Hidden {i + 1}" for i in range(count))
