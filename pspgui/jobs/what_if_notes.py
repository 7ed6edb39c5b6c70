"""Notes of what-ifs: one JSON file an image, in the project folder beside its labels.

`.pspgui/what_if/<image>.json` holds a list of notes. What this version cannot read in it is left
as it is when others are added or taken away.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pspgui.durable import printable, write_durably
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.project.class_files import classes_beside

if TYPE_CHECKING:
    from pspgui.evidence.whatif import Bin, WhatIf

FOLDER: Final = "what_if"
_MAX_BYTES: Final = 16 << 20


class NotesError(ValueError):
    """Notes that were not read or kept; one sentence."""


@dataclass(frozen=True, eq=False)
class WhatIfNote:
    """A what-if with a name: factors, loans by the lender's path, and what came of it.

    model: the checkpoint's digest; gained: pixels that classes won or lost, by name; saved: when,
    as ISO 8601 in UTC.
    """

    what: WhatIf
    loans: Mapping[Bin, str] = field(default_factory=dict)
    model: str = ""
    model_title: str = ""
    changed_px: int = 0
    pixels: int = 0
    gained: Mapping[str, int] = field(default_factory=dict)
    saved: str = ""

    @property
    def name(self) -> str:
        """What the person called it."""
        return self.what.note

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        loans = [[*place, lender] for place, lender in self.loans.items()]
        return {
            **self.what.to_json(), "borrowed": loans, "model": self.model,
            "model_title": self.model_title, "changed_px": self.changed_px,
            "pixels": self.pixels, "gained": dict(self.gained), "saved": self.saved,
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: Any) -> WhatIfNote:
        """Return what `to_json` told. Raises ValueError, one clause."""
        from pspgui.evidence.whatif import WhatIf

        what, loans = WhatIf.from_json(told)
        gained = told.get("gained", {})
        if not isinstance(gained, dict) or not all(type(v) is int for v in gained.values()):
            raise ValueError("its counts by class are none")
        words = [told.get(key, "") for key in ("model", "model_title", "saved")]
        counts = [told.get(key, 0) for key in ("changed_px", "pixels")]
        if not all(isinstance(w, str) for w in words) or not all(type(n) is int for n in counts):
            raise ValueError("its words or counts are none")
        return cls(what, loans, words[0], words[1], counts[0], counts[1], gained, words[2])


def notes_path(home: Path, label_file: Path) -> Path:
    """Return the file of an image's notes, by the `.pspgui` folder and the image's label file."""
    return home / FOLDER / classes_beside(label_file).name


def read_notes(path: Path) -> tuple[WhatIfNote, ...]:
    """Return the notes of a file, in the order of saving; none where there is none.

    Notes of a kind that is not known are left out. Raises `NotesError`. Any thread.
    """
    found = []
    for entry in _entries(path):
        try:
            found.append(WhatIfNote.from_json(entry))
        except ValueError:
            continue
    return tuple(found)


def add_note(path: Path, image: str, note: WhatIfNote) -> None:
    """Add a note at the end of a file. Raises `NotesError`, `SaveError`."""
    _write(path, image, [*_entries(path), note.to_json()])


def drop_note(path: Path, image: str, note: WhatIfNote) -> None:
    """Take a note out of a file, the first of its name and time. Raises as `add_note` does."""
    entries = _entries(path)
    for index, entry in enumerate(entries):
        known = isinstance(entry, dict) and (entry.get("note"), entry.get("saved"))
        if known == (note.name, note.saved):
            del entries[index]
            break
    _write(path, image, entries)


def now() -> str:
    """Return the time to stamp a note with."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _entries(path: Path) -> list[Any]:
    """Return what a file lists, whatever it is."""
    if not path.exists():
        return []
    from pspgui.formats.checked_json import read_json
    from pspgui.formats.errors import FormatError

    try:
        told = read_json(path, _MAX_BYTES)
    except FormatError as error:
        raise NotesError(f"Notes of what-ifs cannot be read ({error}); they are kept.") from error
    entries = told.get("notes") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        raise NotesError(f"{printable(path)} holds no what-if notes; it is kept as it is.")
    return entries


def _write(path: Path, image: str, entries: list[Any]) -> None:
    content = json.dumps({"image": image, "notes": entries}, ensure_ascii=False, indent=1)
    write_durably(path, content.encode("utf-8", "backslashreplace"))


# -- jobs ---------------------------------------------------------------------------------------

Locate = Callable[[], Path]


@dataclass(frozen=True, eq=False)
class FoundNotes:
    """The notes of an image, with a sentence where they could not be read or kept.

    `changed`: notes were kept or deleted; `was_refused`: some were to be and could not.
    """

    image: Path
    notes: tuple[WhatIfNote, ...] = ()
    trouble: str = ""
    changed: bool = False
    was_refused: bool = False


def find_notes(image: Path, locate: Locate) -> Job:
    """Return a job that gives the `FoundNotes` of an image; `locate()` says in which file."""

    def job(turn: Turn) -> Steps:
        yield Step("Looking for notes")
        return _found(image, locate)

    return job


class NoteChanges:
    """Changes of notes still to be made, in the order of asking, each exactly once. Any thread.

    A job that was superseded or cancelled before it began loses nothing: the next one makes its
    changes, or `carry_out` does when the window closes.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Locate, Callable[[Path], None], Callable[[], None]]] = deque()
        self._lock = threading.Lock()

    def add(
        self, locate: Locate, change: Callable[[Path], None], may: Callable[[], None]
    ) -> None:
        """Have a file of notes changed; `may()` raises where the project cannot be."""
        self._waiting.append((locate, change, may))

    def carry_out(self) -> tuple[str, ...]:
        """Make all changes that wait; return a sentence for each that could not be made."""
        troubles = []
        with self._lock:
            while self._waiting:
                locate, change, may = self._waiting.popleft()
                try:
                    may()
                    change(locate())
                except (ValueError, OSError, RuntimeError) as error:
                    troubles.append(f"The note was not kept. {error}")
        return tuple(troubles)


def change_notes(image: Path, locate: Locate, changes: NoteChanges) -> Job:
    """Return a job that makes the changes that wait and gives the notes of an image.

    The job never fails: what kept it from changing anything is told as `trouble`.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Keeping a note")
        troubles = changes.carry_out()
        found = _found(image, locate)
        if troubles:
            return FoundNotes(image, found.notes, " ".join(troubles), was_refused=True)
        return FoundNotes(image, found.notes, found.trouble, changed=True)

    return job


def _found(image: Path, locate: Locate) -> FoundNotes:
    try:
        return FoundNotes(image, read_notes(locate()))
    except (ValueError, OSError) as error:
        return FoundNotes(image, (), str(error))
