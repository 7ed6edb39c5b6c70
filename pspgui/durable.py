"""Writing files so that a crash, a full disk or a flipped bit never costs the old version."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

# The mask can only be read by setting it, so it is read once, before there are threads.
_UMASK = os.umask(0o022)
os.umask(_UMASK)

RESERVE_NAME: Final = ".reserve"
RESERVE_BYTES: Final = 4 << 20
# Below this a disk counts as full, and no reserve is set aside on it.
_ROOMY_BYTES: Final = 16 * RESERVE_BYTES
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_SHORT: Final = FULL | {errno.EFBIG}


def printable(path: str | bytes | os.PathLike[str]) -> str:
    """Return a path as one line of text that any terminal, log, JSON file or label can show.

    Bytes that are not UTF-8, line breaks and control characters come out as backslash escapes.
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class SaveError(OSError):
    """A save that did not happen; the old file stands, the message says what to do."""


class Disk:
    """Every call by which labels and journals change what is on a disk.

    They are in one place so that a test can make any of them fail, or write them all down to
    replay a power cut. All raise `OSError`.
    """

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it."""
        folder.mkdir(parents=True, exist_ok=True)

    def open_beside(self, path: Path) -> tuple[int, Path]:
        """Make a new file in the folder of `path`; return its descriptor and path."""
        # A short fixed prefix: the target's own name may already fill the 255 bytes there are.
        handle, name = tempfile.mkstemp(prefix=".saving-", suffix=".part", dir=path.parent)
        return handle, Path(name)

    def open_append(self, path: Path) -> int:
        """Open a file that is there, to write at its end."""
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        return os.open(path, flags | getattr(os, "O_BINARY", 0))

    def write(self, handle: int, content: bytes | memoryview) -> int:
        """Write some of `content` and return how many bytes that was."""
        return os.write(handle, content)

    def sync(self, handle: int) -> None:
        """Wait until what was written is on the medium."""
        os.fsync(handle)

    def truncate(self, handle: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(handle, size)

    def chmod(self, path: Path, mode: int) -> None:
        """Set who may read and write."""
        path.chmod(mode)

    def close(self, handle: int) -> None:
        """Close a descriptor."""
        os.close(handle)

    def read(self, path: Path) -> bytes:
        """Return what a file holds."""
        return path.read_bytes()

    def replace(self, part: Path, path: Path) -> None:
        """Give a file another's name, whole or not at all."""
        os.replace(part, path)  # noqa: PTH105 - by its plain name, which tests stand in for

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def sync_folder(self, folder: Path) -> None:
        """Make what was renamed in a folder durable, where the system allows it to be synced."""
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


disk = Disk()


def write_durably(
    path: Path, content: bytes, verify: Callable[[bytes], None] | None = None
) -> None:
    """Write `content` beside `path`, fsync, read it back, compare, and only then replace `path`.

    `verify(bytes_read_back)` may raise `ValueError` to refuse what was written. On a full disk
    the reserve of the folder (see `keep_reserve`) is let go and the write tried once more. Any
    thread. Raises `SaveError` naming the file, the reason and the remedy; the old file is then
    untouched. Plain Python I/O on purpose: QSaveFile, cv2 and Pillow were each seen to replace or
    shorten a good file on a full disk.
    """

    def check(part: Path) -> None:
        written = disk.read(part)
        if written != content:
            raise OSError("what was read back differs from what was written")
        if verify is not None:
            verify(written)

    _replace_by(Path(path), lambda: (content,), check)


def write_durably_in_parts(path: Path, parts: Callable[[], Iterable[bytes]]) -> None:
    """Write what `parts()` yields as `write_durably` does, holding one part in memory at a time.

    `parts` is called again for a second try. What was written is compared by its SHA-256.
    """
    digest = hashlib.sha256()

    def counted() -> Iterable[bytes]:
        nonlocal digest
        digest = hashlib.sha256()
        for part in parts():
            digest.update(part)
            yield part

    def check(part: Path) -> None:
        with part.open("rb") as file:
            if hashlib.file_digest(file, "sha256").digest() != digest.digest():
                raise OSError("what was read back differs from what was written")

    _replace_by(Path(path), counted, check)


