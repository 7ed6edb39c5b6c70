"""torchvision's DeepLabV3: `backbone.*`, `classifier.0.convs.*` and `aux_classifier.{0,1,4}.*`.

Source: torchvision/models/segmentation/deeplabv3.py. Its MobileNetV3-Large keeps the rates of
stride 8 at stride 16, and its auxiliary head reads the first block of stride 8.
"""

from __future__ import annotations

from typing import Any

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import class_table, resnet_backbone
from pspgui.models.deeplabv3 import DeepLabV3Spec

_SIGNATURE = "classifier.0.convs.0.0.weight"
_AUXILIARY = "aux_classifier.0.weight"
_ASSUMED = (
    "output_stride", "dilation", "rates", "align_corners", "normalisation", "classes",
)  # fmt: skip
_RULES = (
    (r"backbone\.(\d+)\.", r"backbone.features.\1."),
    (r"classifier\.0\.convs\.", "aspp.branches."),
    (r"classifier\.0\.project\.", "project."),
    (r"classifier\.1\.", "decoder.0."),
    (r"classifier\.2\.", "decoder.1."),
    (r"classifier\.4\.", "classifier."),
    (r"aux_classifier\.", "auxiliary."),
)
_MOBILENET: dict[str, Any] = {
    "backbone": "mobilenet_v3_large", "output_stride": 16, "dilation": "full",
    "auxiliary_stage": -4,
}  # fmt: skip


class TorchvisionDeepLabV3:
    """deeplabv3_resnet50, deeplabv3_resnet101, deeplabv3_mobilenet_v3_large, and shallower ones."""

    name = "torchvision DeepLabV3"

    def matches(self, container: Container) -> bool:
        """Say whether the head begins with torchvision's ASPP."""
        return _SIGNATURE in container.tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and torchvision's defaults, and renamed tensors."""
        tensors = container.tensors
        if "backbone.0.0.weight" in tensors:
            if "backbone.16.0.weight" not in tensors:
                raise container.error("its backbone is a MobileNet, but not MobileNetV3-Large")
            backbone = _MOBILENET
        else:
            backbone = {"backbone": resnet_backbone(tensors, "backbone."), "output_stride": 8}
        auxiliary = tensors.get(_AUXILIARY)
        spec = DeepLabV3Spec(
            **backbone,
            rates=(12, 24, 36),
            aspp_channels=tensors[_SIGNATURE].shape[0],
            auxiliary=auxiliary is not None,
            auxiliary_channels=None if auxiliary is None else auxiliary.shape[0],
            classes=class_table(tensors["classifier.4.weight"].shape[0]),
        )
        return Reading(spec, renamed(tensors, _RULES), assumed=_ASSUMED)


FAMILY = TorchvisionDeepLabV3()
