"""Images decoded before they are wanted: the neighbours of the one shown, and those shown last."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pspgui.imaging import DecodedImage, DecodeError, decode_steps, image_size
from pspgui.imaging.scratch import is_mapped
from pspgui.jobs.messages import Job, Step, Steps, Turn

BUDGET_BYTES: Final = 192 << 20
_SHARE: Final = 3  # the one shown and one to each side fit
_BYTES_A_PIXEL: Final = 3

Stamp = tuple[int, int, int, int]


class _Kept(NamedTuple):
    stamp: Stamp
    decoded: DecodedImage


class KeptImages:
    """Decoded images within a budget of bytes, the one used longest ago dropped first. Any thread.

    An image counts only for as long as its file is the one that was decoded, as far as size, times
    and number of the file tell.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget = budget_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """What is held."""
        with self._lock:
            return sum(_size(kept.decoded) for kept in self._kept.values())

    @property
    def largest_bytes(self) -> int:
        """How large an image may be to be kept."""
        return self._budget // _SHARE

    def get(self, path: Path) -> DecodedImage | None:
        """Return an image as its file is now, None where it has to be decoded."""
        stamp = stamp_of(path)
        with self._lock:
            kept = self._kept.get(str(path))
            if kept is None:
                return None
            if kept.stamp != stamp:
                del self._kept[str(path)]
                return None
            self._kept.move_to_end(str(path))
            return kept.decoded

    def put(self, path: Path, stamp: Stamp | None, decoded: DecodedImage) -> None:
        """Keep an image; `stamp` is that of its file before it was read."""
        size = _size(decoded)
        if stamp is None or size > self.largest_bytes or is_mapped(decoded.pixels):
            return
        with self._lock:
            self._kept[str(path)] = _Kept(stamp, decoded)
            self._kept.move_to_end(str(path))
            while sum(_size(kept.decoded) for kept in self._kept.values()) > self._budget:
                self._kept.popitem(last=False)


def stamp_of(path: Path) -> Stamp | None:
    """Return what tells one version of a file from another; None for one that is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - as fast as can be
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def decoding(path: Path, kept: KeptImages | None, words: str) -> Steps:
    """Decode a file unless it is kept, and keep it; the steps of a job, which return the image.

    Fails with `DecodeError`.
    """
    decoded = None if kept is None else kept.get(path)
    if decoded is not None:
        return decoded
    stamp = stamp_of(path)
    steps = decode_steps(path)
    while True:
        try:
            yield Step(words, next(steps))
        except StopIteration as done:
            if kept is not None:
                kept.put(path, stamp, done.value)
            return done.value


def read_ahead(paths: Sequence[Path], kept: KeptImages) -> Job:
    """Return a job that decodes images into `kept`; what is too large or damaged is left alone."""

    def job(turn: Turn) -> Steps:
        for path in paths:
            yield Step("Reading ahead")
            if kept.get(path) is not None:
                continue
            try:
                height, width = image_size(path)
                if _BYTES_A_PIXEL * height * width <= kept.largest_bytes:
                    yield from decoding(path, kept, "Reading ahead")
            except DecodeError:  # told when it is opened
                continue

    return job


def _size(decoded: DecodedImage) -> int:
    deep = decoded.deep
    return decoded.pixels.nbytes + (0 if deep is None else deep.samples.nbytes)
