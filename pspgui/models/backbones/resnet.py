"""ResNet-18 to 152 (He et al., arXiv 1512.03385) on torchvision's constructors, 7x7 stem."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from pspgui.models.backbones.stages import Backbone, dilate_stages
from pspgui.models.light_torchvision import models
from pspgui.models.spec import ModelSpec

DEPTHS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


class ResNet(Backbone):
    """Stem and four layers; 256 and 512 channels with basic blocks, 1024 and 2048 with bottlenecks.

    torchvision refuses dilation for basic blocks, so stride is taken out after construction.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        net = getattr(models, spec.backbone)(weights=None)
        self.conv1, self.bn1 = net.conv1, net.bn1
        self.relu, self.maxpool = net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3 = net.layer1, net.layer2, net.layer3
        self.layer4 = net.layer4
        dilate_stages({16: self.layer3, 32: self.layer4}, spec)
        wide = net.fc.in_features
        self.channels = (64, wide // 8, wide // 4, wide // 2, wide)

    def stages(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the stem before its pooling and layers 1 to 4."""
        images = self.relu(self.bn1(self.conv1(images)))
        yield images
        images = self.layer1(self.maxpool(images))
        yield images
        for layer in (self.layer2, self.layer3, self.layer4):
            images = layer(images)
            yield images


def build(spec: ModelSpec) -> Backbone:
    """Return the ResNet that the spec names, at its output stride."""
    return ResNet(spec)


