"""What every backbone gives, and how a stage's stride becomes dilation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from torch import Tensor, nn

from pspgui.models.spec import DilationFamily, ModelSpec


class Backbone(nn.Module):
    """A feature extractor in stages, each at half the resolution of the one before or dilated.

    `channels` holds the channels of every stage, in order.
    """

    channels: tuple[int, ...]

    def stages(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the output of every stage, (B, C, h, w), for images (B, 3, H, W)."""
        raise TypeError(f"{type(self).__name__} has no stages")

    def forward(self, images: Tensor, keep: int = 2) -> tuple[Tensor, ...]:
        """Return the last `keep` stages; earlier ones are let go as soon as they are used."""
        return tuple(deque(self.stages(images), maxlen=keep))


def dilate_stage(
    blocks: Iterable[nn.Module], *, previous: int, dilation: int, family: DilationFamily
) -> None:
    """Take the stride out of a stage and dilate its 3x3 convolutions instead, in place.

    The stage before had `previous`; this one gets `dilation`, except the convolutions of its
    first block, which follow `family` (see `ModelSpec.dilation`).
    """
    first = {"contract": previous, "full": dilation, "unit": 1}[family]
    for index, block in enumerate(blocks):
        for conv in block.modules():
            if not isinstance(conv, nn.Conv2d):
                continue
            conv.stride = (1, 1)
            if conv.kernel_size == (3, 3):
                reach = first if index == 0 else dilation
                conv.dilation = conv.padding = (reach, reach)


def dilate_stages(by_stride: dict[int, Iterable[nn.Module]], spec: ModelSpec) -> None:
    """Dilate the stages that would bring the stride to 16 and 32, where the spec's is lower."""
    dilation = 1
    for stride, blocks in by_stride.items():
        if stride > spec.output_stride:
            dilate_stage(blocks, previous=dilation, dilation=2 * dilation, family=spec.dilation)
            dilation *= 2
