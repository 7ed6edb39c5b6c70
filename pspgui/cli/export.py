"""`pspgui export`: corrected labels, and predictions where wished, as a data set."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pspgui.cli.export_options import (
    FirstValueOption,
    GroupOption,
    IgnoreValueOption,
    ImagesOption,
    SplitOption,
    export_options,
)
from pspgui.cli.options import DeviceOption, JsonOption, WeightsOption, expand, open_predictor
from pspgui.durable import printable
from pspgui.formats import FORMATS, ExportItem, FormatError
from pspgui.imaging import decode_image
from pspgui.jobs.class_tables import read_classes, renumbered
from pspgui.project.store import LabelStore

if TYPE_CHECKING:
    from pspgui.inference.predictor import Predictor
    from pspgui.labels.classes import ClassTable


def export(
    paths: Annotated[list[Path], typer.Argument(help="images, or folders of images")],
    out: Annotated[Path, typer.Option(help="an empty folder for the data set")],
    unedited: Annotated[
        Literal["skip", "predict"],
        typer.Option(help="images that nobody corrected: leave them out, or predict them"),
    ] = "skip",
    split: SplitOption = None,
    group: GroupOption = "image",
    images_how: ImagesOption = "copy",
    first_value: FirstValueOption = None,
    ignore_value: IgnoreValueOption = None,
    format_key: Annotated[
        str, typer.Option("--format", help=", ".join(f.key for f in FORMATS))
    ] = "folder",
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> int:
    """Write images and the labels that were saved for them, each read back and compared.

    The classes are those of the model; labels made with others are matched by name, and refused
    where the model has no class of that name. Exit code 1 if any image could not be exported.
    """
    kind = next((form for form in FORMATS if form.key == format_key), None)
    if kind is None:
        raise ValueError(f"--format {format_key} is not one of {', '.join(f.key for f in FORMATS)}")
    name, _ = export_options(split, group, images_how, first_value, ignore_value)
    images, refused = expand(paths)
    predictor, table, digest = _classes(weights, device, unedited)
    _, options = export_options(split, group, images_how, first_value, ignore_value, digest)
    skipped: list[Path] = []
    unreadable = list(refused.values())
    items = _items(images, predictor, table, skipped, unreadable)
    try:
        report = kind.export(items, out, table, split=name, options=options)
    except FormatError as error:
        reasons = "; ".join(unreadable[:3])
        if reasons:
            raise FormatError(f"{error}; {reasons}") from error
        if len(skipped) < len(images):
            raise
        raise FormatError(
            "nothing was exported: none of these images has corrected labels; `--unedited predict` "
            "exports predictions"
        ) from error
    failed = [*(reason for _, reason in report.failed), *unreadable]
    if as_json:
        print(json.dumps({
            "out": str(out), "images": report.images, "skipped": len(skipped),
            "pixels": report.pixels, "notes": list(report.notes), "failed": failed,
        }))  # fmt: skip
    else:
        print("\n".join([*report.lines(), f"{len(skipped)} images without labels left out"]))
    for reason in unreadable:
        print(f"pspgui: {reason}", file=sys.stderr)
    return 1 if failed else 0


def _classes(
    weights: Path | None, device: str, unedited: str
) -> tuple[Predictor | None, ClassTable, str]:
    """Return the predictor, if predictions are wished, and the model's classes and digest."""
    predictor = open_predictor(weights, device)
    return (predictor if unedited == "predict" else None), predictor.classes, predictor.digest


def _items(
    images: list[Path], predictor: Predictor | None, table: ClassTable, skipped: list[Path],
    unreadable: list[str],
) -> Iterator[ExportItem]:  # fmt: skip
    store = LabelStore()
    for image in images:
        try:
            item = _item(store, image, predictor, table)
        except ValueError as error:
            unreadable.append(str(error))
            continue
        if item is None:
            skipped.append(image)
        else:
            yield item


def _item(
    store: LabelStore, image: Path, predictor: Predictor | None, table: ClassTable
) -> ExportItem | None:
    stored = store.load(image)
    if stored is not None:
        own = read_classes(store.path_for(image)) or table
        remedy = "name weights with these classes by --weights"
        name = printable(image.name)
        return ExportItem(image, renumbered(stored.labels, own, table, name, remedy))
    if predictor is None:
        return None
    pixels = decode_image(image).pixels
    return ExportItem(image, predictor.predict(predictor.set_image(pixels)).labels)
