"""What every backbone gives, and how a stage's stride becomes dilation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from torch import Tensor, nn

from pspgui.models.spec import ModelSpec


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


def dilate_stages(by_stride: Mapping[int, Iterable[nn.Module]], spec: ModelSpec) -> None:
    """Give the stages the spec's output stride and dilation, in place.

    by_stride: the residual blocks of each stage that is built, in order, by the stride that the
    stage would bring the network to. A stage beyond the output stride loses its stride and gets
    twice the dilation of the stage before; the last one's blocks take the multi-grid.
    """
    dilation = 1
    for stride, blocks in by_stride.items():
        previous = dilation
        if stride > spec.output_stride:
            dilation *= 2
            _unstride(blocks)
        last = stride == max(by_stride)
        grid = spec.multi_grid if last else (1,)
        if dilation > 1 or set(grid) != {1}:
            absolute = last and spec.absolute_grid
            dilate_stage(
                blocks, spec, previous=previous, dilation=dilation, grid=grid, absolute=absolute
            )


def dilate_stage(
    blocks: Iterable[nn.Module],
    spec: ModelSpec,
    *,
    previous: int,
    dilation: int,
    grid: tuple[int, ...] = (1,),
    absolute: bool = False,
) -> None:
    """Dilate the spatial convolutions of a stage, in place, at unchanged sizes.

    The stage before had `previous`; this one gets `dilation` times the grid's factor of each
    block, or the factor alone where `absolute`, except what the dilation family says of the first
    block (see `ModelSpec.dilation`).
    """
    for index, block in enumerate(blocks):
        factor = grid[index % len(grid)]
        for order, conv in enumerate(_spatial(block)):
            reach = _reach(spec, index, order, previous, dilation) * factor
            if absolute:
                reach = 1 if spec.dilation == "contract_single" and order > 0 else factor
            height, width = conv.kernel_size
            conv.dilation = (reach, reach)
            conv.padding = (reach * (height // 2), reach * (width // 2))


def _reach(spec: ModelSpec, block: int, order: int, previous: int, dilation: int) -> int:
    """Return the dilation of a block's spatial convolution (0 is the first), before the grid."""
    if spec.dilation == "contract_single" and order > 0:
        return 1
    if block > 0 or spec.dilation in ("full", "group_first"):
        return dilation
    if spec.dilation == "unit":
        return 1
    # A basic block has a second 3x3, which already reads what the first one has spread.
    return previous if order == 0 else dilation


def _spatial(block: nn.Module) -> list[nn.Conv2d]:
    """Return the convolutions that read neighbours, in order."""
    convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    return [conv for conv in convs if max(conv.kernel_size) > 1]


def _unstride(blocks: Iterable[nn.Module]) -> None:
    for block in blocks:
        for module in block.modules():
            if isinstance(module, nn.Conv2d):
                module.stride = (1, 1)
