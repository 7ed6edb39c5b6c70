"""How much memory one image will need, and how much there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import torch

from pspgui.models.spec import ModelSpec

# Bytes per pixel of the padded image that the backbone holds at its fullest layer, measured at
# stride 8 on the CPU (314, 288 and, for ResNet-50, 237) and rounded up.
_BACKBONE_BYTES = {"mobilenet_v2": 340, "resnet18": 320, "resnet34": 320, "vgg16": 780}
# VGG16's first padding in FCN adds this to both sides, which counts for small images.
_FCN_BORDER = 200
_DEEP_BYTES = 400


def forecast_bytes(spec: ModelSpec, padded_shape: tuple[int, int]) -> int:
    """Return about how many bytes `Predictor.set_image` takes at its peak.

    The backbone and the head do not hold their peaks together, so the larger one counts.
    """
    border = _FCN_BORDER if spec.architecture == "fcn" else 0
    pixels = (padded_shape[0] + border) * (padded_shape[1] + border)
    cells = pixels / spec.output_stride**2
    channels = {"mobilenet_v2": 320, "resnet18": 512, "resnet34": 512}.get(spec.backbone, 2048)
    hidden = getattr(spec, "bottleneck_channels", None) or channels // 4
    # Features, then local and fused maps with one working copy each, then the logits.
    head = cells * 4 * (channels + 5 * hidden + 2 * len(spec.classes))
    if spec.scores_pixels:
        # Transposed convolutions and learnt upsampling hold 64 channels at full size, and logits.
        head = pixels * 4 * (64 + 2 * len(spec.classes))
    backbone = pixels * _BACKBONE_BYTES.get(spec.backbone, _DEEP_BYTES)
    return int(max(head, backbone))


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
