"""Disks that fail, and a disk that writes down what is done to it, to replay a power cut."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from pspgui.durable import Disk

CALLS = (
    "make_folder", "open_beside", "open_append", "write", "sync", "truncate", "chmod", "read",
    "replace", "remove", "sync_folder",
)  # fmt: skip


class FailingDisk(Disk):
    """Fails at the `at`-th call, and from then on if `lasting`.

    Without a `code` it does not fail but writes less than it is given.
    """

    def __init__(self, at: int, code: int | None, lasting: bool):
        self.at, self.code, self.lasting = at, code, lasting
        self.count = 0
        self.works = False

    @property
    def was_reached(self) -> bool:
        return self.count >= self.at

    def _fails(self) -> bool:
        self.count += 1
        hit = self.count >= self.at if self.lasting else self.count == self.at
        return hit and not self.works


def _failing(name: str):
    def call(self, *values):
        if self._fails():
            if self.code is not None:
                raise OSError(self.code, os.strerror(self.code))
            if name == "write":
                handle, content = values
                return Disk.write(self, handle, content[: max(1, len(content) // 3)])
        return getattr(Disk, name)(self, *values)

    return call


for _name in CALLS:
    setattr(FailingDisk, _name, _failing(_name))


class Act(NamedTuple):
    """One thing done to a disk; `path` and `other` are relative to its root."""

    kind: str
    path: str
    content: bytes = b""
    other: str = ""
    size: int = 0


class RecordingDisk(Disk):
    """Does everything, and writes down what changes files below a root."""

    def __init__(self, root: Path):
        self.root = root
        self.acts: list[Act] = []
        self._open: dict[int, str] = {}

    def _name(self, path: Path) -> str:
        return str(Path(path).relative_to(self.root))

    def open_beside(self, path):
        handle, part = super().open_beside(path)
        self._open[handle] = self._name(part)
        self.acts.append(Act("create", self._open[handle]))
        return handle, part

    def open_append(self, path):
        handle = super().open_append(path)
        self._open[handle] = self._name(path)
        return handle

    def write(self, handle, content):
        taken = super().write(handle, content)
        self.acts.append(Act("write", self._open[handle], bytes(content[:taken])))
        return taken

    def sync(self, handle):
        super().sync(handle)
        self.acts.append(Act("sync", self._open[handle]))

    def truncate(self, handle, size):
        super().truncate(handle, size)
        self.acts.append(Act("truncate", self._open[handle], size=size))

    def replace(self, part, path):
        super().replace(part, path)
        self.acts.append(Act("replace", self._name(part), other=self._name(path)))

    def remove(self, path):
        super().remove(path)
        self.acts.append(Act("remove", self._name(path)))

    def sync_folder(self, folder):
        super().sync_folder(folder)
        self.acts.append(Act("sync_folder", self._name(folder)))


class Medium:
    """What is on a disk whose power may go: names and contents, each durable or not yet.

    Files are numbered, as inodes are. What was written since the last sync of a file may be there,
    partly or not at all; a name given since the last sync of its folder may be there or not. Names
    reach the medium in the order in which they were given, as in every journalling file system.
    """

    def __init__(self, files: dict[str, bytes]):
        self.names = {name: number for number, name in enumerate(files)}
        self.safe_names = dict(self.names)
        self.now = dict(enumerate(files.values()))
        self.safe = dict(self.now)

    def do(self, act: Act) -> None:
        """Follow one act."""
        if act.kind == "create":
            number = len(self.now)
            self.names[act.path] = number
            self.now[number] = self.safe[number] = b""
        elif act.kind == "write":
            self.now[self.names[act.path]] += act.content
        elif act.kind == "truncate":
            number = self.names[act.path]
            self.now[number] = self.now[number][: act.size]
        elif act.kind == "sync":
            number = self.names[act.path]
            self.safe[number] = self.now[number]
        elif act.kind == "replace":
            self.names[act.other] = self.names.pop(act.path)
        elif act.kind == "remove":
            del self.names[act.path]
        elif act.kind == "sync_folder":
            self.safe_names = dict(self.names)

    def lay_out(self, root: Path, new_names: bool, written: float) -> None:
        """Write what may be there after a cut: names new or old, and a share of what was written.

        0 is nothing since the last sync, 1 everything; in between a file ends in the middle.
        """
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        for name, number in (self.names if new_names else self.safe_names).items():
            safe, now = self.safe[number], self.now[number]
            if now.startswith(safe):
                content = now[: len(safe) + round(written * (len(now) - len(safe)))]
            else:
                content = now if written >= 0.5 else safe
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def files_below(root: Path) -> dict[str, bytes]:
    """Return the files below a folder by their names relative to it."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


# (code of the error or None for a short write, whether it lasts)
FAULTS = [
    *((code, lasting) for code in (errno.ENOSPC, errno.EIO, errno.EACCES)
      for lasting in (False, True)),
    (None, True),
]  # fmt: skip
