"""What stroke journals know when an image is opened: its history, and strokes in no file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pspgui.durable import printable
from pspgui.geometry import Rect
from pspgui.labels.edits import Edit
from pspgui.project.journal import (
    EDIT,
    OPERATIONS,
    REDO,
    SET_ASIDE,
    SUFFIX,
    UNDO,
    Frame,
    Journal,
    JournalError,
    Stroke,
    follow_frame,
    read_journal,
)

STROKES: Final = "strokes"
LOST: Final = "lost"
_LONGEST_NAME: Final = 240  # bytes: room is left for the suffix and a number


class Known(NamedTuple):
    """The labels of this very run: where they stood in the journal with that token."""

    token: str
    operation: int


@dataclass(frozen=True)
class Resume:
    """Where to go on writing a journal: behind `operation`, at byte `end`.

    `operation` is None where the labels are not those the journal follows, or there is no journal
    yet; `tail` tells that it goes on behind it, `unsaved` that this holds strokes which are in no
    label file: it is then set aside, never overwritten. `base` is the SHA-256 of the label file as
    it is now, and `since` the operation behind which its strokes are in no label file.
    """

    path: Path
    token: str
    end: int
    operation: int | None
    tail: bool
    unsaved: bool
    base: str
    since: int = 0


@dataclass(frozen=True, eq=False)
class Lost:
    """Strokes that are in a journal but in no label file, ready to be shown and recovered.

    `mask` (h, w) bool tells which pixels of `rect` they change, `labels` (h, w) and `provenance`
    (h, w) uint8 what these become; `started` and `ended` are seconds since the epoch. `keys` name
    the journals that hold them.
    """

    image: Path
    names: tuple[str, ...]
    started: float
    ended: float
    rect: Rect
    mask: np.ndarray
    labels: np.ndarray
    provenance: np.ndarray
    keys: tuple[str, ...] = ()

    @property
    def strokes(self) -> int:
        """How many strokes stand; one also where all that is left is an undo."""
        return len(self.names)

    @property
    def pixels(self) -> int:
        """How many pixels they change."""
        return int(np.count_nonzero(self.mask))


@dataclass(frozen=True, eq=False)
class Found:
    """What was found beside an image: edits to undo and redo, and strokes to recover.

    `done` has the oldest first, `undone` what `redo` brings back first. `note` is a clause for
    the status bar.
    """

    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()
    operations: int = 0
    resume: Resume | None = None
    lost: Lost | None = None
    note: str = ""


class Opened(NamedTuple):
    """An image being opened: its labels (H, W) as they will be shown, None where it has none yet.

    `digest` is the SHA-256 of its label file, "" without one; `known` where the labels come from
    this run's memory instead.
    """

    image: Path
    shape: tuple[int, int]
    labels: np.ndarray | None
    provenance: np.ndarray | None
    digest: str
    known: Known | None = None


def journal_path(home: Path, image: Path) -> Path:
    """Return the journal of an image in a `.pspgui` folder."""
    name = image.name.encode("utf-8", "surrogateescape")
    if len(name) > _LONGEST_NAME:
        import hashlib

        return home / STROKES / (hashlib.sha256(name).hexdigest() + SUFFIX)
    return home / STROKES / (image.name + SUFFIX)


def set_aside_paths(home: Path, image: Path) -> list[Path]:
    """Return journals of an image that hold strokes in no label file and were set aside."""
    name = journal_path(home, image).name
    try:
        there = sorted((home / STROKES / LOST).iterdir())
    except OSError:
        return []
    return [path for path in there if path.name == name or path.name.startswith(f"{name}~")]


def look_up(opened: Opened, homes: Iterable[Path], budget_bytes: int) -> Found:
    """Read what the journals of an image know. Any thread but the GUI's; writes nothing.

    `homes` are the `.pspgui` folders that may hold them, and histories are kept within the
    budget. A journal that cannot be read costs the history, and the note says so.
    """
    homes = tuple(homes)
    notes: list[str] = []
    mine = _journal_of(opened, homes, notes)
    aside = [path for home in homes for path in set_aside_paths(home, opened.image)]
    others = [j for path in aside if (j := _read(path, opened, notes)) is not None]
    # A crash may have come before these were put away.
    read = others if mine is None else [mine, *others]
    done = {key for journal in read for key in journal.recovered}
    others = [journal for key, journal in {j.key: j for j in others}.items() if key not in done]
    found = _begun(opened, homes) if mine is None else _history(mine, opened, budget_bytes)
    tails = [(journal, _aside_from(journal)) for journal in others]
    if mine is not None and found.resume is not None and found.resume.tail:
        tails.append((mine, _saved_until(mine, opened)))
    lost = _lost(opened, tails)
    resume = found.resume
    if resume is not None:
        resume = replace(resume, unsaved=resume.tail and lost is not None)
    note = "; ".join(filter(None, (found.note, *notes)))
    return replace(found, lost=lost, note=note, resume=resume)


def _journal_of(opened: Opened, homes: tuple[Path, ...], notes: list[str]) -> Journal | None:
    """Return the journal that fits the labels, else the one written last."""
    there = [path for home in homes if (path := journal_path(home, opened.image)).exists()]
    read = [j for path in there if (j := _read(path, opened, notes)) is not None]
    if not read:
        return None
    def newest(journal: Journal) -> tuple[bool, int, float, int]:
        fits = _place(journal, opened) is not None
        return fits, journal.path.stat().st_mtime_ns, journal.header.at, journal.end

    return max(read, key=newest)


def _read(path: Path, opened: Opened, notes: list[str]) -> Journal | None:
    try:
        journal = read_journal(path)
    except (OSError, JournalError) as error:
        notes.append(f"the stroke journal {printable(path)} cannot be read ({error})")
        return None
    if (journal.header.height, journal.header.width) != tuple(opened.shape):
        notes.append(f"{printable(path)} holds strokes for an image of another size")
        return None
    return journal


def _place(journal: Journal, opened: Opened) -> int | None:
    """Return the operation after which the labels are those of the journal, or None."""
    if opened.known is not None:
        fits = opened.known == (journal.header.token, journal.last)
        return opened.known.operation if fits else None
    # Without a label file the labels were a prediction's, which no one can tell any more.
    return journal.matching(opened.digest) if opened.digest else None


def _saved_until(journal: Journal, opened: Opened) -> int:
    """Return after which operation a journal's strokes are in no label file."""
    place = _place(journal, opened)
    if place is not None:
        return place
    known = opened.known
    if known is not None and known.token == journal.header.token and known.operation >= 0:
        return known.operation  # the journal is behind: it could not be written
    if not opened.digest and opened.labels is None:
        return journal.header.first  # there is no label file, whether or not there was one
    return _saved_before(journal)


