"""DeepLabV3 networks written straight down with the module names of those who published them."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.models import mobilenet_v2, resnet18, resnet50


def cbr(inputs: int, outputs: int, kernel: int, rate: int = 1) -> nn.Sequential:
    """Convolution, batch norm and ReLU as plain numbered layers."""
    padding = rate * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=rate, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def spread(x: Tensor, size, align_corners: bool = False) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=align_corners)


def layers_of(net: nn.Module) -> nn.Sequential:
    """A torchvision ResNet without its classifier."""
    return nn.Sequential(OrderedDict(list(net.named_children())[:-2]))


# VainF


class Body(nn.Module):
    """Depthwise and 1x1 convolution under the name `body`."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        inputs = conv.in_channels
        self.body = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, padding=conv.padding, dilation=conv.dilation,
                      groups=inputs, bias=False),
            nn.Conv2d(inputs, conv.out_channels, 1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class ASPP(nn.Module):
    """`convs` and `project`, as torchvision and VainF name them."""

    def __init__(self, inputs: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList([
            cbr(inputs, 256, 1), *(cbr(inputs, 256, 3, rate) for rate in rates),
            nn.Sequential(nn.AdaptiveAvgPool2d(1), *cbr(inputs, 256, 1)),
        ])  # fmt: skip
        self.project = nn.Sequential(*cbr(256 * len(self.convs), 256, 1), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        maps = [conv(x) for conv in self.convs]
        maps[-1] = spread(maps[-1], x.shape[-2:])
        return self.project(torch.cat(maps, 1))


class VainFHead(nn.Module):
    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.classifier = nn.Sequential(
            ASPP(inputs, (6, 12, 18)), *cbr(256, 256, 3), nn.Conv2d(256, classes, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(x)


class VainF(nn.Module):
    """VainF's DeepLabV3 at output stride 16."""

    def __init__(self, backbone: nn.Module, channels: int, classes: int, separable: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = VainFHead(channels, classes)
        if separable:
            head = self.classifier.classifier
            for branch in head[0].convs[1:4]:
                branch[0] = Body(branch[0])
            head[1] = Body(head[1])

    def forward(self, x: Tensor) -> Tensor:
        return spread(self.classifier(self.backbone(x)), x.shape[-2:])


class PaddingBlock(nn.Module):
    """An inverted residual whose input is padded, and none of whose convolutions is."""

    def __init__(self, block: nn.Module, rate: int, stride: int) -> None:
        super().__init__()
        self.conv, self.rate, self.add = block.conv, rate, block.use_res_connect
        depthwise = next(m for m in block.conv.modules()
                         if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3))  # fmt: skip
        depthwise.padding, depthwise.dilation = (0, 0), (rate, rate)
        depthwise.stride = (stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        made = self.conv(F.pad(x, [self.rate] * 4))
        return x + made if self.add else made


def vainf_mobilenet() -> nn.Sequential:
    """VainF's MobileNetV2 at output stride 16: features 0..3 and 4..17 under two names."""
    features = mobilenet_v2(weights=None).features
    features[0][0].padding = (0, 0)
    blocks = [features[0]]
    for index in range(1, 18):
        rate = 2 if index > 14 else 1
        stride = 2 if index in (2, 4, 7) else 1
        blocks.append(PaddingBlock(features[index], rate, stride))
    whole = nn.Sequential(*blocks)
    return nn.Sequential(OrderedDict(low_level_features=whole[:4], high_level_features=whole[4:]))


# mmsegmentation


class ConvModule(nn.Module):
    """`conv` and `bn`, then ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, rate: int = 1) -> None:
        super().__init__()
        self.conv, self.bn, _ = cbr(inputs, outputs, kernel, rate)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class MMResNet(nn.Module):
    """ResNet V1c (deep stem) or V1b at output stride 8, first block of a layer contracted."""

    def __init__(self, depth: int, deep: bool) -> None:
        super().__init__()
        if depth == 18:
            net = resnet18(weights=None)
            for layer, rates in ((net.layer3, (1, 2)), (net.layer4, (2, 4))):
                for block, rate in zip(layer, rates, strict=True):
                    block.conv1.stride, block.conv1.dilation = (1, 1), (rate, rate)
                    block.conv1.padding = (rate, rate)
                layer[0].downsample[0].stride = (1, 1)
        else:
            net = resnet50(weights=None, replace_stride_with_dilation=[False, True, True])
        if deep:
            self.stem = nn.Sequential(*cbr(3, 32, 3), *cbr(32, 32, 3), *cbr(32, 64, 3))
            self.stem[0].stride = (2, 2)
        else:
            self.conv1, self.bn1 = net.conv1, net.bn1
        for n in range(1, 5):
            setattr(self, f"layer{n}", getattr(net, f"layer{n}"))
        self.deep = deep

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(x) if self.deep else F.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(F.max_pool2d(x, 3, 2, 1)))
        third = self.layer3(x)
        return third, self.layer4(third)


class ASPPHead(nn.Module):
    def __init__(self, inputs: int, channels: int, classes: int) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(channels, classes, 1)
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), ConvModule(inputs, channels, 1))
        self.aspp_modules = nn.ModuleList(
            ConvModule(inputs, channels, 1 if rate == 1 else 3, rate) for rate in (1, 12, 24, 36)
        )
        self.bottleneck = ConvModule(5 * channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        pooled = spread(self.image_pool(x), x.shape[-2:])
        maps = [module(x) for module in self.aspp_modules]
        return self.conv_seg(self.bottleneck(torch.cat([pooled, *maps], 1)))


class FCNHead(nn.Module):
    def __init__(self, inputs: int, channels: int, classes: int) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(channels, classes, 1)
        self.convs = nn.Sequential(ConvModule(inputs, channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_seg(self.convs(x))


class MMSegmentation(nn.Module):
    """An encoder with ASPPHead and an auxiliary FCNHead on its third layer."""

    def __init__(self, depth: int, deep: bool, channels: int, classes: int) -> None:
        super().__init__()
        wide = 512 if depth == 18 else 2048
        self.backbone = MMResNet(depth, deep)
        self.decode_head = ASPPHead(wide, channels, classes)
        self.auxiliary_head = FCNHead(wide // 2, channels // 2, classes)

    def forward(self, x: Tensor) -> Tensor:
        self.auxiliary(x)  # so that its batch norms settle too
        return spread(self.decode_head(self.backbone(x)[1]), x.shape[-2:])

    def auxiliary(self, x: Tensor) -> Tensor:
        return spread(self.auxiliary_head(self.backbone(x)[0]), x.shape[-2:])


# kazuto1011


def named(inputs: int, outputs: int, kernel: int, stride: int, rate: int, relu: bool = True):
    """`conv`, `bn` and, where asked for, `relu`."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, rate * (kernel // 2), rate, bias=False)
    layers = OrderedDict(conv=conv, bn=nn.BatchNorm2d(outputs))
    if relu:
        layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, rate: int, first: bool) -> None:
        super().__init__()
        self.reduce = named(inputs, outputs // 4, 1, stride, 1)
        self.conv3x3 = named(outputs // 4, outputs // 4, 3, 1, rate)
        self.increase = named(outputs // 4, outputs, 1, 1, 1, relu=False)
        self.first = first
        if first:
            self.shortcut = named(inputs, outputs, 1, stride, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        made = self.increase(self.conv3x3(self.reduce(x)))
        return F.relu(made + (self.shortcut(x) if self.first else x))


def residual(count: int, inputs: int, outputs: int, stride: int, rates: list[int]):
    return nn.Sequential(OrderedDict(
        (f"block{n + 1}", Bottleneck(outputs if n else inputs, outputs, 1 if n else stride,
                                     rates[n], n == 0))
        for n in range(count)
    ))  # fmt: skip


class ImagePool(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = named(inputs, 256, 1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return spread(self.conv(x.mean((2, 3), keepdim=True)), x.shape[-2:])


class Kazuto1011(nn.Module):
    """kazuto1011's DeepLabV3: output stride 8, multi-grid 1, 2, 4, rates 6, 12, 18."""

    def __init__(self, counts: tuple[int, int, int, int], classes: int) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(OrderedDict(
            conv1=named(3, 64, 7, 2, 1), pool=nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        ))  # fmt: skip
        self.layer1.conv1.conv.padding = (3, 3)
        self.layer2 = residual(counts[0], 64, 256, 1, [1] * counts[0])
        self.layer3 = residual(counts[1], 256, 512, 2, [1] * counts[1])
        self.layer4 = residual(counts[2], 512, 1024, 1, [2] * counts[2])
        self.layer5 = residual(counts[3], 1024, 2048, 1, [4, 8, 16])
        self.aspp = nn.Module()
        self.aspp.stages = nn.ModuleDict({
            "c0": named(2048, 256, 1, 1, 1),
            **{f"c{n}": named(2048, 256, 3, 1, rate) for n, rate in enumerate((6, 12, 18), 1)},
            "imagepool": ImagePool(2048),
        })  # fmt: skip
        self.fc1 = named(1280, 256, 1, 1, 1)
        self.fc2 = nn.Conv2d(256, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        for n in range(1, 6):
            x = getattr(self, f"layer{n}")(x)
        joint = torch.cat([stage(x) for stage in self.aspp.stages.values()], 1)
        return spread(self.fc2(self.fc1(joint)), size)


# Google's graph


class Google(nn.Module):
    """MobileNetV2 at output stride 16, a pooled image and a 1x1."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone = mobilenet_v2(weights=None).features[:18]
        self.backbone[14].conv[1][0].stride = (1, 1)
        for index in (15, 16, 17):
            depthwise = self.backbone[index].conv[1][0]
            depthwise.dilation = depthwise.padding = (2, 2)
        self.aspp0, self.pool, self.proj = cbr(320, 256, 1), cbr(320, 256, 1), cbr(512, 256, 1)
        self.logits = nn.Conv2d(256, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.backbone(x)
        pooled = self.pool(features.mean((2, 3), keepdim=True))
        pooled = spread(pooled, features.shape[-2:], align_corners=True)
        joint = torch.cat([pooled, self.aspp0(features)], 1)
        return spread(self.logits(self.proj(joint)), x.shape[-2:], align_corners=True)
