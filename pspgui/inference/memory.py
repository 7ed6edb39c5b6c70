"""How much memory one image will need, and how much there is."""

from __future__ import annotations

from pathlib import Path

import torch

from pspgui.models.spec import ModelSpec

# Bytes per pixel of the padded image that the backbone holds at its fullest layer, measured at
# stride 8 on the CPU (314, 288 and, for ResNet-50, 237) and rounded up.
_BACKBONE_BYTES = {"mobilenet_v2": 340, "resnet18": 320, "resnet34": 320}
_DEEP_BYTES = 400


def forecast_bytes(spec: ModelSpec, padded_shape: tuple[int, int]) -> int:
    """Return about how many bytes `Predictor.set_image` takes at its peak.

    The backbone and the head do not hold their peaks together, so the larger one counts.
    """
    pixels = padded_shape[0] * padded_shape[1]
    cells = pixels / spec.output_stride**2
    channels = {"mobilenet_v2": 320, "resnet18": 512, "resnet34": 512}.get(spec.backbone, 2048)
    hidden = spec.bottleneck_channels or channels // 4
    # Features, then local and fused maps with one working copy each, then the logits.
    head = cells * 4 * (channels + 5 * hidden + 2 * len(spec.classes))
    backbone = pixels * _BACKBONE_BYTES.get(spec.backbone, _DEEP_BYTES)
    return int(max(head, backbone))


def available_bytes(device: str) -> int | None:
    """Return the memory that can be had on a device now; None where the system does not say."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
