"""`pspgui check`: whether every file of a project is sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pspgui.cli.options import JsonOption


def check(
    folder: Annotated[Path, typer.Argument(help="a folder of images")],
    pixels: Annotated[
        bool, typer.Option("--pixels", help="decode the images whole, not only their headers")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Verify every file of a project: labels, provenance, classes, journal, index, backups.

    Prints a line for each problem and changes nothing. Exit code 1 if there are any; `pspgui
    repair` puts right what can be.
    """
    from pspgui.project.checking import check_project, to_json

    report = check_project(folder, pixels)
    if as_json:
        print(json.dumps(to_json(report)))
        return 1 if report.problems else 0
    for problem in report.problems:
        print(f"{problem.kind}: {problem.line()}")
    for note in report.notes:
        print(f"note: {note}")
    found = len(report.problems)
    mending = sum(problem.repairable for problem in report.problems)
    said = f"{found} problem{_s(found)}" if found else "no problems"
    more = f", {mending} of them for `pspgui repair`" if mending else ""
    counted = f"{report.images} image{_s(report.images)}, {report.label_files} label file"
    print(f"{counted}{_s(report.label_files)}: {said}{more}")
    return 1 if found else 0


def _s(count: int) -> str:
    return "" if count == 1 else "s"
