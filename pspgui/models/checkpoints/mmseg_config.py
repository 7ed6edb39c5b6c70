"""What a mmsegmentation checkpoint's own config says of its network: `meta.config` or `meta.cfg`.

It is the text of a Python file. It is parsed and never executed: assignments of literals,
of `dict(...)`, and of names assigned before are understood, everything else counts as not said.
Sources: mmcv/utils/config.py (pretty_text), configs/_base_, mmseg/models/utils/res_layer.py.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeGuard

from pspgui.models.checkpoints.container import Container
from pspgui.models.checkpoints.errors import short
from pspgui.models.checkpoints.extras import named_classes
from pspgui.models.checkpoints.family import Reading
from pspgui.models.spec import ModelSpec, Normalisation

_KEYS = ("meta.config", "meta.cfg", "config", "cfg")
_MAX_DEPTH, _MAX_NODES = 40, 50_000
# Strides and dilations of a ResNet's layers at each output stride, and of MobileNetV2's.
_RESNET = {
    8: ((1, 2, 1, 1), (1, 1, 2, 4)),
    16: ((1, 2, 2, 1), (1, 1, 1, 2)),
    32: ((1, 2, 2, 2), (1, 1, 1, 1)),
}
_MOBILENET = {
    8: ((1, 2, 2, 1, 1, 1, 1), (1, 1, 1, 2, 2, 4, 4)),
    16: ((1, 2, 2, 2, 1, 1, 1), (1, 1, 1, 1, 1, 2, 2)),
    32: ((1, 2, 2, 2, 1, 2, 1), (1, 1, 1, 1, 1, 1, 1)),
}


class _NotSaid(Exception):  # noqa: N818 - an answer, not an error
    """Raised for what is no literal."""


class Said(NamedTuple):
    """Fields of the spec that the config gives, and sentences on what of it is not built."""

    fields: dict[str, Any]
    notes: tuple[str, ...] = ()


def with_config(reading: Reading, container: Container) -> Reading:
    """Return the reading with what the file's config says, which is then no longer assumed."""
    config = next((parsed(v) for k in _KEYS if isinstance(v := container.extras.get(k), str)), None)
    if not config:
        return reading
    fields, notes = said(config, reading.spec)
    known = {k: v for k, v in fields.items() if k in type(reading.spec).model_fields}
    try:
        spec = reading.spec.changed(**known)
    except ValueError as error:
        note = f"Its config is left aside, for it makes no sense here ({short(str(error), 60)})."
        return replace(reading, notes=(*reading.notes, note))
    told = tuple(key for key in reading.assumed if key not in known)
    return replace(reading, spec=spec, notes=(*reading.notes, *notes), assumed=told)


