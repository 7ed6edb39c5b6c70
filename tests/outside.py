"""A small PSPNet as mmsegmentation would write it, for tests of what is done with such files."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.models.pspnet import PSPNet, PSPNetSpec

_THEIRS = (
    (r"pyramid\.branches\.(\d)\.1\.", r"decode_head.psp_modules.\1.1.conv."),
    (r"pyramid\.branches\.(\d)\.2\.", r"decode_head.psp_modules.\1.1.bn."),
    (r"bottleneck\.0\.", "decode_head.bottleneck.conv."),
    (r"bottleneck\.1\.", "decode_head.bottleneck.bn."),
    (r"classifier\.", "decode_head.conv_seg."),
    (r"auxiliary\.0\.", "auxiliary_head.convs.0.conv."),
    (r"auxiliary\.1\.", "auxiliary_head.convs.0.bn."),
    (r"auxiliary\.4\.", "auxiliary_head.conv_seg."),
)


def small_psp(classes: int) -> PSPNet:
    """A ResNet-18 with mmsegmentation's stem and narrow heads."""
    torch.manual_seed(classes)
    table = ClassTable(tuple(LabelClass(i, f"c{i}", (i, i, i)) for i in range(classes)))
    spec = PSPNetSpec(
        backbone="resnet18", stem="deep64", output_stride=8, dilation="contract_single",
        level_channels=8, bottleneck_channels=8, auxiliary_channels=8, align_corners=False,
        classes=table,
    )  # fmt: skip
    return PSPNet(spec).eval()


def as_mmseg(model: PSPNet) -> dict[str, torch.Tensor]:
    """The network's tensors under mmsegmentation's names."""
    found = {}
    for key, tensor in model.state_dict().items():
        for pattern, theirs in _THEIRS:
            key, count = re.subn(rf"^{pattern}", theirs, key)
            if count:
                break
        found[key] = tensor
    return found


def save_mmseg(path: Path, model: PSPNet) -> Path:
    """Write the file that its trainer would."""
    torch.save({"meta": {"iter": 1}, "state_dict": as_mmseg(model), "optimizer": {"a": 1}}, path)
    return path
