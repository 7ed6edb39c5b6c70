"""mmsegmentation's DeepLabV3: `decode_head.aspp_modules.*`, `image_pool`, `bottleneck`, `conv_seg`.

Sources: mmseg/models/decode_heads/aspp_head.py, mmseg/models/backbones/resnet.py,
configs/_base_/models/deeplabv3_r50-d8.py. Of its basic blocks only the first 3x3 is dilated.
"""

from __future__ import annotations

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.mmseg_backbone import backbone_fields, nested
from pspgui.models.checkpoints.mmseg_config import with_config
from pspgui.models.checkpoints.shapes import class_table
from pspgui.models.deeplabv3 import DeepLabV3Spec

_POINTWISE = "decode_head.aspp_modules.0.conv.weight"
_POOL = "decode_head.image_pool.1.conv.weight"
_AUXILIARY = "auxiliary_head.convs.0.conv.weight"
_ASSUMED = (
    "output_stride", "dilation", "multi_grid", "stride_in", "rates", "align_corners",
    "normalisation", "classes",
)  # fmt: skip
# The image pool stands first here, so that branch n of theirs is n + 1 of ours.
_RULES = (
    (r"decode_head\.image_pool\.1\.conv\.", "aspp.branches.0.1."),
    (r"decode_head\.image_pool\.1\.bn\.", "aspp.branches.0.2."),
    *(
        (rf"decode_head\.aspp_modules\.{n}\.{part}\.", f"aspp.branches.{n + 1}.{place}.")
        for n in range(4)
        for place, part in enumerate(("conv", "bn"))
    ),
    (r"decode_head\.bottleneck\.conv\.", "project.0."),
    (r"decode_head\.bottleneck\.bn\.", "project.1."),
    (r"decode_head\.conv_seg\.", "classifier."),
    (r"auxiliary_head\.convs\.0\.conv\.", "auxiliary.0."),
    (r"auxiliary_head\.convs\.0\.bn\.", "auxiliary.1."),
    (r"auxiliary_head\.conv_seg\.", "auxiliary.4."),
)


class MMSegmentationDeepLabV3:
    """ASPPHead on ResNet V1 to V1d, or MobileNetV2."""

    name = "mmsegmentation DeepLabV3"

    def matches(self, container: Container) -> bool:
        """Say whether the head has both ASPP and the pooled image; DeepLabV3+ is known too."""
        return _POINTWISE in container.tensors and _POOL in container.tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from shapes, config and the defaults of R50-D8, and renamed tensors."""
        tensors = container.tensors
        if any(key.startswith("decode_head.sep_bottleneck.") for key in tensors):
            raise container.error("it is a DeepLabV3+, and only DeepLabV3 can be built")
        auxiliary = tensors.get(_AUXILIARY)
        spec = DeepLabV3Spec(
            **backbone_fields(container),
            output_stride=8,
            rates=(12, 24, 36),
            aspp_channels=tensors[_POINTWISE].shape[0],
            image_pool="first",
            project_kernel=3,
            project_dropout=0.1,
            decoder="none",
            auxiliary=auxiliary is not None,
            auxiliary_channels=None if auxiliary is None else auxiliary.shape[0],
            classes=class_table(tensors["decode_head.conv_seg.weight"].shape[0]),
        )
        reading = Reading(spec, renamed(nested(tensors), _RULES), assumed=_ASSUMED)
        return with_config(reading, container)


FAMILY = MMSegmentationDeepLabV3()
