"""`pspgui stats`: how far a folder of images is labelled, and with what."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pspgui.cli.options import JsonOption
from pspgui.labels.classes import CAMVID


def stats(
    folder: Annotated[Path, typer.Argument(help="a folder of images")],
    as_json: JsonOption = False,
) -> int:
    """Add up a project: images by status, pixels by class, model against person, time spent.

    Nothing in the folder is changed. Exit code 1 if labels could not be read.
    """
    from pspgui.project.summary import summarise, to_json, to_lines

    summary = summarise(folder, CAMVID)
    print(json.dumps(to_json(summary)) if as_json else "\n".join(to_lines(summary)))
    for reason in summary.left_out:
        print(f"pspgui: {reason}", file=sys.stderr)
    return 1 if summary.left_out else 0
