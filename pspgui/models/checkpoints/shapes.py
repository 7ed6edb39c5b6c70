"""What can be read from keys and shapes alone: depth, stem, classes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from pspgui.labels.classes import CAMVID, ClassTable, LabelClass
from pspgui.models.spec import BackboneName, Stem

_BLOCKS: dict[tuple[tuple[int, ...], bool], BackboneName] = {
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), False): "resnet34",
    ((3, 4, 6, 3), True): "resnet50",
    ((3, 4, 23, 3), True): "resnet101",
    ((3, 8, 36, 3), True): "resnet152",
}


def resnet_backbone(tensors: Mapping[str, Tensor], prefix: str) -> BackboneName:
    """Return which ResNet has keys like `{prefix}layer1.0.conv1.weight`, by its blocks.

    Raises ValueError for another number of blocks.
    """
    counts = tuple(_blocks(tensors, f"{prefix}layer{layer}.") for layer in (1, 2, 3, 4))
    deep = f"{prefix}layer1.0.conv3.weight" in tensors
    try:
        return _BLOCKS[counts, deep]
    except KeyError:
        raise ValueError(f"no ResNet has {counts} blocks") from None


def resnet_stem(tensors: Mapping[str, Tensor], first: str, before_layers: str) -> Stem:
    """Return the stem by its first convolution's kernel and the width the first layer reads.

    first, before_layers: keys of the stem's first convolution and of the first one after it.
    """
    if tensors[first].shape[-1] == 7:
        return "7x7"
    return "deep128" if tensors[before_layers].shape[1] == 128 else "deep64"


def class_table(count: int) -> ClassTable:
    """Return the classes a head of `count` outputs most likely means; else numbered ones.

    Eleven are taken for CamVid's; numbered classes have evenly spread colours.
    """
    if count == len(CAMVID):
        return CAMVID
    return ClassTable(
        tuple(
            LabelClass(i, f"class {i}", (37 * i % 256, 101 * i % 256, 197 * i % 256))
            for i in range(count)
        ),
        ignore=255 if count <= 255 else 65535,
    )


def _blocks(tensors: Mapping[str, Tensor], prefix: str) -> int:
    number = re.compile(re.escape(prefix) + r"(\d+)\.")
    found = {int(m[1]) for m in map(number.match, tensors) if m}
    return max(found) + 1 if found else 0
