"""Whose labels a file holds: the image it was saved for, read once for every version of a file."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Final, NamedTuple

from pspgui.imaging import DecodeError
from pspgui.imaging.label_files import read_texts

SOURCE: Final = "Image"  # the text remark of a label file that names its image
_MOST: Final = 4096  # files remembered
_RECENT_NS: Final = 1_000_000_000


class _Read(NamedTuple):
    version: tuple[int, int, int, int]
    owner: str | None


_READ: OrderedDict[str, _Read] = OrderedDict()
_LOCK = threading.Lock()


def owner_of(label_file: Path) -> str | None:
    """Return the image that a label file says it was saved for, None where it says nothing.

    A file is read again only when its size, times or number have changed, or when it is so new
    that these do not tell. Any thread. Raises `DecodeError` for a file that is missing or no image.
    """
    try:
        found = os.stat(label_file)  # noqa: PTH116 - as fast as can be
    except (OSError, ValueError) as error:
        raise DecodeError(label_file, f"reading failed ({error})") from error
    version = found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    name = str(label_file)
    with _LOCK:
        read = _READ.get(name)
    if read is None or read.version != version:
        read = _Read(version, read_texts(label_file).get(SOURCE))
    if abs(time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns)) < _RECENT_NS:
        return read.owner  # a clock too coarse to tell the next version from this one
    with _LOCK:
        _READ[name] = read
        _READ.move_to_end(name)
        while len(_READ) > _MOST:
            _READ.popitem(last=False)
    return read.owner
