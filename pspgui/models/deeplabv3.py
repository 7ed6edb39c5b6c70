"""DeepLabV3: a backbone, atrous convolutions beside each other, their projection and a classifier.

Chen et al., Rethinking Atrous Convolution for Semantic Image Segmentation, arXiv 1706.05587.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from pspgui.models.backbones import Backbone, ResNet, build_backbone, check_backbone
from pspgui.models.backbones.mobilenet import build_v2
from pspgui.models.segmenter import Cells, Scores, Segmenter, auxiliary_head, conv_bn_relu
from pspgui.models.spec import BackboneName, ModelSpec, SizeRule, usual_rates

Rate = Annotated[int, Field(ge=2, le=256)]


class DeepLabV3Spec(ModelSpec):
    """A DeepLabV3; the defaults are torchvision's.

    `rates` are those of the atrous branches, as used (left out: `usual_rates`); beside them stand
    a 1x1 and, before or after in the concatenation, the pooled image. `separable` makes the atrous
    convolutions depthwise ones followed by 1x1. `project_kernel` is that of the convolution after
    the concatenation, `decoder` the 3x3 after that one. `cascade` adds copies of the ResNet's last
    layer (block5 to block7 of the article), and `aspp` False classifies what they give directly.
    `mobilenet` is the form of a MobileNetV2: torchvision's; one that pads before a block's first
    1x1 rather than after it (VainF); with its last 1x1 to 1280 channels (smp). `auxiliary_stage`
    is the backbone's stage that the auxiliary head reads, from the end.
    """

    architecture: Literal["deeplabv3"] = "deeplabv3"
    backbone: BackboneName = "resnet50"
    output_stride: Literal[8, 16, 32] = 8
    align_corners: bool = False
    size_rule: SizeRule = SizeRule(multiple=1, offset=0)
    mobilenet: Literal["torchvision", "pads_input", "to_1280"] = "torchvision"
    cascade: Annotated[int, Field(ge=0, le=3)] = 0
    aspp: bool = True
    rates: tuple[Rate, ...] = (12, 24, 36)
    aspp_channels: Annotated[int, Field(ge=1, le=4096)] = 256
    image_pool: Literal["last", "first", "none"] = "last"
    separable: bool = False
    project_kernel: Literal[1, 3] = 1
    project_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    decoder: Literal["none", "conv", "separable"] = "conv"
    auxiliary_stage: Annotated[int, Field(ge=-5, le=-2)] = -2

    @model_validator(mode="before")
    @classmethod
    def _rates_follow_the_stride(cls, values: Any) -> Any:
        if isinstance(values, dict) and "rates" not in values:
            stride = values.get("output_stride")
            return {**values, "rates": usual_rates(stride if stride in (8, 16, 32) else 8)}
        return values

    @model_validator(mode="after")
    def _can_be_built(self) -> DeepLabV3Spec:
        check_backbone(self)
        if len(set(self.rates)) != len(self.rates) or len(self.rates) > 16:
            raise ValueError("rates must differ, and there may be 16 of them")
        if self.cascade and not self.backbone.startswith("resnet"):
            raise ValueError("only the last layer of a ResNet can be repeated in a cascade")
        if self.mobilenet != "torchvision" and self.backbone != "mobilenet_v2":
            raise ValueError(f"the form {self.mobilenet} is one of MobileNetV2's")
        return self

    @property
    def name(self) -> str:
        """DeepLabV3."""
        return "DeepLabV3"


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: branches that read the features with different reach.

    `titles` name the branches, in the order of the concatenation.
    """

    def __init__(self, channels: int, spec: DeepLabV3Spec) -> None:
        super().__init__()
        outputs = spec.aspp_channels
        branches = {"ASPP 1×1": conv_bn_relu(channels, outputs, 1)}
        for rate in spec.rates:
            kind = separable_bn_relu if spec.separable else _conv3_bn_relu
            branches[f"ASPP rate {rate}"] = kind(channels, outputs, rate)
        pool = {
            "Image pool": nn.Sequential(
                nn.AdaptiveAvgPool2d(1), *conv_bn_relu(channels, outputs, 1)
            )
        }
        if spec.image_pool == "last":
            branches |= pool
        elif spec.image_pool == "first":
            branches = pool | branches
        self.titles = tuple(branches)
        self.branches = nn.ModuleList(branches.values())

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Return the branches' maps by title, (B, C, h, w); the image pool's is (B, C, 1, 1)."""
        return {t: branch(features) for t, branch in zip(self.titles, self.branches, strict=True)}


class DeepLabV3(Segmenter):
    """The network a `DeepLabV3Spec` describes, with random weights."""

    spec: DeepLabV3Spec

    def __init__(self, spec: DeepLabV3Spec) -> None:
        super().__init__(spec, _backbone(spec))
        last, hidden = self.backbone.channels[-1], spec.aspp_channels
        self.aspp: ASPP | None = None
        if spec.aspp:
            self.aspp = ASPP(last, spec)
            joint = hidden * len(self.aspp.titles)
            project = conv_bn_relu(joint, hidden, spec.project_kernel)
            self.project = project.append(nn.Dropout(spec.project_dropout))
            self.decoder = _decoder(hidden, spec)
        self.classifier = nn.Conv2d(hidden if spec.aspp else last, len(spec.classes), 1)
        if spec.auxiliary:
            self.auxiliary = auxiliary_head(self.backbone.channels[spec.auxiliary_stage], spec)

    @property
    def keep(self) -> int:
        """How many of the backbone's last stages are read."""
        return 1 if self.auxiliary is None else -self.spec.auxiliary_stage

    def forward(self, images: Tensor) -> Scores:
        """Return logits for normalised images (B, 3, H, W)."""
        stages = self.backbone(images, self.keep)
        size = (images.shape[-2], images.shape[-1])
        main = self.upsample(self.cells(stages, size).scores, size)
        if self.auxiliary is None:
            return Scores(main)
        return Scores(main, self.upsample(self.auxiliary(stages[self.spec.auxiliary_stage]), size))

    def cells(self, stages: tuple[Tensor, ...], size: tuple[int, int]) -> Cells:
        """Return the logits at the grid of cells, every branch's map and their projection."""
        features = stages[-1]
        if self.aspp is None:
            return Cells(self.classifier(features))
        maps = self.aspp(features)
        # One by one: a traced shape cannot be unpacked.
        height, width = features.shape[-2], features.shape[-1]
        # Interpolated from one cell, a pooled image is the same everywhere.
        joint = torch.cat([m.expand(-1, -1, height, width) for m in maps.values()], dim=1)
        maps["Project"] = decoded = self.project(joint)
        if self.spec.decoder != "none":
            maps["Decoder"] = decoded = self.decoder(decoded)
        return Cells(self.classifier(decoded), maps)


def separable_bn_relu(inputs: int, outputs: int, rate: int) -> nn.Sequential:
    """Return a depthwise 3x3 and a 1x1, batch norm and ReLU, at unchanged size."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=rate, dilation=rate, groups=inputs, bias=False),
        *conv_bn_relu(inputs, outputs, 1),
    )


def _conv3_bn_relu(inputs: int, outputs: int, rate: int) -> nn.Sequential:
    return conv_bn_relu(inputs, outputs, 3, rate)


def _decoder(channels: int, spec: DeepLabV3Spec) -> nn.Module:
    if spec.decoder == "none":
        return nn.Identity()
    kind = separable_bn_relu if spec.decoder == "separable" else _conv3_bn_relu
    return kind(channels, channels, 1)


def _backbone(spec: DeepLabV3Spec) -> Backbone:
    if spec.cascade:
        return ResNet(spec, spec.cascade)
    if spec.mobilenet != "torchvision":
        return build_v2(spec, spec.mobilenet)
    return build_backbone(spec)