def parsed(text: str) -> dict[str, Any]:
    """Return the top-level assignments of a config that are literals; nothing for other text."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, Any] = {}
    budget = [_MAX_NODES]
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                found[statement.targets[0].id] = _value(statement.value, found, 0, budget)
            except _NotSaid:
                found.pop(statement.targets[0].id, None)
    return found


def _value(node: ast.expr, names: Mapping[str, Any], depth: int, budget: list[int]) -> Any:
    budget[0] -= 1
    if depth > _MAX_DEPTH or budget[0] < 0:
        raise _NotSaid
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(_value(item, names, depth + 1, budget) for item in items)
        case ast.Dict(keys=keys, values=values):
            pairs = [(k.value, v) for k, v in zip(keys, values, strict=True)
                     if isinstance(k, ast.Constant) and isinstance(k.value, str)]  # fmt: skip
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            pairs = [(k.arg, k.value) for k in keywords if k.arg is not None]
        case ast.Name(id=name) if name in names:
            return names[name]
        case _:
            raise _NotSaid
    found = {}
    for key, item in pairs:
        try:
            found[key] = _value(item, names, depth + 1, budget)
        except _NotSaid:
            continue
    return found


def said(config: Mapping[str, Any], spec: ModelSpec) -> Said:
    """Return what a parsed config says of a network that was read from its tensors."""
    model = _dict(config, "model")
    head, backbone = _dict(model, "decode_head"), _dict(model, "backbone")
    fields: dict[str, Any] = {}
    if isinstance(head.get("align_corners"), bool):
        fields["align_corners"] = head["align_corners"]
    if _is_share(head.get("dropout_ratio")):
        fields["dropout"] = fields["project_dropout"] = head["dropout_ratio"]
    # How many there are is what the tensors say; a config of another network says nothing here.
    levels, rates = head.get("pool_scales"), head.get("dilations")
    if _are_counts(levels) and len(levels) == len(getattr(spec, "levels", ())):
        fields["levels"] = levels
    if _are_counts(rates) and rates[0] == 1 and len(rates) == len(getattr(spec, "rates", ())) + 1:
        fields["rates"] = rates[1:]
    normalisation = _normalisation(config, model)
    if normalisation is not None:
        fields["normalisation"] = normalisation
    classes = _classes(config, len(spec.classes))
    if classes is not None:
        fields["classes"] = classes
    dilations, notes = _dilations(backbone, spec)
    return Said({**fields, **dilations}, notes)


def _dilations(backbone: Mapping[str, Any], spec: ModelSpec) -> Said:
    """Return what the backbone's part says of strides and dilations."""
    fields: dict[str, Any] = {}
    mobile = spec.backbone == "mobilenet_v2"
    if backbone.get("style") in ("pytorch", "caffe"):
        fields["stride_in"] = "1x1" if backbone["style"] == "caffe" else "3x3"
    contract = backbone.get("contract_dilation")
    if isinstance(contract, bool) and (contract or spec.dilation == "contract"):
        fields["dilation"] = spec.dilation if contract else "full"
    if _are_counts(grid := backbone.get("multi_grid")):
        fields["multi_grid"], fields["absolute_grid"] = grid, True
    elif backbone:
        fields["multi_grid"] = (1, 1, 1)
    strides, dilations = backbone.get("strides"), backbone.get("dilations")
    if not (_are_counts(strides) and _are_counts(dilations)):
        return Said(fields)
    table = _MOBILENET if mobile else _RESNET
    stride = (2 if mobile else 4) * math.prod(strides)
    if (strides, dilations) == table.get(stride):
        return Said({**fields, "output_stride": stride})
    used = ", ".join(map(str, table[spec.output_stride][1]))
    asked = short(", ".join(map(str, dilations)), 40)
    note = f"Its config asks for dilations {asked}, which are not built; {used} are used instead."
    return Said(fields, (note,))


def _normalisation(config: Mapping[str, Any], model: Mapping[str, Any]) -> Normalisation | None:
    """Return how images go in: `img_norm_cfg`, or `data_preprocessor` of later versions."""
    for holder in (_dict(model, "data_preprocessor"), _dict(config, "data_preprocessor"),
                   _dict(config, "img_norm_cfg")):  # fmt: skip
        mean, std = holder.get("mean"), holder.get("std")
        if not (_are_three(mean) and _are_three(std)):
            continue
        rgb = holder.get("to_rgb", holder.get("bgr_to_rgb", "img_norm_cfg" in config))
        # Ours are in the order red, green, blue, whatever the network's own.
        means, deviations = (v if rgb else (v[2], v[1], v[0]) for v in (mean, std))
        try:
            return Normalisation.model_validate({
                "mean": [v / 255 for v in means], "std": [v / 255 for v in deviations],
                "channels": "rgb" if rgb else "bgr",
            })  # fmt: skip
        except ValueError:
            return None
    return None


def _classes(config: Mapping[str, Any], count: int) -> Any:
    """Return the table of a data set whose classes the config itself names."""
    for holder in (config, *(_dict(_dict(config, name), "dataset") for name in
                             ("train_dataloader", "val_dataloader", "test_dataloader")),
                   _dict(_dict(config, "data"), "train")):  # fmt: skip
        for place in (_dict(holder, "metainfo"), holder):
            known = {k: v for k, v in place.items() if k in ("classes", "palette")}
            if "classes" in known and (table := named_classes(known, count)) is not None:
                return table
    return None


def _dict(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = holder.get(key)
    return found if isinstance(found, dict) else {}


def _is_share(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value < 1


def _are_counts(value: object) -> TypeGuard[tuple[int, ...]]:
    """Whether it is a short list of whole numbers above zero."""
    return isinstance(value, tuple) and 0 < len(value) <= 16 and all(
        isinstance(v, int) and not isinstance(v, bool) and 0 < v <= 256 for v in value
    )  # fmt: skip


def _are_three(value: object) -> TypeGuard[tuple[float, float, float]]:
    return isinstance(value, tuple) and len(value) == 3 and all(
        isinstance(v, float | int) and not isinstance(v, bool) for v in value
    )  # fmt: skip
