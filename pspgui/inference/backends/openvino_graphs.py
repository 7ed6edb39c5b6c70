"""Trunks converted for OpenVINO, and kept in the user's cache so that it happens once."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pspgui.inference.backends.backend import TrunkRequest
from pspgui.inference.errors import DeviceError
from pspgui.places import cache_folder

# Raised whenever what is written for the same network changes.
_FORMAT = 1
_KEPT = 12
# Sides that the conversion runs at, and then others that it is checked at.
_EXAMPLE, _CHECK = (97, 129), (121, 73)
_TOLERANCE = 1e-3


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keep OpenVINO and its tools from reporting their use over the network, and from printing.

    They do so when imported unless the package that sends the reports cannot be.
    """
    name, before = "openvino_telemetry", sys.modules.get("openvino_telemetry")
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


def graph_for(request: TrunkRequest) -> Any:
    """Return the trunk as an OpenVINO model of any image size, from the cache where it is there.

    Raises `DeviceError` where OpenVINO cannot convert it or computes something else.
    """
    with silent():
        import openvino
    place = _place(request)
    if (place / "trunk.xml").is_file():
        try:
            found = openvino.Core().read_model(place / "trunk.xml")
            os.utime(place)
            return found
        except (RuntimeError, OSError):  # cut short, or made by a version that wrote differently
            shutil.rmtree(place, ignore_errors=True)
    made = converted(request.trunk, tuple(request.padded(s) for s in _EXAMPLE))
    _check(made, request)
    if request.precision == "int8":
        made = _quantised(made, list(request.samples()))
    _keep(made, place)
    return made


def converted(trunk: nn.Module, size: tuple[int, ...]) -> Any:
    """Return a module as an OpenVINO model for (1, 3, H, W); raises `DeviceError`."""
    with silent(), torch.inference_mode():
        import openvino

        try:
            made = openvino.convert_model(trunk, example_input=torch.zeros(1, 3, *size))
            made.reshape([1, 3, -1, -1])
        except (RuntimeError, ValueError, TypeError) as error:
            raise DeviceError(
                "OpenVINO cannot convert this network: choose the backend torch."
            ) from error
    return made


def _check(made: Any, request: TrunkRequest) -> None:
    """Refuse a conversion that computes something else at a size that it was not made at."""
    import openvino

    size = tuple(request.padded(s) for s in _CHECK)
    images = torch.randn((1, 3, *size), generator=torch.Generator().manual_seed(0))
    compiled = openvino.compile_model(made, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(images.numpy())
    with torch.inference_mode():
        wanted: tuple[Tensor, ...] = request.trunk(images)
    for index, tensor in enumerate(wanted):
        scale = max(float(tensor.abs().max()), 1e-6)
        other = found[index]
        if other.shape != tensor.shape or np.abs(other - tensor.numpy()).max() > scale * _TOLERANCE:
            raise DeviceError(
                "OpenVINO computes this network differently from torch: choose the backend torch."
            )


def _quantised(model: Any, samples: list[Tensor]) -> Any:
    """Return the model with weights and maps in 8 bits, ranges taken from the samples.

    The first convolution, which reads the image itself, and depthwise ones, whose channels differ
    most in range, stay in float32: they are little of the work.
    """
    if find_spec("nncf") is None:
        raise DeviceError("int8 needs nncf, which is not installed: install pspgui[openvino].")
    if not samples:
        raise DeviceError("int8 needs sample images, and there are none.")
    with silent():
        import nncf

        nncf.set_log_level(logging.ERROR)
        ignored = nncf.IgnoredScope(names=spared(model), validate=False)
        return nncf.quantize(
            model,
            nncf.Dataset([s.numpy() for s in samples]),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(samples),
            fast_bias_correction=True,
            ignored_scope=ignored,
        )


def spared(model: Any) -> list[str]:
    """Return the names of the layers that `int8` leaves in float32."""
    layers = [op for op in model.get_ordered_ops() if "Convolution" in op.get_type_name()]
    plain = [op for op in layers if op.get_type_name() == "Convolution"]
    grouped = [op for op in layers if op.get_type_name() == "GroupConvolution"]
    return [op.get_friendly_name() for op in [*plain[:1], *grouped]]


def _place(request: TrunkRequest) -> Path:
    """Return the cache folder of a request's graph: by its weights, what it is and who made it."""
    digest = hashlib.sha256()
    quantised = request.precision == "int8"
    makers = ("openvino", "torch", "nncf") if quantised else ("openvino", "torch")
    versions = [f"{m} {version(m)}" for m in makers if find_spec(m)]
    for text in (str(_FORMAT), *versions, request.description, "int8" if quantised else "float"):
        digest.update(text.encode() + b"\0")
    for name, tensor in request.trunk.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return cache_folder() / "openvino" / digest.hexdigest()[:32]


def _keep(model: Any, place: Path) -> None:
    """Write a graph whole or not at all, and drop those not used for longest.

    A cache that cannot be written costs the next start a conversion, and is no error.
    """
    import openvino

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=place.parent, prefix="."))
        try:
            openvino.save_model(model, beside / "trunk.xml", compress_to_fp16=False)
            beside.replace(place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        kept = [p for p in place.parent.iterdir() if not p.name.startswith(".")]
        for old in sorted(kept, key=lambda p: p.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except (OSError, RuntimeError):
        logging.getLogger(__name__).info("the converted network could not be kept in %s", place)
