"""What people said of images (status, note, tags, review, time spent), as an append-only file.

The index can be made again from label files, these cannot: so each change is also a line of
`remarks.log`, with a checksum before it, that no later change touches.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pspgui.durable import printable, write_durably
from pspgui.project.errors import ProjectError

NAME: Final = "remarks.log"
FIELDS: Final = ("status", "note", "tags", "reviewer", "comment", "seconds")
_MOST_IN_A_LINE: Final = 500
_KINDS: Final = {"status": str, "note": str, "tags": str, "reviewer": str, "comment": str}


class Remark(NamedTuple):
    """One line: for these images (paths relative to the project) these fields are now so."""

    time: float
    images: tuple[bytes, ...]
    values: Mapping[str, Any]


class RemarkLog:
    """Appends lines to one file. Any thread; `sync` makes them outlive a power cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._unsynced = False

    def append(self, images: Iterable[bytes], values: Mapping[str, Any], now: float) -> int:
        """Add what is now so for these images, and return where the file ends.

        Raises `ProjectError` when it could not be written; nothing is then added.
        """
        paths = list(images)
        lines = b"".join(
            line_of(Remark(now, tuple(paths[i : i + _MOST_IN_A_LINE]), values))
            for i in range(0, len(paths), _MOST_IN_A_LINE)
        )
        return self._add(lines)

    def extend(self, remarks: Iterable[Remark]) -> int:
        """Add many lines at once, as `append` does."""
        return self._add(b"".join(map(line_of, remarks)))

    def sync(self) -> None:
        """Bring what was appended to the disk; quiet when there is nothing to bring."""
        with self._lock:
            if not self._unsynced:
                return
            self._unsynced = False
            with contextlib.suppress(OSError):
                handle = os.open(self.path, os.O_RDWR)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def _add(self, lines: bytes) -> int:
        try:
            _check_is_file(self.path)
            with self._lock, self.path.open("ab") as file:
                start = file.tell()
                # A torn end is closed first, or it would swallow the new line.
                torn = start > 0 and not _ends_a_line(self.path)
                try:
                    file.write(b"\n" * torn + lines)
                    file.flush()
                except OSError:
                    with contextlib.suppress(OSError):
                        file.truncate(start)
                    raise
                self._unsynced = True
                return file.tell()
        except OSError as error:
            raise ProjectError(
                f"This was not kept: {printable(self.path)} could not be written "
                f"({error.strerror or error}). Look at the folder and the free space, then try "
                "again."
            ) from error


def line_of(remark: Remark) -> bytes:
    """Return a remark as its line, checksum first."""
    told = {
        "t": round(remark.time, 3),
        "images": [os.fsdecode(path) for path in remark.images],
        "set": dict(remark.values),
    }
    body = json.dumps(told, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(body), body)


def read(path: Path, start: int = 0) -> tuple[list[Remark], list[int]]:
    """Return the remarks from byte `start` on, and the numbers of the lines that are damaged.

    A last line without its end is what a crash leaves: damaged, too. A missing file is empty.
    Raises `OSError`.
    """
    _check_is_file(path)
    try:
        with path.open("rb") as file:
            file.seek(start)
            content = file.read()
    except FileNotFoundError:
        return [], []
    remarks, damaged = [], []
    for number, line in enumerate(content.split(b"\n")[: content.count(b"\n")], 1):
        remark = _parsed(line)
        if remark is not None:
            remarks.append(remark)
        elif line:
            damaged.append(number)
    if content and not content.endswith(b"\n"):
        damaged.append(content.count(b"\n") + 1)
    return remarks, damaged


def folded(remarks: Iterable[Remark]) -> dict[bytes, dict[str, Any]]:
    """Return what is so after all of them: fields by image."""
    state: dict[bytes, dict[str, Any]] = {}
    for remark in remarks:
        for image in remark.images:
            state.setdefault(image, {}).update(remark.values)
    return state


def rewrite(path: Path, remarks: Iterable[Remark]) -> None:
    """Write the file anew with these lines only; raises `SaveError`, the old one then stands."""
    write_durably(path, b"".join(map(line_of, remarks)))


def condensed(state: Mapping[bytes, Mapping[str, Any]]) -> Iterator[Remark]:
    """Return the fewest remarks that say what is so."""
    now = time.time()
    for image, values in state.items():
        yield Remark(now, (image,), values)


def _parsed(line: bytes) -> Remark | None:
    """Return the remark of a line; None for one that is damaged."""
    try:
        if line[8:9] != b" " or int(line[:8], 16) != zlib.crc32(line[9:]):
            return None
        if line[:8] != b"%08x" % zlib.crc32(line[9:]):  # int() takes capitals, too
            return None
        told = json.loads(line[9:])
        values = {key: told["set"][key] for key in FIELDS if key in told["set"]}
        if any(not isinstance(values[key], kind) for key, kind in _KINDS.items() if key in values):
            return None
        if "seconds" in values:
            values["seconds"] = float(values["seconds"])
        images = tuple(os.fsencode(name) for name in told["images"])
        return Remark(float(told["t"]), images, values)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _check_is_file(path: Path) -> None:
    """Raise `OSError` for a pipe or the like, which would keep its reader waiting."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file")


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
