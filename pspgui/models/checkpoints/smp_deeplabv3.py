"""segmentation_models.pytorch's DeepLabV3: `encoder.*`, `decoder.aspp.*`, `segmentation_head.0.*`.

Sources: decoders/deeplabv3/{model,decoder}.py, encoders/{resnet,mobilenet,_utils}.py. Before the
decoder's parts had names they were `decoder.{0,1,2}`. The encoder's layers are in the file
whether its depth uses them or not.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import output_classes, resnet_backbone
from pspgui.models.deeplabv3 import DeepLabV3Spec
from pspgui.models.spec import SizeRule

_NEW, _OLD = "decoder.aspp.convs.0.0.weight", "decoder.0.convs.0.0.weight"
_PLUS = ("decoder.aspp.0.convs.0.0.weight", "decoder.0.0.convs.0.0.weight")
_ASSUMED = (
    "output_stride", "dilation", "rates", "align_corners", "normalisation", "classes",
)  # fmt: skip
_SEPARABLE_RULES = (
    (r"decoder\.(?:aspp|0)\.convs\.([123])\.0\.", r"aspp.branches.\1."),
    (r"decoder\.(?:aspp|0)\.convs\.([123])\.1\.", r"aspp.branches.\1.2."),
)
_RULES = (
    (r"encoder\.", "backbone."),
    (r"decoder\.(?:aspp|0)\.convs\.", "aspp.branches."),
    (r"decoder\.(?:aspp|0)\.project\.", "project."),
    (r"decoder\.(?:conv|1)\.", "decoder.0."),
    (r"decoder\.(?:bn|2)\.", "decoder.1."),
    (r"segmentation_head\.0\.", "classifier."),
)


class SegmentationModelsDeepLabV3:
    """DeepLabV3 on torchvision's ResNets or MobileNetV2, of any encoder depth from 3 to 5."""

    name = "segmentation_models.pytorch DeepLabV3"

    def matches(self, container: Container) -> bool:
        """Say whether the decoder is ASPP beside an `encoder`; DeepLabV3+ is known too."""
        heads = {_NEW, _OLD, *_PLUS} & container.tensors.keys()
        return bool(heads) and "segmentation_head.0.weight" in container.tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and the family's defaults, and renamed tensors."""
        tensors = container.tensors
        first = tensors.get(_NEW, tensors.get(_OLD))
        if first is None:
            raise container.error("it is a DeepLabV3+, and only DeepLabV3 can be built")
        encoder = _encoder(container, first.shape[1])
        separable = _is_separable(tensors)
        state = renamed(tensors, (*_SEPARABLE_RULES, *_RULES) if separable else _RULES)
        classes, notes = output_classes(state)
        spec = DeepLabV3Spec(
            **encoder,
            output_stride=8,
            dilation="full",
            rates=(12, 24, 36),
            aspp_channels=first.shape[0],
            separable=separable,
            align_corners=True,
            size_rule=SizeRule(multiple=8, offset=0),
            auxiliary=False,
            classes=classes,
        )
        return Reading(spec, state, notes, _ASSUMED)


FAMILY = SegmentationModelsDeepLabV3()


def _encoder(container: Container, channels: int) -> dict[str, Any]:
    """Return the spec's backbone and how much of it leads to `channels`."""
    tensors = container.tensors
    if "encoder.features.18.0.weight" in tensors and "encoder.features.17.conv.3.weight" in tensors:
        stages = {1280: 4, 96: 3, 32: 2}[channels]
        form = "to_1280" if stages == 4 else "torchvision"
        return {"backbone": "mobilenet_v2", "mobilenet": form, "stages": stages}
    if "encoder.layer1.0.conv1.weight" not in tensors:
        raise container.error("its encoder is neither one of torchvision's ResNets nor MobileNetV2")
    backbone = resnet_backbone(tensors, "encoder.")
    narrow = 1 if backbone in ("resnet18", "resnet34") else 4
    return {"backbone": backbone, "stages": {512: 4, 256: 3, 128: 2}[channels // narrow]}


def _is_separable(tensors: dict[str, Tensor]) -> bool:
    return any(f"decoder.{part}.convs.1.0.1.weight" in tensors for part in ("aspp", "0"))
