"""Giving every pixel of one class another class, in all images of a list that have labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pspgui.durable import SaveError
from pspgui.jobs.class_tables import class_called, read_classes
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.classes import ClassTable, name_key
from pspgui.labels.editing import Painted, paint, writing
from pspgui.labels.edits import TILE_PX, Change
from pspgui.labels.history import History, at_once
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import IGNORED, PERSON
from pspgui.labels.shapes import squares
from pspgui.project import LabelStore, StoredLabels, StoreError, StrokeJournals
from pspgui.project.outside_edits import OutsideEdits
from pspgui.project.pending import changing, is_under_way


class Relabelled(NamedTuple):
    """What relabelling did: images written, pixels changed, what was left out and why.

    `anew` counts the images where undo begins anew. With an `error` nothing was changed.
    """

    images: int
    pixels: int
    left_out: tuple[str, ...] = ()
    error: str = ""
    anew: int = 0

    @property
    def sentence(self) -> str:
        """What to tell the person."""
        if self.error:
            return self.error
        noun = "image" if self.images == 1 else "images"
        count = f"{self.pixels:,}".replace(",", "\u2009")
        done = (
            f"{count} px in {self.images} {noun} were relabelled. Undo takes it back in each "
            "image, File, Backups… in all of them."
        )
        if self.anew:
            done += f" In {self.anew} of them undo begins anew, and only the backup takes it back."
        if not self.pixels:
            done = "No image has labels of this class; nothing was changed."
        if self.left_out:
            done += f" {len(self.left_out)} stay as they are: {self.left_out[0]}"
        return done


class _Found(NamedTuple):
    """Labels of an image that hold the class, `label`, and what this becomes, `into`."""

    stored: StoredLabels
    table: ClassTable
    label: int
    into: int


class _Relabelling:
    """One class into another, by name, whatever numbers an image gives them."""

    def __init__(
        self, store: LabelStore, usual: ClassTable, source: str, target: str | None
    ) -> None:
        self._store, self._usual = store, usual
        self._source, self._target = source, target
        self.left_out: list[str] = []

    def find(self, image: Path) -> _Found | None:
        """Return what is to be done in an image; None for nothing, or what cannot be: noted."""
        file = self._store.path_for(image)
        try:
            table = read_classes(file) or self._usual
            # To edit: a backup may have been put back since the store saw it.
            stored = self._store.load(image, to_edit=True)
        except (StoreError, ValueError) as error:
            self.left_out.append(str(error))
            return None
        # By its own name alone: a class that another one went into holds more than that one.
        names = {name_key(name): label for label, name in enumerate(table.names)}
        label = names.get(name_key(self._source))
        if label is None or stored is None or not (stored.labels == label).any():
            return None
        into = table.ignore if self._target is None else class_called(table, self._target)
        if into is None:
            self.left_out.append(f"{image.name} has no class {self._target}.")
        return None if into is None or into == label else _Found(stored, table, label, into)

    def change(self, found: _Found) -> tuple[LabelMap, Change]:
        """Return the labels as they become, in the memory of those found, and the edit."""
        stored, table, label, into = found
        labels = stored.labels
        if max(table.ignore, into) > np.iinfo(labels.dtype).max:
            labels = labels.astype(np.uint16)  # as the window does, so that journals fit
        label_map = LabelMap(labels, stored.provenance)
        label_map.models.update(stored.models)
        history = History(label_map)
        heard: list[Change] = []
        history.listener = heard.append
        mark = IGNORED if self._target is None else PERSON

        def pieces() -> Iterator[Painted]:
            for rect in squares(label_map.rect, TILE_PX):
                mask = label_map.labels[rect.slices] == label
                if mask.any():
                    yield paint(label_map, history, rect, mask, into, mark)

        name = f"Relabel {table.name_of(label)} to {table.name_of(into)} in all images"
        at_once(writing(history, name, pieces()))
        return label_map, heard[0]


def relabel_images(
    images: Sequence[Path],
    store: LabelStore,
    usual: ClassTable,
    source: str,
    target: str | None,
    is_saved: Callable[[], bool],
    journals: StrokeJournals | None = None,
) -> Job:
    """Return a job that gives the class `source` the class `target`, None for unlabelled.

    `usual` is the class table of labels that none was saved with; classes are matched by name.
    What will change is backed up first; what a crash or a full disk interrupts is taken back as a
    whole. In each image's stroke journal it is an edit, to be undone there; `journals` are those
    of the window. `is_saved()` waits for saves under way, on the job's thread. It returns
    `Relabelled`. Labels must not be edited meanwhile.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Looking for labels", 0.0)
        if not is_saved():
            return Relabelled(0, 0, error="Some labels are not saved yet; save them first.")
        work = _Relabelling(store, usual, source, target)
        concerned = []
        for number, image in enumerate(images):
            turn.check()
            yield Step("Looking for labels", number / len(images))
            if store.path_for(image).is_file() and work.find(image) is not None:
                concerned.append(image)
        edits = OutsideEdits(store, journals)
        files, pixels = _files_of(concerned, edits), 0
        try:
            with changing("relabel", files):
                for number, image in enumerate(concerned):
                    yield Step("Relabelling", number / len(concerned))
                    found = work.find(image)
                    if found is not None:
                        label_map, change = work.change(found)
                        palette = np.ascontiguousarray(found.table.palette())
                        edits.save(image, label_map, found.stored.digest, palette, change)
                        pixels += change.edit.pixels_changed
        except SaveError as error:
            return Relabelled(0, 0, error=_why_not(error, files))
        edits.tidy()
        left_out = tuple(dict.fromkeys(work.left_out))
        return Relabelled(len(concerned), pixels, left_out, anew=len(edits.without))

    return job


def _why_not(error: SaveError, homes: Iterable[Path]) -> str:
    """Return the sentence about relabelling that the disk refused."""
    if any(map(is_under_way, homes)):
        return (
            f"Relabelling failed half-way, and the disk refused to take it back, too: {error} "
            "Then open this folder anew before you paint: that takes it back."
        )
    return f"Nothing was relabelled, and all labels are as before: {error}"


def _files_of(concerned: Sequence[Path], edits: OutsideEdits) -> dict[Path, list[Path]]:
    """Return what may be written, by `.pspgui` folder."""
    by_home: dict[Path, list[Path]] = {}
    for image in concerned:
        files = edits.files(image)
        by_home.setdefault(files[0].parent.parent, []).extend(files)
    return by_home
