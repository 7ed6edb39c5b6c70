"""MobileNetV2 (Sandler et al., arXiv 1801.04381) and MobileNetV3-Large (Howard et al., 1905.02244).

Both are torchvision's `features`: V2 without its last 1x1 layer to 1280 channels, V3 with its
last 1x1 layer to 960, as its segmentation networks have it.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from pspgui.models.backbones.stages import Backbone, dilate_stages
from pspgui.models.light_torchvision import models
from pspgui.models.spec import ModelSpec


class MobileNet(Backbone):
    """torchvision's `features`, cut into stages before the indices in `ends`.

    strides: the stride that each stage brings the network to.
    """

    def __init__(
        self,
        features: nn.Sequential,
        channels: tuple[int, ...],
        ends: tuple[int, ...],
        strides: tuple[int, ...],
        spec: ModelSpec,
    ) -> None:
        super().__init__()
        built = sum(stride <= 2 ** (spec.stages + 1) for stride in strides)
        self._ends, self.channels = ends[:built], channels[:built]
        self.features = features[: self._ends[-1]]
        by_stride: dict[int, list[nn.Module]] = {}
        begin = 0
        for end, stride in zip(self._ends, strides, strict=False):
            by_stride.setdefault(stride, []).extend(self.features[begin:end])
            begin = end
        # The layers before stride 8 keep their stride, and the last stage alone has the grid.
        dilate_stages({s: blocks for s, blocks in by_stride.items() if s >= 8}, spec)

    def stages(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the last feature of every stage."""
        begin = 0
        for end in self._ends:
            images = self.features[begin:end](images)
            begin = end
            yield images


def build_v2(spec: ModelSpec) -> Backbone:
    """Return MobileNetV2 at the spec's output stride; its stages end at 1, 3, 6, 13 and 17."""
    return MobileNet(
        models.mobilenet_v2(weights=None).features,
        (16, 24, 32, 96, 320),
        (2, 4, 7, 14, 18),
        (2, 4, 8, 16, 32),
        spec,
    )


def build_v3_large(spec: ModelSpec) -> Backbone:
    """Return MobileNetV3-Large; its stages end at features 1, 3, 4, 6, 12 and 16.

    Stride 8 comes in two stages, for torchvision's auxiliary head reads the first block of it.
    """
    return MobileNet(
        models.mobilenet_v3_large(weights=None).features,
        (16, 24, 40, 40, 112, 960),
        (2, 4, 5, 7, 13, 17),
        (2, 4, 8, 8, 16, 32),
        spec,
    )
