"""Fetching published weights on request: beside the target, checked, and only then in its place."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from pspgui.durable import printable
from pspgui.models.catalog import PublishedEntry

Progress = Callable[[int, int], None]

TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 18


class DownloadError(OSError):
    """Weights that were not fetched; one sentence with the address and what to do by hand."""


def fetch(
    entry: PublishedEntry, folder: Path, progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
) -> tuple[Path, bool]:  # fmt: skip
    """Put an entry's file into a folder and return its path, and whether it had to be fetched.

    A file that is there already and has the right hash is kept. The bytes go to a temporary file
    beside the target, which takes its name only when size and hash are right, and is removed
    otherwise, also when `progress(bytes done, bytes in all or 0)` raises to stop. Any thread but
    the GUI's. Raises `DownloadError`; an earlier file is then untouched.
    """
    target = Path(folder) / entry.file
    try:
        if target.is_file() and _hash_of(target).startswith(entry.hash_prefix):
            return target, False
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".fetching-", suffix=".part", dir=target.parent)
    except OSError as error:
        reason = f"{printable(target.parent)} cannot be used ({_reason(error)})"
        raise _failed(entry, target, reason) from error
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            found = _copy(entry.url, file.write, progress, timeout_s)
            file.flush()
            os.fsync(file.fileno())
        if not found.startswith(entry.hash_prefix):
            raise _failed(
                entry, target,
                f"what came has the SHA-256 {found[:12]}… instead of {entry.hash_prefix}… and was "
                "thrown away",
            )  # fmt: skip
        part.chmod(0o644)
        part.replace(target)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, DownloadError):
            raise
        raise _failed(entry, target, _reason(error)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return target, True


def _copy(
    url: str, write: Callable[[bytes], object], progress: Progress | None, timeout_s: float
) -> str:
    """Hand the bytes at an address to `write`; return their SHA-256 in hex.

    Raises `OSError` also where the connection ends before the length that was announced, which
    the library takes for the end of the file.
    """
    digest, done = hashlib.sha256(), 0
    request = urllib.request.Request(url, headers={"User-Agent": "pspgui"})
    with urllib.request.urlopen(request, timeout=timeout_s) as reply:
        total = int(reply.headers.get("Content-Length") or 0)
        while chunk := reply.read(_CHUNK_BYTES):
            write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    if done < total:
        raise OSError(f"the connection dropped after {done / 1e6:.1f} of {total / 1e6:.1f} MB")
    return digest.hexdigest()


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _failed(entry: PublishedEntry, target: Path, reason: str) -> DownloadError:
    return DownloadError(
        f"{entry.name} was not fetched: {reason}; try again, or download {entry.url} by hand and "
        f"save it as {printable(target)}"
    )


def _reason(error: Exception) -> str:
    """Return why a download failed, in words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        inner = error.reason
        words = getattr(inner, "strerror", None) or inner
        return f"the server cannot be reached ({words}), perhaps because this machine is off-line"
    if isinstance(error, TimeoutError):
        return "the server stopped answering"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
