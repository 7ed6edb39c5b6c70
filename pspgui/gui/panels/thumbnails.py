"""Thumbnails made on a worker thread: what is in sight first, what is gone never, few kept.

The worker only reads files and scales them (`pspgui.imaging.thumbnail`); pictures become QImages
there too and are handed over by a queued signal.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QThread, Signal, Slot
from PySide6.QtGui import QImage

from pspgui import places

if TYPE_CHECKING:
    from pspgui.imaging.thumbnail_cache import ThumbnailCache

SIDE_PX = 96
KEEP = 600  # pictures of SIDE_PX; of larger ones as many as take the same memory
Reader = Callable[[Path, int], np.ndarray]


class ThumbnailError:
    """A picture that cannot be made, with the one sentence that says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def read_thumbnail(path: Path, side_px: int) -> np.ndarray:
    """Return the small picture of an image file, (h, w, 3) uint8, kept in the user's cache.

    Raises `DecodeError`.
    """
    return _cache().read(path, side_px)


@cache
def _cache() -> ThumbnailCache:
    from pspgui.imaging.thumbnail_cache import ThumbnailCache

    return ThumbnailCache(places.cache_folder() / "thumbnails")


class _Worker(QThread):
    """Makes wanted pictures, the last wanted first, until told to stop."""

    made = Signal(object)

    def __init__(self, reader: Reader, side_px: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reader = reader
        self._side_px = side_px
        self._wanted: deque[tuple[Path, int]] = deque()
        self._turn = threading.Condition()
        self._stopping = False

    def want(self, paths: Iterable[Path]) -> None:
        """Replace the queue: whatever is not asked for again is no longer in sight."""
        with self._turn:
            self._wanted = deque((path, self._side_px) for path in paths)
            self._turn.notify()

    def set_side(self, side_px: int) -> None:
        """Make pictures of another size from now on."""
        with self._turn:
            self._side_px = side_px
            self._wanted.clear()

    def stop(self) -> None:
        """End the thread after the picture in hand, and wait for it."""
        with self._turn:
            self._stopping = True
            self._turn.notify()
        self.wait()

    def run(self) -> None:
        """Work through the queue; sleeps when it is empty."""
        while True:
            with self._turn:
                while not self._wanted and not self._stopping:
                    self._turn.wait()
                if self._stopping:
                    return
                path, side_px = self._wanted.popleft()
            self.made.emit((path, side_px, self._make(path, side_px)))

    def _make(self, path: Path, side_px: int) -> QImage | ThumbnailError:
        try:
            rgb = np.ascontiguousarray(self._reader(path, side_px))
        except Exception as error:  # any bad file is one grey picture, never a dead worker
            return ThumbnailError(str(error))
        height, width = rgb.shape[:2]
        return QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class Thumbnails(QObject):
    """The pictures at hand, least recently looked at forgotten first. GUI thread only.

    `arrived(Path)` tells that `get` has an answer now. Call `close` before the object goes.
    """

    arrived = Signal(object)

    def __init__(
        self,
        reader: Reader = read_thumbnail,
        side_px: int = SIDE_PX,
        keep: int = KEEP,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[Path, QImage | ThumbnailError] = OrderedDict()
        self._keep = keep
        self._reader = reader
        self._side_px = side_px
        self._worker: _Worker | None = None

    def get(self, path: Path) -> QImage | ThumbnailError | None:
        """Return the picture, the reason why there is none, or None when not made yet."""
        found = self._kept.get(path)
        if found is not None:
            self._kept.move_to_end(path)
        return found

    def want(self, paths: Iterable[Path]) -> None:
        """Ask for the pictures now in sight, most wanted first; earlier wishes are dropped."""
        missing = [path for path in paths if path not in self._kept]
        if self._worker is None:
            if not missing:
                return
            self._worker = _Worker(self._reader, self._side_px, self)
            self._worker.made.connect(self._on_made)
            self._worker.start(QThread.Priority.LowPriority)
        self._worker.want(missing)

    def set_side(self, side_px: int) -> None:
        """Show pictures of another size; those at hand are dropped."""
        if side_px == self._side_px:
            return
        self._side_px = side_px
        self._kept.clear()
        if self._worker is not None:
            self._worker.set_side(side_px)

    def forget(self) -> None:
        """Drop all pictures and wishes."""
        self._kept.clear()
        if self._worker is not None:
            self._worker.want(())

    def close(self) -> None:
        """Stop the worker; the next `want` starts another."""
        if self._worker is not None:
            self._worker.stop()
            self._worker.deleteLater()
            self._worker = None

    @Slot(object)
    def _on_made(self, reply: tuple[Path, int, QImage | ThumbnailError]) -> None:
        path, side_px, picture = reply
        if side_px != self._side_px:
            return
        self._kept[path] = picture
        most = max(2, int(self._keep * min(1.0, (SIDE_PX / side_px) ** 2)))
        while len(self._kept) > most:
            self._kept.popitem(last=False)
        self.arrived.emit(path)