def _begun(opened: Opened, homes: tuple[Path, ...]) -> Found:
    """Return what a journal to come has to know: the label file that its strokes are made on."""
    if not opened.digest or not homes:
        return Found()
    path = journal_path(homes[0], opened.image)
    return Found(resume=Resume(path, "", 0, None, tail=False, unsaved=False, base=opened.digest))


def _history(journal: Journal, opened: Opened, budget_bytes: int) -> Found:
    place = _place(journal, opened)
    since = _saved_until(journal, opened)
    tail = journal.has_more_than(since)
    resume = Resume(
        journal.path, journal.header.token, journal.end, place, tail, tail, opened.digest, since
    )
    anew = Found(resume=replace(resume, operation=None))
    if opened.labels is None:
        return anew
    if place is None:
        changed = "undo begins anew: the labels were imported, or changed elsewhere"
        return replace(anew, note=changed if opened.known is None else "undo begins anew")
    if opened.labels.dtype != journal.header.dtype:
        return replace(anew, note="undo begins anew: the labels have more classes now")
    try:
        done, undone = _edits(journal, place, budget_bytes)
    except JournalError as error:
        return replace(anew, note=f"undo begins anew: {error}")
    return Found(done, undone, place, resume)


def _edits(
    journal: Journal, until: int, budget_bytes: int
) -> tuple[tuple[Edit, ...], tuple[Edit, ...]]:
    """Return edits that stand and those taken back, the newest that the budget holds."""
    if journal.ends_early:
        raise JournalError(f"the end of {printable(journal.path)} is missing")
    done, undone = journal.stacks(until)
    back = tuple(journal.edit(frame) for frame in reversed(undone))
    left = budget_bytes - sum(edit.nbytes for edit in back)
    kept: list[Edit] = []
    for frame in reversed(done):
        edit = journal.edit(frame)
        left -= edit.nbytes
        if left < 0 and kept:
            break
        edit.pack()
        kept.append(edit)
    return tuple(reversed(kept)), back


def _aside_from(journal: Journal) -> int:
    """Return after which operation the strokes begin for which a journal was set aside."""
    marks = [frame.operation for frame in journal.frames if frame.kind == SET_ASIDE]
    return marks[-1] if marks else _saved_before(journal)


def _saved_before(journal: Journal) -> int:
    return max(journal.saved, journal.header.first)


