"""The networks that can be built: one file each, listed here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pspgui.models.deeplabv3 import DeepLabV3, DeepLabV3Spec
from pspgui.models.dilated_fcn import DilatedFCN, DilatedFCNSpec
from pspgui.models.fcn import FCN, FCNSpec
from pspgui.models.fcn_stages import FCNStages, FCNStagesSpec
from pspgui.models.pspnet import PSPNet, PSPNetSpec
from pspgui.models.pspnet_upsample import PSPUpsample, PSPUpsampleSpec
from pspgui.models.segmenter import Segmenter
from pspgui.models.spec import ModelSpec


class Architecture(NamedTuple):
    """A kind of network: its description's class, and what builds it from one."""

    spec: type[ModelSpec]
    network: Callable[[Any], Segmenter]

    @property
    def key(self) -> str:
        """The word that names it in a spec."""
        return str(self.spec.model_fields["architecture"].default)


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(PSPNetSpec, PSPNet),
    Architecture(PSPUpsampleSpec, PSPUpsample),
    Architecture(DeepLabV3Spec, DeepLabV3),
    Architecture(FCNSpec, FCN),
    Architecture(FCNStagesSpec, FCNStages),
    Architecture(DilatedFCNSpec, DilatedFCN),
)


def parse_spec(text: str) -> ModelSpec:
    """Return the spec of a JSON object, by its `architecture`; without one it is a PSPNet.

    Raises `ValueError` (pydantic's `ValidationError` among them) for anything else.
    """
    values: Any = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("it is not an object")
    return architecture(str(values.get("architecture", "pspnet"))).spec.model_validate_json(text)


def architecture(key: str) -> Architecture:
    """Return an architecture by its word; raises `ValueError` for an unknown one."""
    for known in ARCHITECTURES:
        if known.key == key:
            return known
    words = ", ".join(a.key for a in ARCHITECTURES)
    raise ValueError(f"there is no architecture {key!r} ({words})")


def build_network(spec: ModelSpec) -> Segmenter:
    """Return the network that a spec describes, with random weights."""
    return architecture(spec.architecture).network(spec)


def outline(spec: ModelSpec) -> Segmenter:
    """Return the network that a spec describes on torch's device `meta`: shapes without memory."""
    with torch.device("meta"), _Unfilled():
        return build_network(spec)


class _Unfilled(TorchFunctionMode):
    """Leaves random values out, which nothing holds on `meta`.

    torch computes them there in Python, for which it imports its compiler: two seconds.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Return the tensor to fill as it is; anything else runs."""
        named = kwargs or {}
        if func in _RANDOM:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


_RANDOM = frozenset({
    Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.trunc_normal_,
})  # fmt: skip
