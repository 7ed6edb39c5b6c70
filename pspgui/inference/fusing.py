"""Batch norms folded into the convolutions before them: the same function in fewer passes."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fuse_batch_norms(module: nn.Module) -> None:
    """Fold every batch norm registered right after a convolution into it, in place.

    The networks here register layers in the order they run, which is what makes this right; the
    norm's place is taken by an identity. Evaluation mode only.
    """
    before: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if before and isinstance(before[1], nn.Conv2d) and isinstance(child, nn.BatchNorm2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, nn.Identity())
        else:
            fuse_batch_norms(child)
        before = name, child
