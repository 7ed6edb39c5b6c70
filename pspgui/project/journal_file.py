"""One stroke journal on disk: beginning it, going on with it, shortening it, setting it aside."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from pspgui import durable
from pspgui.durable import append_durably, cause_of, write_durably, write_durably_in_parts
from pspgui.labels.edits import MIB
from pspgui.project import journal as frames
from pspgui.project.journal import Header, JournalError, read_journal
from pspgui.project.recovery import LOST, STROKES, Resume, journal_path, set_aside_paths
from pspgui.project.store import label_file_in

_ENDS: Final = 64  # how many lengths of a file are remembered
_NOT_WRITABLE: Final = frozenset({
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ELOOP,
    errno.ESTALE,
})  # fmt: skip


class JournalFile:
    """The journal of one image as it is written; no file is made before there is a stroke.

    One thread at a time. The methods raise `OSError`, and may then be called again.
    """

    def __init__(
        self,
        image: Path,
        shape: tuple[int, int],
        dtype: np.dtype[np.unsignedinteger],
        resume: Resume | None,
        homes: Callable[[Path], Iterable[Path]],
        budget_bytes: int,
    ) -> None:
        """Follow an image of `shape` (H, W); `resume` is what `look_up` found beside it."""
        self.image = image
        self._shape, self._dtype = shape, str(dtype)
        self._resume = resume
        self._homes, self._budget = homes, budget_bytes
        goes_on = resume is not None and resume.operation is not None
        self.first = (resume.operation or 0) if resume is not None else 0
        self.base = "" if resume is None else resume.base
        self.token = resume.token if resume is not None and goes_on else secrets.token_hex(8)
        self._found_token = "" if resume is None else resume.token
        self.path: Path | None = None
        self._ends: deque[int] = deque((0,), maxlen=_ENDS)
        # What a new journal in another home begins with, and what is set aside there.
        self._taken_along = self._aside = b""

    @property
    def _end(self) -> int:
        """How long the file is, as far as it was written here."""
        return self._ends[-1]

    @_end.setter
    def _end(self, size: int) -> None:
        self._ends.append(size)

    @property
    def has_begun(self) -> bool:
        """Whether anything was written here yet. Any thread."""
        return self._end > 0

    def has_ended_at(self, size: int) -> bool:
        """Whether the file was that long after one of the last writes. Any thread."""
        return size in tuple(self._ends)

    @property
    def is_too_long(self) -> bool:
        """Whether it holds so much more than the budget that rewriting it pays."""
        return self._end > self._budget * 1.5 + MIB

    def append(self, content: bytes, before: int) -> None:
        """Add frames and fsync; `before` is the number of the operation before the first."""
        if self.path is not None:
            try:
                append_durably(self.path, content, self._end)
                self._end += len(content)
            except OSError as error:
                if error.errno not in _NOT_WRITABLE:
                    raise
                self._leave()
            else:
                return
        if not self._go_on(content):
            self._start(content, before)

    def shorten(self, digest: str, operation: int) -> None:
        """Forget the oldest edits; the label file with this SHA-256 holds all up to `operation`."""
        if self.path is None:
            return
        old = read_journal(self.path)
        if old.header.token != self.token or old.matching(digest) != operation:
            return
        self._put_away_recovered(old)
        header = self._header(digest, operation)

        def parts() -> Iterator[bytes]:
            yield frames.header_frame(header)
            yield from frames.kept_frames(old, operation, self._budget)
            yield from frames.later_frames(old, operation)

        write_durably_in_parts(self.path, parts)
        self._end = self.path.stat().st_size

    def put_away(self) -> None:
        """Move strokes that were offered for recovery to the backups: they are dealt with."""
        resume = self._resume
        if self.path is None and resume is not None and resume.tail:
            try:
                if resume.operation is not None:
                    self._cut(resume, resume.operation)
                elif resume.unsaved:
                    set_aside(resume.path, resume.since)
                self._resume = None
            except OSError as error:
                if cause_of(error).errno not in _NOT_WRITABLE:
                    raise
                self._resume = replace(resume, unsaved=False)  # it stays, but not for new strokes
        for home in self._homes(self.image):
            for path in set_aside_paths(home, self.image):
                _to_backups(path, home)
            path = journal_path(home, self.image)
            in_use = resume.path if self.path is None and resume is not None else self.path
            if path != in_use and self._is_left(path):
                _to_backups(path, home)

    def _is_left(self, path: Path) -> bool:
        """Whether this journal was taken along to another home, whose own has more."""
        with contextlib.suppress(OSError, JournalError):
            return read_journal(path).header.token in (self.token, self._found_token)
        return False

    def _put_away_recovered(self, old: frames.Journal) -> None:
        """Move what operations of a journal brought back to the backups before it forgets them.

        Else strokes that a person recovered and took back again would be offered once more.
        """
        dealt, aside = set(old.recovered), {}
        for home in self._homes(self.image):
            for path in set_aside_paths(home, self.image):
                with contextlib.suppress(FileNotFoundError, JournalError):
                    aside[path] = home, read_journal(path)
        # What was recovered may have brought back strokes of an earlier crash itself.
        while found := [path for path, (_, journal) in aside.items() if journal.key in dealt]:
            for path in found:
                home, journal = aside.pop(path)
                dealt |= journal.recovered
                _to_backups(path, home)

    def _put_away_settled(self, path: Path) -> None:
        """Move a journal of which nothing was left to offer to the backups."""
        with contextlib.suppress(FileNotFoundError, JournalError):
            self._put_away_recovered(read_journal(path))
            _to_backups(path, path.parent.parent)

    def _go_on(self, content: bytes) -> bool:
        """Append to the journal found when the image was opened; False if a new one is needed."""
        resume = self._resume
        if resume is None:
            return False
        try:
            if resume.operation is None:
                if resume.unsaved:
                    set_aside(resume.path, resume.since)
                elif resume.tail:
                    self._put_away_settled(resume.path)
                self._resume = None
                return False
            if resume.tail:
                self._cut(resume, resume.operation)
                append_durably(resume.path, content, self._end)
            else:
                append_durably(resume.path, content, resume.end)
                self._end = resume.end
        except OSError as error:
            if cause_of(error).errno not in _NOT_WRITABLE:
                raise
            self._leave()
            return False
        self.path, self._resume = resume.path, None
        self._end += len(content)
        return True

    def _cut(self, resume: Resume, place: int) -> None:
        """Write the journal anew up to an operation; what came behind it is kept if unsaved."""
        old = read_journal(resume.path)
        header = self._header(resume.base, place)
        if resume.unsaved:
            set_aside(resume.path, place)
        else:
            self._put_away_recovered(old)
        write_durably_in_parts(resume.path, lambda: (
            frames.header_frame(header), *frames.kept_frames(old, place, self._budget)
        ))  # fmt: skip
        self.path, self._resume = resume.path, None
        self._end = resume.path.stat().st_size

    def _leave(self) -> None:
        """Go on elsewhere, with all that can be read: the folder vanished or was closed to us."""
        resume, path = self._resume, self.path
        self.path = self._resume = None
        try:
            if path is not None:
                self._taken_along = _first_bytes(path, self._end)
            elif resume is not None and resume.operation is not None and not resume.tail:
                self._taken_along = _first_bytes(resume.path, resume.end)
            elif resume is not None:
                self._take_along(resume)
        except (OSError, JournalError):  # what was in it may come back with it
            self._taken_along = self._aside = b""
        if not self._taken_along:
            self.token = secrets.token_hex(8)

    def _take_along(self, resume: Resume) -> None:
        """Keep what `_cut` or `set_aside` would have written."""
        old = read_journal(resume.path)
        if resume.unsaved:
            mark = frames.frame_bytes(frames.SET_ASIDE, resume.since)
            self._aside = bytes(old.content[: old.end]) + mark
        if resume.operation is not None:
            head = frames.header_frame(self._header(resume.base, resume.operation))
            kept = frames.kept_frames(old, resume.operation, self._budget)
            self._taken_along = b"".join((head, *kept))

    def _start(self, content: bytes, before: int) -> None:
        """Make a new journal in the first home that can be written."""
        base = self.base if before == self.first else ""
        head = self._taken_along or frames.header_frame(self._header(base, before))
        homes = list(self._homes(self.image))
        for number, home in enumerate(homes):
            path = journal_path(home, self.image)
            try:
                if self._aside:
                    write_durably(_free_name_aside(path), self._aside)
                self._keep_foreign(path)
                write_durably(path, head + content)
            except OSError as error:
                if cause_of(error).errno in _NOT_WRITABLE and number + 1 < len(homes):
                    continue
                raise
            self.path, self._end = path, len(head) + len(content)
            self._taken_along = self._aside = b""
            return

    def _keep_foreign(self, path: Path) -> None:
        """Set a journal aside that is in the way and holds strokes of which no one knew."""
        try:
            old = read_journal(path)
        except FileNotFoundError:
            return
        except JournalError:
            set_aside(path, None)
            return
        files = [label_file_in(home, self.image) for home in self._homes(self.image)]
        since = saved_until(old, files)
        if old.header.token != self.token and (old.damaged or old.has_more_than(since)):
            set_aside(path, since)
        else:
            self._put_away_recovered(old)

    def _header(self, base: str, first: int) -> Header:
        name = os.fsencode(self.image.name).decode("ascii", "backslashreplace")
        height, width = (int(side) for side in self._shape)
        return Header(name, height, width, self._dtype, self.token, base, first, time.time())


def saved_until(journal: frames.Journal, files: Iterable[Path]) -> int:
    """Return the operation up to which one of these label files, there or not, holds a journal.

    A mark comes before its file, which may not have come: only the file tells. Where all of them
    were changed elsewhere the last mark is believed.
    """
    digests = []
    for path in files:
        with contextlib.suppress(OSError), path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    places = [place for d in digests if (place := journal.matching(d)) is not None]
    if digests and not places:
        places = [journal.saved]
    return max([*places, journal.header.first])


def is_saved(journal: frames.Journal) -> bool:
    """Whether all strokes of a journal are in the label file beside it."""
    name = journal.path.name.removesuffix(frames.SUFFIX)
    labels = journal.path.parent.parent / "labels"
    until = saved_until(journal, [labels / f"{Path(name).stem}.png", labels / f"{name}.png"])
    return not journal.damaged and not journal.has_more_than(until)


def _to_backups(path: Path, home: Path) -> None:
    """Move a journal that is dealt with to the backups of its home, if that can be written."""
    target = home / "backups" / f"{time.time_ns()}{frames.SUFFIX}"
    try:
        durable.disk.make_folder(target.parent)
        durable.disk.replace(path, target)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise


def thin(home: Path, total_bytes: int, spared: Iterable[Path]) -> None:
    """Remove the oldest journals of a folder whose strokes are saved, above a total size."""
    found: list[tuple[int, int, Path]] = []
    with contextlib.suppress(OSError), os.scandir(home / STROKES) as listing:
        for entry in listing:
            if entry.is_file() and entry.name.endswith(frames.SUFFIX):
                status = entry.stat()
                found.append((status.st_mtime_ns, status.st_size, Path(entry.path)))
    total = sum(size for _, size, _ in found)
    kept = set(spared)
    for _, size, path in sorted(found):
        if total <= total_bytes:
            return
        with contextlib.suppress(OSError, JournalError):
            if path not in kept and is_saved(read_journal(path)):
                durable.disk.remove(path)
                total -= size


def set_aside(path: Path, operation: int | None) -> None:
    """Move a journal where no one writes; note behind which operation its strokes are unsaved."""
    if operation is not None:
        with contextlib.suppress(OSError):
            append_durably(path, frames.frame_bytes(frames.SET_ASIDE, operation))
    target = _free_name_aside(path)
    durable.disk.make_folder(target.parent)
    durable.disk.replace(path, target)
    durable.disk.sync_folder(target.parent)


def _free_name_aside(path: Path) -> Path:
    """Return where a journal is set aside that lies at this path."""
    folder, number = path.parent / LOST, 2
    target = folder / path.name
    while target.exists():
        target, number = folder / f"{path.name}~{number}", number + 1
    return target


def _first_bytes(path: Path, size: int) -> bytes:
    """Return the first bytes of a file; none where it has fewer. Raises `OSError`."""
    with path.open("rb") as file:
        found = file.read(size)
    return found if len(found) == size else b""

