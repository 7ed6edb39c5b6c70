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
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pspgui.imaging.process_warnings import no_warnings
from pspgui.inference.backends.backend import TrunkRequest
from pspgui.inference.backends.mixing import Mixture, mixed
from pspgui.inference.errors import DeviceError
from pspgui.places import cache_folder

# Raised whenever what is written for the same network changes.
_FORMAT = 2
_KEPT = 12
_GRAPH, _MIXTURE = "trunk.xml", "mixture.json"
# Sides that the conversion runs at, and then others that it is checked at.
_EXAMPLE, _CHECK = (97, 129), (121, 73)
_TOLERANCE = 1e-3
# The side of images that int8 is fitted to; larger ones are cut.
_LARGEST = 385


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keep OpenVINO and its tools from reporting their use over the network, and from printing.

    They do so when imported unless the package that sends the reports cannot be.
    """
    name, before = "openvino_telemetry", sys.modules.get("openvino_telemetry")
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        with no_warnings(), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


class Graph(NamedTuple):
    """A trunk for OpenVINO; mixture: what the search for its layers in 8 bits came to, if any."""

    model: Any
    mixture: Mixture | None = None


def graph_for(request: TrunkRequest) -> Graph:
    """Return the trunk as an OpenVINO model of any image size, from the cache where it is there.

    Making one of int8 takes up to minutes, told to `request.report`. Raises `DeviceError` where
    OpenVINO cannot convert it or computes something else.
    """
    place = _place(request)
    found = _kept(place, request.precision)
    if found is not None:
        return found
    made = Graph(converted(request.trunk, tuple(request.padded(s) for s in _EXAMPLE)))
    _check(made.model, request)
    if request.precision == "int8":
        made = _quantised(made.model, request)
    _keep(made, place)
    return made


def _kept(place: Path, precision: str) -> Graph | None:
    """Return the graph in a cache folder, or None, and an empty place, where it cannot be used."""
    with silent():
        import openvino
    if not (place / _GRAPH).is_file():
        return None
    try:
        model = openvino.Core().read_model(place / _GRAPH)
        mixture = Mixture.read(place / _MIXTURE) if precision == "int8" else None
        os.utime(place)
        return Graph(model, mixture)
    # Cut short, or made by a version that wrote differently.
    except (RuntimeError, OSError, ValueError, TypeError):
        shutil.rmtree(place, ignore_errors=True)
        return None


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


def _quantised(model: Any, request: TrunkRequest) -> Graph:
    """Return the model with the layers in 8 bits that keep the labels; see `mixing`."""
    samples = [_cut(sample, request.padded).numpy() for sample in request.samples()]
    if not samples:
        raise DeviceError("int8 needs sample images, and there are none.")
    with silent():
        return Graph(*mixed(model, samples, request.scores, request.report))


def _cut(sample: Tensor, padded: Callable[[int], int]) -> Tensor:
    """Return the middle of an image, no larger than it takes to see what maps hold."""
    height, width = sample.shape[-2:]
    sides = min(height, padded(_LARGEST)), min(width, padded(_LARGEST))
    top, left = (height - sides[0]) // 2, (width - sides[1]) // 2
    return sample[..., top : top + sides[0], left : left + sides[1]].contiguous()


def _place(request: TrunkRequest) -> Path:
    """Return the cache folder of a request's graph: by its weights, what it is and who made it."""
    digest = hashlib.sha256()
    quantised = request.precision == "int8"
    versions = [f"{maker} {version(maker)}" for maker in ("openvino", "torch")]
    for text in (str(_FORMAT), *versions, request.description, "int8" if quantised else "float"):
        digest.update(text.encode() + b"\0")
    for name, tensor in request.trunk.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return cache_folder() / "openvino" / digest.hexdigest()[:32]


def _keep(graph: Graph, place: Path) -> None:
    """Write a graph whole or not at all, and drop those not used for longest.

    A cache that cannot be written costs the next start a conversion, and is no error.
    """
    import openvino

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=place.parent, prefix="."))
        try:
            openvino.save_model(graph.model, beside / _GRAPH, compress_to_fp16=False)
            if graph.mixture is not None:
                graph.mixture.write(beside / _MIXTURE)
            beside.replace(place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        kept = [p for p in place.parent.iterdir() if not p.name.startswith(".")]
        for old in sorted(kept, key=lambda p: p.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except (OSError, RuntimeError):
        logging.getLogger(__name__).info("the converted network could not be kept in %s", place)
