"""Checkpoints: one file a family; `load_checkpoint` finds the family and builds the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pspgui.models.architectures import build_network
from pspgui.models.checkpoints import bubbliiiing, native
from pspgui.models.checkpoints.container import (
    CheckpointError,
    Container,
    read_container,
    short,
)
from pspgui.models.checkpoints.family import Family, Reading
from pspgui.models.segmenter import Segmenter
from pspgui.models.spec import ModelSpec

FAMILIES: tuple[Family, ...] = (native.FAMILY, bubbliiiing.FAMILY)


@dataclass(frozen=True)
class LoadedModel:
    """A network in evaluation mode with what is known of where it came from.

    `notes` are sentences for the user: what the family's defaults supplied, which keys were left.
    """

    model: Segmenter
    spec: ModelSpec
    family: str
    path: Path
    digest: str
    notes: tuple[str, ...]
    assumed: tuple[str, ...] = ()


def load_checkpoint(path: Path) -> LoadedModel:
    """Read a checkpoint of any known family and build its network on the CPU.

    Raises `CheckpointError`, one sentence that names the file, the reason and the remedy.
    Any thread.
    """
    container = read_container(Path(path))
    family, reading = identify(container)
    # Without memory until it is known to fit: a header can describe a network of any size.
    with torch.device("meta"):
        model = build_network(reading.spec)
    notes = [*reading.notes, *fit(model, reading.state, container)]
    return LoadedModel(
        model.eval().requires_grad_(False), reading.spec, family.name, container.path,
        container.digest, tuple(notes), reading.assumed,
    )  # fmt: skip


def identify(container: Container) -> tuple[Family, Reading]:
    """Return the family that knows these keys, and its reading; raises `CheckpointError`."""
    for family in FAMILIES:
        if family.matches(container):
            return family, _read(family, container)
    names = ", ".join(f.name for f in FAMILIES)
    example = short(next(iter(container.tensors), "nothing"), 40)
    raise container.error(
        f"it is of no family known here ({names}); its keys begin with {example}"
    )


def _read(family: Family, container: Container) -> Reading:
    """Return the family's reading; tensors that make no sense become a `CheckpointError`."""
    try:
        return family.read(container)
    except CheckpointError:
        raise
    except KeyError as error:
        raise container.error(f"the tensor {short(str(error), 60)} is missing") from error
    except (IndexError, ValueError) as error:
        raise container.error("its tensors have shapes that no such network has") from error


def fit(model: Segmenter, state: dict[str, Tensor], container: Container) -> list[str]:
    """Make `state` the tensors of `model`, which must fit; return notes about keys left over.

    Raises `CheckpointError` that names the first tensor that is missing or of another shape.
    """
    wanted = model.state_dict()
    for key, tensor in wanted.items():
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, torch.zeros_like(tensor, device="cpu"))
        if key not in state:
            raise container.error(f"the tensor {short(key, 60)} is missing")
        if state[key].shape != tensor.shape:
            raise container.error(
                f"{short(key, 60)} has the shape {tuple(state[key].shape)} where the network "
                f"needs {tuple(tensor.shape)}"
            )
    left = sorted(set(state) - set(wanted))
    found = {key: state[key].to(tensor.dtype).contiguous() for key, tensor in wanted.items()}
    model.load_state_dict(found, assign=True)
    if not left:
        return []
    shown = ", ".join(short(key, 40) for key in left[:3])
    return [f"{len(left)} tensors of the file are not used: {shown}" + (" …" * (len(left) > 3))]


__all__ = [
    "FAMILIES",
    "CheckpointError",
    "LoadedModel",
    "fit",
    "identify",
    "load_checkpoint",
    "read_container",
]
