"""Verifying every file of a project: what is damaged, missing or out of step."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from pspgui.durable import printable
from pspgui.imaging import (
    DecodeError,
    decode_image,
    image_size,
    labels_from_bytes,
    list_images,
    read_file,
)
from pspgui.imaging.label_files import DecodedLabels
from pspgui.labels.classes import ClassTable
from pspgui.project import backups, class_files, database, identities, pins, remarks, schema
from pspgui.project.carrying import Folder, Renamed
from pspgui.project.errors import ProjectError
from pspgui.project.lock import owner_of
from pspgui.project.orphans import exchanged, find_orphans, renamed_files
from pspgui.project.png_check import png_faults
from pspgui.project.project import INDEX, LOCK, PENDING, damage_of_index, project_home
from pspgui.project.statistics import Owners, count_labels

FOLDERS: Final = (
    "", "labels", "provenance", "provenance-next", "classes", "strokes", "strokes/lost", "backups",
    "pins", "what_if",
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be: its kind, its file, and what is wrong in a clause.

    `repairable` tells whether `pspgui repair` deals with it; kinds are those of `KINDS`.
    """

    kind: str
    path: Path
    text: str
    repairable: bool = False

    def line(self) -> str:
        """Return the problem as one line."""
        return f"{printable(self.path)}: {self.text}"


# What `check` looks for, by the word that a problem bears.
KINDS: Final = {
    "image": "an image that cannot be read",
    "labels": "a damaged label file",
    "misfit": "labels of another size than the image",
    "class": "labels that the class table does not have",
    "provenance": "provenance that is damaged or belongs to other labels",
    "classes": "a damaged class file",
    "orphan": "a file that belongs to no image",
    "part": "what a killed process left half-written",
    "index": "an index that is damaged or out of step",
    "remarks": "damaged lines of remarks",
    "identities": "damaged lines of what images looked like",
    "journal": "a damaged stroke journal",
    "torn": "a journal whose last stroke was cut short",
    "pins": "pins of an image that cannot be read",
    "notes": "notes of what-ifs that cannot be read",
    "backup": "a damaged backup",
    "pending": "a change of many labels that was interrupted",
}


@dataclass
class CheckReport:
    """What was looked at, the problems found, and notes that are none.

    `renamed` tells of files of images that are gone which image they belong to now.
    """

    root: Path
    home: Path
    images: int = 0
    label_files: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    renamed: dict[Path, Renamed] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckedLabels:
    """A sound label file: its image, its digest and its pixels by class name."""

    image: Path | None
    digest: str
    pixels: dict[str, int]


def check_project(
    root: Path, pixels: bool = False, progress: Callable[[float], None] | None = None
) -> CheckReport:
    """Verify every file of the project of a folder of images; nothing is written.

    `pixels` decodes the images whole, too, and not only their headers. `progress` is told the
    share done and may raise to stop. Raises `DecodeError` when the folder cannot be listed.
    """
    images = list_images(root)
    report = CheckReport(root, project_home(root), len(images))
    sizes = dict(_image_sizes(images, pixels, report, progress or _quiet))
    _note_twins(images, report)
    if not report.home.is_dir():
        report.notes.append("there is no project in this folder yet: nothing was labelled")
        return report
    owner = owner_of(report.home / LOCK)
    if owner is not None:
        report.notes.append(f"the project is, or was last, open in {owner.text()}")
    folder = Folder(root, report.home, images)
    report.renamed = renamed_files(folder)[1]
    checked = dict(_label_files(report, images, sizes, progress or _quiet))
    _check_orphans(report, set(checked))
    _check_folder_classes(report)
    _check_parts(report)
    _check_journals(report)
    _check_pins_and_notes(report)
    _check_images_gone(report, folder)
    _check_backups(report)
    _check_remarks(report)
    _check_identities(report)
    _check_index(report, images, checked)
    return report


# -- images and labels --------------------------------------------------------------------------


