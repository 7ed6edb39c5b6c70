"""ResNet-18 to 152 (He et al., arXiv 1512.03385) on torchvision's constructors, 7x7 stem."""

from __future__ import annotations

from torch import Tensor

from pspgui.models.backbones.stages import Backbone, dilate_stage
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
        if spec.output_stride == 8:
            dilate_stage(self.layer3, previous=1, dilation=2, family=spec.dilation)
            dilate_stage(self.layer4, previous=2, dilation=4, family=spec.dilation)
        else:
            dilate_stage(self.layer4, previous=1, dilation=2, family=spec.dilation)
        self.channels = (net.fc.in_features // 2, net.fc.in_features)

    def stages(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return layer3 and layer4."""
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        middle = self.layer3(self.layer2(self.layer1(stem)))
        last: Tensor = self.layer4(middle)
        return middle, last


def build(spec: ModelSpec) -> Backbone:
    """Return the ResNet that the spec names, at its output stride."""
    return ResNet(spec)


