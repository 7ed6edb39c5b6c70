"""segmentation_models.pytorch's PSPNet: `encoder.*`, `decoder.psp.*`, `segmentation_head.0.*`.

Sources: decoders/pspnet/{model,decoder}.py, base/{heads,modules}.py. By default only the first
two residual layers are used, at stride 8 without dilation; the others are in the file all the
same. The 1x1 level has a bias where the others have a norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.extras import Plain
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import output_classes, pyramid_levels, resnet_backbone
from pspgui.models.checkpoints.smp_config import beside, is_plain_resnet, refusal_of, stops_short
from pspgui.models.pspnet import PSPNetSpec
from pspgui.models.spec import SizeRule

_FIRST_LEVEL = "decoder.psp.blocks.0.pool.1.0.weight"
_ASSUMED = ("levels", "align_corners", "normalisation", "classes")
_RULES = (
    (r"encoder\.", "backbone."),
    (r"decoder\.psp\.blocks\.(\d+)\.pool\.1\.0\.", r"pyramid.branches.\1.1."),
    (r"decoder\.psp\.blocks\.(\d+)\.pool\.1\.1\.", r"pyramid.branches.\1.2."),
    (r"decoder\.conv\.", "bottleneck."),
    (r"segmentation_head\.0\.", "classifier."),
)


class SegmentationModelsPSPNet:
    """PSPNet on torchvision's ResNets, or MobileNetV2, of any encoder depth from 3 to 5."""

    name = "segmentation_models.pytorch PSPNet"

    def matches(self, container: Container) -> bool:
        """Say whether the decoder's first level has this family's name."""
        return _FIRST_LEVEL in container.tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and the family's defaults, and renamed tensors."""
        tensors = container.tensors
        if "decoder.conv.1.running_mean" not in tensors:
            raise container.error("its decoder has no batch norm, which is not built here")
        level = tensors[_FIRST_LEVEL]
        config = beside(container, "PSPNet")
        encoder = _encoder(container, config, level.shape[1])
        state = renamed(tensors, _RULES)
        classes, notes = output_classes(state)
        notes += stops_short(config, encoder["output_stride"])
        spec = PSPNetSpec(
            **encoder,
            levels=pyramid_levels(tensors, "decoder.psp.blocks."),
            reduction="conv_bn_relu_bare_1",
            level_channels=level.shape[0],
            concat="features_last",
            bottleneck_kernel=1,
            bottleneck_channels=tensors["decoder.conv.0.weight"].shape[0],
            classifier_kernel=3,
            dropout=_dropout(config),
            auxiliary=False,
            align_corners=True,
            size_rule=SizeRule(multiple=2 ** (encoder["stages"] + 1), offset=0),
            classes=classes,
        )
        return Reading(spec, state, notes, _ASSUMED)


FAMILY = SegmentationModelsPSPNet()


def _encoder(
    container: Container, config: Mapping[str, Plain], channels: int
) -> dict[str, Any]:
    """Return the spec's backbone and how many residual layers lead to `channels`."""
    tensors = container.tensors
    if "encoder.features.17.conv.3.weight" in tensors:
        stages = {32: 2, 96: 3, 1280: 4}[channels]
        form = "to_1280" if stages == 4 else "torchvision"
        return {**_depth("mobilenet_v2", stages), "mobilenet": form}
    if not is_plain_resnet(tensors):
        raise refusal_of(container, config)
    backbone = resnet_backbone(tensors, "encoder.")
    narrow = 1 if backbone in ("resnet18", "resnet34") else 4
    return _depth(backbone, {128: 2, 256: 3, 512: 4}[channels // narrow])


def _dropout(config: Mapping[str, Plain]) -> float:
    share = config.get("psp_dropout")
    return share if isinstance(share, float) and 0 <= share < 1 else 0.2


def _depth(backbone: str, stages: int) -> dict[str, Any]:
    return {"backbone": backbone, "stages": stages, "output_stride": 2 ** (stages + 1)}
