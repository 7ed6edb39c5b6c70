"""`pspgui backups`: what was kept before large changes, and putting it back."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pspgui.cli.options import JsonOption

if TYPE_CHECKING:
    from pspgui.project.backups import Backup


def backups(
    folder: Annotated[Path, typer.Argument(help="a folder of images")],
    restore: Annotated[
        str, typer.Option("--restore", metavar="NAME", help="put this backup's labels back")
    ] = "",
    as_json: JsonOption = False,
) -> int:
    """List the backups of a project, newest first, or put one back.

    Labels are backed up before imports, relabelling in all images and changes of classes. What
    --restore replaces becomes a backup itself; images that had no labels then keep theirs.
    """
    from pspgui.project import LabelStore
    from pspgui.project.backups import list_backups

    store = LabelStore()
    homes = store.homes(folder / "any")
    found = sorted((b for home in homes for b in list_backups(home)), key=lambda b: -b.made_at)
    if restore:
        return _restore(folder, found, restore)
    if as_json:
        print(json.dumps([_told(backup) for backup in found]))
    else:
        print("\n".join(map(_line, found)) or "no backups")
    return 0


def _restore(folder: Path, found: list[Backup], name: str) -> int:
    from pspgui.jobs.restoring import Restored, labels_in, put_back
    from pspgui.project.errors import ProjectError
    from pspgui.project.project import open_project

    chosen = [backup for backup in found if backup.name == name]
    if not chosen:
        raise ProjectError(f"{folder} has no backup {name!r}; `pspgui backups {folder}` lists them")
    project = open_project(folder)
    try:
        project.demand_change()
        put_back(chosen[0])
    finally:
        project.close()
    print(Restored(len(labels_in(chosen[0]))).sentence)
    return 0


def _told(backup: Backup) -> dict[str, object]:
    from pspgui.jobs.restoring import labels_in

    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(backup.made_at))
    labels = list(labels_in(backup))
    return {"name": backup.name, "reason": backup.reason, "made_at": when, "labels": labels,
            "bytes": backup.size}  # fmt: skip


def _line(backup: Backup) -> str:
    from pspgui.jobs.restoring import before, labels_in

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(backup.made_at))
    count = len(labels_in(backup))
    noun = "image" if count == 1 else "images"
    return f"{backup.name}  {when}, labels of {count} {noun}, before {before(backup)}"
