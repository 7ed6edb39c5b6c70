"""mmsegmentation's FCN: `decode_head.convs.*`, `conv_cat`, `conv_seg` on a ResNet.

Sources: mmseg/models/decode_heads/fcn_head.py, configs/_base_/models/fcn_r50-d8.py.
"""

from __future__ import annotations

import re

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.mmseg_backbone import backbone_fields, nested
from pspgui.models.checkpoints.mmseg_config import with_config
from pspgui.models.checkpoints.shapes import class_table
from pspgui.models.dilated_fcn import DilatedFCNSpec

_HEAD = "decode_head.convs.0.conv.weight"
_JOINT = "decode_head.conv_cat.conv.weight"
_AUXILIARY = "auxiliary_head.convs.0.conv.weight"
_CONVOLUTION = re.compile(r"decode_head\.convs\.\d+\.conv\.weight")
# Heads that derive from this one (non-local, context blocks) have its keys and more.
_OWN = re.compile(r"decode_head\.(convs\.\d+\.(conv|bn)|conv_cat\.(conv|bn)|conv_seg)\.")
_ASSUMED = (
    "output_stride", "dilation", "multi_grid", "stride_in", "align_corners", "normalisation",
    "classes",
)  # fmt: skip
_RULES = (
    (r"decode_head\.convs\.(\d+)\.conv\.", r"convolutions.\1.0."),
    (r"decode_head\.convs\.(\d+)\.bn\.", r"convolutions.\1.1."),
    (r"decode_head\.conv_cat\.conv\.", "joint.0."),
    (r"decode_head\.conv_cat\.bn\.", "joint.1."),
    (r"decode_head\.conv_seg\.", "classifier."),
    (r"auxiliary_head\.convs\.0\.conv\.", "auxiliary.0."),
    (r"auxiliary_head\.convs\.0\.bn\.", "auxiliary.1."),
    (r"auxiliary_head\.conv_seg\.", "auxiliary.4."),
)


class MMSegmentationFCN:
    """FCNHead on ResNet V1 to V1d, or MobileNetV2."""

    name = "mmsegmentation FCN"

    def matches(self, container: Container) -> bool:
        """Say whether the head is this one and nothing more."""
        head = [key for key in container.tensors if key.startswith("decode_head.")]
        return _HEAD in container.tensors and all(_OWN.match(key) for key in head)

    def read(self, container: Container) -> Reading:
        """Return the spec from shapes, config and the defaults of R50-D8, and renamed tensors."""
        tensors = container.tensors
        auxiliary = tensors.get(_AUXILIARY)
        spec = DilatedFCNSpec(
            **backbone_fields(container),
            convolutions=sum(bool(_CONVOLUTION.fullmatch(key)) for key in tensors),
            concat_input=_JOINT in tensors,
            head_kernel=tensors[_HEAD].shape[-1],  # type: ignore[arg-type]  # checked by the spec
            head_channels=tensors[_HEAD].shape[0],
            auxiliary=auxiliary is not None,
            auxiliary_channels=None if auxiliary is None else auxiliary.shape[0],
            classes=class_table(tensors["decode_head.conv_seg.weight"].shape[0]),
        )
        reading = Reading(spec, renamed(nested(tensors), _RULES), assumed=_ASSUMED)
        return with_config(reading, container)


FAMILY = MMSegmentationFCN()
