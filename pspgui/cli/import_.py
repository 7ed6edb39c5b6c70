"""`pspgui import`: labels of a data set in any known form, into a folder of images."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pspgui.cli.options import JsonOption, assumptions
from pspgui.formats import LAYOUTS
from pspgui.jobs.importing import ImportOptions, ImportPlan, plan_import, run_import
from pspgui.jobs.messages import Job, Turn
from pspgui.project import LabelStore
from pspgui.project.project import open_project


def import_(
    source: Annotated[
        Path,
        typer.Argument(help="a data set: a folder, a zip or tar, or one file of CVAT XML, COCO, "
                       "labelme, Label Studio or parquet"),
    ],
    folder: Annotated[Path, typer.Argument(help="the folder of images that gets the labels")],
    format_key: Annotated[
        str | None,
        typer.Option("--format", help=f"found by itself; else {', '.join(f.key for f in LAYOUTS)}"),
    ] = None,
    split: Annotated[str | None, typer.Option(help="one split alone, such as train")] = None,
    on_conflict: Annotated[
        Literal["keep", "replace"],
        typer.Option(help="images with labels already: keep theirs, or replace them (backed up)"),
    ] = "keep",
    misfits: Annotated[
        Literal["refuse", "resize", "skip"],
        typer.Option(help="labels of another size than their image"),
    ] = "refuse",
    images: Annotated[
        Literal["copy", "match"],
        typer.Option(help="images that the folder lacks: copy them there, or leave them out"),
    ] = "copy",
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="SOURCE=OWN",
                     help="another name for a class, or - for unlabelled; may be repeated"),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="only say what would be done")] = False,
    as_json: JsonOption = False,
) -> int:  # fmt: skip
    """Give the images of a folder the labels of a data set, classes matched by name.

    Labels that are replaced are backed up in `.pspgui/backups`. Exit code 1 if any image could not
    be imported.
    """
    chosen = {
        name: "" if own == "-" else own for name, own in assumptions(classes, "--class").items()
    }
    options = ImportOptions(format_key, split, on_conflict, misfits, images, chosen)
    store = LabelStore()
    if dry_run:
        plan = _finished(plan_import(source, folder, store, options))
        print(json.dumps(_told(plan)) if as_json else "\n".join(plan.lines()))
        return 0
    project = open_project(folder, "pspgui import") if folder.is_dir() else None
    try:
        if project is not None:
            project.demand_change()
        report = _finished(run_import(source, folder, store, options))
    finally:
        if project is not None:
            project.close()
    print(json.dumps(report.to_json()) if as_json else "\n".join(report.lines()))
    if as_json:
        for _, reason in report.failed:
            print(f"pspgui: {reason}", file=sys.stderr)
    return 1 if report.failed else 0


def _finished(job: Job) -> Any:
    """Run a job to its end, with a bar on a terminal, and return what it returns."""
    from tqdm import tqdm

    steps = job(Turn(lambda step: None, lambda: False))
    with tqdm(total=1.0, desc="import", delay=1, disable=None, leave=False,
              bar_format="{desc}: {percentage:3.0f}%|{bar}| {postfix}") as bar:  # fmt: skip
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            bar.set_postfix_str(step.text, refresh=False)
            bar.update((step.fraction or 0.0) - bar.n)


def _told(plan: ImportPlan) -> dict[str, Any]:
    return {
        "format": plan.key, "splits": list(plan.splits), "images": plan.images,
        "matched": plan.matched, "copied": plan.copied, "absent": plan.absent,
        "labelled": plan.labelled,
        "classes": [
            {"name": match.name, "target": match.target, "new": match.is_new}
            for match in plan.classes
        ],
    }  # fmt: skip
