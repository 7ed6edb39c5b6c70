"""`pspgui inspect`: what a weights file is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pspgui.cli.options import JsonOption


def inspect(
    weights: Annotated[Path, typer.Argument(help="checkpoint of any known family")],
    as_json: JsonOption = False,
) -> int:
    """Say which family a checkpoint is of, and print its spec and classes."""
    from pspgui.models.checkpoints import load_checkpoint

    loaded = load_checkpoint(weights)
    spec = loaded.spec.to_json()
    classes = spec.pop("classes")
    record = spec.pop("record")
    parameters = sum(p.numel() for p in loaded.model.parameters())
    if as_json:
        print(json.dumps({
            "family": loaded.family, "title": loaded.spec.title, "spec": spec,
            "classes": classes["classes"], "ignore": classes["ignore"], "record": record,
            "parameters": parameters, "sha256": loaded.digest, "notes": loaded.notes,
        }))  # fmt: skip
        return 0
    print(f"{loaded.spec.title}, family {loaded.family}, {parameters / 1e6:.2f} M parameters")
    for key, value in spec.items():
        print(f"  {key:<20} {value}")
    print(f"  {'classes':<20} {', '.join(loaded.spec.classes.names)}")
    for key, value in record.items():
        print(f"  record.{key:<13} {value}")
    for note in loaded.notes:
        print(f"  note: {note}")
    return 0
