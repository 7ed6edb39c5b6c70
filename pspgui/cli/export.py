"""`pspgui export`: corrected labels, and predictions where wished, as a data set."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import typer

from pspgui.cli.export_options import (
    AcceptedOption,
    FirstValueOption,
    GroupOption,
    IgnoreValueOption,
    ImagesOption,
    MisfitsOption,
    SplitOption,
    export_options,
)
from pspgui.cli.options import DeviceOption, JsonOption, WeightsOption, expand, open_predictor
from pspgui.durable import printable
from pspgui.formats import FORMATS, ExportItem, FormatError
from pspgui.imaging import decode_image
from pspgui.jobs.class_tables import read_classes, renumbered
from pspgui.jobs.exporting import LabelSource, accepted_images
from pspgui.labels.classes import CAMVID
from pspgui.project.project import open_project
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
    misfits: MisfitsOption = "refuse",
    accepted: AcceptedOption = False,
    format_key: Annotated[
        str, typer.Option("--format", help=", ".join(f.key for f in FORMATS))
    ] = "folder",
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> int:
    """Write images and the labels that were saved for them, each read back and compared.

    The classes are those of the labels, put together by name. With `--weights` or predictions they
    are those of the model; labels made with others are matched by name, and refused where the
    model has no class of that name. Exit code 1 if any image could not be exported.
    """
    kind = next((form for form in FORMATS if form.key == format_key), None)
    if kind is None:
        raise ValueError(f"--format {format_key} is not one of {', '.join(f.key for f in FORMATS)}")
    choices = (split, group, images_how, first_value, ignore_value)
    name, _ = export_options(*choices)
    images, refused = expand(paths)
    skipped: list[Path] = []
    unreadable = list(refused.values())
    if accepted:
        images, left = _accepted(images)
        skipped += left
    labels = _Labels(images, weights, device, unedited, misfits == "resize")
    _, options = export_options(*choices, labels.digest, misfits)
    items = labels.items(skipped, unreadable)
    try:
        report = kind.export(items, out, labels.table, split=name, options=options)
    except FormatError as error:
        reasons = "; ".join(unreadable[:3])
        if reasons:
            raise FormatError(f"{error}; {reasons}") from error
        if images and len(skipped) < len(images):
            raise
        reason = "was accepted" if accepted and not images else (
            "has corrected labels; `--unedited predict` exports predictions"
        )  # fmt: skip
        raise FormatError(f"nothing was exported: none of these images {reason}") from error
    failed = [*(reason for _, reason in report.failed), *unreadable]
    if as_json:
        told = {**report.to_json(), "out": str(out), "failed": failed}
        print(json.dumps({**told, "skipped": len(skipped) + len(report.skipped)}))
    else:
        print("\n".join([*report.lines(), f"{len(skipped)} images without labels left out"]))
    for reason in unreadable:
        print(f"pspgui: {reason}", file=sys.stderr)
    return 1 if failed else 0


class _Labels:
    """Where the labels of an export come from, their classes, and the model's digest if any."""

    def __init__(
        self, images: list[Path], weights: Path | None, device: str, unedited: str, any_size: bool
    ) -> None:
        self._images, self._store = images, LabelStore()
        self._predictor: Predictor | None = None
        self._wanted: ClassTable | None = None
        self.digest: str | None = None
        if weights is not None or unedited == "predict":
            predictor = open_predictor(weights, device)
            self._wanted, self.digest = predictor.classes, predictor.digest
            self._predictor = predictor if unedited == "predict" else None
        usual = CAMVID if self._wanted is None else self._wanted
        self._source = LabelSource(self._store, {}, usual, any_size=any_size)
        self.table = self._wanted or self._source.table(images, lambda: None)

    def items(self, skipped: list[Path], unreadable: list[str]) -> Iterator[ExportItem]:
        """Yield what there is to export; note what is not."""
        for image in self._images:
            try:
                item = self._item(image)
            except ValueError as error:
                unreadable.append(str(error))
                continue
            if item is None:
                skipped.append(image)
            else:
                yield item

    def _item(self, image: Path) -> ExportItem | None:
        if self._wanted is None:
            found = self._source.marked_labels_of(image)
            return found and ExportItem(image, found.labels, None, found.provenance)
        stored = self._store.load(image)
        if stored is not None:
            own = read_classes(self._store.path_for(image)) or self._wanted
            remedy = "name weights with these classes by --weights, or leave the option out"
            labels = renumbered(stored.labels, own, self._wanted, printable(image.name), remedy)
            return ExportItem(image, labels, None, stored.provenance)
        if self._predictor is None:
            return None
        predictor = self._predictor
        labels = predictor.predict(predictor.set_image(decode_image(image).pixels)).labels
        return ExportItem(image, labels, None, np.zeros(labels.shape, np.uint8))


def _accepted(images: list[Path]) -> tuple[list[Path], list[Path]]:
    """Return the images that were accepted in the projects of their folders, and the others."""
    wanted: set[Path] = set()
    for folder in dict.fromkeys(image.parent for image in images):
        project = open_project(folder, "pspgui export")
        try:
            wanted |= accepted_images(project.index)
        finally:
            project.close()
    absolute = {image: Path(os.path.abspath(image)) for image in images}  # noqa: PTH100
    here = [image for image in images if image in wanted or absolute[image] in wanted]
    return here, [image for image in images if image not in set(here)]
