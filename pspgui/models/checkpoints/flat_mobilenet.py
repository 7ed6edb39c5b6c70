"""MobileNetV2 whose blocks list their layers flat, where torchvision nests them.

tonylins/pytorch-mobilenet-v2 and what took it over: CSAIL, bubbliiiing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

# Layer of a flat block -> torchvision's nested name, with and without the expanding 1x1.
_EXPANDING = {0: "0.0", 1: "0.1", 3: "1.0", 4: "1.1", 6: "2", 7: "3"}
_PLAIN = {0: "0.0", 1: "0.1", 3: "1", 4: "2"}


def is_flat(tensors: Mapping[str, Tensor], prefix: str) -> bool:
    """Say whether there is such a network under keys like `{prefix}17.conv.6.weight`."""
    return f"{prefix}17.conv.6.weight" in tensors


def nested_key(key: str, tensors: Mapping[str, Tensor], prefix: str) -> str:
    """Return torchvision's name of a flat block's tensor; other keys as they are."""
    block = re.fullmatch(rf"({re.escape(prefix)}\d+\.conv)\.(\d+)\.(.+)", key)
    if block is None:
        return key
    head, layer, rest = block.groups()
    names = _EXPANDING if f"{head}.6.weight" in tensors else _PLAIN
    return f"{head}.{names.get(int(layer), layer)}.{rest}"
