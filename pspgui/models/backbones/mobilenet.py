"""MobileNetV2 (Sandler et al., arXiv 1801.04381) and MobileNetV3-Large (Howard et al., 1905.02244).

Both are torchvision's `features`: V2 without its last 1x1 layer to 1280 channels, V3 with its
last 1x1 layer to 960, as its segmentation networks have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn

from pspgui.models.backbones.stages import Backbone, dilate_stages
from pspgui.models.light_torchvision import models
from pspgui.models.spec import ModelSpec

InvertedResidual = models.mobilenetv2.InvertedResidual


class MobileNet(Backbone):
    """torchvision's `features`, cut into stages before the indices in `ends`.

    strides: the stride that each stage brings the network to.
    """

    def __init__(
        self,
        features: nn.Sequential,
        channels: tuple[int, ...],
        ends: tuple[int, ...],
        strides: tuple[int, ...],
        spec: ModelSpec,
    ) -> None:
        super().__init__()
        built = sum(stride <= 2 ** (spec.stages + 1) for stride in strides)
        self._ends, self.channels = ends[:built], channels[:built]
        self.features = features[: self._ends[-1]]
        by_stride: dict[int, list[nn.Module]] = {}
        begin = 0
        for end, stride in zip(self._ends, strides, strict=False):
            by_stride.setdefault(stride, []).extend(self.features[begin:end])
            begin = end
        # The layers before stride 8 keep their stride, and the last stage alone has the grid.
        dilate_stages({s: blocks for s, blocks in by_stride.items() if s >= 8}, spec)
        if spec.dilation == "group_first":
            _undilate_repeats(self.features)

    def stages(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the last feature of every stage."""
        begin = 0
        for end in self._ends:
            images = self.features[begin:end](images)
            begin = end
            yield images


class PaddedBlock(nn.Module):
    """An inverted residual that pads its input, and so what its first 1x1 makes of zeros.

    padding: what its depthwise convolution would have padded. Source: VainF/DeepLabV3Plus-Pytorch,
    network/backbone/mobilenetv2.py, after TensorFlow's own.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        assert isinstance(block, InvertedResidual)
        self.conv, self.adds = block.conv, block.use_res_connect
        self.padding = _unpad(block.conv)

    def forward(self, images: Tensor) -> Tensor:
        """Return the block's output at the size that the plain block would give."""
        found: Tensor = self.conv(F.pad(images, (self.padding,) * 4))
        return images + found if self.adds else found


def build_v2(
    spec: ModelSpec, form: Literal["torchvision", "pads_input", "to_1280"] = "torchvision"
) -> Backbone:
    """Return MobileNetV2 at the spec's output stride; its stages end at 1, 3, 6, 13 and 17.

    form: torchvision's; with every block a `PaddedBlock` and no padding before them; or with
    feature 18, the 1x1 to 1280 channels, in the last stage.
    """
    whole = form == "to_1280"
    net = MobileNet(
        models.mobilenet_v2(weights=None).features,
        (16, 24, 32, 96, 1280 if whole else 320),
        (2, 4, 7, 14, 19 if whole else 18),
        (2, 4, 8, 16, 32),
        spec,
    )
    if form == "pads_input":
        _unpad(net.features[0])
        blocks = [PaddedBlock(block) for block in net.features[1:]]
        net.features = nn.Sequential(net.features[0], *blocks)
    return net


def build_v3_large(spec: ModelSpec) -> Backbone:
    """Return MobileNetV3-Large; its stages end at features 1, 3, 4, 6, 12 and 16.

    Stride 8 comes in two stages, for torchvision's auxiliary head reads the first block of it.
    """
    return MobileNet(
        models.mobilenet_v3_large(weights=None).features,
        (16, 24, 40, 40, 112, 960),
        (2, 4, 5, 7, 13, 17),
        (2, 4, 8, 8, 16, 32),
        spec,
    )


def _undilate_repeats(features: nn.Sequential) -> None:
    """Take the dilation from every block as wide as the one before it, in place."""
    for block in features:
        if isinstance(block, InvertedResidual) and block.use_res_connect:
            for module in block.modules():
                if isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1:
                    module.dilation, module.padding = (1, 1), (1, 1)


def _unpad(block: nn.Module) -> int:
    """Take the padding from the one convolution that has it, and return how much it was."""
    for module in block.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1:
            padding = module.padding[0]
            module.padding = (0, 0)
            return int(padding)
    raise ValueError("no convolution here reads neighbours")
