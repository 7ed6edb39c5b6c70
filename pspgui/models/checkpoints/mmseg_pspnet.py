"""mmsegmentation's PSPNet: `decode_head.psp_modules.*`, `bottleneck`, `conv_seg`.

Sources: mmseg/models/decode_heads/psp_head.py, mmseg/models/backbones/resnet.py,
configs/_base_/models/pspnet_r50-d8.py. Of its basic blocks only the first 3x3 is dilated.
"""

from __future__ import annotations

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.mmseg_backbone import backbone_fields, nested
from pspgui.models.checkpoints.mmseg_config import with_config
from pspgui.models.checkpoints.shapes import class_table, pyramid_levels
from pspgui.models.pspnet import PSPNetSpec
from pspgui.models.spec import SizeRule

_FIRST_LEVEL = "decode_head.psp_modules.0.1.conv.weight"
_AUXILIARY = "auxiliary_head.convs.0.conv.weight"
_ASSUMED = (
    "output_stride", "dilation", "multi_grid", "stride_in", "levels", "align_corners",
    "normalisation", "classes",
)  # fmt: skip
_RULES = (
    (r"decode_head\.psp_modules\.(\d+)\.1\.conv\.", r"pyramid.branches.\1.1."),
    (r"decode_head\.psp_modules\.(\d+)\.1\.bn\.", r"pyramid.branches.\1.2."),
    (r"decode_head\.bottleneck\.conv\.", "bottleneck.0."),
    (r"decode_head\.bottleneck\.bn\.", "bottleneck.1."),
    (r"decode_head\.conv_seg\.", "classifier."),
    (r"auxiliary_head\.convs\.0\.conv\.", "auxiliary.0."),
    (r"auxiliary_head\.convs\.0\.bn\.", "auxiliary.1."),
    (r"auxiliary_head\.conv_seg\.", "auxiliary.4."),
)


class MMSegmentationPSPNet:
    """PSPHead on ResNet V1 to V1d, or MobileNetV2."""

    name = "mmsegmentation PSPNet"

    def matches(self, container: Container) -> bool:
        """Say whether the head's first level has this family's name."""
        return _FIRST_LEVEL in container.tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from shapes, config and the defaults of R50-D8, and renamed tensors."""
        tensors = container.tensors
        auxiliary = tensors.get(_AUXILIARY)
        spec = PSPNetSpec(
            **backbone_fields(container),
            output_stride=8,
            levels=pyramid_levels(tensors, "decode_head.psp_modules."),
            level_channels=tensors[_FIRST_LEVEL].shape[0],
            bottleneck_channels=tensors["decode_head.bottleneck.conv.weight"].shape[0],
            auxiliary=auxiliary is not None,
            auxiliary_channels=None if auxiliary is None else auxiliary.shape[0],
            align_corners=False,
            size_rule=SizeRule(multiple=1, offset=0),
            classes=class_table(tensors["decode_head.conv_seg.weight"].shape[0]),
        )
        reading = Reading(spec, renamed(nested(tensors), _RULES), assumed=_ASSUMED)
        return with_config(reading, container)


FAMILY = MMSegmentationPSPNet()
