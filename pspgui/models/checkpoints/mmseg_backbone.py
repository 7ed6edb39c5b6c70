"""mmsegmentation's backbones: ResNet in its forms V1, V1b, V1c and V1d, and MobileNetV2.

Sources: mmseg/models/backbones/{resnet,mobilenet_v2}.py, mmseg/models/utils/{res_layer,
inverted_residual}.py. V1c has a deep stem `stem.*`; V1d also averages beside the first block of
every layer, which moves that way's convolution to `downsample.1`. MobileNetV2 keeps its blocks in
seven layers, and where it is dilated, dilates the first block of each.
"""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.shapes import resnet_backbone, resnet_stem

_LAYER1 = "backbone.layer1.0.conv1.weight"
_AVERAGED = "backbone.layer2.0.downsample.2.weight"
_MOBILE = "backbone.layer7.0.conv.0.conv.weight"
# The layers of MobileNetV2 by the index of torchvision's feature that they begin with.
_BEGINS = {1: 1, 2: 2, 3: 4, 4: 7, 5: 11, 6: 14, 7: 17}
_BLOCK = re.compile(r"backbone\.layer([1-7])\.(\d+)\.conv\.(\d)\.(conv|bn)\.(.+)")
_STEM = re.compile(r"backbone\.conv1\.(conv|bn)\.(.+)")


def backbone_fields(container: Container) -> dict[str, Any]:
    """Return a spec's fields on the backbone; raises `CheckpointError` for any other."""
    tensors = container.tensors
    if _MOBILE in tensors:
        if tensors[_MOBILE].shape[1] != 160:
            raise container.error("its MobileNetV2 is of another width than one, which is not read")
        return {"backbone": "mobilenet_v2", "dilation": "group_first"}
    if _LAYER1 not in tensors:
        raise container.error(
            "its backbone is neither a ResNet nor MobileNetV2, which are read with this head"
        )
    name = resnet_backbone(tensors, "backbone.")
    first = "backbone.stem.0.weight"
    if first not in tensors:
        first = "backbone.conv1.weight"
    return {
        "backbone": name,
        "stem": resnet_stem(tensors, first, _LAYER1),
        "dilation": "contract_single" if name in ("resnet18", "resnet34") else "contract",
        "average_shortcut": _AVERAGED in tensors,
    }


def nested(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with MobileNetV2's under torchvision's names; others as they are."""
    if _MOBILE not in tensors:
        return tensors
    return {_nested_key(key): tensor for key, tensor in tensors.items()}


def _nested_key(key: str) -> str:
    stem = _STEM.fullmatch(key)
    if stem is not None:
        return f"backbone.features.0.{0 if stem[1] == 'conv' else 1}.{stem[2]}"
    block = _BLOCK.fullmatch(key)
    if block is None:
        return key
    layer, number, part, kind, rest = block.groups()
    place = f"backbone.features.{_BEGINS[int(layer)] + int(number)}.conv"
    # All but the first block widen by a 1x1 before the depthwise convolution.
    last = 1 if layer == "1" else 2
    if int(part) == last:
        return f"{place}.{last if kind == 'conv' else last + 1}.{rest}"
    return f"{place}.{part}.{0 if kind == 'conv' else 1}.{rest}"
