"""Unpacking zip and tar files of unknown origin: nothing leaves the folder, nothing grows beyond.

An entry whose name or kind is not plain is refused, never repaired: `..`, absolute paths,
backslashes, drives, NUL, links, devices, and names that occur twice. Entries, bytes as declared
and as counted while unpacking, and their ratio to the file are capped. All goes into a fresh
folder, which gets its name when everything is there.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pspgui.durable import printable
from pspgui.formats.errors import FormatError, plain

_CHUNK = 1 << 20
_HEADER_MOST = 1 << 20  # of one read of tar's own headers, which declare their size
_DRIVE = re.compile(r"[A-Za-z]:")
_PACKED = (
    (b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open),
)  # fmt: skip

Check = Callable[[], None]


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may unpack to: entries, bytes, and bytes for each byte of the file.

    The ratio counts from `free_bytes` on: small files of zeros pack well and do no harm.
    """

    entries: int = 1_000_000
    bytes: int = 200 << 30
    ratio: float = 200.0
    free_bytes: int = 64 << 20


def is_archive(path: Path) -> bool:
    """Whether a regular file looks like a zip or a tar, packed or not; never raises."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return False
    packed = any(head.startswith(mark) for mark, _ in _PACKED)
    return head.startswith(b"PK\x03\x04") or packed or head[257:262] == b"ustar"


def unpack(
    path: Path, destination: Path, limits: ArchiveLimits | None = None, check: Check | None = None
) -> Path:
    """Unpack an archive into `destination`, which must not be there yet, and return it.

    `check` is called now and then and may raise to stop. Raises `FormatError` naming the archive
    and the entry; nothing is then left behind. Any thread but the GUI's.
    """
    if destination.exists():
        raise FormatError(f"{printable(destination)}: this is there already; choose a new folder")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=destination.parent))
    except OSError as error:
        raise FormatError(
            f"{printable(destination)}: no folder can be made here ({error.strerror or error})"
        ) from error
    try:
        _Unpacking(path, making, limits or ArchiveLimits(), check or _go_on).run()
        making.rename(destination)
    except FormatError as error:
        raise FormatError(f"{printable(path)}: {error}") from error
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError,
            NotImplementedError, ValueError, OverflowError) as error:  # fmt: skip
        reason = f"{printable(path)}: the archive is damaged or of a kind that is not read"
        raise FormatError(f"{reason} ({plain(error)}); pack it again as zip") from error
    except RuntimeError as error:  # zipfile's word for a password
        raise FormatError(f"{printable(path)}: it is locked by a password") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise FormatError(f"{printable(path)}: it could not be unpacked ({reason})") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return destination


@dataclass
class _Unpacking:
    """One archive being unpacked; raises `FormatError` without the archive's name."""

    path: Path
    root: Path
    limits: ArchiveLimits
    check: Check
    entries: int = 0
    declared: int = 0
    counted: int = 0
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._packed_bytes = max(1, self.path.stat().st_size)
        self._room = shutil.disk_usage(self.root).free

    def run(self) -> None:
        """Unpack everything."""
        with self.path.open("rb") as file:
            head = file.read(512)
        if head.startswith(b"PK"):
            self._zip()
            return
        opener = next((open_ for mark, open_ in _PACKED if head.startswith(mark)), None)
        if opener is None:
            with self.path.open("rb") as plain:
                self._tar(plain)
            return
        with opener(self.path, "rb") as unpacked:
            self._tar(unpacked)

    # -- zip ----------------------------------------------------------------------------------

    def _zip(self) -> None:
        with zipfile.ZipFile(self.path) as archive:
            members = archive.infolist()
            for member in members:
                mode = member.external_attr >> 16
                plain = stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR)
                # orig_filename: zipfile itself cuts names at a NUL.
                self._admit(member.orig_filename, member.file_size, plain)
            self.check()
            for member in members:
                target = self.root / member.orig_filename
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                with archive.open(member) as source:
                    self._write(source, target, member.orig_filename)

    # -- tar ----------------------------------------------------------------------------------

    def _tar(self, stream: Any) -> None:
        guarded = _Guarded(stream, self)
        with tarfile.open(fileobj=guarded, mode="r:") as archive:  # type: ignore[call-overload]
            for member in _members(archive):
                plain = (member.isreg() or member.isdir()) and not member.issparse()
                self._admit(member.name, member.size, plain)
                target = self.root / member.name
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                source = archive.extractfile(member)
                assert source is not None
                self._write(source, target, member.name)

    # -- rules --------------------------------------------------------------------------------

    def _admit(self, name: str, size: int, plain: bool) -> None:
        """Refuse an entry by what it declares."""
        shown = printable(name)[:120]
        self.entries += 1
        self.declared += max(size, 0)
        reason = refusal(name)
        if reason:
            raise FormatError(f"the entry {shown!r} {reason}; nothing was unpacked")
        if not plain:
            raise FormatError(f"the entry {shown!r} is a link or device; nothing was unpacked")
        if size < 0:
            raise FormatError(f"the entry {shown!r} has a size below 0")
        if self.entries > self.limits.entries:
            raise FormatError(f"it has more than {self.limits.entries:,} entries")
        if self.declared > self.limits.bytes:
            raise FormatError(f"unpacked it would have more than {_size(self.limits.bytes)}")
        if self.declared > self._room:
            raise FormatError(f"unpacked it needs more than the {_size(self._room)} that are free")
        self._compare(self.declared)
        key = str(PurePosixPath(name))
        if key in self.seen:
            raise FormatError(f"the entry {shown!r} occurs twice; nothing was unpacked")
        self.seen.add(key)

    def count(self, bytes_: int) -> None:
        """Count what was really unpacked; raises where it is too much."""
        self.counted += bytes_
        if self.counted > self.limits.bytes:
            raise FormatError(f"it unpacks to more than {_size(self.limits.bytes)}")
        self._compare(self.counted)

    def _compare(self, unpacked: int) -> None:
        if unpacked > self.limits.free_bytes and unpacked > self.limits.ratio * self._packed_bytes:
            raise FormatError(
                f"it unpacks to more than {self.limits.ratio:g} times its size, as archives that "
                "are made to fill the disk do"
            )

    def _write(self, source: IO[bytes], target: Path, name: str) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                while chunk := source.read(_CHUNK):
                    self.check()
                    self.count(len(chunk))
                    file.write(chunk)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise FormatError(
                f"the entry {printable(name)!r} is both a file and a folder"
            ) from error


