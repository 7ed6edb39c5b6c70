"""FCN-32s, FCN-16s and FCN-8s: VGG16 read as convolutions, class scores summed over scales.

Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation, arXiv
1411.4038; layout and cuts after wkentaro/pytorch-fcn, torchfcn/models, which follows the authors'
Caffe networks. The first convolution is padded by 100 pixels, so that the unpadded 7x7 `fc6` fits
pictures of any size, and what that adds is cut off again where maps meet.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from pspgui.models.backbones.vgg import VGG16
from pspgui.models.segmenter import Cells, Segmenter
from pspgui.models.spec import ModelSpec, Normalisation, SizeRule, Triple

# The mean that the authors' Caffe networks subtract from 0..255, in the order red, green, blue.
CAFFE_MEAN: Triple = (122.67891434 / 255, 116.66876762 / 255, 104.00698793 / 255)
_FIRST_PADDING = 100
_POOLS = ("pool4", "pool3")
_AT_ONCE_SCALES = (0.01, 0.0001)
# Where a skip's scores are cut to lie under the doubled coarser ones, and where the last sum is cut
# to lie under the image. With cells at stride s centred on s * i + b, b is -91.5 for pool4, -95.5
# for pool3 and, after fc6, 12.5 for the coarsest; a transposed convolution by t takes b to
# b - (2 t - 1) / 2 cells of its own, and each cut makes two such b equal (that of the image is 0).
_SKIP_CUTS = (5, 9)
IMAGE_CUTS = (19, 27, 31)


class FCNSpec(ModelSpec):
    """An FCN on VGG16.

    `skips` is how many pools give scores besides fc7: none, pool4, or pool4 and pool3, which make
    FCN-32s, 16s and 8s. `at_once` scales what the pools' scores read by .01 and .0001, so that all
    can be trained together. `hidden_channels` is the width of fc6 and fc7.
    """

    scores_pixels: ClassVar[bool] = True
    # Without batch norm a rate such as the others' makes the loss explode.
    usual_rate: ClassVar[tuple[float, float]] = (1e-4, 1.0)

    architecture: Literal["fcn"] = "fcn"
    backbone: Literal["vgg16"] = "vgg16"
    stages: Literal[4] = 4
    output_stride: Literal[32] = 32
    ceil_pool: Literal[True] = True
    align_corners: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    auxiliary: Literal[False] = False
    normalisation: Normalisation = Normalisation(
        mean=CAFFE_MEAN, std=(1 / 255, 1 / 255, 1 / 255), channels="bgr"
    )
    size_rule: SizeRule = SizeRule(multiple=1, offset=0)
    skips: Literal[0, 1, 2] = 2
    at_once: bool = False
    hidden_channels: Annotated[int, Field(ge=1, le=8192)] = 4096

    @property
    def name(self) -> str:
        """FCN with the stride of its finest scores, as the authors call it."""
        return f"FCN-{32 >> self.skips}s" + (" at once" if self.at_once else "")


class FCN(Segmenter):
    """The network an `FCNSpec` describes: random weights, but zero scores and bilinear upsampling.

    The upsampling stays as it is in training, as in the reference.
    """

    spec: FCNSpec

    def __init__(self, spec: FCNSpec) -> None:
        super().__init__(spec, VGG16(spec, first_padding=_FIRST_PADDING))
        channels, classes = self.backbone.channels, len(spec.classes)
        self.fully = nn.Sequential(
            *_fully(channels[-1], spec.hidden_channels, 7, spec.dropout),
            *_fully(spec.hidden_channels, spec.hidden_channels, 1, spec.dropout),
        )
        self.score = _score_layer(spec.hidden_channels, classes)
        self.skip_scores = nn.ModuleList(
            _score_layer(channels[-2 - i], classes) for i in range(spec.skips)
        )
        self.doubling = nn.ModuleList(bilinear_upsampling(classes, 2) for _ in range(spec.skips))
        self.last = bilinear_upsampling(classes, 32 >> spec.skips)

    @property
    def keep(self) -> int:
        """The last pool and those that the skips read."""
        return 1 + self.spec.skips

    def cells(self, stages: tuple[Tensor, ...], size: tuple[int, int]) -> Cells:
        """Return the logits of every pixel, and the score maps whose upsampled sum they are.

        Without batch norm or ReLU after the scores, the logits are exactly that sum.
        """
        total = self.score(self.fully(stages[-1]))
        maps = {self.titles[0]: total}
        for i, (double, score) in enumerate(zip(self.doubling, self.skip_scores, strict=True)):
            total = double(total)
            pool = stages[-2 - i] * _AT_ONCE_SCALES[i] if self.spec.at_once else stages[-2 - i]
            skip = maps[self.titles[1 + i]] = _cut(score(pool), _SKIP_CUTS[i], total.shape[-2:])
            total = total + skip
        return Cells(_cut(self.last(total), IMAGE_CUTS[self.spec.skips], size), maps)

    @property
    def titles(self) -> tuple[str, ...]:
        """The names of the score maps, coarsest first."""
        return ("fc7 score", *(f"{pool} score" for pool in _POOLS[: self.spec.skips]))


def bilinear_kernel(stride: int) -> Tensor:
    """Return the (2 stride, 2 stride) float32 weights of bilinear upsampling by `stride`.

    Along each axis 1 - |i - (stride - 1/2)| / stride; the formula of `upsample_filt` in
    shelhamer/fcn.berkeleyvision.org, surgery.py, for the kernels that FCN uses.
    """
    line = 1 - (torch.arange(2 * stride) - (stride - 0.5)).abs() / stride
    return torch.outer(line, line)


def bilinear_upsampling(classes: int, stride: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution that upsamples every class by itself; not to be trained."""
    layer = nn.ConvTranspose2d(classes, classes, 2 * stride, stride=stride, bias=False)
    layer.weight.requires_grad_(False)
    if not layer.weight.is_meta:  # where there are no values to set
        own = torch.arange(classes)
        layer.weight.zero_()[own, own] = bilinear_kernel(stride)
    return layer


def _fully(inputs: int, outputs: int, kernel: int, dropout: float) -> tuple[nn.Module, ...]:
    """Return a fully connected layer of VGG16 as a convolution without padding."""
    conv = nn.Conv2d(inputs, outputs, kernel)
    return conv, nn.ReLU(inplace=True), nn.Dropout2d(dropout)


def _score_layer(channels: int, classes: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, classes, 1)
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _cut(maps: Tensor, begin: int, size: tuple[int, int] | torch.Size) -> Tensor:
    return maps[..., begin : begin + size[0], begin : begin + size[1]]
