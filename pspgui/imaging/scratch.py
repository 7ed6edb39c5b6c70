"""Arrays too large for memory, kept in files of the user's cache that vanish with the array.

An array of LARGE_BYTES or more lies over a file: the system writes what is not used to the disk,
and `let_go` gives back the memory of what was looked at. The file's space is claimed before it is
mapped, since writing into a mapped file on a full disk would end the process.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any, Final

import numpy as np

from pspgui.places import cache_folder

LARGE_BYTES: Final = 128 << 20
_FILL_BYTES: Final = 64 << 20

Shape = tuple[int, ...]


class ScratchError(OSError):
    """There is no room for a large array; the message is a clause for a person."""


def zeros(shape: Shape, dtype: Any, folder: Path | None = None) -> np.ndarray:
    """Return a writable C-contiguous array of zeros over a file in `folder` (user's cache).

    The file has no name any more when this returns, where the system allows that, so nothing is
    left behind by a crash; elsewhere it is deleted with the array. Any thread. Raises
    `ScratchError` when the disk has no room for it.
    """
    folder = folder or cache_folder() / "scratch"
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    name = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".scratch", dir=folder)
        try:
            _claim(handle, size)
            mapped = mmap.mmap(handle, size)
        finally:
            os.close(handle)
    except OSError as error:
        _delete(name)
        raise ScratchError(error.errno or errno.EIO, _why(size, folder, error)) from error
    array = np.frombuffer(mapped, dtype).reshape(shape)
    if not _delete(name):  # a system that keeps files which are in use
        weakref.finalize(mapped, _delete, name)
    return array


def room_for(shape: Shape, dtype: Any) -> np.ndarray:
    """Return a writable array whose values mean nothing yet, over a file when it is large.

    Raises `ScratchError`.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    return np.empty(shape, dtype) if size < LARGE_BYTES else zeros(shape, dtype)


def full_map(shape: tuple[int, int], dtype: Any, value: int) -> np.ndarray:
    """Return an (H, W) array of `value`, over a file when it is large; raises `ScratchError`."""
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    if size < LARGE_BYTES:
        return np.full(shape, value, dtype)
    spare = _SPARES.pop(shape, np.dtype(dtype), value)
    if spare is not None:
        return spare
    array = zeros(shape, dtype)
    if value:
        for rows in strips(shape, dtype):
            array[rows] = value
            let_go(array)
    return array


def prepare_map(shape: tuple[int, int], dtype: Any, value: int) -> None:
    """Make ready, on another thread, what `full_map` will be asked for next; small maps need none.

    One spare is kept; raises `ScratchError`.
    """
    if shape[0] * shape[1] * np.dtype(dtype).itemsize >= LARGE_BYTES:
        _SPARES.keep(full_map(shape, dtype, value), value)


def copied(array: np.ndarray) -> np.ndarray:
    """Return a writable copy, over a file when it is large; raises `ScratchError`."""
    if array.nbytes < LARGE_BYTES:
        return array.copy()
    copy = zeros(array.shape, array.dtype)
    for rows in strips(array.shape, array.dtype):
        copy[rows] = array[rows]
        let_go(copy)
        let_go(array)
    return copy


def strips(shape: Shape, dtype: Any, strip_bytes: int = _FILL_BYTES) -> list[slice]:
    """Return slices of rows, an even number each, of about `strip_bytes`."""
    row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize
    rows = max(2, strip_bytes // max(1, row_bytes) // 2 * 2)
    return [slice(y, min(y + rows, shape[0])) for y in range(0, shape[0], rows)]


def is_mapped(array: np.ndarray) -> bool:
    """Whether an array, or what it is a view of, lies over a file."""
    return _mapping(array) is not None


def let_go(array: np.ndarray) -> None:
    """Give back the memory of a mapped array's pages; its values stay, in the file."""
    mapped = _mapping(array)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED") and hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _mapping(array: np.ndarray) -> mmap.mmap | None:
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    return base


def _claim(handle: int, size: int) -> None:
    """Let the file have `size` bytes of the disk, for certain."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    block = bytes(1 << 20)
    for at in range(0, size, len(block)):
        left = memoryview(block)[: size - at]
        while left:
            left = left[os.write(handle, left) :]


def _delete(name: str) -> bool:
    try:
        if name:
            Path(name).unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _why(size: int, folder: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"it needs {size / 1e9:.1f} GB of disk space in {folder} while it is open; "
            "free some and open it again"
        )
    return f"no file for it can be made in {folder} ({error.strerror or error})"


class _Spares:
    """One array made ahead, with what it is filled with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[np.ndarray, int] | None = None

    def keep(self, array: np.ndarray, value: int) -> None:
        with self._lock:
            self._kept = (array, value)

    def pop(self, shape: tuple[int, int], dtype: np.dtype[Any], value: int) -> np.ndarray | None:
        with self._lock:
            kept = self._kept
            if kept is None or (kept[0].shape, kept[0].dtype, kept[1]) != (shape, dtype, value):
                return None
            self._kept = None
            return kept[0]


_SPARES: Final = _Spares()
