"""MobileNetV2 (Sandler et al., arXiv 1801.04381) without its last 1x1 layer to 1280 channels."""

from __future__ import annotations

from torch import Tensor

from pspgui.models.backbones.stages import Backbone, dilate_stage
from pspgui.models.light_torchvision import models
from pspgui.models.spec import ModelSpec

# Where torchvision's `features` lose resolution to stride 16 and 32, and where they end.
_STAGE_16, _STAGE_32, _END = 7, 14, 18


class MobileNetV2(Backbone):
    """Features 0..17; 96 channels before the last stage and 320 after it."""

    channels = (96, 320)

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.features = models.mobilenet_v2(weights=None).features[:_END]
        if spec.output_stride == 8:
            dilate_stage(
                self.features[_STAGE_16:_STAGE_32], previous=1, dilation=2, family=spec.dilation
            )
            dilate_stage(self.features[_STAGE_32:], previous=2, dilation=4, family=spec.dilation)
        else:
            dilate_stage(self.features[_STAGE_32:], previous=1, dilation=2, family=spec.dilation)

    def stages(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features 13 (B, 96, h, w) and 17 (B, 320, h, w)."""
        middle = self.features[:_STAGE_32](images)
        return middle, self.features[_STAGE_32:](middle)


def build(spec: ModelSpec) -> Backbone:
    """Return MobileNetV2 at the spec's output stride."""
    return MobileNetV2(spec)
