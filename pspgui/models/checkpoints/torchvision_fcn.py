"""torchvision's FCN: `backbone.*`, `classifier.{0,1,4}.*` and `aux_classifier.{0,1,4}.*`.

Source: torchvision/models/segmentation/fcn.py. Despite its name it is a dilated ResNet with one
3x3 convolution (`pspgui.models.dilated_fcn`), without skips or transposed convolutions.
"""

from __future__ import annotations

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import class_table, resnet_backbone
from pspgui.models.dilated_fcn import DilatedFCNSpec

_HEAD = "classifier.0.weight"
_AUXILIARY = "aux_classifier.0.weight"
_ASSUMED = ("output_stride", "dilation", "align_corners", "normalisation", "classes")
_RULES = (
    (r"classifier\.([01])\.", r"convolutions.0.\1."),
    (r"classifier\.4\.", "classifier."),
    (r"aux_classifier\.", "auxiliary."),
)


class TorchvisionFCN:
    """fcn_resnet50 and fcn_resnet101, and shallower ones made with the same head."""

    name = "torchvision FCN"

    def matches(self, container: Container) -> bool:
        """Say whether a convolution, not ASPP, is the head of a torchvision ResNet."""
        head = container.tensors.get(_HEAD)
        is_resnet = "backbone.layer1.0.conv1.weight" in container.tensors
        return head is not None and head.ndim == 4 and is_resnet

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and torchvision's defaults, and renamed tensors."""
        tensors = container.tensors
        auxiliary = tensors.get(_AUXILIARY)
        spec = DilatedFCNSpec(
            backbone=resnet_backbone(tensors, "backbone."),
            head_channels=tensors[_HEAD].shape[0],
            auxiliary=auxiliary is not None,
            auxiliary_channels=None if auxiliary is None else auxiliary.shape[0],
            classes=class_table(tensors["classifier.4.weight"].shape[0]),
        )
        return Reading(spec, renamed(tensors, _RULES), assumed=_ASSUMED)


FAMILY = TorchvisionFCN()
