"""Finding the image files of a folder, in the order a person expects."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from pspgui.imaging.checked_pillow import SUFFIXES
from pspgui.imaging.sources import DecodeError

_NUMBERS = re.compile("([0-9]+)")
_DIGITS = frozenset("0123456789")  # str.isdigit() would take ² for one


def is_image_name(name: str | os.PathLike[str]) -> bool:
    """Whether a file name ends like an image that is read here, letter case ignored."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - a plain string, fast


def natural_key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Return the sort key that puts `2.png` before `10.png`; equal but for case stays ordered."""
    parts = _NUMBERS.split(str(path).casefold())
    key = [(0, int(part), "") if part[:1] in _DIGITS else (1, 0, part) for part in parts if part]
    return key, str(path)


def list_images(folder: str | os.PathLike[str], recursive: bool = False) -> tuple[Path, ...]:
    """Return the image files of a folder by name, hidden files and folders left out.

    Only regular files (or links to them) count, so a FIFO called .png is no image. Raises
    `DecodeError` when the folder itself cannot be listed; folders below it are then skipped.
    """
    # Plain strings until the end: of 100 000 images paths would take most of the time.
    found: list[str] = []
    pending = [Path(folder)]
    while pending:
        here = pending.pop()
        prefix = str(here / "x")[:-1]
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if recursive and _is_own_folder(entry):
                        pending.append(here / entry.name)
                    elif is_image_name(entry.name) and _is_file(entry):
                        found.append(prefix + entry.name)
        except (OSError, ValueError) as error:
            if here == Path(folder):
                reason = getattr(error, "strerror", None) or str(error)
                raise DecodeError(here, f"the folder cannot be listed ({reason})") from error
    found.sort(key=_plain_key(len(str(Path(folder) / "x")) - 1))
    return tuple(map(Path, found))


def _plain_key(start: int) -> Callable[[str], tuple[list[str | int], str]]:
    """Return the key that sorts strings as `natural_key` does; all begin with `start` same ones.

    What is split at digits alternates between text and digits, beginning with text, so that
    numbers are never compared with text.
    """

    def key(text: str) -> tuple[list[str | int], str]:
        parts: list[str | int] = [*_NUMBERS.split(text[start:].casefold())]
        for place in range(1, len(parts), 2):
            parts[place] = int(parts[place])
        return parts, text

    return key


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a circle of links
        return False


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a real folder; links are not followed, they may lead in a circle."""
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