class _Guarded:
    """A tar stream that gives no more than is allowed, whatever the headers in it ask for."""

    def __init__(self, stream: Any, unpacking: _Unpacking) -> None:
        self._stream, self._unpacking = stream, unpacking
        self._furthest = 0

    def read(self, size: int = -1) -> bytes:
        """Return some bytes; raises `FormatError` for a header of an absurd size."""
        if size < 0 or size > _HEADER_MOST:
            raise FormatError("a header in it declares an absurd size")
        found: bytes = self._stream.read(size)
        self._note(self._stream.tell())
        return found

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place; what is passed over counts."""
        if whence == 0 and place - self._furthest > self._unpacking.limits.bytes:
            raise FormatError("a header in it declares an absurd size")
        reached: int = self._stream.seek(place, whence)
        self._note(reached)
        return reached

    def tell(self) -> int:
        """Return the place."""
        place: int = self._stream.tell()
        return place

    def _note(self, place: int) -> None:
        self._furthest = max(self._furthest, place)
        self._unpacking._compare(self._furthest)


def refusal(name: str) -> str:
    """Return why an entry of this name is refused, "" for a plain relative path."""
    if not name or not name.strip("/"):
        return "has no name"
    if "\0" in name:
        return "has a zero byte in its name"
    if "\\" in name:
        return "has a backslash in its name"
    if name.startswith("/"):
        return "has an absolute path"
    if _DRIVE.match(name):
        return "names a drive"
    if ".." in name.split("/"):
        return "leads out of the folder by .."
    return ""


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the entries one by one; tarfile would otherwise keep all of them."""
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]
        yield member


def _go_on() -> None:
    return


def _size(bytes_: int) -> str:
    return f"{bytes_ / 1e9:.1f} GB"
