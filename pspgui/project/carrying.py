"""Letting labels, strokes, pins and notes go with an image that was renamed.

They are kept by the image's name. Where the project noted what an image looked like (`identities`)
and exactly one file of the folder looks like that now, they are brought to its name; the files as
they were stay in the backups.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pspgui.durable import SaveError, printable, write_durably
from pspgui.imaging import DecodeError, encode_labels, labels_from_bytes
from pspgui.imaging.label_files import DecodedLabels
from pspgui.labels.provenance import palette
from pspgui.project import identities, journal
from pspgui.project.class_files import classes_beside
from pspgui.project.errors import ProjectError
from pspgui.project.index import ProjectIndex
from pspgui.project.label_owners import SOURCE, owner_of
from pspgui.project.pending import changing
from pspgui.project.pins import pins_beside
from pspgui.project.recovery import LOST, STROKES, journal_path, set_aside_paths
from pspgui.project.store import label_file_in, owner_text

_STAMP: Final = "Labels"


class Work(NamedTuple):
    """The files in which the work on an image is kept; a path may not be there."""

    labels: Path
    provenance: Path
    waiting: Path  # provenance that a crash kept from its place
    classes: Path
    pins: Path
    notes: Path
    journal: Path
    lost: tuple[Path, ...]

    @property
    def there(self) -> tuple[Path, ...]:
        """Those that are there."""
        return tuple(path for path in (*self[:-1], *self.lost) if path.is_file())


class Renamed(NamedTuple):
    """An image that is gone, `old` its name, and the file that looks as it did."""

    old: str
    new: Path

    def line(self) -> str:
        """Return it as a sentence for a person."""
        return (
            f"{printable(self.new.name)} was called {printable(self.old)} before: its labels, "
            "strokes, pins and notes go with it."
        )


class Folder:
    """A folder of images with its `.pspgui`, which may lie elsewhere; `images` are all of it."""

    def __init__(self, root: Path, home: Path, images: Iterable[Path]) -> None:
        self.root, self.home, self.images = root, home, tuple(images)
        self.by_stem: dict[str, list[Path]] = {}
        for image in self.images:
            self.by_stem.setdefault(image.stem, []).append(image)

    def left_of(self, name: str) -> tuple[Path, ...]:
        """Return the files kept of an image that is gone, less those that others use as well."""
        image = self.root / name
        if image.exists():
            return ()
        work = work_of(self.home, image)
        used = {
            path for other in self.by_stem.get(image.stem, ())
            for path in work_of(self.home, other)[:-1]
        }  # fmt: skip
        with contextlib.suppress(DecodeError):
            if owner_of(work.labels) not in (None, owner_text(name)):  # of another that is gone
                used.update(work[:-2])
        return tuple(path for path in work.there if path not in used)


def work_of(home: Path, image: Path) -> Work:
    """Return where the work on an image is, or would be, in a `.pspgui` folder."""
    labels = label_file_in(home, image)
    classes = classes_beside(labels)
    return Work(
        labels, home / "provenance" / labels.name, home / "provenance-next" / labels.name,
        classes, pins_beside(labels), home / "what_if" / classes.name,
        journal_path(home, image), tuple(set_aside_paths(home, image)),
    )  # fmt: skip


def find_renamed(folder: Folder) -> list[Renamed]:
    """Return images that are gone, have work, and of which one other image has the content.

    Reads those whose size says that they may be it. Any thread.
    """
    known, _ = identities.read(folder.home / identities.NAME)
    gone = {name: identity for name, identity in known.items() if folder.left_of(name)}
    contents = list(gone.values())
    found = []
    for name, same in identities.same_content(gone, folder.images).items():
        # Of copies nobody can tell which one was meant.
        is_one = len(same) == 1 and contents.count(gone[name]) == 1
        if is_one and not work_of(folder.home, same[0]).there:
            found.append(Renamed(name, same[0]))
    return found


def carry(folder: Folder, renamed: Renamed, index: ProjectIndex) -> None:
    """Bring the work on an image to its new name, as a whole or not at all.

    The caller holds the project's lock. Raises `ProjectError` where the new name has work of its
    own, or there is none to bring; `SaveError`, `OSError` when the disk refuses.
    """
    home, old_image = folder.home, folder.root / renamed.old
    old, new = work_of(home, old_image), work_of(home, renamed.new)
    moving = folder.left_of(renamed.old)
    if not moving:
        raise ProjectError(f"nothing is kept of {printable(renamed.old)}")
    if new.there:
        raise ProjectError(f"{printable(renamed.new.name)} has work of its own already")
    if not renamed.new.is_file():
        raise ProjectError(f"{printable(renamed.new.name)} is not there")
    index.carry_remarks(old_image, renamed.new)
    lost = {path: home / STROKES / LOST / _lost_name(path, old, new) for path in old.lost}
    targets = {**dict(zip(old[:-1], new[:-1], strict=True)), **lost}
    targets[old.waiting] = new.provenance
    with changing("rename", {home: [*moving, *{targets[path] for path in moving}]}):
        _write(old, targets, moving, renamed.new)
        for path in moving:
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # what it looks like is noted at the next edit as well
        identities.Identities(home).note(renamed.new)


def _lost_name(path: Path, old: Work, new: Work) -> str:
    return new.journal.name + path.name.removeprefix(old.journal.name)


def _write(old: Work, targets: dict[Path, Path], moving: tuple[Path, ...], image: Path) -> None:
    """Write what was kept by the old name for an image as it is called now."""
    before = after = ""
    if old.labels in moving:
        content = old.labels.read_bytes()
        before = hashlib.sha256(content).hexdigest()
        with contextlib.suppress(DecodeError):
            content = _relabelled(labels_from_bytes(old.labels, content), image)
        after = hashlib.sha256(content).hexdigest()
        write_durably(targets[old.labels], content)
    for path in moving:
        content = path.read_bytes()
        if path in (old.provenance, old.waiting):
            marks = _restamped(path, content, before, after, image)
            if path == old.waiting and marks is None:
                continue  # of labels that were never saved; it stays in the backup
            content = content if marks is None else marks
        elif path == old.notes:
            content = _notes(content, image)
        elif path == old.journal or path in old.lost:
            content = _journal(path, content, before, after, image)
        if path != old.labels:
            write_durably(targets[path], content)


def _relabelled(labels: DecodedLabels, image: Path) -> bytes:
    colours = np.zeros((256, 3), np.uint8) if labels.palette is None else labels.palette
    return encode_labels(labels.labels, colours, {**labels.texts, SOURCE: owner_text(image.name)})


def _restamped(path: Path, content: bytes, before: str, after: str, image: Path) -> bytes | None:
    """Return provenance that belongs to the new label file; None if it was of other labels."""
    try:
        marks = labels_from_bytes(path, content)
    except DecodeError:
        return None
    if not before or marks.texts.get(_STAMP) != before:
        return None
    texts = {**marks.texts, SOURCE: owner_text(image.name), _STAMP: after}
    return encode_labels(marks.labels, palette(), texts)


def _notes(content: bytes, image: Path) -> bytes:
    try:
        told = json.loads(content)
        told["image"] = image.name
    except (ValueError, TypeError, RecursionError):
        return content
    text = json.dumps(told, ensure_ascii=False, indent=1)
    return text.encode("utf-8", "backslashreplace")


def _journal(path: Path, content: bytes, before: str, after: str, image: Path) -> bytes:
    """Return a journal that names the image as it is called, and fits its new label file."""
    try:
        found = journal.read_journal(path)
    except journal.JournalError:
        return content
    head = journal.header_frame(replace(found.header, image=owner_text(image.name)))
    place = found.matching(before) if before else None
    mark = b"" if place is None else journal.frame_bytes(journal.MARK, place, after.encode("ascii"))
    return head + bytes(content[found.begin : found.end]) + mark


def anything_gone(root: Path, home: Path) -> bool:
    """Whether an image of which something was kept is not in its folder any more. Any thread."""
    known = identities.names_in(home / identities.NAME)
    try:
        return bool(known) and not known <= {entry.name for entry in os.scandir(root)}
    except OSError:
        return False


def carry_renamed(folder: Folder, index: ProjectIndex) -> tuple[list[Renamed], list[str]]:
    """Bring the work on all images that were renamed to their new names.

    Returns those, and a sentence for each that could not be. The caller holds the project's lock.
    """
    carried, troubles = [], []
    for renamed in find_renamed(folder):
        try:
            carry(folder, renamed, index)
            carried.append(renamed)
        except (ProjectError, SaveError, OSError) as error:
            was = f"{printable(renamed.new.name)}, {printable(renamed.old)} before,"
            troubles.append(f"What was kept of {was} could not be brought to its name: {error}")
    return carried, troubles


__all__ = [
    "Folder",
    "Renamed",
    "Work",
    "anything_gone",
    "carry",
    "carry_renamed",
    "find_renamed",
    "work_of",
]
