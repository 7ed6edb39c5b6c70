"""kazuto1011/deeplab-pytorch, its DeepLabV3: `layer1..5`, `aspp.stages.*`, `fc1.*`, `fc2.*`.

Sources: libs/models/{deeplabv3,resnet}.py. Its ResNets stride in the first 1x1 of a block and round
the stem's pooling up, as Caffe's do, and its images are BGR less a mean in 0..255.
"""

from __future__ import annotations

import re

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.family import Reading, renamed
from pspgui.models.checkpoints.shapes import class_table, resnet_backbone
from pspgui.models.deeplabv3 import DeepLabV3Spec
from pspgui.models.spec import Normalisation

_SIGNATURE = "aspp.stages.c0.conv.weight"
_RATE = re.compile(r"aspp\.stages\.c[1-9]\.conv\.weight")
_RATES, _GRID = (6, 12, 18), (1, 2, 4)
_ASSUMED = (
    "output_stride", "dilation", "multi_grid", "rates", "align_corners", "normalisation",
    "classes",
)  # fmt: skip
_BLOCK = re.compile(
    r"layer([2-5])\.block(\d+)\.(reduce|conv3x3|increase|shortcut)\.(conv|bn)\.(.+)"
)
_PARTS = {"reduce": 1, "conv3x3": 2, "increase": 3}
_RULES = (
    (r"layer1\.conv1\.conv\.", "backbone.conv1."),
    (r"layer1\.conv1\.bn\.", "backbone.bn1."),
    (r"aspp\.stages\.c(\d)\.conv\.", r"aspp.branches.\1.0."),
    (r"aspp\.stages\.c(\d)\.bn\.", r"aspp.branches.\1.1."),
    (r"aspp\.stages\.imagepool\.conv\.conv\.", "aspp.branches.4.1."),
    (r"aspp\.stages\.imagepool\.conv\.bn\.", "aspp.branches.4.2."),
    (r"fc1\.conv\.", "project.0."),
    (r"fc1\.bn\.", "project.1."),
    (r"fc2\.", "classifier."),
)
_MULTI_SCALE = (
    "It was kept in a wrapper that takes the best score of several scales; here one scale is read."
)
_NORMALISATION = Normalisation(
    mean=(122.675 / 255, 116.669 / 255, 104.008 / 255), std=(1 / 255, 1 / 255, 1 / 255),
    channels="bgr",
)  # fmt: skip


class Kazuto1011:
    """DeepLabV3 on ResNet-50, 101 or 152 from that repository."""

    name = "kazuto1011 DeepLabV3"

    def matches(self, container: Container) -> bool:
        """Say whether ASPP and the classifier have this family's names."""
        tensors = container.tensors
        return _SIGNATURE in tensors and "fc2.weight" in tensors

    def read(self, container: Container) -> Reading:
        """Return the spec from the shapes and the family's defaults, and renamed tensors."""
        tensors = container.tensors
        if sum(bool(_RATE.fullmatch(key)) for key in tensors) != len(_RATES):
            raise container.error("it does not have the three atrous branches of this family")
        blocks = {_block_name(key): tensor for key, tensor in tensors.items()}
        state = renamed(blocks, _RULES)
        spec = DeepLabV3Spec(
            backbone=resnet_backbone(state, "backbone."),
            stride_in="1x1",
            ceil_pool=True,
            output_stride=8,
            dilation="full",
            multi_grid=_GRID,
            rates=_RATES,
            aspp_channels=tensors[_SIGNATURE].shape[0],
            decoder="none",
            auxiliary=False,
            normalisation=_NORMALISATION,
            classes=class_table(tensors["fc2.weight"].shape[0]),
        )
        notes = (_MULTI_SCALE,) if "base." in container.wrappers else ()
        return Reading(spec, state, notes, _ASSUMED)


FAMILY = Kazuto1011()


def _block_name(key: str) -> str:
    """Return our name of a tensor in a residual block; theirs count blocks from one."""
    found = _BLOCK.fullmatch(key)
    if found is None:
        return key
    layer, block, part, kind, rest = found.groups()
    place = f"backbone.layer{int(layer) - 1}.{int(block) - 1}"
    if part == "shortcut":
        return f"{place}.downsample.{0 if kind == 'conv' else 1}.{rest}"
    return f"{place}.{kind}{_PARTS[part]}.{rest}"
