"""Changes of many files that happen as a whole or not at all, whatever interrupts them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pspgui import durable
from pspgui.durable import SaveError, printable, write_durably
from pspgui.project.backups import Backup, back_up, list_backups, restore

_MARK = "pending-change.json"


@dataclass(frozen=True)
class PendingChange:
    """A change under way in one `.pspgui` folder; `backup` holds the files as they were."""

    home: Path
    backup: Backup | None

    def take_back(self) -> None:
        """Put every file back as it was; raises `SaveError` where the disk refuses."""
        roll_back(self.home)


def begin_change(home: Path, reason: str, files: Iterable[Path]) -> PendingChange:
    """Back up files below `home` that are about to change, and note that the change is under way.

    Files that are not there yet are removed again when the change is taken back. `reason` is one
    of those of `backups`. Raises `SaveError`; nothing has then happened.
    """
    roll_back(home)
    files = list(files)
    there = [file for file in files if file.is_file()]
    known = set(there)
    missing = [file for file in files if file not in known]
    backup = back_up(home, reason, there, missing) if there else None
    absent = [str(file.relative_to(home)) for file in missing]
    noted = {"reason": reason, "backup": backup.name if backup else None, "absent": absent}
    write_durably(home / _MARK, json.dumps(noted).encode("utf-8", "surrogateescape"))
    return PendingChange(home, backup)


def is_under_way(home: Path) -> bool:
    """Whether a change was begun that is neither complete nor taken back."""
    return (home / _MARK).exists()


def finish_change(home: Path) -> None:
    """Note that the change is complete; its backup stays. Raises `SaveError`: it is then not."""
    _remove(home / _MARK)
    with contextlib.suppress(OSError):
        durable.disk.sync_folder(home)  # else a power cut takes back what was painted since, too


@contextlib.contextmanager
def changing(reason: str, files_of: Mapping[Path, Iterable[Path]]) -> Iterator[None]:
    """Change files of several homes as a whole: whatever is raised inside takes all of it back.

    `files_of` gives, by home, the files that may change; see `begin_change`. Also a job that is
    cancelled half-way leaves everything as it was.
    """
    begun: list[PendingChange] = []
    try:
        for home, files in files_of.items():
            begun.append(begin_change(home, reason, files))
        yield
        for home in files_of:
            finish_change(home)
    except BaseException:
        for change in begun:
            change.take_back()
        raise


def roll_back(home: Path) -> str:
    """Take back a change that was interrupted; return a sentence about it, "" if there was none.

    Raises `SaveError` naming the backup where it cannot be restored.
    """
    try:
        text = (home / _MARK).read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    try:
        noted = json.loads(text)
        name, absent = noted["backup"], [Path(str(path)) for path in noted["absent"]]
        if any(path.is_absolute() or ".." in path.parts for path in absent):
            raise ValueError("a path leads out of the folder")
    except (ValueError, KeyError, TypeError) as error:
        raise SaveError(
            f"{printable(home / _MARK)} is damaged, so a change that was interrupted cannot be "
            "taken back by itself; restore the newest backup, then delete that file."
        ) from error
    if name is not None:
        found = [backup for backup in list_backups(home) if backup.name == name]
        if not found:
            raise SaveError(
                f"A change in {printable(home)} was interrupted, and its backup {name} is gone; "
                "check the labels, then delete pending-change.json there."
            )
        restore(found[0], keep_current=False)
    for path in absent:
        _remove(home / path)
    finish_change(home)
    return "A change of many labels was interrupted; all of it was taken back."


def _remove(path: Path) -> None:
    """Remove a file, there or not; raises `SaveError`."""
    try:
        durable.disk.remove(path)
    except FileNotFoundError:
        return
    except OSError as error:
        reason = error.strerror or error
        raise SaveError(f"{printable(path)} could not be removed: {reason}.") from error


__all__ = [
    "PendingChange",
    "begin_change",
    "changing",
    "finish_change",
    "is_under_way",
    "roll_back",
]
