"""How much memory one image will need, and how much there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import torch

from pspgui.models.deeplabv3 import DeepLabV3Spec
from pspgui.models.dilated_fcn import DilatedFCNSpec
from pspgui.models.pspnet_upsample import PSPUpsampleSpec
from pspgui.models.spec import ModelSpec

# Bytes per pixel of the padded image that the backbone holds at its fullest layer, measured at
# stride 8 on the CPU with what the allocator keeps besides (for ResNet-50 620), and rounded up.
_BACKBONE_BYTES = {
    "mobilenet_v2": 340, "mobilenet_v3_large": 340, "resnet18": 320, "resnet34": 320, "vgg16": 780,
    "shortsighted": 120,
}  # fmt: skip
# VGG16's first padding in FCN adds this to both sides, which counts for small images.
_FCN_BORDER = 200
_DEEP_BYTES = 680
_FEATURES = {
    "mobilenet_v2": 320, "mobilenet_v3_large": 960, "resnet18": 512, "resnet34": 512, "vgg16": 512,
    "shortsighted": 96,
}  # fmt: skip
_DEEP_FEATURES = 2048
# What the allocator keeps beyond the maps that a head holds at once, by measurement.
_KEPT_SHARE = 1.35


def forecast_bytes(spec: ModelSpec, padded_shape: tuple[int, int]) -> int:
    """Return about how many bytes `Predictor.set_image` takes at its peak.

    The backbone and the head do not hold their peaks together, so the larger one counts.
    """
    border = _FCN_BORDER if spec.architecture == "fcn" else 0
    pixels = (padded_shape[0] + border) * (padded_shape[1] + border)
    at_cells, at_pixels = _head_channels(spec, _FEATURES.get(spec.backbone, _DEEP_FEATURES))
    head = 4 * pixels * _KEPT_SHARE * max(at_cells / spec.output_stride**2, at_pixels)
    backbone = pixels * _BACKBONE_BYTES.get(spec.backbone, _DEEP_BYTES)
    return int(max(head, backbone))


def _head_channels(spec: ModelSpec, features: int) -> tuple[int, int]:
    """Return how many channels a head holds at once at the cells, and at all pixels.

    Features count twice, for they are copied into the order in which they are kept.
    """
    classes = len(spec.classes)
    if isinstance(spec, PSPUpsampleSpec):
        # Features and levels stand beside their concatenation; a stage beside what it is made of.
        joint = 2 * (len(spec.levels) + 1) * features + spec.bottleneck_channels
        return joint, 4 * spec.stage_channels[-1] + 2 * classes
    if spec.scores_pixels:
        return 2 * features, 64 + 2 * classes
    if isinstance(spec, DeepLabV3Spec) and spec.aspp:
        branches = len(spec.rates) + 1 + (spec.image_pool != "none")
        return 2 * features + (2 * branches + 3) * spec.aspp_channels + 2 * classes, 0
    if isinstance(spec, DilatedFCNSpec):
        hidden = spec.head_channels or features // 4
        joint = features + hidden if spec.concat_input else 0
        return 2 * features + 3 * hidden + joint + 2 * classes, 0
    # Local and fused maps with one working copy each, then the logits.
    hidden = getattr(spec, "bottleneck_channels", None) or features // 4
    return 2 * features + 5 * hidden + 2 * classes, 0


class MemoryFiles(NamedTuple):
    """Where a Linux system says how much memory there is.

    proc: with `meminfo` and `self/cgroup`; cgroup: where control groups are mounted.
    """

    proc: Path = Path("/proc")
    cgroup: Path = Path("/sys/fs/cgroup")


_SYSTEM = MemoryFiles()


def available_bytes(device: str, files: MemoryFiles = _SYSTEM) -> int | None:
    """Return the memory that can be had on a device now; None where the system does not say.

    On the CPU that is the least of what the machine has and what each control group that this
    process is in, as of a container, still allows.
    """
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    known = [_machine_bytes(files), *_group_bytes(files)]
    return min((n for n in known if n is not None), default=None)


def _machine_bytes(files: MemoryFiles) -> int | None:
    for line in _text(files.proc / "meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _group_bytes(files: MemoryFiles) -> Iterator[int]:
    """Yield what is left of every limit: version 2's files, then version 1's."""
    paths = {"": "/", "memory": "/"}
    for line in _text(files.proc / "self" / "cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        for name in controllers.split(","):
            if name in paths:
                paths[name] = path
    for top, path, limit, usage, cache in (
        (files.cgroup, paths[""], "memory.max", "memory.current", "inactive_file"),
        (files.cgroup / "memory", paths["memory"], "memory.limit_in_bytes",
         "memory.usage_in_bytes", "total_inactive_file"),
    ):  # fmt: skip
        own = PurePosixPath(path.strip("/"))
        if ".." in own.parts:
            own = PurePosixPath()
        # A limit of a group holds for all groups in it. Inside a container its own group is
        # mounted at the top, whatever the path says.
        for folder in (top / own, *(top / parent for parent in own.parents)):
            left = _left_in_group(folder, limit, usage, cache)
            if left is not None:
                yield left


def _left_in_group(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    """Return what a group may still take; None without a limit. Cached files give way."""
    most, used = _text(folder / limit).strip(), _text(folder / usage).strip()
    if not (most.isdigit() and used.isdigit()):
        return None
    yielding = 0
    for line in _text(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == cache and value.strip().isdigit():
            yielding = int(value)
    return max(0, int(most) - max(0, int(used) - yielding))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
