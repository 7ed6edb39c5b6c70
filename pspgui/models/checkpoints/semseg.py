"""hszhao/semseg: `layer0.*`, `layer1` to `layer4`, `ppm.features.*`, `cls.*`, `aux.*`.

Source: model/pspnet.py, model/resnet.py, tool/train.py, which saves epoch, state_dict of a
DataParallel and optimizer.
"""

from __future__ import annotations

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import (
    class_table,
    pyramid_levels,
    resnet_backbone,
    resnet_stem,
)
from pspgui.models.pspnet import PSPNetSpec
from pspgui.models.spec import SizeRule

_FIRST_LEVEL = "ppm.features.0.1.weight"
_ASSUMED = ("output_stride", "dilation", "levels", "align_corners", "normalisation", "classes")
_RULES = (
    (r"layer0\.", "backbone.stem."),
    (r"layer(?=[1-4]\.)", "backbone.layer"),
    (r"ppm\.features\.", "pyramid.branches."),
    (r"cls\.4\.", "classifier."),
    (r"cls\.", "bottleneck."),
    (r"aux\.", "auxiliary."),
)


class Semseg:
    """The reference PSPNet on ResNet-50, 101 or 152 with the deep stem."""

    name = "semseg"

    def matches(self, container: Container) -> bool:
        """Say whether the pyramid's first convolution has this family's name."""
        return _FIRST_LEVEL in container.tensors and "cls.0.weight" in container.tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and that repository's defaults, and renamed tensors."""
        tensors = container.tensors
        auxiliary = tensors.get("aux.0.weight")
        stem = resnet_stem(tensors, "layer0.0.weight", "layer1.0.conv1.weight")
        spec = PSPNetSpec(
            backbone=resnet_backbone(tensors, ""),
            stem=stem,
            output_stride=8,
            dilation="full",
            levels=pyramid_levels(tensors, "ppm.features."),
            level_channels=tensors[_FIRST_LEVEL].shape[0],
            bottleneck_channels=tensors["cls.0.weight"].shape[0],
            auxiliary=auxiliary is not None,
            auxiliary_channels=None if auxiliary is None else auxiliary.shape[0],
            align_corners=True,
            size_rule=SizeRule(multiple=8, offset=1),
            classes=class_table(tensors["cls.4.weight"].shape[0]),
        )
        plain = ((r"layer0\.0\.", "backbone.conv1."), (r"layer0\.1\.", "backbone.bn1."))
        rules = (*plain, *_RULES) if stem == "7x7" else _RULES
        return Reading(spec, renamed(tensors, rules), assumed=_ASSUMED)


FAMILY = Semseg()
