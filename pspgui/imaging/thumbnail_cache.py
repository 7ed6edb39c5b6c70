"""Small pictures kept on disk, so that a folder seen before shows its pictures at once.

One JPEG a picture, named by a hash of the image's path, time of change and size in bytes: a changed
image has another name. The folder is bounded; what was looked at longest ago goes first. It can be
deleted at any time, and a file that cannot be read or written costs nothing but time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import threading
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from pspgui.imaging.images import thumbnail

SIDE_PX: Final = 256
BUDGET_BYTES: Final = 512 << 20
_QUALITY: Final = 85
_WRITES_BETWEEN_LOOKS: Final = 2000


class ThumbnailCache:
    """Reads thumbnails through a folder of JPEGs. Any thread."""

    def __init__(self, folder: Path, budget_bytes: int = BUDGET_BYTES) -> None:
        self._folder = folder
        self._budget = budget_bytes
        self._writes = 0
        self._lock = threading.Lock()

    def read(self, path: Path, side_px: int) -> np.ndarray:
        """Return the upright picture of an image file, (h, w, 3) uint8 with max(h, w) <= side_px.

        side_px is at most SIDE_PX. Raises `DecodeError` for what is no image.
        """
        kept = self._file_of(path)
        picture = None if kept is None else _load(kept)
        if picture is None:
            whole = thumbnail(path, SIDE_PX)
            picture = Image.fromarray(whole)
            if kept is not None:
                self._keep(kept, picture)
        if max(picture.size) > side_px:
            picture.thumbnail((side_px, side_px), Image.Resampling.BOX, reducing_gap=None)
        return np.ascontiguousarray(picture)

    def prune(self) -> None:
        """Delete what was looked at longest ago until the rest fits four fifths of the budget."""
        found: list[tuple[float, int, str]] = []
        for folder, _, names in os.walk(self._folder):
            for name in names:
                file = os.path.join(folder, name)  # noqa: PTH118 - plain strings, many
                with contextlib.suppress(OSError):
                    told = os.stat(file)  # noqa: PTH116
                    found.append((told.st_mtime, told.st_size, file))
        size = sum(bytes_ for _, bytes_, _ in found)
        if size <= self._budget:
            return
        for _, bytes_, file in sorted(found):
            with contextlib.suppress(OSError):
                os.unlink(file)  # noqa: PTH108
                size -= bytes_
            if size <= 0.8 * self._budget:
                return

    def _file_of(self, path: Path) -> Path | None:
        try:
            told = path.stat()
        except OSError:
            return None  # `thumbnail` says why
        key = b"%s\0%d\0%d" % (os.fsencode(path.absolute()), told.st_mtime_ns, told.st_size)
        name = hashlib.blake2b(key, digest_size=16).hexdigest()
        return self._folder / name[:2] / f"{name[2:]}.jpg"

    def _keep(self, file: Path, picture: Image.Image) -> None:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=_QUALITY)
        beside = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(buffer.getvalue())
            beside.replace(file)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            return
        with self._lock:
            self._writes += 1
            is_time = self._writes % _WRITES_BETWEEN_LOOKS == 1
        if is_time:
            self.prune()


def _load(file: Path) -> Image.Image | None:
    """Return a picture kept before; None where there is none that can be read."""
    try:
        content = file.read_bytes()
        picture = Image.open(io.BytesIO(content), formats=("JPEG",))
        if max(picture.size) > SIDE_PX:
            return None
        loaded = picture.convert("RGB")
        os.utime(file)
    except (OSError, ValueError, SyntaxError):
        return None
    return loaded