def _image_sizes(
    images: Iterable[Path], pixels: bool, report: CheckReport, progress: Callable[[float], None]
) -> Iterator[tuple[Path, tuple[int, int]]]:
    for number, image in enumerate(images):
        progress(0.3 * number / max(1, report.images))
        try:
            if pixels:
                height, width = decode_image(image).pixels.shape[:2]
                yield image, (height, width)
            else:
                yield image, image_size(image)
        except DecodeError as error:
            report.problems.append(Problem("image", image, error.reason))


def _note_twins(images: Iterable[Path], report: CheckReport) -> None:
    """Name images that other systems, or data sets copied there, take for one."""
    seen: dict[str, Path] = {}
    for image in images:
        key = unicodedata.normalize("NFC", image.name).casefold()
        if key in seen:
            names = f"{printable(seen[key].name)} and {printable(image.name)}"
            report.notes.append(f"{names} are one name on other systems")
        seen[key] = image


def _label_files(
    report: CheckReport, images: Iterable[Path], sizes: dict[Path, tuple[int, int]],
    progress: Callable[[float], None],
) -> Iterator[tuple[str, CheckedLabels | None]]:  # fmt: skip
    """Check every label file with what belongs to it; yield its name and what is sound of it."""
    owners = Owners(images)
    files = files_in(report.home / "labels", ".png")
    report.label_files = len(files)
    for number, file in enumerate(files):
        progress(0.3 + 0.6 * number / len(files))
        yield file.name, _check_labels(report, file, owners, sizes)


def _check_labels(
    report: CheckReport, file: Path, owners: Owners, sizes: dict[Path, tuple[int, int]]
) -> CheckedLabels | None:
    decoded = read_sound(file)
    if isinstance(decoded, str):
        report.problems.append(Problem("labels", file, decoded, repairable=True))
        return None
    image = owners.of(file)
    if image is None:
        report.problems.append(_orphan(report, file, "labels"))
    elif image in sizes and sizes[image] != decoded.labels.shape:
        theirs, its = _size(decoded.labels.shape), _size(sizes[image])
        report.problems.append(Problem("misfit", file, f"it is {theirs}, its image {its}"))
    table = _check_classes(report, file, decoded.labels)
    _check_provenance(report, file, decoded)
    counted = {} if table is None else count_labels(decoded.labels, table).pixels
    return CheckedLabels(image, decoded.digest, counted)


def read_sound(file: Path) -> DecodedLabels | str:
    """Return what a PNG of labels or provenance holds, or what is wrong with it."""
    try:
        content = read_file(file)
        faults = png_faults(content)
        return "; ".join(faults[:3]) if faults else labels_from_bytes(file, content)
    except DecodeError as error:
        return error.reason


def _check_classes(report: CheckReport, file: Path, labels: np.ndarray) -> ClassTable | None:
    path = class_files.classes_beside(file)
    if not path.exists():
        return None
    fault = class_files.fault_of(path)
    if fault:
        report.problems.append(Problem("classes", path, fault, repairable=True))
        return None
    table = ClassTable.load(path)
    present = np.flatnonzero(np.bincount(labels.ravel()))
    foreign = [int(v) for v in present if v >= len(table) and v != table.ignore]
    if foreign:
        shown = ", ".join(map(str, foreign[:5]))
        report.problems.append(Problem("class", file, f"no class has the label {shown}"))
    return table


def _check_provenance(report: CheckReport, file: Path, labels: DecodedLabels) -> None:
    path, waiting = provenance_of(file), provenance_of(file, waiting=True)
    if waiting.exists():  # where a crash left it: it counts once its labels are there
        marks = read_sound(waiting)
        if isinstance(marks, DecodedLabels) and not provenance_fault(marks, labels):
            return
        text = "provenance of labels that were never saved"
        report.problems.append(Problem("part", waiting, text, repairable=True))
    if not path.exists():
        return  # every pixel counts as imported
    marks = read_sound(path)
    fault = marks if isinstance(marks, str) else provenance_fault(marks, labels)
    if fault:
        report.problems.append(Problem("provenance", path, fault, repairable=True))


