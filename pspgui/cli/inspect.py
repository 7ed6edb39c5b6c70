"""`pspgui inspect`: what a weights file is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pspgui.cli.options import AssumeOption, JsonOption, assumptions

if TYPE_CHECKING:
    from pspgui.models.checkpoints import LoadedModel


def inspect(
    weights: Annotated[Path, typer.Argument(help="checkpoint of any known family")],
    assume: AssumeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say which family a checkpoint is of, and print its spec and classes.

    What the weights do not tell is the family's default, marked as assumed; --assume changes it.
    """
    from pspgui.models.checkpoints import load_checkpoint

    loaded = load_checkpoint(weights, assumptions(assume))
    if as_json:
        print(json.dumps(_values(loaded)))
    else:
        _print(loaded)
    return 0


def _values(loaded: LoadedModel) -> dict[str, object]:
    spec = loaded.spec.to_json()
    classes, record = spec.pop("classes"), spec.pop("record")
    return {
        "family": loaded.family, "title": loaded.spec.title, "spec": spec,
        "assumed": loaded.assumed, "chosen": loaded.chosen,
        "classes": classes["classes"], "ignore": classes["ignore"], "record": record,
        "parameters": _parameters(loaded), "sha256": loaded.digest, "notes": loaded.notes,
        "unused": loaded.unused,
    }  # fmt: skip


def _print(loaded: LoadedModel) -> None:
    from pspgui.models.checkpoints.overrides import phrase

    spec = loaded.spec
    print(f"{spec.title}, family {loaded.family}, {_parameters(loaded) / 1e6:.2f} M parameters")
    for key in type(spec).model_fields:
        if key == "record":
            continue
        text = ", ".join(spec.classes.names) if key == "classes" else phrase(spec, key)
        mark = {key in loaded.assumed: "   (assumed)", key in loaded.chosen: "   (as asked)"}
        print(f"  {key:<20} {text}{mark.get(True, '')}")
    for key, value in spec.record.items():
        print(f"  record.{key:<13} {value}")
    for note in loaded.notes:
        print(f"  note: {note}")
    if loaded.assumed:
        print("  what is assumed can be set: --assume KEY=VALUE")


def _parameters(loaded: LoadedModel) -> int:
    return sum(p.numel() for p in loaded.model.parameters())
