"""FCN with learnt upsampling: five transposed convolutions, each with ReLU and batch norm.

The form of pochih/FCN-pytorch, python/fcn.py, where the backbone's own features, not class scores,
are summed on the way up. VGG16 or a ResNet serves; every stage gives as many channels as the
backbone's stage of that size has.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from pspgui.models.backbones import build_backbone
from pspgui.models.segmenter import Cells, Segmenter
from pspgui.models.spec import BackboneName, ModelSpec, SizeRule

_STRIDE: Literal[32] = 32


class FCNStagesSpec(ModelSpec):
    """An FCN of five upsampling stages.

    `skips` is how many of the backbone's stages below the last are added on the way up: 4 is what
    that code calls FCNs, 2 FCN8s, 1 FCN16s, 0 FCN32s. `norm` says whether a stage's batch norm
    comes before that sum (FCNs) or after it (FCN16s and FCN8s); without a sum they are the same.
    """

    scores_pixels: ClassVar[bool] = True

    architecture: Literal["fcn_stages"] = "fcn_stages"
    backbone: BackboneName = "vgg16"
    stages: Literal[4] = 4
    output_stride: Literal[32] = _STRIDE
    align_corners: bool = False
    auxiliary: Literal[False] = False
    size_rule: SizeRule = SizeRule(multiple=_STRIDE, offset=0)
    skips: Annotated[int, Field(ge=0, le=4)] = 4
    norm: Literal["before_sum", "after_sum"] = "before_sum"
    last_channels: Annotated[int, Field(ge=1, le=4096)] = 32

    @model_validator(mode="after")
    def _stages_meet(self) -> FCNStagesSpec:
        if self.size_rule.multiple % _STRIDE or self.size_rule.offset % _STRIDE:
            raise ValueError(f"five stages of x2 need sizes that are multiples of {_STRIDE}")
        if self.backbone == "mobilenet_v3_large":
            raise ValueError("five stages of x2 need a backbone of five, which MobileNetV3 is not")
        return self

    @property
    def name(self) -> str:
        """FCN with the stride of the finest features it adds."""
        return f"FCN-{_STRIDE >> self.skips}s (learnt upsampling)"


class FCNStages(Segmenter):
    """The network an `FCNStagesSpec` describes, with random weights."""

    spec: FCNStagesSpec

    def __init__(self, spec: FCNStagesSpec) -> None:
        super().__init__(spec, build_backbone(spec))
        widths = (*reversed(self.backbone.channels), spec.last_channels)
        self.upsampling = nn.ModuleList(
            _doubling(inputs, outputs) for inputs, outputs in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])
        self.classifier = nn.Conv2d(widths[-1], len(spec.classes), 1)

    @property
    def keep(self) -> int:
        """The last stage and those that are added."""
        return 1 + self.spec.skips

    def cells(self, stages: tuple[Tensor, ...], size: tuple[int, int]) -> Cells:
        """Return the logits of every pixel, and the coarser sums on the way to them."""
        found, maps = stages[-1], {}
        for i, (double, norm) in enumerate(zip(self.upsampling, self.norms, strict=True)):
            found = double(found)
            if i >= self.spec.skips:
                found = norm(found)
            elif self.spec.norm == "before_sum":
                found = norm(found) + stages[-2 - i]
            else:
                found = norm(found + stages[-2 - i])
            if i < len(self.titles):
                maps[self.titles[i]] = found
        return Cells(self.classifier(found), maps)

    @property
    def titles(self) -> tuple[str, ...]:
        """The names of the stages' maps, coarsest first.

        That of all pixels is not kept: it is large, and can be had of the one before.
        """
        return tuple(f"upsampled to 1/{16 >> i}" for i in range(len(self.norms) - 1))


def _doubling(inputs: int, outputs: int) -> nn.Sequential:
    """Return a transposed 3x3 convolution that doubles the size exactly, and its ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(inplace=True),
    )