def provenance_of(label_file: Path, waiting: bool = False) -> Path:
    """Return where the provenance of a label file is, or waits until its labels are there."""
    folder = "provenance-next" if waiting else "provenance"
    return label_file.parent.parent / folder / label_file.name


def provenance_fault(marks: DecodedLabels, labels: DecodedLabels) -> str:
    """Return why a provenance map is not that of these labels; "" where it is."""
    if marks.labels.shape != labels.labels.shape:
        return f"it is {_size(marks.labels.shape)}, the labels {_size(labels.labels.shape)}"
    if marks.texts.get("Labels") != labels.digest:
        return "it was saved with other labels than these"
    return ""


def _check_orphans(report: CheckReport, label_names: set[str]) -> None:
    labels = report.home / "labels"
    classes = {class_files.classes_beside(labels / name).name for name in label_names}
    for file in files_in(report.home / "provenance", ".png"):
        if file.name not in label_names:
            report.problems.append(Problem("orphan", file, "provenance of labels not there"))
    for file in files_in(report.home / "provenance-next", ".png"):
        if file.name not in label_names:
            text = "provenance of labels that were never saved"
            report.problems.append(Problem("part", file, text, repairable=True))
    for file in files_in(report.home / "classes", ".json"):
        if file.name not in classes:
            report.problems.append(Problem("orphan", file, "classes of labels not there"))


def _check_folder_classes(report: CheckReport) -> None:
    path = report.home / "classes.json"
    if path.exists():
        fault = class_files.fault_of(path)
        if fault:
            report.problems.append(Problem("classes", path, fault, repairable=True))


# -- the rest of the folder ---------------------------------------------------------------------


def _check_parts(report: CheckReport) -> None:
    for path in leftovers(report.home):
        report.problems.append(Problem("part", path, KINDS["part"], repairable=True))
    if (report.home / PENDING).exists():
        text = KINDS["pending"]
        report.problems.append(Problem("pending", report.home / PENDING, text, repairable=True))


def leftovers(home: Path) -> list[Path]:
    """Return what killed processes left half-written, files and folders."""
    found = []
    for name in FOLDERS:
        with contextlib.suppress(OSError):
            found += [
                path for path in sorted((home / name).iterdir())
                if path.name.startswith((".saving-", ".making-")) and path.name.endswith(".part")
            ]  # fmt: skip
    return found


def _journals(home: Path) -> list[Path]:
    from pspgui.project.journal import SUFFIX

    return [
        path for folder in ("strokes", "strokes/lost") for path in files_in(home / folder, "")
        if path.suffix == SUFFIX or path.name.rpartition("~")[0].endswith(SUFFIX)
    ]  # fmt: skip


def _check_journals(report: CheckReport) -> None:
    from pspgui.project.journal import JournalError, read_journal

    for path in _journals(report.home):
        try:
            journal = read_journal(path)
            whole = path.stat().st_size
        except (JournalError, OSError) as error:
            report.problems.append(Problem("journal", path, str(error), repairable=True))
            continue
        if journal.damaged:
            text = "strokes in it are damaged; those around them can be read"
            report.problems.append(Problem("journal", path, text))
        if journal.end < whole:
            text = f"its last {whole - journal.end} bytes are no whole stroke"
            report.problems.append(Problem("torn", path, text, repairable=True))
        elif journal.has_more_than(max(journal.saved, journal.header.first)):
            image = printable(journal.header.image)
            report.notes.append(f"{image} has strokes to recover: open it in the window")


def _check_images_gone(report: CheckReport, folder: Folder) -> None:
    """Name what is kept of images that are gone, and images that are others than they were."""
    for orphan in find_orphans(folder, _journals(report.home)):
        report.problems.append(_orphan(report, orphan.path, orphan.what))
    for image in exchanged(folder):
        report.notes.append(f"{printable(image.name)} is not the picture that was worked on")


