"""mmsegmentation's FCN: `decode_head.convs.*`, `conv_cat`, `conv_seg` on a ResNet.

Sources: mmseg/models/decode_heads/fcn_head.py, configs/_base_/models/fcn_r50-d8.py. Its ResNet
V1c has the deep stem `backbone.stem.*`, V1 and V1b the 7x7 one.
"""

from __future__ import annotations

import re

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import class_table, resnet_backbone, resnet_stem
from pspgui.models.dilated_fcn import DilatedFCNSpec

_HEAD = "decode_head.convs.0.conv.weight"
_JOINT = "decode_head.conv_cat.conv.weight"
_AUXILIARY = "auxiliary_head.convs.0.conv.weight"
_CONVOLUTION = re.compile(r"decode_head\.convs\.\d+\.conv\.weight")
# Heads that derive from this one (non-local, context blocks) have its keys and more.
_OWN = re.compile(r"decode_head\.(convs\.\d+\.(conv|bn)|conv_cat\.(conv|bn)|conv_seg)\.")
_ASSUMED = (
    "output_stride", "dilation", "stride_in", "align_corners", "normalisation", "classes",
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
    """FCNHead on ResNet, ResNetV1b or ResNetV1c."""

    name = "mmsegmentation FCN"

    def matches(self, container: Container) -> bool:
        """Say whether the head is this one and nothing more."""
        head = [key for key in container.tensors if key.startswith("decode_head.")]
        return _HEAD in container.tensors and all(_OWN.match(key) for key in head)

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and the defaults of its R50-D8, and renamed tensors."""
        tensors = container.tensors
        if "backbone.layer1.0.conv1.weight" not in tensors:
            raise container.error("its backbone is not a ResNet, the only one read with this head")
        if "backbone.layer2.0.downsample.2.weight" in tensors:
            raise container.error("its ResNet V1d averages beside its blocks, which is not built")
        first = "backbone.stem.0.weight"
        if first not in tensors:
            first = "backbone.conv1.weight"
        auxiliary = tensors.get(_AUXILIARY)
        bottlenecks = "backbone.layer1.0.conv3.weight" in tensors
        spec = DilatedFCNSpec(
            backbone=resnet_backbone(tensors, "backbone."),
            dilation="contract" if bottlenecks else "contract_single",
            stem=resnet_stem(tensors, first, "backbone.layer1.0.conv1.weight"),
            convolutions=sum(bool(_CONVOLUTION.fullmatch(key)) for key in tensors),
            concat_input=_JOINT in tensors,
            head_kernel=tensors[_HEAD].shape[-1],  # type: ignore[arg-type]  # checked by the spec
            head_channels=tensors[_HEAD].shape[0],
            auxiliary=auxiliary is not None,
            auxiliary_channels=None if auxiliary is None else auxiliary.shape[0],
            classes=class_table(tensors["decode_head.conv_seg.weight"].shape[0]),
        )
        return Reading(spec, renamed(tensors, _RULES), assumed=_ASSUMED)


FAMILY = MMSegmentationFCN()
