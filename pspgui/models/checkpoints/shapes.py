"""What can be read from keys and shapes alone: depth, stem, classes."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from pspgui.labels.classes import ClassTable, LabelClass, table
from pspgui.labels.palettes import palette
from pspgui.models.checkpoints.extras import spread_colour
from pspgui.models.spec import BackboneName, Stem

_BLOCKS: dict[tuple[tuple[int, ...], bool], BackboneName] = {
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), False): "resnet34",
    ((3, 4, 6, 3), True): "resnet50",
    ((3, 4, 23, 3), True): "resnet101",
    ((3, 8, 36, 3), True): "resnet152",
}
_MAX_LEVELS = 16
_PUBLISHED = {11: "camvid", 19: "cityscapes19", 21: "voc2012", 150: "ade20k150"}


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


def default_levels(count: int) -> tuple[int, ...]:
    """Return the bins that a pyramid of `count` levels most likely has: 1, 2, 3, 6 of the article.

    Raises ValueError for none, and for more than any pyramid has.
    """
    if not 1 <= count <= _MAX_LEVELS:
        raise ValueError(f"no pyramid has {count} levels")
    return (1, 2, 3, 6) if count == 4 else tuple(range(1, count + 1))


def pyramid_levels(tensors: Mapping[str, Tensor], prefix: str) -> tuple[int, ...]:
    """Return the likely bins of the levels whose keys begin with `{prefix}0.`, `{prefix}1.` …"""
    return default_levels(_blocks(tensors, prefix))


def class_table(count: int) -> ClassTable:
    """Return the classes a head of `count` outputs most likely means; else numbered ones.

    11, 19, 21 and 150 are taken for CamVid, Cityscapes, VOC and ADE20K; numbered classes have
    evenly spread colours.
    """
    if count in _PUBLISHED:
        return palette(_PUBLISHED[count])
    return ClassTable(
        tuple(LabelClass(i, f"class {i}", spread_colour(i)) for i in range(count)),
        ignore=255 if count <= 255 else 65535,
    )


def published_table(classes: ClassTable) -> str | None:
    """Return the name of the published table that `class_table` took these classes from."""
    name = _PUBLISHED.get(len(classes))
    return name if name is not None and classes.names == palette(name).names else None


def output_classes(state: dict[str, Tensor]) -> tuple[ClassTable, tuple[str, ...]]:
    """Return the classes of `classifier.*` and notes; a single output becomes two, in place.

    The sigmoid of one logit passes a half where the logit passes zero, so a background whose
    logit is always zero gives the same mask.
    """
    weight, bias = state["classifier.weight"], state["classifier.bias"]
    if weight.shape[0] != 1:
        return class_table(weight.shape[0]), ()
    state["classifier.weight"] = torch.cat([torch.zeros_like(weight), weight])
    state["classifier.bias"] = torch.cat([torch.zeros_like(bias), bias])
    note = "Its one output is read as an object, against a background, at a probability of one half"
    return table(("background", (0, 0, 0)), ("object", (255, 255, 255))), (f"{note}.",)


def _blocks(tensors: Mapping[str, Tensor], prefix: str) -> int:
    number = re.compile(re.escape(prefix) + r"(\d+)\.")
    found = {int(m[1]) for m in map(number.match, tensors) if m}
    return max(found) + 1 if found else 0
