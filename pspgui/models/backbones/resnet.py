"""ResNet-18 to 152 (He et al., arXiv 1512.03385) on torchvision's constructors.

The deep stems are those of mmsegmentation's V1c (32, 32, 64) and of hszhao/semseg (64, 64, 128);
V1d is V1c with averages beside the blocks that stride.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from pspgui.models.backbones.stages import Backbone, dilate_stage, dilate_stages
from pspgui.models.light_torchvision import models
from pspgui.models.spec import ModelSpec

BOTTLENECKS = ("resnet50", "resnet101", "resnet152")
DEPTHS = ("resnet18", "resnet34", *BOTTLENECKS)
# Through the light import, which a plain one of torchvision.models.resnet would defeat.
BasicBlock, Bottleneck = models.resnet.BasicBlock, models.resnet.Bottleneck
_STEMS = {"deep64": (32, 32, 64), "deep128": (64, 64, 128)}


class ResNet(Backbone):
    """Stem and two to four layers; 512 channels at most with basic blocks, 2048 with bottlenecks.

    torchvision refuses dilation for basic blocks, so stride is taken out after construction.
    `cascade` adds that many copies of the last layer (DeepLabV3's block5 to block7), each of
    twice the dilation of the one before; they belong to the last stage.
    """

    def __init__(self, spec: ModelSpec, cascade: int = 0) -> None:
        super().__init__()
        net = getattr(models, spec.backbone)(weights=None)
        if spec.stem == "7x7":
            self.conv1, self.bn1, self.relu = net.conv1, net.bn1, net.relu
        else:
            self.stem = _deep_stem(_STEMS[spec.stem])
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=spec.ceil_pool)
        layers = [net.layer1, net.layer2, net.layer3, net.layer4][: spec.stages]
        width = 64 if spec.stem == "7x7" else _STEMS[spec.stem][-1]
        if width != 64:
            _widen(layers[0][0], width)
        for layer in layers[1:] if spec.stride_in == "1x1" else []:
            _stride_first(layer[0])
        for number, layer in enumerate(layers, 1):
            self.add_module(f"layer{number}", layer)
        dilate_stages({2 ** (n + 1): layer for n, layer in enumerate(layers, 1)}, spec)
        for layer in layers if spec.average_shortcut else []:
            _average_beside(layer[0])
        for number in range(cascade):
            self.add_module(f"layer{spec.stages + 1 + number}", _copy(layers[-1], number, spec))
        self._layers = tuple(f"layer{n}" for n in range(1, spec.stages + 1))
        self._cascade = tuple(f"layer{spec.stages + 1 + n}" for n in range(cascade))
        self.channels = (width, *(_outputs(layer) for layer in layers))

    def stages(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the stem before its pooling and the layers; the last one after its cascade."""
        if hasattr(self, "stem"):
            images = self.stem(images)
        else:
            images = self.relu(self.bn1(self.conv1(images)))
        yield images
        images = self.maxpool(images)
        for name in self._layers:
            images = self.get_submodule(name)(images)
            if name == self._layers[-1]:
                for copy in self._cascade:
                    images = self.get_submodule(copy)(images)
            yield images


def build(spec: ModelSpec) -> Backbone:
    """Return the ResNet that the spec names, at its output stride."""
    return ResNet(spec)


def _deep_stem(widths: tuple[int, int, int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 3
    for stride, outputs in zip((2, 1, 1), widths, strict=True):
        conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        inputs = outputs
    return nn.Sequential(*layers)


def _widen(block: nn.Module, inputs: int) -> None:
    """Let the first block read `inputs` channels, in place."""
    assert isinstance(block, BasicBlock | Bottleneck)
    conv = block.conv1
    block.conv1 = _convolution(inputs, conv.out_channels, conv.kernel_size[0])
    outputs = _outputs(nn.Sequential(block))
    block.downsample = nn.Sequential(_convolution(inputs, outputs, 1), nn.BatchNorm2d(outputs))


def _stride_first(block: nn.Module) -> None:
    """Move a bottleneck's stride from its 3x3 to the 1x1 before it, in place."""
    assert isinstance(block, Bottleneck)
    block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)


def _average_beside(block: nn.Module) -> None:
    """Let the way beside a block average before its 1x1 rather than stride in it, in place."""
    assert isinstance(block, BasicBlock | Bottleneck)
    if block.downsample is None:
        return
    conv, norm = block.downsample
    pool = nn.AvgPool2d(conv.stride, conv.stride, ceil_mode=True, count_include_pad=False)
    conv.stride = (1, 1)
    block.downsample = nn.Sequential(pool, conv, norm)


def _copy(layer: nn.Sequential, number: int, spec: ModelSpec) -> nn.Sequential:
    """Return a layer of as many blocks as `layer`, new weights, and a cascade's dilation."""
    first, outputs = layer[0], _outputs(layer)
    assert isinstance(first, BasicBlock | Bottleneck)
    kind = type(first)
    blocks = [kind(outputs, outputs // kind.expansion) for _ in layer]
    for module in (m for block in blocks for m in block.modules()):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    base = max(1, 2 ** (spec.stages + 1) // spec.output_stride) * 2**number
    dilate_stage(blocks, spec, previous=base, dilation=2 * base, grid=spec.multi_grid)
    return nn.Sequential(*blocks)


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


def _outputs(layer: nn.Sequential) -> int:
    """Return the channels that a layer gives."""
    last = [m for m in layer[-1].children() if isinstance(m, nn.BatchNorm2d)][-1]
    return last.num_features
