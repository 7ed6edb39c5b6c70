"""MobileNetV2 (Sandler et al., arXiv 1801.04381) without its last 1x1 layer to 1280 channels."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from pspgui.models.backbones.stages import Backbone, dilate_stages
from pspgui.models.light_torchvision import models
from pspgui.models.spec import ModelSpec

# Where torchvision's `features` begin to lose resolution to stride 4, 8, 16 and 32, and the end.
_BOUNDS = (2, 4, 7, 14, 18)
_STAGE_16, _STAGE_32, _END = _BOUNDS[2:]


class MobileNetV2(Backbone):
    """Features 0..17, in five stages."""

    channels = (16, 24, 32, 96, 320)

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.features = models.mobilenet_v2(weights=None).features[:_END]
        dilate_stages(
            {16: self.features[_STAGE_16:_STAGE_32], 32: self.features[_STAGE_32:]}, spec
        )

    def stages(self, images: Tensor) -> Iterator[Tensor]:
        """Yield features 1, 3, 6, 13 and 17."""
        begin = 0
        for end in _BOUNDS:
            images = self.features[begin:end](images)
            begin = end
            yield images


def build(spec: ModelSpec) -> Backbone:
    """Return MobileNetV2 at the spec's output stride."""
    return MobileNetV2(spec)
