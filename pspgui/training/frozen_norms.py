"""Batch norms that training leaves alone: for small batches, and to go on at a lower stride."""

from __future__ import annotations

from torch import nn


def freeze_norms(model: nn.Module) -> None:
    """Let every batch norm use its running statistics, and keep its weights, in place.

    To be called after every `model.train()`, which would undo the first of the two. DeepLabV3
    trains at output stride 16 and then, with frozen norms, at 8 (Chen et al., arXiv 1706.05587).
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
            module.requires_grad_(False)
