"""What every backbone gives, and how a stage's stride becomes dilation."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from pspgui.models.spec import DilationFamily


class Backbone(nn.Module):
    """A feature extractor in two parts, so that the auxiliary head can read between them.

    `channels` holds the channels of the stage before last and of the last stage.
    """

    channels: tuple[int, int]

    def stages(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return (stage before last, last stage), each (B, C, h, w), for images (B, 3, H, W)."""
        raise TypeError(f"{type(self).__name__} has no stages")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See `stages`."""
        return self.stages(images)


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
