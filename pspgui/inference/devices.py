"""Which device runs the network, through which backend and in which precision."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, NamedTuple, cast

import torch

from pspgui.inference.errors import DeviceError

Precision = Literal["fp32", "bf16", "fp16", "int8"]
PRECISIONS: tuple[str, ...] = ("auto", "fp32", "bf16", "fp16", "int8")
BACKENDS: tuple[str, ...] = ("auto", "torch", "openvino", "compile")


class Choice(NamedTuple):
    """What a network runs on."""

    device: str
    backend: str
    precision: Precision


def choose(device: str = "auto", precision: str = "auto", backend: str = "auto") -> Choice:
    """Return what these wishes come to together; raises `DeviceError`, one sentence."""
    on_cpu_only = backend == "openvino" or (backend == "auto" and precision == "int8")
    found = "cpu" if device == "auto" and on_cpu_only else choose_device(device)
    engine = choose_backend(backend, found, precision)
    return Choice(found, engine, choose_precision(precision, found, engine))


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


def choose_backend(wish: str, device: str, precision: str = "auto") -> str:
    """Return torch, openvino or compile for a wish on a device of `choose_device`.

    auto is torch, except that int8 is OpenVINO's. Raises `DeviceError` for an unknown wish, and
    for OpenVINO on another device than the CPU or where it is not installed.
    """
    if wish not in BACKENDS:
        raise DeviceError(f"There is no backend {wish!r}: choose {_listed(BACKENDS)}.")
    engine = ("openvino" if precision == "int8" else "torch") if wish == "auto" else wish
    if engine != "openvino":
        return engine
    if device != "cpu":
        raise DeviceError(
            f"OpenVINO runs on the CPU here, not on {device}: choose the device cpu, or another "
            "backend or precision."
        )
    if find_spec("openvino") is None:
        raise DeviceError("OpenVINO is not installed: install pspgui[openvino].")
    return engine


def choose_precision(wish: str, device: str, backend: str = "torch") -> Precision:
    """Return the trunk's precision for a wish on a device and backend of the functions above.

    auto is bf16 on CUDA devices that compute in it and fp32 elsewhere. fp16 is CUDA's alone, int8
    OpenVINO's. Raises `DeviceError` for an unknown wish and for one that cannot be met.
    """
    if wish not in PRECISIONS:
        raise DeviceError(f"There is no precision {wish!r}: choose {_listed(PRECISIONS)}.")
    on_cuda = device.startswith("cuda")
    # The query looks at the current device; asking about another one is not offered by torch.
    capable = on_cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    if wish == "auto":
        return "bf16" if capable else "fp32"
    if wish == "bf16" and on_cuda and not capable:
        raise DeviceError("This CUDA device does not compute in bf16: choose auto, fp32 or fp16.")
    if wish == "fp16" and not on_cuda:
        raise DeviceError(f"fp16 needs a CUDA device, not {device}: choose auto, fp32 or bf16.")
    if wish == "int8" and backend != "openvino":
        raise DeviceError("int8 is computed by OpenVINO: choose the backend openvino.")
    return cast(Precision, wish)


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
