"""Changing the classes of labels that lie on disk: counting what it concerns, and doing it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pspgui.durable import SaveError, printable
from pspgui.imaging import DecodeError, image_size
from pspgui.jobs.class_tables import read_classes, write_classes, write_folder_classes
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.areas import ClassAreas
from pspgui.labels.class_edits import ClassDraft
from pspgui.labels.classes import ClassTable, ClassTableError, name_key
from pspgui.project import LabelStore, StoreError
from pspgui.project.class_files import classes_beside
from pspgui.project.errors import ProjectError
from pspgui.project.pending import changing
from pspgui.project.recovery import Opened, journal_path, look_up, set_aside_paths


@dataclass(frozen=True)
class Uses:
    """Labelled pixels and images by class name, and images whose labels cannot be read."""

    pixels: Mapping[str, int]
    images: Mapping[str, int]
    unreadable: tuple[str, ...] = ()


class ClassChange(NamedTuple):
    """What a change of classes did: images written, pixels of another meaning, what was left out.

    With an `error` nothing was changed.
    """

    table: ClassTable
    images: int
    pixels: int
    left_out: tuple[str, ...] = ()
    error: str = ""

    @property
    def sentence(self) -> str:
        """What to tell the person."""
        if self.error:
            return self.error
        noun = "image" if self.images == 1 else "images"
        count = f"{self.pixels:,}".replace(",", "\u2009")
        done = f"The classes were changed: {count} px in {self.images} {noun} mean something else."
        if not self.pixels:
            done = "The classes were changed; every label keeps its meaning."
        if not self.left_out:
            return done
        return f"{done} {len(self.left_out)} could not be read and stay: {self.left_out[0]}"


class _Stored(NamedTuple):
    """The labels of an image on disk with their classes and their file."""

    image: Path
    file: Path
    labels: np.ndarray
    provenance: np.ndarray
    table: ClassTable
    models: Mapping[int, str]


@dataclass
class _Walk:
    """Goes through the labelled images of a list."""

    images: Sequence[Path]
    store: LabelStore
    usual: ClassTable
    unreadable: list[str] = field(default_factory=list)

    def files(self) -> list[tuple[Path, Path]]:
        """Return (image, label file) of every image that has labels."""
        pairs = ((image, self.store.path_for(image)) for image in self.images)
        return [(image, file) for image, file in pairs if file.is_file()]

    def stored(
        self, found: Sequence[tuple[Path, Path]], to_edit: bool = False
    ) -> Iterator[_Stored | None]:
        """Read one after the other; None for one that cannot be read, which is noted.

        `to_edit`: what becomes of them is saved, whatever the files were when last seen.
        """
        for image, file in found:
            try:
                own = read_classes(file) or self.usual
                stored = self.store.load(image, to_edit=to_edit)
            except (StoreError, ValueError) as error:
                self.unreadable.append(str(error))
                stored = None
            yield stored and _Stored(
                image, file, stored.labels, stored.provenance, own, stored.models
            )


def count_uses(images: Sequence[Path], store: LabelStore, usual: ClassTable) -> Job:
    """Return a job that counts labelled pixels and images by class name, as `Uses`.

    `usual` is the class table of labels that none was saved with.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Counting labels", 0.0)
        walk = _Walk(images, store, usual)
        pixels: Counter[str] = Counter()
        seen: Counter[str] = Counter()
        found = walk.files()
        for number, one in enumerate(walk.stored(found)):
            turn.check()
            yield Step("Counting labels", number / len(found))
            if one is None:
                continue
            counts = ClassAreas(one.labels).counts
            for label in np.flatnonzero(counts).tolist():
                if label < len(one.table):
                    pixels[one.table.name_of(label)] += int(counts[label])
                    seen[one.table.name_of(label)] += 1
        return Uses(dict(pixels), dict(seen), tuple(walk.unreadable))

    return job


