"""Where the corrections of an image live: palette PNGs in a hidden folder beside it.

For `dir/x.jpg` they are `dir/.pspgui/labels/x.png` (class ids, readable by anything) and
`dir/.pspgui/provenance/x.png`. A data set's own labels are never written to. When `x.jpg` and
`x.png` lie in one folder, the first one saved has `x.png` and the other `x.png.png`; each file
says in a text chunk which image it belongs to. Where the folder cannot be written, the same
layout is used below the user's own folder. Labels whose size is not the image's are set aside
in `.pspgui/backups` before they are replaced, and a file that someone else changed since it was
read is not replaced at all unless the caller says so.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from pspgui import durable, places
from pspgui.durable import SaveError, printable, write_durably
from pspgui.imaging import DecodeError, decode_labels, encode_labels, image_size, labels_from_bytes
from pspgui.imaging.label_files import read_texts
from pspgui.labels.provenance import IMPORTED, MODEL, PERSON

FOLDER = ".pspgui"
_SOURCE, _STAMP, _MODELS = "Image", "Labels", "Models"
_NOT_WRITABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT,
    errno.ELOOP,
}  # fmt: skip


class StoreError(ValueError):
    """Stored labels that cannot be used; one sentence. The file is left as it is."""


class ChangedByOthersError(SaveError):
    """A save that was not done because another program changed the label file meanwhile."""

    def __init__(self, image: Path, path: Path) -> None:
        """Say whose file, and that nothing was written."""
        super().__init__(
            f"The labels of {printable(image.name)} were changed by another program in "
            f"{printable(path)}. Nothing was overwritten; yours stay open here and in the stroke "
            "journal until you choose which to keep."
        )
        self.image, self.path = image, path


class StoredLabels(NamedTuple):
    """Labels (H, W) uint8 or uint16 and their provenance (H, W) uint8, both writable.

    `digest` is the SHA-256 of the label file; `models` names models by provenance value.
    """

    labels: np.ndarray
    provenance: np.ndarray
    digest: str = ""
    models: Mapping[int, str] = MappingProxyType({})


class _Seen(NamedTuple):
    """A label file as it was when last read or written here; `digest` is "" for none."""

    size: int
    mtime_ns: int
    digest: str


_ABSENT = _Seen(-1, -1, "")


class LabelStore:
    """Finds, loads and saves the label map of any image.

    Of each file it remembers only how it looked when last read or written.

    An image that has no file of its own is given a name in a folder of the caller's choice.
    Any thread, but one at a time for one image.
    """

    def __init__(self, fallback: Path | None = None) -> None:
        """Use `fallback` where an image's folder cannot be written; default: the user's folder."""
        self._fallback = fallback
        self._seen: dict[Path, _Seen] = {}
        self._lock = threading.Lock()
        self.location_note = ""

    def path_for(self, image: str | Path) -> Path:
        """Return the label file of an image, there or not: where `load` reads, `save` writes.

        The newer one counts where both the image's folder and the fall-back have one.
        """
        image = _absolute(image)
        found = [path for home in self._homes(image) if _exists(path := _own_file(home, image))]
        if found:
            return max(found, key=lambda path: path.stat().st_mtime_ns)
        return _own_file(self._homes(image)[0], image)

    def load(
        self, image: str | Path, shape: tuple[int, int] | None = None
    ) -> StoredLabels | None:
        """Return what was saved for an image, or None.

        `shape` is the image's (H, W); without it the image's header is read. Where provenance is
        missing or belongs to other labels, every pixel counts as imported. Raises `StoreError`
        for a damaged file or one of another size, which is left in place.
        """
        image = _absolute(image)
        path = self.path_for(image)
        if not _exists(path):
            return None
        try:
            expected = image_size(image) if shape is None else shape
        except DecodeError as error:
            raise StoreError(str(error)) from error
        try:
            stored = decode_labels(path)
        except DecodeError as error:
            raise StoreError(
                f"the saved labels {printable(path)} cannot be read: {error.reason}; the file is "
                "kept, and set aside when new labels are saved"
            ) from error
        if stored.labels.shape != tuple(expected):
            sizes = f"{_size(stored.labels.shape)} pixels, the image {_size(expected)}"
            raise StoreError(
                f"the saved labels {printable(path)} have {sizes}; they are kept, and set aside "
                "when new labels are saved"
            )
        self._note(path, image)
        return StoredLabels(stored.labels, _provenance(path, stored.digest, expected))

    def save(
        self, image: str | Path, labels: np.ndarray, provenance: np.ndarray, palette: np.ndarray
    ) -> Path:
        """Save a label map and its provenance durably and return the label file.

        Both arrays are (H, W) and not changed meanwhile; `palette` is (256, 3) uint8. Raises
        `SaveError` with the remedy; what was saved before is then still there.
        """
        if provenance.shape != labels.shape:
            raise ValueError(f"labels {labels.shape}, provenance {provenance.shape}")
        image = _absolute(image)
        beside, fallback = self._homes(image)
        try:
            path = _save_in(beside, image, labels, provenance, palette)
        except SaveError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno not in _NOT_WRITABLE:
                raise
            path = _save_in(fallback, image, labels, provenance, palette)
        self._note(path, image)
        return path

    def _homes(self, image: Path) -> tuple[Path, Path]:
        """Return the folder beside the image and the fall-back for it."""
        return image.parent / FOLDER, home_elsewhere(image.parent, self._fallback)

    def _note(self, path: Path, image: Path) -> None:
        beside = path.is_relative_to(image.parent / FOLDER)
        self.location_note = "" if beside else (
            f"the image's folder cannot be written; its labels are kept in {printable(path.parent)}"
        )  # fmt: skip


def home_elsewhere(folder: Path, base: Path | None = None) -> Path:
    """Return where the labels of a folder's images are kept when it cannot be written.

    `base` is the folder of all such places; default: in the user's own folder.
    """
    key = hashlib.sha256(os.fsencode(_absolute(folder))).hexdigest()[:16]
    return (places.user_folder() / "folders" if base is None else base) / key


def _save_in(
    home: Path, image: Path, labels: np.ndarray, provenance: np.ndarray, palette: np.ndarray
) -> Path:
    """Write labels, then provenance stamped with the digest of those labels."""
    path = _own_file(home, image)
    source = {_SOURCE: owner_text(image.name)}
    content = encode_labels(labels, palette, source)
    _set_aside_misfit(path, labels.shape)
    write_durably(path, content, lambda written: _compare(path, written, labels))
    stamp = {**source, _STAMP: hashlib.sha256(content).hexdigest()}
    marks = encode_labels(provenance, _PROVENANCE_COLOURS, stamp)
    beside = _provenance_file(path)
    write_durably(beside, marks, lambda written: _compare(beside, written, provenance))
    return path


def _compare(path: Path, written: bytes, expected: np.ndarray) -> None:
    """Refuse bytes that do not decode to the array that was meant."""
    if not np.array_equal(labels_from_bytes(path, written).labels, expected):
        raise ValueError("the file decodes to other labels than were saved")


def _own_file(home: Path, image: Path) -> Path:
    """Return the first of the file names an image may use that no other image's labels have."""
    for path in _candidates(home / "labels", image):
        try:
            owner = read_texts(path).get(_SOURCE)
        except DecodeError:
            return path  # not there, or damaged: `load` tells, `save` sets it aside
        if owner is None or owner == owner_text(image.name) or not _is_there(image.parent, owner):
            return path
    raise AssertionError("candidates never end")


