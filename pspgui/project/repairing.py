"""Putting right what can be put right in a project without losing anything."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pspgui.durable import SaveError, printable, write_durably
from pspgui.imaging import (
    DecodeError,
    encode_labels,
    image_size,
    labels_from_bytes,
    list_images,
)
from pspgui.imaging.label_files import DecodedLabels
from pspgui.labels.classes import ClassTable, ClassTableError
from pspgui.labels.provenance import IMPORTED, palette
from pspgui.project import backups, class_files, identities, remarks
from pspgui.project.carrying import Folder, Renamed, carry, carry_renamed
from pspgui.project.checking import (
    CheckReport,
    Problem,
    check_project,
    leftovers,
    provenance_of,
    read_sound,
)
from pspgui.project.errors import ProjectError
from pspgui.project.png_check import pixels_only
from pspgui.project.project import INDEX, Project, open_project
from pspgui.project.statistics import Owners, changed_labels, compared, measure_labels
from pspgui.project.store import owner_text


@dataclass
class RepairReport:
    """What was done, or would be, and what is left for a person; one line each."""

    root: Path
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


class Gone(NamedTuple):
    """What a person wants of the work on images that are gone.

    `attach`: (name as it was, name now) of images that were renamed. `set_aside`: what belongs to
    no image goes to the backups.
    """

    attach: tuple[tuple[str, str], ...] = ()
    set_aside: bool = False


NOTHING_SAID: Final = Gone()


def repair_project(root: Path, dry_run: bool = False, gone: Gone = NOTHING_SAID) -> RepairReport:
    """Check a project and put right what can be, telling what was done.

    Whatever is replaced lies in the backups first. Problems that need a person are named in
    `left`. Raises `ProjectError` while another window has the project open, `SaveError` when the
    disk refuses.
    """
    found = check_project(root)
    report = RepairReport(root)
    may = [p.repairable or (gone.set_aside and p.kind == "orphan") for p in found.problems]
    report.left = [p.line() for p, mend in zip(found.problems, may, strict=True) if not mend]
    mending = [p for p, mend in zip(found.problems, may, strict=True) if mend]
    idle = not mending and not gone.attach and not _lacks_index(found)
    if not found.home.is_dir() or idle:
        return report
    if dry_run:
        report.done = [f"attach what is kept of {was} to {now}" for was, now in gone.attach]
        report.done += [f"{_remedy(p)}: {p.line()}" for p in mending]
        if _lacks_index(found):
            report.done.append(f"make the index: {printable(found.home / INDEX)}")
        return report
    _Repair(root, found, report).run(mending, gone)
    attached = {p.line() for p in found.problems if p.kind == "orphan" and not p.path.exists()}
    report.left = [line for line in report.left if line not in attached]
    return report


def _remedy(problem: Problem) -> str:
    if problem.kind == "orphan":
        return "attach to the image as it is called now" if problem.repairable else "set aside"
    return _REMEDIES[problem.kind]


_REMEDIES = {
    "labels": "restore from a backup, or set aside",
    "provenance": "set aside; its pixels count as imported",
    "classes": "restore from a backup",
    "part": "remove",
    "index": "make again from labels and remarks",
    "remarks": "keep the lines that are whole",
    "identities": "keep the lines that are whole",
    "journal": "set aside",
    "pins": "set aside",
    "notes": "set aside",
    "torn": "cut off the torn end",
    "pending": "take back",
}


def _lacks_index(found: CheckReport) -> bool:
    return found.home.is_dir() and not (found.home / INDEX).exists() and found.label_files > 0


class _Repair:
    """One run over the problems of a project that this program holds the lock of."""

    def __init__(self, root: Path, found: CheckReport, report: RepairReport) -> None:
        self._root, self._home, self._report = root, found.home, report
        self._images = list_images(root)
        self._owners = Owners(self._images)

    def run(self, problems: list[Problem], gone: Gone) -> None:
        """Deal with every problem; raises `ProjectError` when the project is in use."""
        kinds = {problem.kind for problem in problems}
        project = open_project(self._root, "pspgui repair")
        try:
            if project.read_only:
                raise ProjectError(f"Nothing was repaired: {project.reason}")
            self._report.done += project.notes
            mend: dict[str, Callable[[Path], str]] = {
                "labels": self._labels, "provenance": self._provenance, "classes": self._classes,
                "journal": self._set_aside, "pins": self._set_aside, "notes": self._set_aside,
                "torn": self._torn, "orphan": self._orphan, "identities": self._identities,
            }  # fmt: skip
            self._attach(project, gone)
            for problem in problems:
                if problem.kind == "orphan" and problem.repairable:
                    continue  # it went with its image, or is left where it is
                if problem.kind in mend:
                    self._try(mend[problem.kind], problem)
            self._remove(leftovers(self._home))
            self._remove(
                p.path for p in problems if p.kind == "part" and not p.path.name.startswith(".")
            )
            if "remarks" in kinds:
                self._remarks(project)
            self._measure(project, everything="index" in kinds)
        finally:
            project.close()

    def _try(self, mend: Callable[[Path], str], problem: Problem) -> None:
        """Deal with one file; one that cannot be dealt with leaves the others their turn."""
        try:
            self._report.done.append(f"{printable(problem.path)}: {mend(problem.path)}")
        except (ProjectError, DecodeError, ClassTableError, ValueError) as error:
            self._report.left.append(f"{problem.line()}; {error}")

    # -- labels ---------------------------------------------------------------------------------

    def _labels(self, file: Path) -> str:
        """Restore damaged labels from the newest sound backup, else set them aside."""
        content = file.read_bytes()
        image = self._owners.of(file)
        bare = pixels_only(content)
        if bare is not None:
            with contextlib.suppress(DecodeError):
                decoded = labels_from_bytes(file, bare)
                kept = backups.back_up(self._home, "repair", [file])
                self._write_labels(file, decoded, image)
                return f"its remarks or colours were damaged; the old file is in {kept.name}"
        shape = None
        with contextlib.suppress(DecodeError):
            shape = None if image is None else image_size(image)
        for backup in reversed(backups.list_backups(self._home)):
            stored = backup.stored(file)
            found = "" if stored is None else read_sound(stored)
            if isinstance(found, DecodedLabels) and shape in (None, found.labels.shape):
                kept = backups.back_up(self._home, "repair", [file])
                self._restore(backup, file)
                return f"restored from the backup {backup.name}; the damaged file is in {kept.name}"
        beside = [p for p in (provenance_of(file), class_files.classes_beside(file)) if p.exists()]
        with_it = backups.back_up(self._home, "repair", [file, *beside])
        for path in (file, *beside):
            path.unlink()
        return f"set aside in {with_it.name}: there is no backup of it; its image has no labels now"

    def _restore(self, backup: backups.Backup, file: Path) -> None:
        """Bring labels back with the provenance and classes of the same backup, if it has them."""
        for path in (file, provenance_of(file), class_files.classes_beside(file)):
            stored = backup.stored(path)
            if stored is not None:
                write_durably(path, stored.read_bytes())
        self._match_provenance(file)

    def _write_labels(self, file: Path, decoded: DecodedLabels, image: Path | None) -> None:
        colours = np.zeros((256, 3), np.uint8) if decoded.palette is None else decoded.palette
        with contextlib.suppress(ClassTableError):
            table = class_files.read_classes(file)
            colours = colours if table is None else table.palette()
        texts = {} if image is None else {"Image": owner_text(image.name)}
        write_durably(file, encode_labels(decoded.labels, colours, texts))
        self._match_provenance(file, was_same=True)

    def _provenance(self, path: Path) -> str:
        file = self._home / "labels" / path.name
        if not file.exists():
            raise ProjectError("its labels are gone")
        kept = backups.back_up(self._home, "repair", [path])
        self._match_provenance(file)
        return f"its pixels count as imported now; the old file is in {kept.name}"

    def _match_provenance(self, file: Path, was_same: bool = False) -> None:
        """Write provenance that belongs to a label file: as it was if it fits, else imported.

        `was_same` tells that the labels are those it was saved with, though their file is new.
        """
        path, labels = provenance_of(file), read_sound(file)
        if isinstance(labels, str):
            raise ProjectError(labels)
        marks = read_sound(path) if path.exists() else "it is missing"
        values = np.full(labels.labels.shape, IMPORTED, np.uint8)
        if isinstance(marks, DecodedLabels) and marks.labels.shape == labels.labels.shape and (
            was_same or marks.texts.get("Labels") == labels.digest
        ):
            values = marks.labels.astype(np.uint8)
        kept = marks.texts if isinstance(marks, DecodedLabels) else labels.texts
        texts = {**kept, "Labels": hashlib.sha256(file.read_bytes()).hexdigest()}
        write_durably(path, encode_labels(values, palette(), texts))

    def _classes(self, path: Path) -> str:
        """Restore a class file from the newest backup in which it is sound."""
        for backup in reversed(backups.list_backups(self._home)):
            stored = backup.stored(path)
            if stored is not None and not class_files.fault_of(stored):
                kept = backups.back_up(self._home, "repair", [path])
                write_durably(path, stored.read_bytes())
                return f"restored from the backup {backup.name}; the old file is in {kept.name}"
        try:
            ClassTable.load(path)
        except ClassTableError:
            raise ProjectError(
                "there is no backup of it; open its image, see that the labels have the right "
                "classes, and change one: the file is then written anew"
            ) from None
        raise ProjectError("look at the names in the class editor; saving them there settles it")

    # -- images that are gone -------------------------------------------------------------------

    def _attach(self, project: Project, gone: Gone) -> None:
        """Bring work to images that a person names, and to those whose content tells."""
        folder = Folder(self._root, self._home, self._images)
        for was, now in gone.attach:
            renamed = Renamed(was, self._root / now)
            try:
                carry(folder, renamed, project.index)
                self._report.done.append(f"what was kept of {was} belongs to {now} now")
            except (ProjectError, SaveError, OSError) as error:
                self._report.left.append(f"{was} was not attached to {now}: {error}")
        carried, troubles = carry_renamed(folder, project.index)
        self._report.done += [renamed.line() for renamed in carried]
        self._report.left += troubles

    def _orphan(self, path: Path) -> str:
        """Set aside what belongs to no image, with what lies beside labels."""
        if not path.exists():
            return "it went with its image, or with its labels"
        beside = [path]
        if path.parent == self._home / "labels":
            beside += [provenance_of(path), class_files.classes_beside(path)]
        kept = backups.back_up(self._home, "repair", beside)
        for file in beside:
            file.unlink(missing_ok=True)
        return f"set aside in {kept.name}: its image is not there"

    # -- the rest -------------------------------------------------------------------------------

    def _identities(self, path: Path) -> str:
        whole, damaged = identities.read(path)
        kept = backups.back_up(self._home, "repair", [path])
        identities.rewrite(path, whole)
        return f"{len(damaged)} damaged lines left out; the old file is in {kept.name}"

    def _set_aside(self, path: Path) -> str:
        kept = backups.back_up(self._home, "repair", [path])
        path.unlink()
        return f"set aside in {kept.name}: nothing in it can be read"

    def _torn(self, path: Path) -> str:
        from pspgui.project.journal import read_journal

        end, whole = read_journal(path).end, path.stat().st_size
        handle = os.open(path, os.O_RDWR)
        try:
            os.ftruncate(handle, end)
            os.fsync(handle)
        finally:
            os.close(handle)
        return f"the torn end of {whole - end} bytes was cut off; every whole stroke is kept"

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in paths:
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                self._report.done.append(f"{printable(path)}: removed, it was never finished")

    def _remarks(self, project: Project) -> None:
        """Write the log anew from its whole lines and from what the index knows."""
        path = self._home / remarks.NAME
        said, damaged = remarks.read(path)
        kept = backups.back_up(self._home, "repair", [path])
        state = remarks.folded(said)
        for image, values in project.index.remarks(also=state).items():
            state.setdefault(image, {}).update(values)
        whole = list(remarks.condensed(state))
        remarks.rewrite(path, whole)
        project.index.follow(remarks.RemarkLog(path), whole, path.stat().st_size)
        self._report.done.append(
            f"{printable(path)}: {len(damaged)} damaged lines left out; what the index knew of "
            f"them is kept, and the old file is in {kept.name}"
        )

    def _measure(self, project: Project, everything: bool) -> None:
        """Count labels that the index does not know as they are, or all of them."""
        project.index.add_images(self._images)
        if everything:
            project.index.take_over(remarks.read(self._home / remarks.NAME)[0])
        known = {} if everything else project.index.labels_stamps()
        changed = compared(changed_labels(self._home, self._images, known))
        counted = {image for image, _ in changed.measured_otherwise}
        gone = set(project.index.labels_stamps()) - counted
        for image in gone if everything else changed.lost:
            project.index.forget_labels(image)
        for image, file in changed.measured_otherwise:
            with contextlib.suppress(DecodeError, ClassTableError):
                table = class_files.read_classes(file)
                if table is not None:
                    measure_labels(project.index, image, file, table)
        if counted:
            many = f"{len(counted)} image{'s' if len(counted) > 1 else ''}"
            self._report.done.append(f"{printable(project.index.path)}: labels of {many} counted")


__all__ = ["RepairReport", "repair_project"]
