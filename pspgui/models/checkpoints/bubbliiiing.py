"""The bubbliiiing/pspnet-pytorch family: `backbone.*`, `master_branch.*`, `auxiliary_branch.*`.

Its MobileNetV2 lists the layers of a block flat where torchvision nests them. Images go in as
RGB / 255 in that repository; files here are told apart by nothing else, so the normalisation is
the family's default and is shown as such.
"""

from __future__ import annotations

import re

from torch import Tensor

from pspgui.labels.classes import CAMVID
from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading
from pspgui.models.checkpoints.shapes import class_table
from pspgui.models.pspnet import PSPNetSpec
from pspgui.models.spec import ModelSpec, Normalisation, SizeRule

_SIGNATURE = "master_branch.0.stages.0.1.weight"
_ASSUMED = ("output_stride", "dilation", "levels", "align_corners", "normalisation", "classes")
_FLAT_BLOCK = re.compile(r"(backbone\.features\.\d+\.conv)\.(\d+)\.(.+)")
# Layer of a flat block -> torchvision's nested name, with and without the expanding 1x1.
_EXPANDING = {0: "0.0", 1: "0.1", 3: "1.0", 4: "1.1", 6: "2", 7: "3"}
_PLAIN = {0: "0.0", 1: "0.1", 3: "1", 4: "2"}


class Bubbliiiing:
    """PSPNet with MobileNetV2 from that repository (its ResNet-50 has a stem of its own)."""

    name = "bubbliiiing"

    def matches(self, container: Container) -> bool:
        """Say whether the pyramid's first convolution has this family's name."""
        return _SIGNATURE in container.tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and the family's defaults, and renamed tensors."""
        tensors = container.tensors
        if "backbone.features.17.conv.6.weight" not in tensors:
            raise container.error("its backbone is not MobileNetV2, the only one read so far")
        if "master_branch.0.stages.3.1.weight" not in tensors:
            raise container.error("it has fewer than the four levels of this family")
        spec = _spec(tensors)
        state = {_renamed(key, tensors): tensor for key, tensor in tensors.items()}
        return Reading(spec, state, _notes(spec), _ASSUMED)


FAMILY = Bubbliiiing()


def _spec(tensors: dict[str, Tensor]) -> ModelSpec:
    """Return the spec; raises KeyError, IndexError or ValueError for tensors that make no sense."""
    auxiliary = tensors.get("auxiliary_branch.0.weight")
    return PSPNetSpec(
        backbone="mobilenet_v2",
        output_stride=16,
        dilation="contract",
        levels=(1, 2, 3, 6),
        level_channels=tensors[_SIGNATURE].shape[0],
        bottleneck_channels=tensors["master_branch.0.bottleneck.0.weight"].shape[0],
        auxiliary=auxiliary is not None,
        auxiliary_channels=None if auxiliary is None else auxiliary.shape[0],
        align_corners=True,
        normalisation=Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
        size_rule=SizeRule(multiple=16, offset=1),
        classes=class_table(tensors["master_branch.1.weight"].shape[0]),
    )


def _notes(spec: ModelSpec) -> tuple[str, ...]:
    named = "CamVid's" if spec.classes is CAMVID else "numbered, for the file does not name them"
    return (
        "Output stride 16, aligned corners and the input range -1..1 are this family's defaults; "
        f"the file does not say. Its {len(spec.classes)} class names are {named}.",
    )


def _renamed(key: str, tensors: dict[str, Tensor]) -> str:
    """Return our name of one of the family's tensors."""
    block = _FLAT_BLOCK.fullmatch(key)
    if block:
        head, layer, rest = block.groups()
        names = _EXPANDING if f"{head}.6.weight" in tensors else _PLAIN
        return f"{head}.{names.get(int(layer), layer)}.{rest}"
    for theirs, ours in (
        ("master_branch.0.stages.", "pyramid.branches."),
        ("master_branch.0.bottleneck.", "bottleneck."),
        ("master_branch.1.", "classifier."),
        ("auxiliary_branch.", "auxiliary."),
    ):
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    return key