def _candidates(folder: Path, image: Path) -> Iterator[Path]:
    yield folder / f"{image.stem}.png"
    yield folder / f"{image.name}.png"
    number = 2
    while True:
        yield folder / f"{image.name}~{number}.png"
        number += 1


def _is_there(folder: Path, owner: str) -> bool:
    """Whether the image that a label file was saved for still exists beside this one."""
    if "\\" not in owner and Path(owner).name == owner:
        return _exists(folder / owner)
    try:
        return any(owner_text(path.name) == owner for path in folder.iterdir())
    except OSError:
        return True


def _exists(path: Path) -> bool:
    """Whether the file is there; one that may not be looked at counts as absent."""
    try:
        return path.exists()
    except OSError:
        return False


def _provenance_file(path: Path) -> Path:
    return path.parent.parent / "provenance" / path.name


def _provenance(path: Path, digest: str, shape: tuple[int, int]) -> np.ndarray:
    """Return the provenance saved with these very labels; imported everywhere if there is none.

    A crash between the two files, or another program's save, leaves a stamp that does not match.
    """
    try:
        marks = decode_labels(_provenance_file(path))
    except DecodeError:
        return np.full(shape, IMPORTED, np.uint8)
    fits = marks.labels.shape == tuple(shape) and marks.labels.dtype == np.uint8
    if not fits or marks.texts.get(_STAMP) != digest:
        return np.full(shape, IMPORTED, np.uint8)
    return marks.labels


def _set_aside_misfit(path: Path, shape: tuple[int, ...]) -> None:
    """Copy labels of another size, or a damaged file, into backups before they are replaced.

    A copy, so that the file is still in its place if the save after it fails.
    """
    if not _exists(path):
        return
    try:
        if image_size(path) == tuple(shape):
            return
    except DecodeError:
        pass
    backup = path.parent.parent / "backups" / f"{path.stem}-{time.time_ns()}.png"
    try:
        write_durably(backup, path.read_bytes())
    except OSError as error:
        raise SaveError(
            f"{printable(path)} holds labels of another size and could not be set aside "
            f"({error.strerror}); move it away, then save again."
        ) from error


def _absolute(image: str | Path) -> Path:
    """Return the path made absolute without following links, which may leave the folder."""
    return Path(os.path.abspath(image))  # noqa: PTH100  (Path.absolute keeps "..")


def owner_text(name: str) -> str:
    """Return an image's name as label files hold it, which is ASCII."""
    return os.fsencode(name).decode("ascii", "backslashreplace")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}"


_PROVENANCE_COLOURS = np.zeros((256, 3), np.uint8)
_PROVENANCE_COLOURS[MODEL] = (90, 90, 90)
_PROVENANCE_COLOURS[PERSON] = (240, 160, 50)
_PROVENANCE_COLOURS[IMPORTED] = (80, 140, 220)
