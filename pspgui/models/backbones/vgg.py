"""VGG16 without batch norm (Simonyan and Zisserman, arXiv 1409.1556), up to its last pooling."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from pspgui.models.backbones.stages import Backbone
from pspgui.models.spec import ModelSpec

# Convolutions in each group, and their channels.
_GROUPS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


class VGG16(Backbone):
    """Five groups of 3x3 convolutions, each with its pooling; torchvision's key names.

    first_padding: of the first convolution; FCN pads by 100 so that its 7x7 `fc6` always fits.
    A pooling beyond the output stride keeps the resolution by a 3x3 window, and the convolutions
    after it are dilated (DeepLab's LargeFOV).
    """

    def __init__(self, spec: ModelSpec, first_padding: int = 1) -> None:
        super().__init__()
        groups = _GROUPS[: spec.stages + 1]
        layers: list[nn.Module] = []
        ends: list[int] = []
        inputs, dilation = 3, 1
        for number, (count, outputs) in enumerate(groups, 1):
            for _ in range(count):
                layers += [_convolution(inputs, outputs, dilation), nn.ReLU(inplace=True)]
                inputs = outputs
            strides = 2**number <= spec.output_stride
            layers.append(_pooling(strides, spec))
            dilation *= 1 if strides else 2
            ends.append(len(layers))
        self.features = nn.Sequential(*layers)
        first = self.features[0]
        assert isinstance(first, nn.Conv2d)
        first.padding = (first_padding, first_padding)
        self._ends = tuple(ends)
        self.channels = tuple(outputs for _, outputs in groups)

    def stages(self, images: Tensor) -> Iterator[Tensor]:
        """Yield pool1 to pool5."""
        begin = 0
        for end in self._ends:
            images = self.features[begin:end](images)
            begin = end
            yield images


def build(spec: ModelSpec) -> Backbone:
    """Return VGG16 at the spec's output stride."""
    return VGG16(spec)


def _convolution(inputs: int, outputs: int, dilation: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


def _pooling(strides: bool, spec: ModelSpec) -> nn.MaxPool2d:
    if strides:
        return nn.MaxPool2d(2, stride=2, ceil_mode=spec.ceil_pool)
    return nn.MaxPool2d(3, stride=1, padding=1)
