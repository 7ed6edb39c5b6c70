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
from pspgui.imaging import (
    MAX_PIXELS,
    DecodeError,
    decode_labels,
    encode_labels,
    image_size,
    labels_from_bytes,
)
from pspgui.imaging.label_files import read_texts, same_values
from pspgui.imaging.scratch import full_map
from pspgui.labels.provenance import IMPORTED
from pspgui.labels.provenance import palette as provenance_palette
from pspgui.project.label_owners import SOURCE, owner_of

FOLDER = ".pspgui"
_STAMP, _MODELS, _MARKED = "Labels", "Models", "Provenance"
_LONGEST_NAME = 245  # bytes; file systems allow 255
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

    def homes(self, image: str | Path) -> tuple[Path, ...]:
        """Return the `.pspgui` folders that may keep an image's work, the best one first."""
        image = _absolute(image)
        beside, fallback = self._homes(image)
        # A folder that vanished (a stick pulled out) is not made anew where it was mounted.
        return (beside, fallback) if _exists(image.parent) else (fallback,)

    def load(
        self, image: str | Path, shape: tuple[int, int] | None = None, to_edit: bool = False
    ) -> StoredLabels | None:
        """Return what was saved for an image, or None.

        `shape` is the image's (H, W); without it the image's header is read. Where provenance is
        missing or belongs to other labels, every pixel counts as imported. `to_edit` tells that
        what is saved later comes of this: a file that changed in between is then not replaced.
        Raises `StoreError` for a damaged file or one of another size, which is left in place.
        """
        image = _absolute(image)
        path = self.path_for(image)
        if to_edit:
            self._remember(path)
        if not _exists(path):
            return None
        try:
            expected = image_size(image) if shape is None else shape
        except DecodeError as error:
            raise StoreError(str(error)) from error
        try:
            stored = decode_labels(path, _most_pixels(expected))
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
        marks, models = _provenance(path, stored.digest, expected)
        return StoredLabels(stored.labels, marks, stored.digest, models)

    def save(
        self,
        image: str | Path,
        labels: np.ndarray,
        provenance: np.ndarray,
        palette: np.ndarray,
        models: Mapping[int, str] = MappingProxyType({}),
        announce: Callable[[str], object] | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Save a label map and its provenance durably and return the label file.

        Both arrays are (H, W) and not changed meanwhile; `palette` is (256, 3) uint8, `models`
        names models by provenance value. `announce(SHA-256)` is called when the new file is about
        to replace the old one. Raises `SaveError` with the remedy; what was saved before is then
        still there. Raises `ChangedByOthersError` when the file is not as it was read or written
        here last; with `overwrite` it is copied to the backups instead, and replaced.
        """
        if provenance.shape != labels.shape:
            raise ValueError(f"labels {labels.shape}, provenance {provenance.shape}")
        image = _absolute(image)
        homes = self.homes(image)
        work = _Work(image, labels, provenance, palette, models, announce, overwrite)
        for number, home in enumerate(homes):
            try:
                path = self._save_in(home, work)
                break
            except SaveError as error:
                cause = durable.cause_of(error).errno
                if cause not in _NOT_WRITABLE or number + 1 == len(homes):
                    raise
        self._note(path, image)
        return path

    def save_copy(
        self, image: str | Path, labels: np.ndarray, palette: np.ndarray, target: Path | None = None
    ) -> Path:
        """Write labels (H, W) to a file of their own and return it; by default in the backups.

        Raises `SaveError`.
        """
        image = _absolute(image)
        if target is None:
            name = f"{image.stem[:60]}-mine-{time.time_ns()}.png"
            target = self.homes(image)[0] / "backups" / name
        content = encode_labels(labels, palette, {SOURCE: owner_text(image.name)})
        write_durably(target, content, lambda written: _compare(target, written, labels))
        return target

    def _save_in(self, home: Path, work: _Work) -> Path:
        """Write provenance stamped with the digest of the labels, then the labels themselves.

        The provenance of the earlier labels is replaced last: whenever the power goes, the labels
        there have the provenance that belongs to them.
        """
        path = _own_file(home, work.image)
        source = {SOURCE: owner_text(work.image.name)}
        # Named in the labels, so that files of equal labels differ where their provenance does.
        marked = hashlib.sha256(np.ascontiguousarray(work.provenance).data).hexdigest()
        content = encode_labels(work.labels, work.palette, {**source, _MARKED: marked})
        digest = hashlib.sha256(content).hexdigest()
        self._check_unchanged(work, path)
        _set_aside_misfit(path, work.labels.shape)
        names = {_MODELS: json.dumps(dict(work.models))} if work.models else {}
        marks = encode_labels(
            work.provenance, provenance_palette(), {**source, _STAMP: digest, **names}
        )
        waiting, beside = _next_provenance(path), _provenance_file(path)
        _put_in_place(path, waiting, beside)
        write_durably(waiting, marks, lambda written: _compare(waiting, written, work.provenance))
        if work.announce is not None:
            work.announce(digest)
        if not work.overwrite:
            self._check_unchanged(work, path)  # again: all this may have taken seconds
        try:
            write_durably(path, content, lambda written: _compare(path, written, work.labels))
        finally:  # one that failed may have done so after it replaced the file
            if _look_at(path).digest == digest:
                self._remember(path, digest)
        with contextlib.suppress(OSError):  # where it waits it is found, too
            durable.disk.make_folder(beside.parent)
            durable.disk.replace(waiting, beside)
            durable.disk.sync_folder(beside.parent)
        return path

    def _remember(self, path: Path, digest: str | None = None) -> None:
        """Note how a label file looks; its SHA-256 is computed where it is not known."""
        seen = _look_at(path, digest)
        with self._lock:
            self._seen[path] = seen

    def _check_unchanged(self, work: _Work, path: Path) -> None:
        """Refuse to replace a file that is not the one last read or written here."""
        with self._lock:
            seen = self._seen.get(path)
        if seen is None:
            return
        now = _look_at(path, seen=seen)
        if now.digest in (seen.digest, "") or not _fits(path, work.labels.shape):
            return  # gone, so that nothing is overwritten; or set aside before it is
        if not work.overwrite:
            raise ChangedByOthersError(work.image, path)
        backup = path.parent.parent / "backups" / f"{path.stem[:60]}-theirs-{time.time_ns()}.png"
        write_durably(backup, durable.disk.read(path))

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


class _Work(NamedTuple):
    """What one call of `save` was given."""

    image: Path
    labels: np.ndarray
    provenance: np.ndarray
    palette: np.ndarray
    models: Mapping[int, str]
    announce: Callable[[str], object] | None
    overwrite: bool


def _look_at(path: Path, digest: str | None = None, seen: _Seen = _ABSENT) -> _Seen:
    """Return how a file looks now; its bytes are read only where nothing else tells."""
    try:
        status = path.stat()
        size, mtime_ns = status.st_size, status.st_mtime_ns
        if (size, mtime_ns) == (seen.size, seen.mtime_ns):
            return seen
        if digest is None:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return _ABSENT
    return _Seen(size, mtime_ns, digest)


def _compare(path: Path, written: bytes, expected: np.ndarray) -> None:
    """Refuse bytes that do not decode to the array that was meant."""
    decoded = labels_from_bytes(path, written, _most_pixels(expected.shape))
    if not same_values(decoded.labels, expected):
        raise ValueError("the file decodes to other labels than were saved")


def label_file_in(home: Path, image: Path) -> Path:
    """Return the label file of an image in one `.pspgui` folder, there or not."""
    return _own_file(home, image)


def _own_file(home: Path, image: Path) -> Path:
    """Return the first of the file names an image may use that no other image's labels have."""
    for path in _candidates(home / "labels", image):
        try:
            owner = owner_of(path)
        except DecodeError:
            return path  # not there, or damaged: `load` tells, `save` sets it aside
        if owner is None or owner == owner_text(image.name) or not _is_there(image.parent, owner):
            return path
    raise AssertionError("candidates never end")


def _candidates(folder: Path, image: Path) -> Iterator[Path]:
    yield folder / f"{image.stem}.png"
    name = image.name
    if len(os.fsencode(name)) > _LONGEST_NAME:  # with a further suffix no file may be called so
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    yield folder / f"{name}.png"
    number = 2
    while True:
        yield folder / f"{name}~{number}.png"
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


def _put_in_place(path: Path, waiting: Path, beside: Path) -> None:
    """Let provenance wait no longer that a crash kept from its place: the labels are there."""
    if not _exists(waiting):
        return
    try:
        stamp = read_texts(waiting).get(_STAMP)
    except DecodeError:
        return
    if stamp != _look_at(path).digest:
        return
    try:
        durable.disk.make_folder(beside.parent)
        durable.disk.replace(waiting, beside)
        durable.disk.sync_folder(beside.parent)
    except OSError as error:
        raise SaveError(
            f"{printable(path)} was not saved: {durable.why(error, path)}. The earlier file is "
            "untouched; free some space or choose another folder, then save again."
        ) from error


def _next_provenance(path: Path) -> Path:
    """Return where provenance waits until the labels that it belongs to are in their place."""
    return path.parent.parent / "provenance-next" / path.name


def _provenance(
    path: Path, digest: str, shape: tuple[int, int]
) -> tuple[np.ndarray, Mapping[int, str]]:
    """Return the provenance saved with these very labels; imported everywhere if there is none.

    Another program's save leaves a stamp that does not match.
    """
    for file in (_provenance_file(path), _next_provenance(path)):
        try:
            marks = decode_labels(file, _most_pixels(shape))
        except DecodeError:
            continue
        fits = marks.labels.shape == tuple(shape) and marks.labels.dtype == np.uint8
        if fits and marks.texts.get(_STAMP) == digest:
            return marks.labels, _models(marks.texts.get(_MODELS, "{}"))
    return full_map((shape[0], shape[1]), np.uint8, IMPORTED), MappingProxyType({})


def _most_pixels(shape: tuple[int, ...]) -> int:
    """Return how many pixels a label file may have: as many as its image, if that is large."""
    return max(MAX_PIXELS, shape[0] * shape[1])


def _models(text: str) -> Mapping[int, str]:
    """Return names of models by provenance value; none where the text makes no sense."""
    try:
        return {int(value) & 255: str(name) for value, name in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def _set_aside_misfit(path: Path, shape: tuple[int, ...]) -> None:
    """Copy labels of another size, or a damaged file, into backups before they are replaced.

    A copy, so that the file is still in its place if the save after it fails.
    """
    if not _exists(path) or _fits(path, shape):
        return
    backup = path.parent.parent / "backups" / f"{path.stem}-{time.time_ns()}.png"
    try:
        write_durably(backup, path.read_bytes())
    except OSError as error:
        raise SaveError(
            f"{printable(path)} holds labels of another size and could not be set aside "
            f"({error.strerror}); move it away, then save again."
        ) from error


def _fits(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether a file is an image of that size, by its header."""
    try:
        return image_size(path) == tuple(shape)
    except DecodeError:
        return False


def _absolute(image: str | Path) -> Path:
    """Return the path made absolute without following links, which may leave the folder."""
    return Path(os.path.abspath(image))  # noqa: PTH100  (Path.absolute keeps "..")


def owner_text(name: str) -> str:
    """Return an image's name as label files hold it, which is ASCII."""
    return os.fsencode(name).decode("ascii", "backslashreplace")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}"
