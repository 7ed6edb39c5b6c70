"""Options that several commands share, and how a command finds its model and images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pspgui.durable import printable
from pspgui.imaging import DecodeError, list_images
from pspgui.jobs.samples import read_samples
from pspgui.places import bundled_model

if TYPE_CHECKING:
    from pspgui.inference.predictor import Predictor

WeightsOption = Annotated[
    Path | None, typer.Option("--weights", help="checkpoint; the bundled model if not given")
]
AssumeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--assume",
        metavar="KEY=VALUE",
        help="what the weights cannot tell, such as levels=1,2,3,6, align_corners=true, "
        "normalisation=unit or classes=cityscapes19; may be repeated",
    ),
]
DeviceOption = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option("--device")]
PrecisionOption = Annotated[
    Literal["auto", "fp32", "bf16", "fp16", "int8"],
    typer.Option(
        "--precision",
        help="fp16 on CUDA; int8 by OpenVINO, in as many layers as keep 99.8 % of labels; all but "
        "fp32 approximate",
    ),
]
BackendOption = Annotated[
    Literal["auto", "torch", "compile", "openvino"],
    typer.Option("--backend", help="what computes; compile is worth it for many images"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON for programs")]


def open_predictor(
    weights: Path | None,
    device: str = "auto",
    precision: str = "auto",
    assume: Iterable[str] | None = None,
    backend: str = "auto",
    images: Sequence[Path] = (),
) -> Predictor:
    """Load the model that the options name; raises `CheckpointError` or `DeviceError`.

    assume: what `--assume` was given; raises ValueError for what is not KEY=VALUE. images: what
    it will read, so that int8 can be fitted to some of them.
    """
    from pspgui.inference.devices import choose
    from pspgui.inference.predictor import Predictor
    from pspgui.models.checkpoints import load_checkpoint

    choose(device, precision, backend)  # before the weights are read: it may say no at once
    loaded = load_checkpoint(weights or bundled_model(), assumptions(assume))
    samples = read_samples(images) if precision == "int8" else ()
    predictor = Predictor.of(
        loaded, device, precision, backend=backend, samples=samples, progress=_once_told()
    )
    if predictor.precision_note:
        typer.echo(predictor.precision_note, err=True)
    return predictor


def _once_told() -> Callable[[float, str], None]:
    """Return what prints each new step of a long preparation to standard error."""
    told: set[str] = set()

    def tell(_: float, text: str) -> None:
        if text not in told:
            told.add(text)
            typer.echo(f"{text}; this is kept for these weights…", err=True)

    return tell


def assumptions(given: Iterable[str] | None, option: str = "--assume") -> dict[str, str]:
    """Return the fields and values of an option's `KEY=VALUE` words; raises ValueError."""
    found: dict[str, str] = {}
    for word in given or ():
        key, equals, value = word.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise ValueError(f"{option} {word} is not KEY=VALUE, such as levels=1,2,3,6")
        found[key.strip()] = value.strip()
    return found


def expand(paths: Iterable[Path]) -> tuple[list[Path], dict[Path, str]]:
    """Return the files named, folders replaced by the images in them, and what gave none, and why.

    A path that is no folder is kept even if nothing is there: decoding it will say why.
    """
    found: list[Path] = []
    refused: dict[Path, str] = {}
    for path in paths:
        try:
            images = list_images(path) if path.is_dir() else (path,)
        except OSError:  # such as a name that is too long
            images = (path,)
        except DecodeError as error:
            refused[path] = str(error)
            continue
        if not images:
            refused[path] = f"{printable(path)}: there are no images in this folder"
        found.extend(images)
    return found, refused


def pixel_option(text: str) -> tuple[int, int]:
    """Return (y, x) of a user's `X,Y`; raises `ValueError`."""
    x, _, y = text.partition(",")
    try:
        return int(y), int(x)
    except ValueError as error:
        raise ValueError(f"--at {text} is not X,Y in whole pixels") from error
