"""Writing stroke journals on a thread of its own: every edit is on disk well within a second."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from pspgui import durable
from pspgui.labels.edits import MIB, Change, OpenTile
from pspgui.project import journal as frames
from pspgui.project.journal_file import JournalFile, thin
from pspgui.project.recovery import Resume

BUDGET_BYTES: Final = 256 * MIB
TOTAL_BYTES: Final = 1024 * MIB
_GATHER_S: Final = 0.15  # strokes of one moment share an fsync
_RETRY_S: Final = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JournalTrouble:
    """Strokes of an image that could not be written to its journal; they are tried again."""

    image: Path
    reason: str


@dataclass(eq=False)
class _Item:
    """Something to write: a frame, made on the writing thread, or a task to do after the frames."""

    operation: int
    make: Callable[[], bytes | None] | None = None
    task: Callable[[JournalFile], None] | None = None
    done: threading.Event | None = None
    is_operation: bool = False
    content: bytes = b""
    at: float = 0.0

    def encode(self) -> bytes:
        if self.make is not None:
            self.content, self.make = self.make() or b"", None
        return self.content

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left to write or to do."""
        return self.make is None and not self.content and self.task is None


@dataclass(eq=False)
class _Line:
    """What waits to be written for one image."""

    file: JournalFile
    last: int
    items: list[_Item] = field(default_factory=list)
    trouble: str = ""
    retry_at: float = 0.0


def _goes_on(line: _Line, resume: Resume | None) -> bool:
    """Whether what was found beside an image is the very journal that is being written."""
    if resume is None or resume.tail or resume.path != line.file.path:
        return False
    if not line.file.has_ended_at(resume.end):  # put back from a backup, and gone on with there
        return False
    return (resume.token, resume.operation) == (line.file.token, line.last)