def _orphan(report: CheckReport, path: Path, what: str) -> Problem:
    """Return the problem of a file of an image that is gone, with its new name if that is known."""
    renamed = report.renamed.get(path)
    if renamed is None:
        return Problem("orphan", path, f"{what} of an image that is not there")
    was, now = printable(renamed.old), printable(renamed.new.name)
    return Problem("orphan", path, f"{what} of {was}, which is called {now} now", repairable=True)


def _check_identities(report: CheckReport) -> None:
    path = report.home / identities.NAME
    damaged = identities.read(path)[1]
    if damaged:
        many = f"{len(damaged)} lines are" if len(damaged) > 1 else f"line {damaged[0]} is"
        problem = Problem("identities", path, f"{many} damaged", repairable=True)
        report.problems.append(problem)


def _check_pins_and_notes(report: CheckReport) -> None:
    """Name files that the window leaves alone, and keeps no pins or notes beside."""
    for path in files_in(report.home / "pins", ".json"):
        fault = pins.fault_of(path)
        if fault:
            report.problems.append(Problem("pins", path, fault, repairable=True))
    for path in files_in(report.home / "what_if", ".json"):
        fault = _fault_of_notes(path)
        if fault:
            report.problems.append(Problem("notes", path, fault, repairable=True))


def _fault_of_notes(path: Path) -> str:
    """Return why no note can be read or kept in a file; single notes may be of another version."""
    try:
        told = json.loads(path.read_bytes())
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    except (ValueError, RecursionError) as error:
        return f"its notes cannot be read ({error})"
    sound = isinstance(told, dict) and isinstance(told.get("notes"), list)
    return "" if sound else "it is no file of notes"


def _check_backups(report: CheckReport) -> None:
    listed = {backup.folder: backup for backup in backups.list_backups(report.home)}
    for backup in listed.values():
        fault = backups.fault_of(backup)
        if fault:
            report.problems.append(Problem("backup", backup.folder, fault))
    for path in files_in(report.home / "backups", "", folders=True):
        if path not in listed and backups.is_backup_name(path.name):
            report.problems.append(Problem("backup", path, "its manifest is damaged or missing"))


def _check_remarks(report: CheckReport) -> None:
    path = report.home / remarks.NAME
    try:
        _, damaged = remarks.read(path)
    except OSError as error:
        report.problems.append(Problem("remarks", path, f"it cannot be read ({error.strerror})"))
        return
    if damaged:
        lines = ", ".join(map(str, damaged[:5])) + (" …" if len(damaged) > 5 else "")
        many = "lines" if len(damaged) > 1 else "line"
        text = f"{many} {lines}: the checksum is wrong or the end is missing"
        report.problems.append(Problem("remarks", path, text, repairable=True))


# -- the index ----------------------------------------------------------------------------------


def _check_index(
    report: CheckReport, images: Iterable[Path], checked: dict[str, CheckedLabels | None]
) -> None:
    path = report.home / INDEX
    if not path.exists():
        report.notes.append("there is no index yet; it is made when the folder is opened")
        return
    fault = damage_of_index(path)
    if fault:
        report.problems.append(Problem("index", path, fault, repairable=True))
        return
    try:
        version = database.version_in(path)
        if version > schema.version():
            report.notes.append("the index was written by a newer pspgui; it was not looked into")
            return
        if version == schema.version():
            _compare_index(report, path, images, checked)
        else:
            report.notes.append("the index is of an earlier version; opening the folder updates it")
    except (sqlite3.Error, ProjectError) as error:
        report.problems.append(Problem("index", path, str(error), repairable=True))
    if not database.digest_beside(path).exists():
        report.notes.append("the index has no digest: it is in use, or was not closed in order")


