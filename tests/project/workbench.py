"""The headless core as the window uses it: labels, history, journal and saving of one image.

Every edit's name holds checksums of the labels before and after it, so that a history read back
from a journal can be proved right by walking it.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.edits import Change
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import MODEL, PERSON
from pspgui.project import LabelStore, StrokeJournals
from pspgui.project.recovery import Found, Opened, look_up

SHAPE = (90, 130)
PALETTE = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)
BUDGET = 1 << 28


def prediction(shape=SHAPE):
    """Return the labels that an image starts with."""
    return np.random.default_rng(1).integers(0, 5, shape).astype(np.uint8)


class Workbench:
    """One image opened for editing; what a crash left is recovered as a single edit."""

    def __init__(self, image: Path, store: LabelStore, journals: StrokeJournals, heard=None):
        self.image, self.store, self.journals = image, store, journals
        self.heard = heard
        self.operation = 0
        self.recovered = False
        stored = store.load(image, SHAPE, to_edit=True)
        labels, marks, digest = (None, None, "") if stored is None else stored[:3]
        self.found: Found = look_up(
            Opened(image, SHAPE, labels, marks, digest), store.homes(image), BUDGET
        )
        if labels is None:
            labels, marks = prediction(), np.full(SHAPE, MODEL, np.uint8)
        self.map = LabelMap(labels, marks)
        self.history = History(self.map)
        self.history.restore(self.found.done, self.found.undone)
        self.operation = journals.follow(image, SHAPE, self.map.labels.dtype, self.found.resume)
        self.history.listener = self._record

    def _record(self, change: Change) -> None:
        self.operation += 1
        if change.kind == "edit":
            change.edit.name = f"{self.before:08x}>{self.checksum():08x}"
        if self.heard is not None:
            self.heard(self)
        self.journals.record(self.image, self.operation, change)

    def checksum(self) -> int:
        return zlib.crc32(self.map.provenance.data, zlib.crc32(self.map.labels.data))

    def state(self) -> tuple[bytes, bytes]:
        return self.map.labels.tobytes(), self.map.provenance.tobytes()

    def recover(self) -> None:
        """Put what was lost on the labels."""
        lost = self.found.lost
        if lost is None:
            return
        self.recovered = True
        self.before = self.checksum()
        self.history.begin("recover")
        self.history.touch(lost.rect)
        where = lost.rect.slices
        np.copyto(self.map.labels[where], lost.labels, where=lost.mask)
        np.copyto(self.map.provenance[where], lost.provenance, where=lost.mask)
        if self.history.commit() is not None and self.history.listener is not None:
            self.journals.record_recovery(self.image, self.operation, lost.keys)

    def stroke(self, rng: np.random.Generator) -> bool:
        """Paint some block in some class; whether it changed anything."""
        y, x = int(rng.integers(0, SHAPE[0] - 8)), int(rng.integers(0, SHAPE[1] - 8))
        high, wide = rng.integers(1, 30, 2)
        rect = Rect(y, x, y + int(high), x + int(wide)).intersect(self.map.rect)
        self.before = self.checksum()
        self.history.begin("stroke")
        self.history.touch(rect)
        self.map.labels[rect.slices] = rng.integers(0, 9)
        self.map.provenance[rect.slices] = PERSON
        return self.history.commit() is not None

    def save(self) -> None:
        """Save as the window's saving thread does."""
        operation = self.operation
        digests = []

        def announce(digest: str) -> None:
            digests.append(digest)
            self.journals.mark(self.image, digest, operation)

        self.store.save(
            self.image, self.map.labels.copy(), self.map.provenance.copy(), PALETTE,
            announce=announce,
        )  # fmt: skip
        self.journals.confirm(self.image, digests[-1], operation)
        if self.recovered:
            self.journals.put_away(self.image)
            self.recovered = False

    def walk_history(self) -> None:
        """Undo everything and redo it, proving each edit by the checksums in its name."""
        listener, self.history.listener = self.history.listener, None
        standing, state = len(self.history.edits), self.state()
        while (edit := self.history.undo()) is not None:
            assert edit.name.startswith(f"{self.checksum():08x}>"), edit.name
        while (edit := self.history.redo()) is not None:
            assert edit.name.endswith(f">{self.checksum():08x}"), edit.name
        self.history.jump(standing)
        assert self.state() == state
        self.history.listener = listener


def bench_at(folder: Path, heard=None) -> Workbench:
    """Open the image of a folder as a program that starts."""
    image = folder / "x.jpg"
    image.touch()
    store = LabelStore(folder / "elsewhere")
    return Workbench(image, store, StrokeJournals(store.homes), heard)
