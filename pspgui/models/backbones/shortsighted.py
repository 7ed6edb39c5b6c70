"""A small backbone that sees 47 pixels and no further, for scenes in which only context decides."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from pspgui.models.backbones.stages import Backbone
from pspgui.models.spec import ModelSpec

_CHANNELS = (24, 48, 96)


class Shortsighted(Backbone):
    """Three 3x3 convolutions that stride, then two that do not, each with norm and ReLU.

    What it must not have is anything with a longer reach: no pooling, dilation or gate that reads
    the whole image. The channels after stride 8 are 96.
    """

    def __init__(self) -> None:
        super().__init__()
        self.channels = _CHANNELS
        inputs = (3, *_CHANNELS[:-1])
        blocks = [
            nn.Sequential(*_block(before, after, 2))
            for before, after in zip(inputs, _CHANNELS, strict=True)
        ]
        blocks[-1].extend([*_block(_CHANNELS[-1], _CHANNELS[-1]),
                           *_block(_CHANNELS[-1], _CHANNELS[-1])])  # fmt: skip
        self.blocks = nn.ModuleList(blocks)

    def stages(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the features at strides 2, 4 and 8."""
        for block in self.blocks:
            images = block(images)
            yield images


def build(spec: ModelSpec) -> Backbone:
    """Return the backbone; raises `ValueError` for another output stride than 8."""
    if spec.output_stride != 8 or spec.stages != 2:
        raise ValueError("the short-sighted backbone has two stages and output stride 8")
    return Shortsighted()


def _block(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
