"""Which device runs the network, and in which precision."""

from __future__ import annotations

from typing import Literal, cast

import torch

from pspgui.inference.errors import DeviceError


def choose_device(wish: str = "auto") -> str:
    """Return a torch device name for auto, cpu, cuda, cuda:N or mps.

    auto takes CUDA, then MPS, then the CPU. Raises `DeviceError` for one that is not there.
    """
    if wish == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = wish.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdigit())):
        raise DeviceError(f"There is no device {wish!r}: choose auto, cpu, cuda or mps.")
    if kind == "cuda" and not torch.cuda.is_available():
        raise DeviceError("No CUDA device can be used here: choose auto or cpu.")
    if kind == "cuda" and number and int(number) >= torch.cuda.device_count():
        raise DeviceError(
            f"There is no device {wish}: this machine has {torch.cuda.device_count()}, "
            "counted from cuda:0."
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("No Apple GPU (mps) can be used here: choose auto or cpu.")
    return wish


def choose_precision(wish: str, device: str) -> Literal["fp32", "bf16"]:
    """Return the backbone's precision for auto, fp32 or bf16 on a device of `choose_device`.

    auto is bf16 on CUDA devices that compute in it and fp32 elsewhere. Raises `DeviceError` for an
    unknown wish, or bf16 on a CUDA device that cannot.
    """
    if wish not in ("auto", "fp32", "bf16"):
        raise DeviceError(f"There is no precision {wish!r}: choose auto, fp32 or bf16.")
    on_cuda = device.startswith("cuda")
    # The query looks at the current device; asking about another one is not offered by torch.
    capable = on_cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    if wish == "auto":
        return "bf16" if capable else "fp32"
    if wish == "bf16" and on_cuda and not capable:
        raise DeviceError("This CUDA device does not compute in bf16: choose auto or fp32.")
    return cast(Literal["fp32", "bf16"], wish)
