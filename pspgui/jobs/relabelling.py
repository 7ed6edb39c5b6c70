"""Giving every pixel of one class another class, in all images of a list that have labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pspgui.durable import SaveError
from pspgui.jobs.class_tables import class_called, read_classes
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.classes import ClassTable, name_key
from pspgui.labels.provenance import IGNORED, PERSON
from pspgui.project import LabelStore, StoreError
from pspgui.project.pending import changing


class Relabelled(NamedTuple):
    """What relabelling did: images written, pixels changed, what was left out and why.

    With an `error` nothing was changed.
    """

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
        done = f"{count} px in {self.images} {noun} were relabelled; a backup was made before."
        if not self.pixels:
            done = "No image has labels of this class; nothing was changed."
        if self.left_out:
            done += f" {len(self.left_out)} stay as they are: {self.left_out[0]}"
        return done


class _Change(NamedTuple):
    """New labels and provenance (H, W) of one image, and how many pixels differ."""

    labels: np.ndarray
    provenance: np.ndarray
    palette: np.ndarray
    pixels: int
    models: Mapping[int, str]


class _Relabelling:
    """One class into another, by name, whatever numbers an image gives them."""

    def __init__(
        self, store: LabelStore, usual: ClassTable, source: str, target: str | None
    ) -> None:
        self._store, self._usual = store, usual
        self._source, self._target = source, target
        self.left_out: list[str] = []

    def change(self, image: Path) -> _Change | None:
        """Return what becomes of an image; None where nothing does, or cannot, which is noted."""
        file = self._store.path_for(image)
        try:
            table = read_classes(file) or self._usual
            stored = self._store.load(image)
        except (StoreError, ValueError) as error:
            self.left_out.append(str(error))
            return None
        # By its own name alone: a class that another one went into holds more than that one.
        names = {name_key(name): label for label, name in enumerate(table.names)}
        label = names.get(name_key(self._source))
        if label is None or stored is None:
            return None
        mask = stored.labels == label
        pixels = int(np.count_nonzero(mask))
        if not pixels:
            return None
        into = table.ignore if self._target is None else class_called(table, self._target)
        if into is None:
            self.left_out.append(f"{image.name} has no class {self._target}.")
            return None
        labels, provenance = stored.labels.copy(), stored.provenance.copy()
        labels[mask] = into
        provenance[mask] = IGNORED if self._target is None else PERSON
        palette = np.ascontiguousarray(table.palette())
        return _Change(labels, provenance, palette, pixels, stored.models)


def relabel_images(
    images: Sequence[Path],
    store: LabelStore,
    usual: ClassTable,
    source: str,
    target: str | None,
    is_saved: Callable[[], bool],
) -> Job:
    """Return a job that gives the class `source` the class `target`, None for unlabelled.

    `usual` is the class table of labels that none was saved with; classes are matched by name.
    What will change is backed up first; what a crash or a full disk interrupts is taken back as a
    whole. `is_saved()` waits for saves under way, on the job's thread. It returns `Relabelled`.
    Labels must not be edited meanwhile.
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
            if store.path_for(image).is_file() and work.change(image) is not None:
                concerned.append(image)
        pixels = 0
        try:
            with changing("relabel", _files_of(concerned, store)):
                for number, image in enumerate(concerned):
                    yield Step("Relabelling", number / len(concerned))
                    change = work.change(image)
                    if change is not None:
                        store.save(
                            image, change.labels, change.provenance, change.palette, change.models
                        )
                        pixels += change.pixels
        except SaveError as error:
            reason = f"Nothing was relabelled, and all labels are as before: {error}"
            return Relabelled(0, 0, error=reason)
        return Relabelled(len(concerned), pixels, tuple(dict.fromkeys(work.left_out)))

    return job


def _files_of(concerned: Sequence[Path], store: LabelStore) -> dict[Path, list[Path]]:
    """Return what will be written, by `.pspgui` folder."""
    by_home: dict[Path, list[Path]] = {}
    for image in concerned:
        file = store.path_for(image)
        home = file.parent.parent
        by_home.setdefault(home, []).extend([file, home / "provenance" / file.name])
    return by_home
