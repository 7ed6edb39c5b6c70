"""Files of a project that belong to no image of the folder: pins, notes and stroke journals."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from pspgui.project import identities
from pspgui.project.carrying import Folder, Renamed, find_renamed, work_of
from pspgui.project.class_files import classes_beside
from pspgui.project.journal import SUFFIX
from pspgui.project.recovery import journal_path
from pspgui.project.store import label_file_in

_KEPT: Final = (("pins", "pins"), ("what_if", "notes of what-ifs"))


class Orphan(NamedTuple):
    """A file of an image that is not there, and what it holds in words."""

    path: Path
    what: str


def find_orphans(folder: Folder, journals: list[Path]) -> list[Orphan]:
    """Return pins, notes and, of `journals`, those of images that are gone. Any thread."""
    home, images = folder.home, folder.images
    strokes = {journal_path(home, image).name for image in images}
    beside = {classes_beside(label_file_in(home, image)).name for image in images}
    found = [
        Orphan(path, what)
        for name, what in _KEPT for path in _files(home / name)
        if path.suffix == ".json" and path.name not in beside
    ]  # fmt: skip
    return found + [
        Orphan(path, "strokes") for path in journals if _without_number(path.name) not in strokes
    ]


def renamed_files(folder: Folder) -> tuple[list[Renamed], dict[Path, Renamed]]:
    """Return the images that were renamed, and of every file of theirs which it is."""
    found = find_renamed(folder)
    return found, {path: renamed for renamed in found for path in folder.left_of(renamed.old)}


def exchanged(folder: Folder) -> list[Path]:
    """Return images with work whose file is not the one that was worked on. Reads them whole."""
    known, _ = identities.read(folder.home / identities.NAME)
    found = []
    for image in folder.images:
        noted = known.get(image.name)
        if noted is None or not work_of(folder.home, image).there:
            continue
        try:
            if identities.identity_of(image) != noted:
                found.append(image)
        except OSError:
            continue
    return found


def _files(folder: Path) -> list[Path]:
    try:
        return [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")]
    except OSError:
        return []


def _without_number(name: str) -> str:
    """Return the name of a journal as it was before it was set aside."""
    before, _, number = name.rpartition("~")
    return before if before.endswith(SUFFIX) and number.isdigit() else name


__all__ = ["Orphan", "exchanged", "find_orphans", "renamed_files"]