def append_durably(path: Path, content: bytes, at: int | None = None) -> None:
    """Add `content` to the end of a file and fsync; `at` cuts the file to that size first.

    The file must be there, and `at` bytes long at least. After a failure it is cut back to the
    size it had, so that no half of `content` is left, if the disk allows that much. On a full
    disk the reserve is let go, as in `write_durably`. Any thread. Raises `OSError`.
    """
    try:
        _append(path, content, at)
    except OSError as error:
        if error.errno not in FULL or not release_reserve(path):
            raise
        _append(path, content, at)


def _append(path: Path, content: bytes, at: int | None) -> None:
    handle = disk.open_append(path)
    try:
        size = os.fstat(handle).st_size
        if at is not None and size != at:
            if size < at:
                raise OSError(errno.ESTALE, "the file has become shorter")
            disk.truncate(handle, at)
            size = at
        try:
            _write_all(handle, content)
            disk.sync(handle)
        except OSError:
            with contextlib.suppress(OSError):
                disk.truncate(handle, size)
            raise
    finally:
        disk.close(handle)


def keep_reserve(folder: Path) -> None:
    """Set a few MB aside in a folder, to be let go when the disk is full. Any thread.

    Nothing happens where the reserve is there already, or where the disk is nearly full. Never
    raises: a reserve is a help, not a promise.
    """
    path = folder / RESERVE_NAME
    with contextlib.suppress(OSError, SaveError):
        if path.exists() or shutil.disk_usage(folder).free < _ROOMY_BYTES:
            return
        write_durably(path, os.urandom(RESERVE_BYTES))  # zeros would be no bytes to some systems


def release_reserve(path: Path) -> bool:
    """Let the reserve go that is kept for `path`, in its folder or up to two above; True if so."""
    for folder in list(path.parents)[:3]:
        try:
            disk.remove(folder / RESERVE_NAME)
        except OSError:
            continue
        return True
    return False


def cause_of(error: OSError) -> OSError:
    """Return the system's own error behind a `SaveError`, or the error itself."""
    cause = error.__cause__
    return cause if isinstance(error, SaveError) and isinstance(cause, OSError) else error


def sweep(folder: Path, older_than_s: float = 3600.0) -> None:
    """Remove what a killed process left half-written in a folder. Any thread; never raises."""
    with contextlib.suppress(OSError), os.scandir(folder) as listing:
        for entry in listing:
            if entry.name.startswith(".saving-") and entry.name.endswith(".part"):
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime < time.time() - older_than_s:
                        disk.remove(Path(entry.path))


def why(error: Exception, path: Path) -> str:
    """Return the reason of a failed save in a few words, with the free space where it is short."""
    if isinstance(error, OSError):
        error = cause_of(error)
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    if error.errno not in _SHORT:
        return error.strerror
    for folder in path.parents:
        with contextlib.suppress(OSError):
            return f"{error.strerror} ({shutil.disk_usage(folder).free / 1e6:,.1f} MB free)"
    return error.strerror


def _replace_by(
    path: Path, parts: Callable[[], Iterable[bytes]], check: Callable[[Path], None]
) -> None:
    """Write, check and replace; once more without the reserve if the disk is full."""
    try:
        try:
            _replace_once(path, parts(), check)
        except OSError as error:
            if error.errno not in FULL or not release_reserve(path):
                raise
            _replace_once(path, parts(), check)
    except (OSError, ValueError) as error:
        raise SaveError(
            f"{printable(path)} was not saved: {why(error, path)}. The earlier file is untouched; "
            "free some space or choose another folder, then save again."
        ) from error


def _replace_once(path: Path, parts: Iterable[bytes], check: Callable[[Path], None]) -> None:
    part: Path | None = None
    try:
        disk.make_folder(path.parent)
        handle, part = disk.open_beside(path)
        try:
            for content in parts:
                _write_all(handle, content)
            disk.sync(handle)
        finally:
            disk.close(handle)
        # mkstemp makes a private file; keep the mode of the file replaced, or the usual one.
        disk.chmod(part, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_UMASK)
        check(part)
        disk.replace(part, path)
        part = None
        disk.sync_folder(path.parent)
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()


def _write_all(handle: int, content: bytes) -> None:
    """Write every byte: a system may take fewer than it is given."""
    left = memoryview(content)
    while left:
        taken = disk.write(handle, left)
        if taken <= 0:
            raise OSError(errno.EIO, "the disk took nothing")
        left = left[taken:]