def _lost(opened: Opened, tails: list[tuple[Journal, int]]) -> Lost | None:
    """Play the strokes back that no label file holds; None when nothing would change."""
    if not tails:
        return None
    shape = opened.shape
    if opened.labels is None or opened.provenance is None:
        wide = any(journal.header.dtype == "uint16" for journal, _ in tails)
        labels = np.zeros(shape, np.uint16 if wide else np.uint8)
        marks = np.zeros(shape, np.uint8)
    else:
        labels, marks = opened.labels.copy(), opened.provenance.copy()
    replay = _Replay(labels, marks, np.zeros(shape, bool))
    for journal, after in sorted(tails, key=lambda tail: tail[0].header.at):
        replay.run(journal, after)
    mask = replay.touched
    if opened.labels is not None and opened.provenance is not None:
        mask = (labels != opened.labels) | (marks != opened.provenance)
    elif not replay.standing:  # all of it was taken back
        return None
    if not mask.any() or not replay.times:
        return None
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    rect = Rect(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    cut = [np.ascontiguousarray(part[rect.slices]) for part in (mask, labels, marks)]
    return Lost(
        opened.image, tuple(replay.names), min(replay.times), max(replay.times), rect,
        cut[0], cut[1], cut[2], tuple(journal.key for journal, _ in tails),
    )  # fmt: skip


def _what_stands(journal: Journal, after: int) -> list[tuple[Frame, int]]:
    """Return the edits, undos and redos behind an operation, less those that were taken back.

    An edit and its undo are nothing. Played on top of other labels they would be something: an
    undo writes what was there before, which may be older than what is there now. Edits of labels
    on disk are left out: they were made as a whole or not at all, and never lost.
    """
    done, undone = journal.stacks(after)
    outside = journal.outside
    standing: list[tuple[Frame, int]] = []
    for frame in journal.frames:
        if frame.kind not in OPERATIONS or frame.operation <= after:
            continue
        source = {EDIT: [frame], UNDO: done, REDO: undone}[frame.kind]
        if source and not (frame.kind == EDIT and frame.operation in outside):
            last, kind = standing[-1] if standing else (None, EDIT)
            if last == source[-1] and (kind == UNDO) != (frame.kind == UNDO):
                standing.pop()
            else:  # an edit that was taken back and brought back is that edit again
                is_new = frame.kind == REDO and source[-1].operation > after
                standing.append((source[-1], EDIT if is_new else frame.kind))
        follow_frame(frame, done, undone)
    return standing


class _Replay:
    """Strokes played on top of labels, whatever these are: each writes where it changed them."""

    def __init__(self, labels: np.ndarray, marks: np.ndarray, touched: np.ndarray) -> None:
        self.labels, self.marks, self.touched = labels, marks, touched
        self.names: list[str] = []
        self.times: list[float] = []
        self.standing = 0

    def run(self, journal: Journal, after: int) -> None:
        """Play all that comes after an operation; what cannot be read is left out."""
        played = [
            (kind, stroke)
            for frame, kind in _what_stands(journal, after)
            if (stroke := self._play(journal, frame, kind)) is not None
        ]
        standing = [stroke for kind, stroke in played if kind == EDIT]
        parts = [frame for frame in journal.unfinished() if frame.operation >= after]
        unfinished = [s for frame in parts if (s := self._play(journal, frame, EDIT)) is not None]
        self.times += [stroke.edit.at for _, stroke in played]
        self.times += [stroke.edit.at for stroke in unfinished]
        standing += unfinished[:1]
        self.standing += len(standing) + sum(kind == REDO for kind, _ in played)
        taken = {UNDO: "Undo of ", REDO: "Redo of ", EDIT: ""}
        self.names += [stroke.edit.name for stroke in standing] or [
            taken[kind] + stroke.edit.name for kind, stroke in played[-1:]
        ]

    def _play(self, journal: Journal, frame: Frame, kind: int) -> Stroke | None:
        try:
            stroke = journal.stroke(frame)
            self._write(stroke, taken_back=kind == UNDO)
        except (JournalError, ValueError):
            return None
        return stroke

    def _write(self, stroke: Stroke, taken_back: bool) -> None:
        most = int(np.iinfo(self.labels.dtype).max)
        for rect, mask, left in stroke.tiles(taken_back):
            labels = left.labels.values()
            if int(labels.max()) > most:
                raise ValueError("a label that the map cannot hold")
            where = rect.slices
            np.copyto(self.labels[where], labels, where=mask, casting="unsafe")
            np.copyto(self.marks[where], left.provenance.values(), where=mask)
            self.touched[where] |= mask
