"""Saving label maps on a thread of its own, newest version first, nothing forgotten on failure."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pspgui.durable import SaveError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A label map as it was at one revision; the arrays are copies that nobody changes.

    `operation` is the number of the last operation in its stroke journal that is in it, -1 where
    that is not known; `models` names models by provenance value. `overwrite` lets it replace a
    file that another program changed.
    """

    image: Path
    labels: np.ndarray
    provenance: np.ndarray
    palette: np.ndarray
    revision: int
    operation: int = -1
    models: Mapping[int, str] = field(default_factory=dict)
    overwrite: bool = False


@dataclass(frozen=True)
class SaveResult:
    """What became of a snapshot: `path` where it is saved, or `error` why it is not."""

    image: Path
    revision: int
    path: Path | None
    error: SaveError | None
    seconds: float


class SaveQueue:
    """One background thread that writes snapshots; the latest of an image replaces older ones.

    A snapshot whose save failed stays, for `retry` or until a newer one of its image comes.
    All methods may be called from any thread; `on_result` is called on the saving thread.
    """

    def __init__(
        self,
        save: Callable[[Snapshot], Path],
        on_result: Callable[[SaveResult], None] | None = None,
    ) -> None:
        """Save by `save`, which raises `SaveError` on failure; the thread starts when needed."""
        self._save = save
        self._on_result = on_result
        self._changed = threading.Condition()
        self._waiting: dict[Path, Snapshot] = {}
        self._failed: dict[Path, Snapshot] = {}
        self._writing: Snapshot | None = None
        self._dropped: Snapshot | None = None  # while it was being written
        self._thread: threading.Thread | None = None
        self._closing = False

    @property
    def unsaved(self) -> tuple[Path, ...]:
        """Images with a snapshot that waits, is being written, or failed."""
        with self._changed:
            writing = [self._writing.image] if self._writing else []
            return tuple(dict.fromkeys([*self._waiting, *writing, *self._failed]))

    @property
    def failed(self) -> tuple[Path, ...]:
        """Images whose latest snapshot could not be saved."""
        with self._changed:
            return tuple(self._failed)

    def submit(self, snapshot: Snapshot) -> None:
        """Save this version; an older one of the image that still waits is dropped.

        Raises `RuntimeError` after `close`.
        """
        with self._changed:
            if self._closing:
                raise RuntimeError("the save queue is closed")
            self._waiting[snapshot.image] = snapshot
            self._failed.pop(snapshot.image, None)
            self._start()

    def retry(self) -> None:
        """Try again to save what failed."""
        with self._changed:
            for image, snapshot in self._failed.items():
                self._waiting.setdefault(image, snapshot)
            self._failed.clear()
            if self._waiting and not self._closing:
                self._start()

    def drop(self, image: Path) -> None:
        """Forget the snapshot of an image that waits or failed: it is not wanted any more.

        One that is being written is not tried again if that fails.
        """
        with self._changed:
            if self._writing is not None and self._writing.image == image:
                self._dropped = self._writing
            self._waiting.pop(image, None)
            self._failed.pop(image, None)
            self._changed.notify_all()

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing waits or is being written; True if everything is saved by then.

        On the GUI thread only when closing: it blocks. Results are reported before it returns.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and self._writing is None, timeout_s)
            return not (self._waiting or self._writing or self._failed)

    def close(self, timeout_s: float | None = None) -> bool:
        """Save what waits, then end the thread; True if everything is saved."""
        saved = self.flush(timeout_s)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return saved

    def _start(self) -> None:
        """Wake the thread, or start it on first use. The lock is held."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pspgui-saver", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                image = next(iter(self._waiting))
                snapshot = self._writing = self._waiting.pop(image)
            result = self._write(snapshot)
            with self._changed:
                is_wanted = image not in self._waiting and snapshot is not self._dropped
                if result.error is not None and is_wanted:
                    self._failed[image] = snapshot
            self._report(result)
            with self._changed:
                self._writing = self._dropped = None
                self._changed.notify_all()

    def _write(self, snapshot: Snapshot) -> SaveResult:
        start = time.perf_counter()
        path: Path | None = None
        error: SaveError | None = None
        try:
            path = self._save(snapshot)
        except SaveError as refused:
            error = refused
        except Exception as unexpected:  # the thread must outlive any failure: work depends on it
            _log.exception("saving %r failed", snapshot.image)
            error = SaveError(
                f"the labels were not saved: {unexpected}. The earlier file is untouched; "
                "try again, or export them to another folder."
            )
        seconds = time.perf_counter() - start
        return SaveResult(snapshot.image, snapshot.revision, path, error, seconds)

    def _report(self, result: SaveResult) -> None:
        if self._on_result is not None:
            try:
                self._on_result(result)
            except Exception:  # as above
                _log.exception("the listener of a save failed")
