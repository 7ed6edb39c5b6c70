"""Backbones: torchvision's constructors, with stride traded for dilation as the spec says."""

from __future__ import annotations

from collections.abc import Callable

from pspgui.models.backbones import mobilenet, resnet
from pspgui.models.backbones.stages import Backbone
from pspgui.models.spec import ModelSpec

BACKBONES: dict[str, Callable[[ModelSpec], Backbone]] = {
    "mobilenet_v2": mobilenet.build,
    **dict.fromkeys(resnet.DEPTHS, resnet.build),
}


def build_backbone(spec: ModelSpec) -> Backbone:
    """Return the backbone of `spec` with random weights."""
    return BACKBONES[spec.backbone](spec)


__all__ = ["BACKBONES", "Backbone", "build_backbone"]
