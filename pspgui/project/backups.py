"""Copies of files as they were before something large changed them, and putting them back.

A backup is a folder `backups/<when>-<reason>` with the files and `manifest.json`, which names each
file, its size and its digest, and files that were not there. Single label files that did not fit
their image any more lie beside them, set aside by the label store; they are listed too, and never
thinned out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pspgui.durable import SaveError, printable, write_durably

REASONS: Final = (
    "import", "relabel", "class-delete", "migration", "batch-apply", "misfit", "restore", "repair",
    "rename",
)  # fmt: skip
MANIFEST: Final = "manifest.json"
_FOLDER: Final = "backups"
_DAY_S: Final = 86_400
_MONTH_S: Final = 30 * _DAY_S
_NEVER_THINNED: Final = frozenset({"misfit", "repair", "rename"})
_NAME: Final = re.compile(r"(\d{8}T\d{6})\.(\d{9})Z-(.+)")
_SET_ASIDE: Final = re.compile(r"(.+?)(?:-mine|-theirs)?-(\d{18,20})\.png")
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Backup:
    """One backup: its folder (or the one file set aside), why and when (seconds since 1970).

    `files` are (path relative to the project's home, size in bytes, SHA-256); `absent` paths of
    files that were not there and were about to be made, as far as that was noted.
    """

    home: Path
    folder: Path
    reason: str
    made_at: float
    files: tuple[tuple[str, int, str], ...]
    absent: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What tells it apart from the others of its project."""
        return self.folder.name

    def stored(self, file: Path) -> Path | None:
        """Return where the copy of a file is; None if it is not in this backup."""
        with contextlib.suppress(ValueError):
            below = str(file.relative_to(self.home))
            if any(below == name for name, _, _ in self.files):
                return _stored(self, below)
        return None

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(size for _, size, _ in self.files)


def back_up(home: Path, reason: str, files: Iterable[Path], absent: Iterable[Path] = ()) -> Backup:
    """Copy files below `home`, each read back; files that are not there are left out.

    `absent` are files below `home` that are not there and about to be made; that much is noted.
    The copies are on disk when this returns. Raises `ValueError` for a reason that is none of
    REASONS or a file elsewhere, `SaveError` when the disk refuses; nothing is then left behind.
    """
    if reason not in REASONS:
        raise ValueError(f"{reason!r} is no reason for a backup; there are {', '.join(REASONS)}")
    home = Path(home)
    now_ns = time.time_ns()
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_ns // 10**9))
    name = f"{stamp}.{now_ns % 10**9:09d}Z-{reason}"
    making = home / _FOLDER / f".making-{name}.part"
    copied: list[tuple[str, int, str]] = []
    try:
        making.mkdir(parents=True)
        for file in files:
            below = Path(file).relative_to(home)
            with contextlib.suppress(FileNotFoundError):
                copied.append((str(below), *_copy(home / below, making / "files" / below)))
        missing = [str(Path(file).relative_to(home)) for file in absent]
        told = {"reason": reason, "made_at": now_ns / 10**9, "files": copied, "absent": missing}
        _write_manifest(making, told)
        folder = home / _FOLDER / name
        making.rename(folder)
    except OSError as error:
        shutil.rmtree(making, ignore_errors=True)
        raise SaveError(
            f"No backup could be made in {printable(home / _FOLDER)}: {error.strerror or error}. "
            "Nothing was changed; free some space and try again."
        ) from error
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    return Backup(home, folder, reason, now_ns / 10**9, tuple(copied), tuple(missing))


def list_backups(home: Path) -> list[Backup]:
    """Return the backups of a project, oldest first; damaged ones are left out."""
    found = []
    try:
        entries = sorted((home / _FOLDER).iterdir())
    except OSError:
        return []
    for entry in entries:
        with contextlib.suppress(ValueError, OSError):
            found.append(_read(home, entry))
    return sorted(found, key=lambda backup: backup.made_at)


def fault_of(backup: Backup) -> str:
    """Return what is wrong with a backup, one clause; "" when every file is as it was."""
    for below, size, digest in backup.files:
        file = _stored(backup, below)
        try:
            if file.stat().st_size != size or _digest(file) != digest:
                return f"{printable(below)} is damaged"
        except OSError as error:
            return f"{printable(below)} cannot be read ({error.strerror or error})"
    return ""


def restore(backup: Backup, keep_current: bool = True) -> Backup | None:
    """Put the files of a backup back where they were, byte for byte.

    What they replace is backed up first (reason "restore") and returned; None if there was
    nothing, or it is not to be kept, being half a change. Raises `SaveError` for a damaged backup
    or a disk that refuses; each file is then either as it was or restored.
    """
    fault = fault_of(backup)
    if fault:
        raise SaveError(f"The backup {backup.name} was not restored: {fault}. Nothing was changed.")
    targets = [backup.home / below for below, _, _ in backup.files]
    there = [target for target in targets if keep_current and target.is_file()]
    before = back_up(backup.home, "restore", there) if there else None
    for (below, _, _), target in zip(backup.files, targets, strict=True):
        write_durably(target, _stored(backup, below).read_bytes())
    return before


def thin(home: Path, now: float) -> list[str]:
    """Delete backups by age and return their names.

    All of the last day stay, then of each reason the newest of a day for a month, after that the
    newest of a week. Labels that were set aside stay for good.
    """
    kept: set[tuple[str, str, int]] = set()
    deleted = []
    for backup in reversed(list_backups(home)):
        age_s = now - backup.made_at
        if age_s < _DAY_S or backup.reason in _NEVER_THINNED:
            continue
        unit = "day" if age_s < _MONTH_S else "week"
        period = int(backup.made_at // (_DAY_S if unit == "day" else 7 * _DAY_S))
        key = (backup.reason, unit, period)
        if key in kept:
            shutil.rmtree(backup.folder, ignore_errors=True)
            deleted.append(backup.name)
        kept.add(key)
    return deleted


def is_backup_name(name: str) -> bool:
    """Whether an entry of the folder of backups is named as a backup."""
    return _NAME.fullmatch(name) is not None


# -- inside -----------------------------------------------------------------------------------


def _copy(source: Path, target: Path) -> tuple[int, str]:
    """Copy a file durably and return its size and digest; raises `OSError`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as old, target.open("xb") as new:
        while chunk := old.read(_CHUNK):
            digest.update(chunk)
            new.write(chunk)
        new.flush()
        os.fsync(new.fileno())
    if _digest(target) != digest.hexdigest():
        raise OSError(f"{printable(target)} was read back with other content")
    return target.stat().st_size, digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(folder: Path, told: dict[str, Any]) -> None:
    body = json.dumps(told, sort_keys=True)
    told["digest"] = hashlib.sha256(body.encode("ascii")).hexdigest()
    write_durably(folder / MANIFEST, json.dumps(told, sort_keys=True, indent=1).encode("ascii"))


def _read(home: Path, entry: Path) -> Backup:
    """Return the backup of an entry of the folder; raises `ValueError` or `OSError`."""
    if entry.is_file():
        return _set_aside(home, entry)
    if _NAME.fullmatch(entry.name) is None:
        raise ValueError(f"{printable(entry)} is no backup")
    told: Any = json.loads((entry / MANIFEST).read_bytes())
    try:
        digest = told.pop("digest")
        body = json.dumps(told, sort_keys=True)
        if hashlib.sha256(body.encode("ascii")).hexdigest() != digest:
            raise ValueError(f"{printable(entry / MANIFEST)} is damaged")
        files = tuple((str(b), int(s), str(d)) for b, s, d in told["files"])
        reason, made_at = str(told["reason"]), float(told["made_at"])
        absent = tuple(str(below) for below in told.get("absent", ()))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{printable(entry / MANIFEST)} is damaged") from error
    named = [Path(below) for below in (*absent, *(below for below, _, _ in files))]
    if any(below.is_absolute() or ".." in below.parts for below in named):
        raise ValueError(f"{printable(entry / MANIFEST)} names files elsewhere")
    return Backup(home, entry, reason, made_at, files, absent)


def _set_aside(home: Path, entry: Path) -> Backup:
    """Return a single label file that was set aside as a backup of its own."""
    match = _SET_ASIDE.fullmatch(entry.name)
    if match is None:
        raise ValueError(f"{printable(entry)} is no backup")
    made_ns, below = int(match[2]), f"labels/{match[1]}.png"
    files = ((below, entry.stat().st_size, _digest(entry)),)
    return Backup(home, entry, "misfit", made_ns / 10**9, files)


def _stored(backup: Backup, below: str) -> Path:
    return backup.folder if backup.folder.is_file() else backup.folder / "files" / below


__all__ = ["REASONS", "Backup", "back_up", "fault_of", "list_backups", "restore", "thin"]