def change_classes(
    images: Sequence[Path],
    store: LabelStore,
    usual: ClassTable,
    draft: ClassDraft,
    shown: Path,
    is_saved: Callable[[], bool],
) -> Job:
    """Return a job that brings the labels of all images to the classes of a draft.

    Labels, provenance and class tables that will change are backed up first; a change that a crash
    or a full disk interrupts is taken back as a whole, now or when the folder is opened next. The
    folder of `shown` takes the classes for images without labels, too. `is_saved()` waits for
    saves under way, on the job's thread, and raises `ProjectError` where nothing may change. It
    returns a `ClassChange`. Labels must not be edited
    meanwhile.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Changing classes", 0.0)
        try:
            saved = is_saved()
        except ProjectError as error:
            return ClassChange(usual, 0, 0, error=str(error))
        if not saved:
            return ClassChange(usual, 0, 0, error="Some labels are not saved yet; save them first.")
        walk = _Walk(images, store, usual)
        found = _concerned(walk, draft, turn)
        yield Step("Looking for strokes of earlier sessions")
        waiting = _with_lost_strokes(walk, draft, turn)
        if waiting:
            return ClassChange(usual, 0, 0, error=_why_wait(waiting))
        own = store.path_for(shown)
        homes = dict.fromkeys([own.parent.parent, *(file.parent.parent for _, file in found)])
        files = {home: _files_of(found, home) for home in homes}
        pixels = 0
        try:
            with changing("class-delete", files):
                for number, one in enumerate(walk.stored(found, to_edit=True)):
                    yield Step("Changing classes", number / len(found))
                    if one is not None:
                        pixels += _rewrite(one, store, draft)
                write_folder_classes(own, draft.table())
        except SaveError as error:
            reason = f"The classes were not changed, and all labels are as before: {error}"
            return ClassChange(usual, 0, 0, error=reason)
        return ClassChange(draft.table(), len(found), pixels, tuple(walk.unreadable))

    return job


def _concerned(walk: _Walk, draft: ClassDraft, turn: Turn) -> list[tuple[Path, Path]]:
    """Return the images whose class table the draft changes, by their small table files alone."""
    concerned = []
    for image, file in walk.files():
        turn.check()
        try:
            own = read_classes(file) or walk.usual
        except ValueError as error:
            walk.unreadable.append(str(error))
            continue
        if draft.translation(own)[0] != own:
            concerned.append((image, file))
    return concerned


def _with_lost_strokes(walk: _Walk, draft: ClassDraft, turn: Turn) -> list[Path]:
    """Return images with strokes to recover whose numbers would mean other classes."""
    waiting = []
    for image in walk.images:
        turn.check()
        homes = walk.store.homes(image)
        if any(journal_path(h, image).exists() or set_aside_paths(h, image) for h in homes):
            with contextlib.suppress(StoreError, DecodeError, ClassTableError):
                if _is_at_odds(image, walk, draft):
                    waiting.append(image)
    return waiting


def _is_at_odds(image: Path, walk: _Walk, draft: ClassDraft) -> bool:
    """Whether a draft numbers an image's classes anew while there are strokes to recover."""
    own = read_classes(walk.store.path_for(image)) or walk.usual
    if np.array_equal(draft.translation(own)[1][: len(own)], np.arange(len(own))):
        return False
    stored = walk.store.load(image)
    if stored is None:
        opened = Opened(image, image_size(image), None, None, "")
    else:
        labels = stored.labels
        if own.ignore > np.iinfo(labels.dtype).max:
            labels = labels.astype(np.uint16)  # as the window does
        opened = Opened(image, labels.shape, labels, stored.provenance, stored.digest)
    return look_up(opened, walk.store.homes(image), 0).lost is not None


def _why_wait(waiting: Sequence[Path]) -> str:
    more = f" So have {len(waiting) - 1} others." if len(waiting) > 1 else ""
    return (
        f"The classes were not changed: {printable(waiting[0].name)} has strokes of an earlier "
        f"session to recover, which would then be of other classes.{more} Open it and recover or "
        "discard them first."
    )


def _files_of(found: Sequence[tuple[Path, Path]], home: Path) -> list[Path]:
    """Return the files of a home that may be written, there already or not."""
    files = [home / "classes.json"]
    for _, file in found:
        if file.parent.parent == home:
            files += [file, home / "provenance" / file.name, classes_beside(file)]
    return files


def _rewrite(one: _Stored, store: LabelStore, draft: ClassDraft) -> int:
    """Bring one image's labels to the draft; return the pixels whose meaning changed."""
    table, labels_of = draft.translation(one.table)
    # Labels that no class table knows become unlabelled, like the ignore label at the end.
    changed = np.take(labels_of, one.labels, mode="clip")
    # The same numbers, too, where there are more classes now than 8 bits hold, or where undo would
    # bring numbers back that mean something else now: the journal is of the file as it was.
    stays = np.array_equal(labels_of[: len(one.table)], np.arange(len(one.table)))
    if changed.dtype != one.labels.dtype or not stays or not np.array_equal(changed, one.labels):
        palette = np.ascontiguousarray(table.palette())
        store.save(one.image, changed, one.provenance, palette, one.models)
    write_classes(one.file, table)
    alters = {name_key(e.before) for e in draft.effects(dict.fromkeys(one.table.names, 1))
              if e.alters}  # fmt: skip
    counts = ClassAreas(one.labels).counts
    return sum(int(counts[c.id]) for c in one.table.classes if name_key(c.name) in alters)
