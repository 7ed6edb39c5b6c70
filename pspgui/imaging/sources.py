"""Reading a file's bytes once, and saying plainly what is wrong when it is no image."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pspgui.durable import printable

MAX_BYTES = 2 << 30

# What files that are not images start with, and what to tell the person who opened one.
_STRANGERS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs.github.com",
        "this is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`",
    ),
    (b"%PDF", "this is a PDF document, not an image; save the page as PNG first"),
    (b"%!PS", "this is a PostScript drawing, not an image; save it as PNG first"),
    (b"8BPS", "Photoshop files are not read; save it as PNG or TIFF first"),
    (b"\x80\x02", "this is a Python pickle, not an image"),
    (b"PK\x03\x04", "this is a ZIP archive (model weights, perhaps), not an image"),
    (b"\x7fELF", "this is a program, not an image"),
)

# How the formats that are read start; with a header that makes no sense they end up here too.
_BROKEN: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"RIFF", "WebP"),
    (b"BM", "BMP"),
)


class DecodeError(ValueError):
    """A file that cannot be used; the message is one sentence, `<file name>: <reason>`."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        """Keep the path and the reason apart for callers that show them apart."""
        self.path = Path(path)
        self.reason = reason
        super().__init__(f"{printable(self.path.name or path)}: {reason}")


def read_file(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> bytes:
    """Return the bytes of a regular file, read once.

    A FIFO does not block and a device is not read: the file is opened non-blocking and judged
    by what was opened, so it cannot be swapped in between. Any thread. Raises `DecodeError`.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise DecodeError(
                    path,
                    f"the file has {size / 1e6:.0f} MB, more than the "
                    f"{max_bytes / 1e6:.0f} MB that are read",
                )
            content = file.read(max_bytes + 1)
    except (OSError, MemoryError) as error:
        raise DecodeError(path, f"reading failed ({error})") from error
    if not content:
        raise DecodeError(path, "the file is empty (0 bytes)")
    if len(content) > max_bytes:
        raise DecodeError(path, "the file grew past the size limit while it was read")
    return content


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a regular file for reading, never blocking on what is none. Raises `DecodeError`."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise DecodeError(path, _why_not_opened(path, error)) from error
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise DecodeError(path, f"this is {_kind(mode)}, not a file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(handle)


def describe_stranger(content: bytes) -> str:
    """Return why these bytes are no image that is read here, as the reason of a `DecodeError`."""
    for start, reason in _STRANGERS:
        if content.startswith(start):
            return reason
    for start, name in _BROKEN:
        if content.startswith(start) and not _is_text(content[:512]):
            return f"a {name} whose header is truncated, damaged or of a kind that is not read"
    if content[4:8] == b"ftyp":
        return "HEIC, AVIF and video files are not read; save it as PNG or JPEG first"
    if not content.strip(b"\0"):
        return "the file holds nothing but zero bytes; copy or download it again"
    head = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml")) and b"<svg" in content[:4096].lower():
        return "this is an SVG drawing, not an image of pixels; save it as PNG first"
    if head.startswith((b"<!doctype html", b"<html", b"<head")):
        return "this is a web page, not an image; the download probably failed"
    if _is_text(content[:4096]):
        return "this is a text file, not an image"
    return "not an image that can be read (PNG, JPEG, TIFF, BMP, WebP, GIF, PNM), or damaged"


def _is_text(head: bytes) -> bool:
    """Whether bytes read as UTF-8 text without control characters; a cut last letter is fine."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(c.isprintable() or c in "\t\r\n\f" for c in text)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe (FIFO)"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"


def _why_not_opened(path: str | os.PathLike[str], error: OSError | ValueError) -> str:
    """Say why a file could not be opened, without an errno."""
    if isinstance(error, ValueError):
        return "the name holds a zero byte"
    if error.errno == errno.ENOENT:
        dangling = Path(path).is_symlink()
        return "the link leads to a file that is gone" if dangling else "there is no such file"
    reasons = {
        errno.ENOTDIR: "there is no such file",
        errno.ELOOP: "its symbolic links lead in a circle",
        errno.EACCES: "you may not read it (permission denied)",
        errno.EPERM: "you may not read it (permission denied)",
        errno.ENAMETOOLONG: "the name is too long",
        errno.EISDIR: "this is a folder, not a file",
        errno.ENXIO: "this is a socket or device, not a file",
    }
    known = reasons.get(error.errno or 0)
    return known or f"it cannot be opened ({error.strerror or error})"
