"""What images looked like when work on them was kept, so that one that was renamed is known again.

`.pspgui/images.log` has a line for each image with labels, strokes, pins or notes: a checksum,
then its name, size and SHA-256. The last line of a name counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from pspgui.durable import append_durably, write_durably

NAME: Final = "images.log"
_BEFORE_NAME: Final = len('01234567 {"image":"')
_AFTER_NAME: Final = b'","size":'


class Identity(NamedTuple):
    """What tells the content of one file from that of others: bytes, and SHA-256 of all of them."""

    size: int
    sha256: str


class Identities:
    """The file of one project. Any thread; who calls `note` holds the project's lock."""

    def __init__(self, home: Path) -> None:
        self.path = home / NAME
        self._lock = threading.Lock()
        self._noted: dict[str, Identity] | None = None

    def note(self, image: Path) -> None:
        """Keep what an image looks like, unless that is known. Raises `OSError`, `SaveError`."""
        found = identity_of(image)
        with self._lock:
            if self._noted is None:
                self._noted = read(self.path)[0]
            if self._noted.get(image.name) == found:
                return
            line = _line(image.name, found)
            if self.path.exists():  # a torn end is closed first, or it would swallow the line
                append_durably(self.path, b"\n" * _is_torn(self.path) + line)
            else:
                write_durably(self.path, line)
            self._noted[image.name] = found


def identity_of(image: Path) -> Identity:
    """Read an image and return what tells it from others. Raises `OSError`."""
    with image.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Identity(os.fstat(file.fileno()).st_size, digest)


def read(path: Path) -> tuple[dict[str, Identity], list[int]]:
    """Return the identities by the image's name, and the numbers of damaged lines.

    No line where there is no such file, or it cannot be read. Any thread.
    """
    found: dict[str, Identity] = {}
    damaged = []
    with contextlib.suppress(OSError), path.open("rb") as file:
        for number, line in enumerate(file, 1):  # not in one go: the window waits meanwhile
            if line == b"\n":
                continue
            try:
                name, identity = _parsed(line)
                found[name] = identity
            except (ValueError, KeyError, TypeError, RecursionError):
                damaged.append(number)
    return found, damaged


def names_in(path: Path) -> set[str]:
    """Return the images that the file names, by a quick look at every line. Any thread."""
    found = set()
    with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
        for line in file:
            begin, _, _ = line.partition(_AFTER_NAME)
            name = begin[_BEFORE_NAME:]
            found.add(json.loads(b'"%s"' % name) if b"\\" in name else name.decode("ascii"))
    found.discard("")
    return found


def rewrite(path: Path, identities: Mapping[str, Identity]) -> None:
    """Write the file anew; raises `SaveError`, the old one then stands."""
    write_durably(path, b"".join(_line(*entry) for entry in identities.items()))


def same_content(wanted: Mapping[str, Identity], images: Iterable[Path]) -> dict[str, list[Path]]:
    """Return, of every name in `wanted`, the images that have its content now.

    Only images of a size that is wanted are read.
    """
    sizes = {identity.size for identity in wanted.values()}
    by_content: dict[Identity, list[Path]] = {}
    for image in images if sizes else ():
        try:
            if image.stat().st_size in sizes:
                by_content.setdefault(identity_of(image), []).append(image)
        except OSError:
            continue
    return {name: by_content.get(identity, []) for name, identity in wanted.items()}


def _line(name: str, identity: Identity) -> bytes:
    told = {"image": name, "size": identity.size, "sha256": identity.sha256}
    body = json.dumps(told, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _parsed(line: bytes) -> tuple[str, Identity]:
    body = line[9:-1]
    if line[:9] != b"%08x " % zlib.crc32(body) or line[-1:] != b"\n":
        raise ValueError("the checksum is another, or the end is missing")
    told = json.loads(body)
    return str(told["image"]), Identity(int(told["size"]), str(told["sha256"]))


def _is_torn(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if not file.tell():
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


__all__ = [
    "NAME",
    "Identities",
    "Identity",
    "identity_of",
    "names_in",
    "read",
    "rewrite",
    "same_content",
]
