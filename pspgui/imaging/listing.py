"""Finding the image files of a folder, in the order a person expects."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from pspgui.imaging.checked_pillow import SUFFIXES
from pspgui.imaging.sources import DecodeError

_NUMBERS = re.compile("([0-9]+)")
_DIGITS = frozenset("0123456789")  # str.isdigit() would take ² for one
_PATHS_AT_ONCE = 1000
_BARE_SUFFIXES = frozenset(suffix.removeprefix(".") for suffix in SUFFIXES)


class ImagePaths(Sequence[Path]):
    """Image files by their text, each made a `Path` when it is first asked for.

    Of 100 000 images making the paths takes longer than everything else that listing them does;
    `making_paths` makes them where there is time. Compares equal to any sequence of the same
    paths. Any thread; nothing that can be asked of it changes.
    """

    __slots__ = ("_complete", "_made", "texts")

    def __init__(self, texts: Sequence[str]) -> None:
        """`texts` are as `str(path)` gives them."""
        self.texts = texts
        self._made: list[Path | None] = [None] * len(texts)
        self._complete: Sequence[Path] | None = None

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> ImagePaths: ...
    def __getitem__(self, index: int | slice) -> Path | ImagePaths:
        if isinstance(index, slice):
            return ImagePaths(self.texts[index])
        made = self._made[index]
        if made is None:  # of two threads one's path is kept, they are equal
            made = self._made[index] = Path(self.texts[index])
        return made

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[Path]:
        if self._complete is not None:
            return iter(self._complete)
        return map(self.__getitem__, range(len(self)))

    def making_paths(self) -> Iterator[float]:
        """Make all paths, some at a time; yield the share that is done."""
        for start in range(0, len(self), _PATHS_AT_ONCE):
            for place in range(start, min(start + _PATHS_AT_ONCE, len(self))):
                self[place]
            yield start / len(self)
        self._complete = tuple(self)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, Path) and str(path) in self.texts

    def index(self, path: Path, start: int = 0, stop: int | None = None) -> int:
        """Return the place of a path; raises ValueError when it is not there."""
        return self.texts.index(str(path), start, len(self.texts) if stop is None else stop)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ImagePaths):
            return len(self) == len(other) and all(map(str.__eq__, self.texts, other.texts))
        if isinstance(other, tuple | list):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.texts))

    def __repr__(self) -> str:
        return f"ImagePaths({list(self.texts)!r})"


def texts_of(paths: Sequence[Path]) -> Sequence[str]:
    """Return the texts of paths, those of `ImagePaths` without making one."""
    return paths.texts if isinstance(paths, ImagePaths) else [str(path) for path in paths]


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
    return tuple(find_images(folder, recursive))


def find_images(folder: str | os.PathLike[str], recursive: bool = False) -> ImagePaths:
    """Do what `list_images` does, without making the paths."""
    found: list[str] = []
    root = Path(folder)
    pending = [root]
    while pending:
        here = pending.pop()
        prefix = str(here / "x")[:-1]
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    name = entry.name
                    if name[0] == ".":
                        continue
                    if recursive and _is_own_folder(entry):
                        pending.append(here / name)
                    elif name.rpartition(".")[2].lower() in _BARE_SUFFIXES and _is_image(entry):
                        found.append(prefix + name)
        except (OSError, ValueError) as error:
            if here == root:
                reason = getattr(error, "strerror", None) or str(error)
                raise DecodeError(here, f"the folder cannot be listed ({reason})") from error
    return ImagePaths(_naturally_sorted(found, len(str(root / "x")) - 1))


def _naturally_sorted(texts: list[str], start: int) -> list[str]:
    """Sort texts as `natural_key` does; all begin with `start` same characters.

    Keys are strings, which compare without a step of Python: a number becomes NUL, which no path
    holds, the count of its digits and the digits, and so comes before all text.
    """
    texts.sort()
    folded = [text[start:].casefold() for text in texts]
    keys = dict(zip(texts, (_NUMBERS.sub(_number_key, text) for text in folded), strict=True))
    texts.sort(key=keys.__getitem__)
    return texts


def _number_key(found: re.Match[str]) -> str:
    digits = found[0].lstrip("0")
    return f"\0{chr(len(digits))}{digits}"


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Whether an entry, named like an image or "png", is a regular file and not only a suffix."""
    try:
        return "." in entry.name and entry.is_file()
    except OSError:  # a circle of links
        return False


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a real folder; links are not followed, they may lead in a circle."""
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
