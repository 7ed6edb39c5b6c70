"""`pspgui convert`: any checkpoint as one self-describing file, or for other programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pspgui.cli.options import AssumeOption, JsonOption, assumptions
from pspgui.durable import printable

if TYPE_CHECKING:
    from pspgui.models.checkpoints import LoadedModel

# A writer takes the model and the file to write, and returns sentences for the user.
Writer = Callable[["LoadedModel", Path], list[str]]


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="checkpoint of any known family")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="the file to write")],
    to: Annotated[
        str, typer.Option("--to", help="form to write; by the end of DST's name if not given")
    ] = "",
    assume: AssumeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Write SRC as DST: .safetensors, with spec, classes and what was assumed in its header.

    The file is read back and compared before it takes its place.
    """
    from pspgui.models.checkpoints import load_checkpoint

    form = to or target.suffix.removeprefix(".").lower()
    if form not in WRITERS:
        raise ValueError(f"{form or 'no form'} can't be written; name one of {', '.join(WRITERS)}")
    if target.exists() and target.samefile(source):
        raise ValueError(f"{printable(target)} is the file to read; choose another name")
    loaded = load_checkpoint(source, assumptions(assume))
    notes = [*loaded.notes, *WRITERS[form](loaded, target)]
    if as_json:
        print(json.dumps({
            "out": str(target), "form": form, "family": loaded.family,
            "title": loaded.spec.title, "assumed": loaded.assumed, "notes": notes,
        }))  # fmt: skip
        return 0
    print(f"{printable(target)}  {loaded.spec.title}, from {loaded.family}")
    for note in notes:
        print(f"  note: {note}")
    return 0


def _write_native(loaded: LoadedModel, target: Path) -> list[str]:
    """Write a native checkpoint whose record says where it came from and what was assumed."""
    import torch

    from pspgui.models.checkpoints import load_checkpoint
    from pspgui.models.checkpoints.native import save_checkpoint

    origin = {
        "source": printable(loaded.path.name), "source_family": loaded.family,
        "source_sha256": loaded.digest, "assumed": list(loaded.assumed),
    }  # fmt: skip
    spec = loaded.spec.changed(record={**loaded.spec.record, **origin})
    save_checkpoint(loaded.model, target, spec)
    written = load_checkpoint(target).model.state_dict()
    before = loaded.model.state_dict()
    if set(written) != set(before) or any(
        not torch.equal(written[key], tensor) for key, tensor in before.items()
    ):
        raise OSError(f"{printable(target)} does not read back as it was written; try another disk")
    return []


def _write_onnx(loaded: LoadedModel, target: Path) -> list[str]:
    from pspgui.inference.export import export_onnx

    return [_compared(export_onnx(loaded, target))]


def _write_openvino(loaded: LoadedModel, target: Path) -> list[str]:
    """Write network.xml and network.bin into the folder `target`."""
    from pspgui.inference.export import export_openvino

    return [_compared(export_openvino(loaded, target))]


def _compared(difference: float) -> str:
    return (
        f"at three sizes the logits are torch's to {difference:.0e} of the largest; images must be "
        "normalised and sized as the spec in the file says"
    )


WRITERS: dict[str, Writer] = {
    "safetensors": _write_native,
    "onnx": _write_onnx,
    "openvino": _write_openvino,
}
