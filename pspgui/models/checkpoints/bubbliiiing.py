"""The bubbliiiing/pspnet-pytorch family: `backbone.*`, `master_branch.*`, `auxiliary_branch.*`.

Source: nets/{pspnet,resnet,mobilenetv2}.py, pspnet.py. Its ResNet-50 has the deep stem, as three
pairs of layers or, later, in one sequence. Images go in as RGB / 255 there.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pspgui.labels.classes import CAMVID
from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.flat_mobilenet import is_flat, nested_key
from pspgui.models.checkpoints.shapes import class_table, pyramid_levels, resnet_backbone
from pspgui.models.pspnet import PSPNetSpec
from pspgui.models.spec import ModelSpec, Normalisation, SizeRule

_SIGNATURE = "master_branch.0.stages.0.1.weight"
_ASSUMED = ("output_stride", "dilation", "levels", "align_corners", "normalisation", "classes")
_RULES = (
    (r"master_branch\.0\.stages\.", "pyramid.branches."),
    (r"master_branch\.0\.bottleneck\.", "bottleneck."),
    (r"master_branch\.1\.", "classifier."),
    (r"auxiliary_branch\.", "auxiliary."),
)
_PAIRS = tuple(
    (rf"backbone\.{kind}{n}\.", f"backbone.stem.{3 * n - 3 + place}.")
    for n in (1, 2, 3)
    for place, kind in enumerate(("conv", "bn"))
)
_SEQUENCE = (
    (r"backbone\.conv1\.(?=\d)", "backbone.stem."),
    (r"backbone\.bn1\.", "backbone.stem.7."),
)
_ZERO_TO_ONE = Normalisation(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
_MINUS_ONE_TO_ONE = Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


class Bubbliiiing:
    """PSPNet on MobileNetV2 or ResNet-50 from that repository."""

    name = "bubbliiiing"

    def matches(self, container: Container) -> bool:
        """Say whether the pyramid's first convolution has this family's name."""
        return _SIGNATURE in container.tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and the family's defaults, and renamed tensors."""
        tensors = container.tensors
        mobile = is_flat(tensors, "backbone.features.")
        if not mobile and "backbone.layer1.0.conv1.weight" not in tensors:
            raise container.error("its backbone is neither MobileNetV2 nor ResNet-50")
        if "master_branch.0.stages.3.1.weight" not in tensors:
            raise container.error("it has fewer than the four levels of this family")
        spec = _spec(tensors, mobile)
        nested = {nested_key(k, tensors, "backbone.features."): t for k, t in tensors.items()}
        stem = _SEQUENCE if "backbone.conv1.0.weight" in tensors else _PAIRS
        return Reading(spec, renamed(nested, (*stem, *_RULES)), assumed=_ASSUMED)


FAMILY = Bubbliiiing()


def _spec(tensors: dict[str, Tensor], mobile: bool) -> ModelSpec:
    """Return the spec; raises KeyError, IndexError or ValueError for tensors that make no sense."""
    auxiliary = tensors.get("auxiliary_branch.0.weight")
    classes = class_table(tensors["master_branch.1.weight"].shape[0])
    backbone: dict[str, Any] = {"backbone": "mobilenet_v2"}
    if not mobile:
        backbone = {"backbone": resnet_backbone(tensors, "backbone."), "stem": "deep128"}
    # MobileNetV2 for CamVid was trained elsewhere on another range, and the file does not say so.
    other = mobile and classes.names == CAMVID.names
    return PSPNetSpec(
        **backbone,
        output_stride=16,
        dilation="contract",
        levels=pyramid_levels(tensors, "master_branch.0.stages."),
        level_channels=tensors[_SIGNATURE].shape[0],
        bottleneck_channels=tensors["master_branch.0.bottleneck.0.weight"].shape[0],
        auxiliary=auxiliary is not None,
        auxiliary_channels=None if auxiliary is None else auxiliary.shape[0],
        align_corners=True,
        normalisation=_MINUS_ONE_TO_ONE if other else _ZERO_TO_ONE,
        size_rule=SizeRule(multiple=16, offset=1),
        classes=classes,
    )
