"""segmentation_models.pytorch's DeepLabV3: `encoder.*`, `decoder.aspp.*`, `segmentation_head.0.*`.

Sources: decoders/deeplabv3/{model,decoder}.py, encoders/{resnet,mobilenet,_utils}.py. Before the
decoder's parts had names they were `decoder.{0,1,2}`. The encoder's layers are in the file
whether its depth uses them or not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.extras import Plain
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import output_classes, resnet_backbone
from pspgui.models.checkpoints.smp_config import beside, counts, is_plain_resnet, refusal_of
from pspgui.models.deeplabv3 import DeepLabV3Spec
from pspgui.models.spec import SizeRule

_NEW, _OLD = "decoder.aspp.convs.0.0.weight", "decoder.0.convs.0.0.weight"
_PLUS = ("decoder.aspp.0.convs.0.0.weight", "decoder.0.0.convs.0.0.weight")
_ASSUMED = (
    "output_stride", "dilation", "rates", "align_corners", "normalisation", "classes",
)  # fmt: skip
_RATE = re.compile(r"decoder\.(?:aspp|0)\.convs\.[1-3]\.0(?:\.0)?\.weight")
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
        config = beside(container, "DeepLabV3")
        encoder = _encoder(container, config, first.shape[1])
        separable = _is_separable(tensors)
        state = renamed(tensors, (*_SEPARABLE_RULES, *_RULES) if separable else _RULES)
        classes, notes = output_classes(state)
        told = _told(config, sum(_is_rate(key) for key in tensors))
        spec = DeepLabV3Spec(
            **encoder,
            output_stride=told.get("output_stride", 8),
            dilation="full",
            rates=told.get("rates", (12, 24, 36)),
            aspp_channels=first.shape[0],
            separable=separable,
            align_corners=True,
            size_rule=SizeRule(multiple=8, offset=0),
            auxiliary=False,
            classes=classes,
        )
        assumed = tuple(key for key in _ASSUMED if key not in told)
        # Its constructor takes the same rates at either output stride.
        return Reading(spec, state, notes, assumed, keeps_rates=True)


FAMILY = SegmentationModelsDeepLabV3()


def _encoder(
    container: Container, config: Mapping[str, Plain], channels: int
) -> dict[str, Any]:
    """Return the spec's backbone and how much of it leads to `channels`."""
    tensors = container.tensors
    if "encoder.features.18.0.weight" in tensors and "encoder.features.17.conv.3.weight" in tensors:
        stages = {1280: 4, 96: 3, 32: 2}[channels]
        form = "to_1280" if stages == 4 else "torchvision"
        return {"backbone": "mobilenet_v2", "mobilenet": form, "stages": stages}
    if not is_plain_resnet(tensors):
        raise refusal_of(container, config)
    backbone = resnet_backbone(tensors, "encoder.")
    narrow = 1 if backbone in ("resnet18", "resnet34") else 4
    return {"backbone": backbone, "stages": {512: 4, 256: 3, 128: 2}[channels // narrow]}


def _told(config: Mapping[str, Plain], rates: int) -> dict[str, Any]:
    """Return the fields that the config gives, for so many atrous branches."""
    told: dict[str, Any] = {}
    if config.get("encoder_output_stride") in (8, 16):
        told["output_stride"] = config["encoder_output_stride"]
    found = counts(config.get("decoder_atrous_rates"))
    if found is not None and len(found) == rates:
        told["rates"] = found
    return told


def _is_rate(key: str) -> bool:
    return _RATE.fullmatch(key) is not None


def _is_separable(tensors: dict[str, Tensor]) -> bool:
    return any(f"decoder.{part}.convs.1.0.1.weight" in tensors for part in ("aspp", "0"))
