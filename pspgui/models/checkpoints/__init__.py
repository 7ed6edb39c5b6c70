"""Checkpoints: one file a family; `load_checkpoint` finds the family and builds the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from pspgui.models.architectures import outline
from pspgui.models.checkpoints import (
    bubbliiiing,
    csail,
    google_deeplabv3,
    kazuto1011,
    lextal,
    mmseg_deeplabv3,
    mmseg_fcn,
    mmseg_pspnet,
    native,
    semseg,
    smp_deeplabv3,
    smp_pspnet,
    torchfcn,
    torchvision_deeplabv3,
    torchvision_fcn,
    vainf,
)
from pspgui.models.checkpoints.container import (
    CheckpointError,
    Container,
    read_container,
    short,
)
from pspgui.models.checkpoints.extras import named_classes
from pspgui.models.checkpoints.family import Family, Reading
from pspgui.models.checkpoints.misfits import not_known, stem_misfit
from pspgui.models.checkpoints.overrides import AssumptionError, override
from pspgui.models.checkpoints.shapes import published_table
from pspgui.models.segmenter import Segmenter
from pspgui.models.spec import ModelSpec

FAMILIES: tuple[Family, ...] = (
    native.FAMILY,
    semseg.FAMILY,
    smp_pspnet.FAMILY,
    mmseg_pspnet.FAMILY,
    bubbliiiing.FAMILY,
    lextal.FAMILY,
    torchvision_fcn.FAMILY,
    mmseg_fcn.FAMILY,
    torchfcn.FAMILY,
    torchvision_deeplabv3.FAMILY,
    vainf.FAMILY,
    smp_deeplabv3.FAMILY,
    mmseg_deeplabv3.FAMILY,
    kazuto1011.FAMILY,
    google_deeplabv3.FAMILY,
    # Last, for an encoder alone is told by little more than its file's name.
    csail.FAMILY,
)


_OTHER_ASSUMPTION = "Change or leave out that assumption"


@dataclass(frozen=True)
class LoadedModel:
    """A network in evaluation mode with what is known of where it came from.

    `notes` are sentences for the user; `assumed` names the spec's fields that are the family's
    default, and may be overridden; `chosen` those that the caller set; `unused` are keys, under
    our names, of the file's tensors that the network has no place for.
    """

    model: Segmenter
    spec: ModelSpec
    family: str
    path: Path
    digest: str
    notes: tuple[str, ...]
    assumed: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def load_checkpoint(path: Path, assume: Mapping[str, object] | None = None) -> LoadedModel:
    """Read a checkpoint of any known family and build its network on the CPU.

    assume: fields of the spec that replace what the file or its family's defaults say, see
    `override`. Raises `CheckpointError`, one sentence that names the file, the reason and the
    remedy. Any thread.
    """
    container = read_container(Path(path))
    family, reading = identify(container)
    reading = _told(reading, container, assume or {})
    remedy = _OTHER_ASSUMPTION if assume else None
    try:
        # Without memory until it is known to fit: a header can describe a network of any size.
        model = outline(reading.spec)
    except ValueError as error:
        raise container.error(short(str(error), 120), remedy) from error
    unused = fit(model, reading.state, container, remedy)
    notes = [*reading.notes, *container.notes]
    if unused:
        notes.append(_left(unused))
    return LoadedModel(
        model.eval().requires_grad_(False), reading.spec, family.name, container.path,
        reading.digest or container.digest, tuple(notes), reading.assumed, tuple(assume or ()),
        unused,
    )  # fmt: skip


def identify(container: Container) -> tuple[Family, Reading]:
    """Return the family that knows these keys, and its reading; raises `CheckpointError`."""
    for family in FAMILIES:
        if family.matches(container):
            return family, _read(family, container)
    raise not_known(container, tuple(f.name for f in FAMILIES))


def _read(family: Family, container: Container) -> Reading:
    """Return the family's reading; tensors that make no sense become a `CheckpointError`."""
    try:
        return family.read(container)
    except CheckpointError:
        raise
    except (LookupError, ValueError) as error:
        reason = "its tensors have shapes that no such network has"
        # By a key tensors are looked up; by a number of channels, what has so many.
        if isinstance(error, KeyError) and isinstance(error.args[0], str):
            reason = f"the tensor {short(str(error), 60)} is missing"
        raise container.error(reason) from error


def _told(reading: Reading, container: Container, assume: Mapping[str, object]) -> Reading:
    """Return the reading with what the file says of its classes, then what the caller says."""
    spec, assumed, notes = reading.spec, list(reading.assumed), list(reading.notes)
    if "classes" in assumed and "classes" not in assume:
        named = named_classes(container.extras, len(spec.classes))
        table = published_table(spec.classes)
        if named is not None:
            spec = spec.changed(classes=named)
            assumed.remove("classes")
        elif table is not None:
            notes.append(f"Its {len(spec.classes)} classes are assumed to be those of {table}.")
    try:
        spec = override(spec, assume, reading.keeps_rates)
    except AssumptionError as error:
        raise container.error(
            f"it can't be read as asked, for {error}", _OTHER_ASSUMPTION
        ) from error
    told = tuple(key for key in assumed if key not in assume)
    return replace(reading, spec=spec, assumed=told, notes=tuple(notes))


def fit(
    model: Segmenter, state: dict[str, Tensor], container: Container, remedy: str | None = None
) -> tuple[str, ...]:
    """Make `state` the tensors of `model`, which must fit; return the keys left over.

    remedy: what to do about a misfit, if not to choose another file. Raises `CheckpointError` that
    names the first tensor that is missing or of another shape.
    """
    wanted = model.state_dict()
    for key, tensor in wanted.items():
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, torch.zeros(tensor.shape, dtype=tensor.dtype))
        found = state.get(key)
        if found is None or found.shape != tensor.shape:
            reason = stem_misfit(state, wanted) or _misfit(key, found, tensor)
            raise container.error(reason, remedy)
        if key.endswith("running_var") and bool((found < 0).any()):
            raise container.error(f"{short(key, 60)} holds variances below zero")
    fitting = {key: state[key].to(tensor.dtype).contiguous() for key, tensor in wanted.items()}
    model.load_state_dict(fitting, assign=True)
    return tuple(sorted(set(state) - set(wanted)))


def _misfit(key: str, found: Tensor | None, wanted: Tensor) -> str:
    if found is None:
        return f"the tensor {short(key, 60)} is missing"
    return (
        f"{short(key, 60)} has the shape {tuple(found.shape)} where the network needs "
        f"{tuple(wanted.shape)}"
    )


def _left(unused: tuple[str, ...]) -> str:
    """Return the sentence on tensors that are not used, by the parts they are of where many."""
    parts = unused if len(unused) <= 3 else tuple(
        dict.fromkeys(f"{'.'.join(key.split('.')[:2])}.*" for key in unused)
    )  # fmt: skip
    shown = ", ".join(short(part, 40) for part in parts[:3]) + (" …" * (len(parts) > 3))
    return f"{len(unused)} tensors of the file are not used: {shown}"


__all__ = [
    "FAMILIES",
    "CheckpointError",
    "LoadedModel",
    "fit",
    "identify",
    "load_checkpoint",
    "read_container",
]
