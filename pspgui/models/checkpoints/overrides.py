"""What a person says of a checkpoint against what its family assumes: `levels=1,2,4,8`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from pspgui.labels.classes import ClassTable
from pspgui.labels.palettes import PALETTES, palette
from pspgui.models.checkpoints.errors import short
from pspgui.models.spec import ModelSpec, Normalisation, SizeRule, usual_rates

_MAX_TABLE_BYTES = 16 << 20
# What the file itself decides: the network's kind, and what was noted of its training.
_FIXED = ("architecture", "record")
NORMALISATIONS: dict[str, Normalisation] = {
    "imagenet": Normalisation(),
    "half": Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "unit": Normalisation(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
}


class AssumptionError(ValueError):
    """An assumption that cannot hold; the message, one sentence, names field and reason."""


def override(
    spec: ModelSpec, assume: Mapping[str, object], keeps_rates: bool = False
) -> ModelSpec:
    """Return the spec with these fields replaced; values may be text, as on the command line.

    Text is a number, true, false, null or a word; a list as 1,2,3,6; `normalisation` also
    imagenet, half (-1..1) or unit (0..1); `size_rule` also 8n+1 or any; `classes` a published
    table's name or the path of a classes.json, with as many classes as there are. The size rule
    follows the output stride unless it is given too, and so do DeepLabV3's usual rates, unless
    its family `keeps_rates`. Raises `AssumptionError`.
    """
    fields: dict[str, Any] = {}
    for key, value in assume.items():
        if key in _FIXED or key not in type(spec).model_fields:
            known = ", ".join(k for k in type(spec).model_fields if k not in _FIXED)
            raise AssumptionError(f"{short(key, 40)} is no field of a {spec.name} ({known})")
        fields[key] = _value(spec, key, value)
    rule = spec.size_rule
    stride = fields.get("output_stride")
    if stride in (8, 16, 32) and "size_rule" not in fields and rule.multiple == spec.output_stride:
        fields["size_rule"] = rule.model_copy(update={"multiple": stride})
    usual = getattr(spec, "rates", None) == usual_rates(spec.output_stride)
    if stride in (8, 16, 32) and "rates" not in fields and usual and not keeps_rates:
        fields["rates"] = usual_rates(stride)
    try:
        return spec.changed(**fields)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        where = str(fault["loc"][0]) if fault["loc"] else ", ".join(fields)
        given = f", not {short(str(assume[where]), 40) or 'nothing'}" if where in assume else ""
        reason = short(fault["msg"].removeprefix("Value error, "), 120)
        raise AssumptionError(f"{where}: {reason}{given}") from error


def _value(spec: ModelSpec, key: str, value: object) -> object:
    if key == "classes":
        return _classes(value, len(spec.classes))
    if not isinstance(value, str):
        return value
    text = value.strip()
    if key == "normalisation" and text in NORMALISATIONS:
        return NORMALISATIONS[text]
    if key == "size_rule":
        return _size_rule(text)
    if get_origin(type(spec).model_fields[key].annotation) is tuple and not text.startswith("["):
        return [_literal(part) for part in text.split(",") if part.strip()]
    return _literal(text)


def _literal(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()


def _size_rule(text: str) -> object:
    if text == "any":
        return SizeRule(multiple=1, offset=0)
    rule = re.fullmatch(r"(\d{1,3})n(?:\+(\d{1,3}))?", text.replace(" ", ""))
    return {"multiple": int(rule[1]), "offset": int(rule[2] or 0)} if rule else _literal(text)


def _classes(value: object, count: int) -> ClassTable:
    """Return the table meant, which must have `count` classes; raises `AssumptionError`."""
    if isinstance(value, ClassTable):
        found = value
    else:
        text = str(value)
        try:
            found = palette(text) if text in PALETTES else _table(Path(text))
        except (ValueError, OSError) as error:  # such as a name that is too long
            names = ", ".join(PALETTES)
            raise AssumptionError(
                f"classes: {short(str(error), 120)}; name one of {names}, or a classes.json"
            ) from error
    if len(found) != count:
        raise AssumptionError(f"classes: the file tells {count} apart and this table {len(found)}")
    return found


def _table(path: Path) -> ClassTable:
    """Return the table of a file; raises ValueError for what can be none, such as a pipe."""
    if not path.is_file():
        raise ValueError(f"{short(str(path), 60)} is not a file")
    if path.stat().st_size > _MAX_TABLE_BYTES:
        raise ValueError(f"{short(str(path), 60)} is too large for a list of classes")
    return ClassTable.load(path)


def choices(spec: ModelSpec, key: str) -> tuple[object, ...]:
    """Return the values a field may have where they are few, for a menu; else nothing."""
    if key == "normalisation":
        return tuple(NORMALISATIONS)
    if key == "classes":
        return tuple(name for name in PALETTES if len(palette(name)) == len(spec.classes))
    annotation = type(spec).model_fields[key].annotation
    if annotation is bool:
        return (True, False)
    return tuple(v for v in get_args(annotation) if isinstance(v, str | int))


def phrase(spec: ModelSpec, key: str) -> str:
    """Return a field's value in a few words."""
    value = getattr(spec, key)
    if isinstance(value, ClassTable):
        return f"{len(value)}: {', '.join(value.names[:4])}" + (" …" if len(value) > 4 else "")
    if isinstance(value, Normalisation):
        name = next((n for n, known in NORMALISATIONS.items() if known == value), None)
        if name is not None:
            return name
        mean, std = (", ".join(f"{v:.4g}" for v in values) for values in (value.mean, value.std))
        return f"mean {mean}; std {std}; {value.channels}"
    if isinstance(value, SizeRule):
        return f"{value.multiple}n+{value.offset}" if value.multiple > 1 else "any"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)
