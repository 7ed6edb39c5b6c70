"""What a large image needs besides decoding, done meanwhile on a second core."""

from __future__ import annotations

import hashlib
import threading
from typing import Final

import numpy as np

_LARGE_BYTES: Final = 32 << 20
_PAGE_BYTES: Final = 4096


class Beside:
    """The SHA-256 of a file's bytes and room for its pixels, made while it is decoded.

    Memory that a process has not had before takes as long to get as to fill. Small images get
    both when asked for. Any thread.
    """

    def __init__(self, content: bytes, pixel_bytes: int) -> None:
        """Begin; `pixel_bytes` is the room that will be wanted, 0 for none."""
        self._content, self._pixel_bytes = content, pixel_bytes
        self._room: np.ndarray | None = None
        self._digest = ""
        self._has_room = threading.Event()
        self._thread: threading.Thread | None = None
        if max(len(content), pixel_bytes) >= _LARGE_BYTES:
            self._thread = threading.Thread(target=self._work, name="beside decoding")
            self._thread.start()

    def room(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Return an array of this shape, uint8, with anything in it; it is handed out once."""
        if self._thread is not None:
            self._has_room.wait()
        room, self._room = self._room, None
        if room is None or room.size != shape[0] * shape[1] * shape[2]:
            return np.empty(shape, np.uint8)
        return room.reshape(shape)

    def digest(self) -> str:
        """Return the SHA-256 in hex."""
        if self._thread is not None:
            self._thread.join()
        return self._digest or hashlib.sha256(self._content).hexdigest()

    def _work(self) -> None:
        try:
            room = np.empty(self._pixel_bytes, np.uint8)
            room[::_PAGE_BYTES] = 0
            self._room = room
        except MemoryError:  # whoever wants the room will say so
            pass
        finally:
            self._has_room.set()
        self._digest = hashlib.sha256(self._content).hexdigest()
