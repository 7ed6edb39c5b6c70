"""Which values label files were seen to hold, kept so that a large set is read through once.

A file counts as unchanged while its size and time of change are; the samples are checked again as
they are read, so a file that lies about both is still found out, later.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pspgui import places
from pspgui.durable import write_durably
from pspgui.formats.coding import FileValues

# A smaller set is read faster than it is worth keeping a file about it.
SMALLEST = 200


class SeenValues:
    """The values seen in the label files of one folder and one kind of value.

    Nothing here raises: what cannot be kept or read back is read from the labels again.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        root = os.fsencode(Path(folder).absolute())
        name = hashlib.sha256(root + b"\0" + kind.encode()).hexdigest()[:24]
        self.path = places.user_folder() / "checked-labels" / f"{name}.json"
        self._kept = self._load()
        self._changed = 0

    def of(self, path: Path) -> FileValues | None:
        """Return what an unchanged file was seen to hold, else None."""
        entry = self._kept.get(_key(path))
        try:
            if entry is None or entry[:2] != stamp_of(path):
                return None
            return FileValues(tuple(int(v) for v in entry[3]), bool(entry[2]))
        except (TypeError, ValueError, LookupError):
            return None

    def add(self, path: Path, found: FileValues, stamp: list[int] | None) -> None:
        """Remember what a file holds; `stamp` is `stamp_of` it from before it was read."""
        if stamp is not None:
            self._kept[_key(path)] = [*stamp, found.is_grey, list(found.values)]
            self._changed += 1

    def keep(self) -> None:
        """Write what was added, if it is much."""
        if self._changed < SMALLEST:
            return
        with contextlib.suppress(OSError):
            write_durably(self.path, json.dumps(self._kept, separators=(",", ":")).encode())

    def _load(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError, RecursionError):
            kept = json.loads(self.path.read_bytes())
            if isinstance(kept, dict):
                return kept
        return {}


def _key(path: Path) -> str:
    return ascii(os.fspath(path.absolute()))


def stamp_of(path: Path) -> list[int] | None:
    """Return what tells one state of a file from another; None for one that is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
