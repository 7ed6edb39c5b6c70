"""Backbones: torchvision's constructors, with stride traded for dilation as the spec says."""

from __future__ import annotations

from collections.abc import Callable

from pspgui.models.backbones import mobilenet, resnet, shortsighted, vgg
from pspgui.models.backbones.resnet import ResNet
from pspgui.models.backbones.stages import Backbone
from pspgui.models.backbones.vgg import VGG16
from pspgui.models.spec import BACKBONE_TITLES, ModelSpec

BACKBONES: dict[str, Callable[[ModelSpec], Backbone]] = {
    "mobilenet_v2": mobilenet.build_v2,
    "mobilenet_v3_large": mobilenet.build_v3_large,
    **dict.fromkeys(resnet.DEPTHS, resnet.build),
    "vgg16": vgg.build,
    "shortsighted": shortsighted.build,
}


def build_backbone(spec: ModelSpec) -> Backbone:
    """Return the backbone of `spec` with random weights.

    Raises `ValueError`, one sentence, for options that the backbone does not have.
    """
    check_backbone(spec)
    return BACKBONES[spec.backbone](spec)


def check_backbone(spec: ModelSpec) -> None:
    """Raise `ValueError` where the spec asks for what its backbone does not have."""
    name, resnets = BACKBONE_TITLES[spec.backbone], spec.backbone in resnet.DEPTHS
    reached = 2 ** (spec.stages + 1)
    problems = {
        f"{name} has no deep stem": spec.stem != "7x7" and not resnets,
        f"{name} has no 1x1 convolution that could take the stride": (
            spec.stride_in == "1x1" and spec.backbone not in resnet.BOTTLENECKS
        ),
        f"{name} has no 1x1 beside its blocks that could average": (
            spec.average_shortcut and not resnets
        ),
        f"{name} has no groups of equal blocks for the dilation group_first": (
            spec.dilation == "group_first" and spec.backbone != "mobilenet_v2"
        ),
        f"{name} has no pooling whose size could be rounded up": (
            spec.ceil_pool and spec.backbone.startswith(("mobilenet", "short"))
        ),
        f"{name} has no residual blocks for a multi-grid": (
            set(spec.multi_grid) != {1} and spec.backbone in ("vgg16", "shortsighted")
        ),
        f"{spec.stages} stages reach stride {reached}, not {spec.output_stride}": (
            spec.output_stride > reached
        ),
    }
    for sentence, holds in problems.items():
        if holds:
            raise ValueError(sentence)


__all__ = ["BACKBONES", "VGG16", "Backbone", "ResNet", "build_backbone", "check_backbone"]
