"""`pspgui repair`: putting right what `pspgui check` finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pspgui.cli.options import JsonOption


def repair(
    folder: Annotated[Path, typer.Argument(help="a folder of images")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be done, and do nothing")
    ] = False,
    attach: Annotated[
        tuple[str, str] | None,
        typer.Option("--attach", metavar="OLD NEW", help="image OLD is called NEW now"),
    ] = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="move what belongs to no image to the backups")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Put right in a project what can be put right without loss, and say what was done.

    Damaged labels are restored from the newest sound backup, else set aside; the index is made
    again, torn journal ends are cut off, half-written files removed. What is kept of an image that
    was renamed goes with it if its content tells which it is, or --attach says so. Whatever is
    replaced lies in the backups. Exit code 1 if something is left for a person.
    """
    from pspgui.project.repairing import Gone, repair_project

    report = repair_project(folder, dry_run, Gone((attach,) if attach else (), set_aside))
    if as_json:
        print(json.dumps({"dry_run": dry_run, "done": report.done, "left": report.left}))
    else:
        for line in report.done:
            print(f"would {line}" if dry_run else line)
        for line in report.left:
            print(f"left: {line}")
        if any("of an image that is not there" in line for line in report.left):
            print("--attach OLD NEW brings it to an image that was renamed, --set-aside to backups")
        if not report.done and not report.left:
            print("nothing to repair")
    return 1 if report.left else 0
