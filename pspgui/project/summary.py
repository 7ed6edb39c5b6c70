"""The sums of a project as its files are now, without changing anything in its folder."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pspgui.durable import printable
from pspgui.imaging import DecodeError, list_images
from pspgui.labels.classes import ClassTable, ClassTableError
from pspgui.project import database, remarks, schema
from pspgui.project.class_files import read_classes, read_folder_classes
from pspgui.project.index import ProjectIndex, ProjectTotals
from pspgui.project.project import INDEX, project_home
from pspgui.project.statistics import changed_labels, compared, measure_labels


class Summary(NamedTuple):
    """Sums over the images of a folder, and what could not be counted, a clause each."""

    root: Path
    totals: ProjectTotals
    left_out: tuple[str, ...]


def summarise(
    root: Path, usual: ClassTable, progress: Callable[[float], None] | None = None
) -> Summary:
    """Add up a project; labels that the index does not know as they are get counted now.

    `usual` names the classes of labels whose own nobody kept. Works on a copy of the index, while
    the project is open elsewhere, too. Raises `DecodeError` for a folder that cannot be listed.
    """
    images = list_images(root)
    home = project_home(root)
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix="pspgui-") as folder:
        copy = Path(folder) / INDEX
        source = home / INDEX
        with contextlib.suppress(sqlite3.Error, OSError):
            if source.exists() and database.version_in(source) <= schema.version():
                database.copy_unopened(source, copy)
        index = ProjectIndex(copy, root)
        try:
            index.add_images(images)
            _follow_remarks(index, home)
            changed = compared(changed_labels(home, images, index.labels_stamps()))
            for image in changed.lost:
                index.forget_labels(image)
            for number, (image, file) in enumerate(changed.measured_otherwise):
                if progress is not None:
                    progress(number / len(changed.measured_otherwise))
                try:
                    table = read_classes(file) or read_folder_classes(file) or usual
                    measure_labels(index, image, file, table)
                except (DecodeError, ClassTableError) as error:
                    left_out.append(str(error))
            return Summary(root, index.totals(), tuple(left_out))
        finally:
            index.close()


def _follow_remarks(index: ProjectIndex, home: Path) -> None:
    with contextlib.suppress(OSError):
        said, _ = remarks.read(home / remarks.NAME)
        index.take_over(said)


def to_json(summary: Summary) -> dict[str, Any]:
    """Return a summary for programs; unlabelled pixels are those of the class ""."""
    totals = summary.totals
    return {
        "folder": printable(summary.root),
        "images": sum(totals.images.values()),
        "labelled": totals.labelled,
        "status": dict(totals.images),
        "classes": {
            name: {"pixels": px, "share": px / max(1, sum(totals.pixels.values()))}
            for name, px in by_size(totals.pixels)
        },
        "corrected_px": totals.corrected_px,
        "confusion": [
            {"predicted": predicted, "labelled": labelled, "pixels": px}
            for (predicted, labelled), px in sorted(totals.confusion.items(), key=lambda i: -i[1])
        ],
        "seconds": totals.seconds,
        "left_out": list(summary.left_out),
    }


def to_lines(summary: Summary) -> list[str]:
    """Return a summary as lines for a person."""
    totals = summary.totals
    lines = [
        f"{printable(summary.root)}: {sum(totals.images.values())} images, "
        f"{totals.labelled} with labels, {duration(totals.seconds)} spent",
    ]
    lines += [f"  {status:<10} {count:>9}" for status, count in totals.images.items() if count]
    whole = sum(totals.pixels.values())
    if whole:
        lines.append("pixels by class")
        wide = max(len(_name(name)) for name in totals.pixels)
        lines += [
            f"  {_name(name):<{wide}} {px:>14,}  {px / whole:7.2%}"
            for name, px in by_size(totals.pixels)
        ]
    read = sum(totals.confusion.values())
    if read:
        right = sum(px for (one, other), px in totals.confusion.items() if one == other)
        lines.append(f"model and person agree on {right / read:.2%} of {read:,} compared pixels")
        mistakes = [(pair, px) for pair, px in totals.confusion.items() if pair[0] != pair[1]]
        for (predicted, labelled), px in sorted(mistakes, key=lambda item: -item[1])[:10]:
            lines.append(f"  {predicted} → {labelled}: {px:,}")
    return lines


def by_size(pixels: Any) -> list[tuple[str, int]]:
    """Return classes with their pixels, largest first, what is unlabelled last."""
    return sorted(pixels.items(), key=lambda item: (item[0] == "", -item[1], item[0]))


def duration(seconds: float) -> str:
    """Return a time in words: "3 h 20 min"."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{round(seconds)} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _name(name: str) -> str:
    return printable(name) if name else "unlabelled"
