"""VainF/DeepLabV3Plus-Pytorch, its DeepLabV3: `classifier.classifier.0.convs.*`.

Sources: network/_deeplab.py, modeling.py, backbone/mobilenetv2.py. Its training script uses output
stride 16 unless told otherwise, and the rates follow. Its MobileNetV2 pads before the first 1x1
of a block.
"""

from __future__ import annotations

from typing import Any

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import class_table, resnet_backbone
from pspgui.models.deeplabv3 import DeepLabV3Spec

_HEAD = "classifier.classifier.0.convs.0.0.weight"
_PLUS = "classifier.aspp.convs.0.0.weight"
_MOBILENET = "backbone.low_level_features.0.0.weight"
_ASSUMED = (
    "output_stride", "dilation", "rates", "align_corners", "normalisation", "classes",
)  # fmt: skip
# A separable convolution is a `body` of two; the batch norm after it then moves by one.
_SEPARABLE_RULES = (
    (r"classifier\.classifier\.0\.convs\.([123])\.0\.body\.", r"aspp.branches.\1."),
    (r"classifier\.classifier\.0\.convs\.([123])\.1\.", r"aspp.branches.\1.2."),
    (r"classifier\.classifier\.1\.body\.", "decoder."),
    (r"classifier\.classifier\.2\.", "decoder.2."),
)
_RULES = (
    (r"backbone\.(?:low|high)_level_features\.", "backbone.features."),
    (r"classifier\.classifier\.0\.convs\.", "aspp.branches."),
    (r"classifier\.classifier\.0\.project\.", "project."),
    (r"classifier\.classifier\.1\.", "decoder.0."),
    (r"classifier\.classifier\.2\.", "decoder.1."),
    (r"classifier\.classifier\.4\.", "classifier."),
)


class VainF:
    """DeepLabV3 on ResNet-50, ResNet-101 or MobileNetV2 from that repository."""

    name = "VainF DeepLabV3"

    def matches(self, container: Container) -> bool:
        """Say whether the head is that repository's, DeepLabV3 or DeepLabV3+."""
        return _HEAD in container.tensors or _PLUS in container.tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and the family's defaults, and renamed tensors."""
        tensors = container.tensors
        if _HEAD not in tensors:
            raise container.error("it is a DeepLabV3+, and only DeepLabV3 can be built")
        backbone: dict[str, Any]
        if _MOBILENET in tensors:
            backbone = {"backbone": "mobilenet_v2", "mobilenet": "pads_input"}
        elif "backbone.layer4.0.conv1.weight" in tensors:
            backbone = {"backbone": resnet_backbone(tensors, "backbone.")}
        else:
            raise container.error("its backbone is neither a ResNet nor MobileNetV2")
        separable = "classifier.classifier.1.body.0.weight" in tensors
        spec = DeepLabV3Spec(
            **backbone,
            output_stride=16,
            rates=(6, 12, 18),
            aspp_channels=tensors[_HEAD].shape[0],
            separable=separable,
            decoder="separable" if separable else "conv",
            project_dropout=0.1,
            auxiliary=False,
            classes=class_table(tensors["classifier.classifier.4.weight"].shape[0]),
        )
        rules = (*_SEPARABLE_RULES, *_RULES) if separable else _RULES
        return Reading(spec, renamed(tensors, rules), assumed=_ASSUMED)


FAMILY = VainF()
