"""Writing files so that a crash, a full disk or a flipped bit never costs the old version."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

# The mask can only be read by setting it, so it is read once, before there are threads.
_UMASK = os.umask(0o022)
os.umask(_UMASK)


def printable(path: str | bytes | os.PathLike[str]) -> str:
    """Return a path as one line of text that any terminal, log, JSON file or label can show.

    Bytes that are not UTF-8, line breaks and control characters come out as backslash escapes.
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class SaveError(OSError):
    """A save that did not happen; the old file stands, the message says what to do."""


def write_durably(
    path: Path, content: bytes, verify: Callable[[bytes], None] | None = None
) -> None:
    """Write `content` beside `path`, fsync, read it back, compare, and only then replace `path`.

    `verify(bytes_read_back)` may raise `ValueError` to refuse what was written. Any thread.
    Raises `SaveError` naming the file, the reason and the remedy; the old file is then untouched.
    Plain Python I/O on purpose: QSaveFile, cv2 and Pillow were each seen to replace or shorten a
    good file on a full disk.
    """
    path = Path(path)
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A short fixed prefix: the target's own name may already fill the 255 bytes there are.
        handle, name = tempfile.mkstemp(prefix=".saving-", suffix=".part", dir=path.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes a private file; keep the mode of the file replaced, or the usual one.
        part.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_UMASK)
        written = part.read_bytes()
        if written != content:
            raise OSError("what was read back differs from what was written")
        if verify is not None:
            verify(written)
        part.replace(path)
        part = None
        _sync_folder(path.parent)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SaveError(
            f"{printable(path)} was not saved: {reason}. The earlier file is untouched; "
            "free some space or choose another folder, then save again."
        ) from error
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system allows a folder to be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