class StrokeJournals:
    """The journals of all images that are edited, written by one background thread.

    All methods may be called from any thread; those for the GUI thread only put something in a
    queue. `on_trouble` is called on the writing thread, once for each new reason.
    """

    def __init__(
        self,
        homes: Callable[[Path], Iterable[Path]],
        budget_bytes: int = BUDGET_BYTES,
        total_bytes: int = TOTAL_BYTES,
        on_trouble: Callable[[JournalTrouble], None] | None = None,
    ) -> None:
        """`homes(image)` gives the `.pspgui` folders that may hold its journal, best first."""
        self._homes = homes
        self.budget_bytes, self.total_bytes = budget_bytes, total_bytes
        self._on_trouble = on_trouble
        self._changed = threading.Condition()
        self._lines: dict[Path, _Line] = {}
        self._writing: _Line | None = None
        self._thread: threading.Thread | None = None
        self._hurried = 0
        self._closing = False
        self._thinned: set[Path] = set()

    # -- from the GUI thread --------------------------------------------------------------------

    def follow(
        self, image: Path, shape: tuple[int, int], dtype: np.dtype[np.unsignedinteger],
        resume: Resume | None,
    ) -> int:  # fmt: skip
        """Expect strokes of an image; return the number of its operation before the first.

        `resume` is what `look_up` found. No file is made before there is a stroke.
        """
        with self._changed:
            old = self._lines.get(image)
            # One that could not be written yet goes on, and so does that of an image left and
            # opened again: a save on its way may still add its mark.
            if old is not None and (old.items or _goes_on(old, resume)):
                return old.last
            # One that could be written only after it was looked for goes on, too: the labels in
            # memory hold it. The number left out says that undo began anew.
            if old is not None and resume is None and old.file.has_begun:
                old.last += 1
                return old.last
            file = JournalFile(image, shape, dtype, resume, self._homes, self.budget_bytes)
            self._lines[image] = _Line(file, file.first)
            return file.first

    def record(self, image: Path, operation: int, change: Change) -> None:
        """Write an edit, undo or redo: operation number `operation` of this image."""
        kind = {"undo": frames.UNDO, "redo": frames.REDO}.get(change.kind)
        if kind is None:
            def make() -> bytes:
                return frames.edit_frame(operation, change.edit, change.after)
        else:
            def make() -> bytes:
                return frames.frame_bytes(kind, operation)
        self._put(image, _Item(operation, make, is_operation=True))

    def record_part(
        self, image: Path, operation: int, name: str, tiles: tuple[OpenTile, ...]
    ) -> None:
        """Write tiles of an edit under way, which comes after `operation`."""
        at = time.time()
        self._put(image, _Item(operation, lambda: frames.part_frame(operation, name, at, tiles)))

    def drop_part(self, image: Path, operation: int) -> None:
        """Write that the edit under way was taken back."""
        self._put(image, _Item(operation, lambda: frames.frame_bytes(frames.DROPPED, operation)))

    def record_recovery(self, image: Path, operation: int, keys: Iterable[str]) -> None:
        """Write that `operation` brought back the strokes of the journals with these keys."""
        content = " ".join(keys).encode("ascii")
        self._put(image, _Item(
            operation, lambda: frames.frame_bytes(frames.RECOVERED, operation, content)
        ))  # fmt: skip

    def put_away(self, image: Path) -> None:
        """Move strokes that were offered for recovery into the backups: they are dealt with."""
        self._put(image, _Item(0, task=JournalFile.put_away))

    def token_of(self, image: Path) -> str:
        """Return the random name of an image's journal; empty where none is followed.

        Also where nothing of this run could be written: what is in the file is of an earlier one.
        """
        with self._changed:
            line = self._lines.get(image)
            if line is None or (line.items and not line.file.has_begun):
                return ""
            return line.file.token

    # -- from the saving thread and others ------------------------------------------------------

    def mark(self, image: Path, digest: str, operation: int, timeout_s: float = 5.0) -> bool:
        """Note durably that a label file with this SHA-256 is about to hold all up to `operation`.

        Waits until it is written; False if that could not be done, which costs the history at
        most. An image without strokes needs no mark.
        """
        with self._changed:
            line = self._lines.get(image)
            if line is None or (line.file.path is None and not line.items):
                return True
        done = threading.Event()
        content = digest.encode("ascii")
        self._put(image, _Item(
            operation, lambda: frames.frame_bytes(frames.MARK, operation, content), done=done,
        ), hurry=True)  # fmt: skip
        return done.wait(timeout_s) and not line.trouble

    def confirm(self, image: Path, digest: str, operation: int) -> None:
        """Note that the label file was replaced; a journal grown too long is then shortened."""
        with self._changed:
            line = self._lines.get(image)
            if line is None:
                return
            if line.file.path is None and not line.items:
                line.file.base = digest
            too_long = line.file.is_too_long
        if too_long:
            self._put(image, _Item(0, task=lambda file: file.shorten(digest, operation)))

    def drain(self, image: Path | None = None, timeout_s: float | None = None) -> bool:
        """Wait until strokes of an image, or of all, are written or failed; True if written."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            self._hurried += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(
                    lambda: not any(self._is_busy(line) for line in self._asked(image)),
                    None if end is None else max(0.0, end - time.monotonic()),
                )
            finally:
                self._hurried -= 1
            return not any(line.items for line in self._asked(image))

    def oldest_waiting_s(self) -> float:
        """Return for how long the oldest stroke has waited that is not on disk; 0 for none."""
        with self._changed:
            times = [line.items[0].at for line in self._lines.values() if line.items]
        return max(0.0, time.monotonic() - min(times)) if times else 0.0

    def close(self, timeout_s: float | None = None) -> bool:
        """Write what waits, then end the thread; True if everything is written."""
        written = self.drain(None, timeout_s)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return written

    # -- the thread -----------------------------------------------------------------------------

    def _put(self, image: Path, item: _Item, hurry: bool = False) -> None:
        item.at = time.monotonic()
        with self._changed:
            line = self._lines.get(image)
            if line is None or self._closing:
                return
            line.items.append(item)
            line.last = max(line.last, item.operation)
            if hurry:
                line.retry_at = 0.0
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="pspgui-journal", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def _asked(self, image: Path | None) -> list[_Line]:
        if image is None:
            return list(self._lines.values())
        line = self._lines.get(image)
        return [] if line is None else [line]

    def _is_busy(self, line: _Line) -> bool:
        """Whether something is still to come of waiting for a line. The lock is held."""
        return self._writing is line or (bool(line.items) and not line.trouble)

    def _run(self) -> None:
        while True:
            with self._changed:
                line = self._next()
                if line is None:
                    return
                items = list(line.items)
                self._writing = line
            trouble = self._try(line, items)
            with self._changed:
                line.items[: len(items)] = [item for item in items if not item.is_done]
                line.retry_at = time.monotonic() + _RETRY_S if trouble else 0.0
                # The space left is in some reasons, and never quite the same.
                is_new = bool(trouble) and _plain(trouble) != _plain(line.trouble)
                line.trouble = trouble
                self._writing = None
                self._changed.notify_all()
            for item in items:
                if item.done is not None:
                    item.done.set()
            if is_new and self._on_trouble is not None:
                with contextlib.suppress(Exception):  # the thread outlives its listener
                    self._on_trouble(JournalTrouble(line.file.image, trouble))

    def _next(self) -> _Line | None:
        """Wait for a line that has something to write; None at the end. The lock is held."""
        while True:
            now = time.monotonic()
            waiting = [line for line in self._lines.values() if line.items]
            if self._closing and not any(not line.trouble for line in waiting):
                return None
            soonest = None
            for line in waiting:
                hurry = self._closing or self._hurried or any(i.done for i in line.items)
                due = line.retry_at if line.trouble else line.items[0].at + _GATHER_S
                if due <= now or (hurry and not line.trouble):
                    return line
                soonest = due if soonest is None else min(soonest, due)
            self._changed.wait(None if soonest is None else soonest - now)

    def _try(self, line: _Line, items: list[_Item]) -> str:
        """Write items; return why it could not be done, or an empty text."""
        try:
            content = b"".join(item.encode() for item in items)
            if content:
                self._append(line, items, content)
            for item in items:
                if item.task is not None:
                    item.task(line.file)
                    item.task = None
        except OSError as error:
            return durable.why(error, line.file.path or line.file.image)
        except Exception as error:  # the thread must outlive any failure: work depends on it
            _log.exception("the journal of %r failed", line.file.image)
            return str(error) or type(error).__name__
        return ""

    def _append(self, line: _Line, items: list[_Item], content: bytes) -> None:
        began = line.file.path is not None
        first = min((i.operation for i in items if i.is_operation and i.content), default=None)
        line.file.append(content, line.file.first if first is None else first - 1)
        for item in items:  # a task that fails later is tried again by itself
            item.content = b""
        path = line.file.path
        if not began and path is not None and path.parent not in self._thinned:
            self._thinned.add(path.parent)
            with self._changed:
                spared = [p for other in self._lines.values() if (p := other.file.path)]
            thin(path.parent.parent, self.total_bytes, spared)


def _plain(trouble: str) -> str:
    """Return a reason without its figures."""
    return "".join(letter for letter in trouble if not letter.isdigit() and letter not in ",.")