def _compare_index(
    report: CheckReport, path: Path, images: Iterable[Path],
    checked: dict[str, CheckedLabels | None],
) -> None:  # fmt: skip
    """Compare what the index says of labels and remarks with the files themselves."""
    rows, areas = _read_index(path)
    there = {os.fsencode(image.name) for image in images}
    rows = {image: row for image, row in rows.items() if image in there}
    by_image = {
        os.fsencode(c.image.name): c for c in checked.values() if c is not None and c.image
    }
    wrong = []
    for image, (id_, digest) in rows.items():
        found = by_image.get(image)
        if found is None and digest:
            wrong.append((image, "it counts labels that are not there"))
        elif found is not None and digest and digest != found.digest:
            wrong.append((image, "its labels are not those that were counted"))
        elif found is not None and digest and found.pixels and areas.get(id_) != found.pixels:
            wrong.append((image, "its pixels by class are others"))
    for image, text in wrong[:20]:
        text = f"{printable(os.fsdecode(image))}: {text}"
        report.problems.append(Problem("index", path, text, repairable=True))
    uncounted = [image for image in by_image if not rows.get(image, (0, ""))[1]]
    if uncounted:
        report.notes.append(f"the index has yet to count {len(uncounted)} label files")
    _compare_remarks(report, path)


def _read_index(path: Path) -> tuple[dict[bytes, tuple[int, str]], dict[int, dict[str, int]]]:
    with contextlib.closing(database.open_to_read(path)) as connection:
        rows = {
            bytes(image): (id_, digest) for id_, image, digest in connection.execute(
                "SELECT id, path, labels_digest FROM images"
            )
        }  # fmt: skip
        areas: dict[int, dict[str, int]] = {}
        for id_, name, px in connection.execute("SELECT image_id, class, pixels FROM areas"):
            areas.setdefault(id_, {})[name] = px
    return rows, areas


def _compare_remarks(report: CheckReport, path: Path) -> None:
    """Look whether the index says what the log of remarks says."""
    with contextlib.suppress(OSError):
        said, _ = remarks.read(report.home / remarks.NAME)
        state = remarks.folded(said)
        columns = ", ".join(remarks.FIELDS)
        with contextlib.closing(database.open_to_read(path)) as connection:
            told: dict[bytes, dict[str, Any]] = {
                bytes(image): dict(zip(remarks.FIELDS, values, strict=True))
                for image, *values in connection.execute(f"SELECT path, {columns} FROM images")
            }
        for image, values in state.items():
            known = told.get(image, {})
            other = [k for k, v in values.items() if _plain(k, known.get(k)) != _plain(k, v)]
            if other:
                text = f"{printable(os.fsdecode(image))}: its {other[0]} is not that of the remarks"
                report.problems.append(Problem("index", path, text, repairable=True))


def _plain(field_name: str, value: object) -> object:
    """Return a value without what happens by itself: a status until somebody judged the image."""
    return "new" if field_name == "status" and value in ("predicted", "in work") else value


# -- small things -------------------------------------------------------------------------------


def files_in(folder: Path, suffix: str, folders: bool = False) -> list[Path]:
    """Return the visible files of a folder, by name; none where there is no such folder."""
    try:
        return [
            path for path in sorted(folder.iterdir())
            if path.name.endswith(suffix) and not path.name.startswith(".")
            and (folders or path.is_file())
        ]  # fmt: skip
    except OSError:
        return []


def to_json(report: CheckReport) -> dict[str, Any]:
    """Return a report for programs."""
    return {
        "folder": printable(report.root), "project": printable(report.home),
        "images": report.images, "label_files": report.label_files,
        "problems": [
            {"kind": p.kind, "file": printable(p.path), "problem": p.text,
             "repairable": p.repairable} for p in report.problems
        ],
        "notes": report.notes,
    }  # fmt: skip


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}"


def _quiet(share: float) -> None:
    """Tell nobody."""


__all__ = [
    "KINDS",
    "CheckReport",
    "Problem",
    "check_project",
    "to_json",
]
