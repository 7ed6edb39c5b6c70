"""Our own checkpoint: safetensors whose header carries the spec, classes and training record."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors.torch
from pydantic import ValidationError
from torch import Tensor

from pspgui.durable import write_durably
from pspgui.models.architectures import parse_spec
from pspgui.models.checkpoints.container import Container, short
from pspgui.models.checkpoints.family import Reading
from pspgui.models.segmenter import Segmenter
from pspgui.models.spec import ModelSpec

HEADER_KEY = "pspgui.spec"


class NativeFamily:
    """Files that `save_checkpoint` wrote."""

    name = "pspgui"

    def matches(self, container: Container) -> bool:
        """Say whether the header carries a spec."""
        return HEADER_KEY in container.metadata

    def read(self, container: Container) -> Reading:
        """Return the header's spec and the tensors as they are (half floats widened)."""
        try:
            spec = parse_spec(container.metadata[HEADER_KEY])
        except (ValueError, RecursionError) as error:
            first = "too deep" if isinstance(error, RecursionError) else str(error)
            if isinstance(error, ValidationError):
                first = error.errors()[0]["msg"]
            raise container.error(
                f"its header does not describe a model ({short(first, 80)})"
            ) from error
        state = {k: t.float() if t.is_floating_point() else t for k, t in container.tensors.items()}
        return Reading(spec, state, assumed=_still_assumed(spec))


FAMILY = NativeFamily()


def _still_assumed(spec: ModelSpec) -> tuple[str, ...]:
    """Return what a converted file's record says was assumed of its source."""
    noted = spec.record.get("assumed")
    fields = type(spec).model_fields
    return tuple(key for key in fields if isinstance(noted, list) and key in noted)


def encode_checkpoint(model: Segmenter, spec: ModelSpec | None = None) -> bytes:
    """Return the native checkpoint of `model` as bytes; `spec` may carry a newer record."""
    described = spec or model.spec
    tensors: dict[str, Tensor] = {
        key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()
    }
    header = {HEADER_KEY: json.dumps(described.to_json()), "format": "pt"}
    return safetensors.torch.save(tensors, metadata=header)


def save_checkpoint(model: Segmenter, path: Path, spec: ModelSpec | None = None) -> None:
    """Write a native checkpoint durably; raises `SaveError`, and then the old file stands."""
    write_durably(path, encode_checkpoint(model, spec), verify=_loads)


def _loads(content: bytes) -> None:
    try:
        safetensors.torch.load(content)
    except Exception as error:
        raise ValueError(f"it does not load again ({error})") from error
