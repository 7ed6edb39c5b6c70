"""What every layout of a data set gives: samples, and splits found by what people call them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pspgui.durable import printable
from pspgui.formats.coding import PLAIN, LabelCoding
from pspgui.formats.errors import FormatError
from pspgui.imaging import DecodeError, list_images
from pspgui.labels.classes import ClassTable

_SAME_SPLIT = {"training": "train", "validation": "val", "valid": "val", "testing": "test"}


class Sample(NamedTuple):
    """One image file, the label file that belongs to it, and how its values become labels."""

    image: Path
    labels: Path
    coding: LabelCoding = PLAIN


class Layout(NamedTuple):
    """One way in which data sets lie in folders.

    `find(root)` returns the folder where the layout begins (the root, or a folder of the published
    name in it) or None; `splits(folder)` names the splits there; `read(folder, split)` returns the
    samples and the class table, and raises `FormatError`. A split given to `read` is one of
    `splits`, or None where `needs_split` is false.
    """

    key: str
    title: str
    expects: str
    find: Callable[[Path], Path | None]
    splits: Callable[[Path], tuple[str, ...]]
    read: Callable[[Path, str | None], tuple[tuple[Sample, ...], ClassTable]]
    needs_split: bool = True


def check_split(split: str | None) -> None:
    """Raise `FormatError` unless a split is None or the plain name of one folder."""
    if split is not None and (split[:1] in ("", ".") or Path(split).name != split):
        raise FormatError(f"{split!r} is not the name of a split; give the name of one folder")


def find_split(asked: str, names: Iterable[str]) -> str | None:
    """Return which of `names` is meant: the same name, or one that people use for the same split.

    `val`, `valid` and `validation` are one, so are `train` and `training`, `test` and `testing`;
    letter case, hyphens and underscores do not count. None where nothing fits.
    """
    present = tuple(names)
    if asked in present:
        return asked
    return next((name for name in present if _plain(name) == _plain(asked)), None)


def folders_of(root: Path) -> tuple[str, ...]:
    """Return the names of the visible folders in a folder, in order; empty if there is none."""
    try:
        return tuple(
            sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
        )
    except OSError:
        return ()


def first_folder(root: Path, below: Iterable[str], *needed: str) -> Path | None:
    """Return the first of root and its folders `below` that holds all `needed` folders."""
    for folder in (root, *(root / name for name in below)):
        if all((folder / name).is_dir() for name in needed):
            return folder
    return None


def images_by_stem(folder: Path, ending: str = "") -> dict[str, Path]:
    """Return the image files of a folder by stem, those whose stem has the ending, without it.

    Raises `FormatError` when the folder cannot be listed or two images have one stem.
    """
    try:
        paths = list_images(folder)
    except DecodeError as error:
        raise FormatError(f"{printable(folder)}: {error.reason}") from error
    stems: dict[str, Path] = {}
    for path in paths:
        if not path.stem.endswith(ending):
            continue
        stem = path.stem.removesuffix(ending)
        if stem in stems:
            other = printable(stems[stem].name)
            raise FormatError(f"{printable(path)}: {other} has the same stem; rename one of them")
        stems[stem] = path
    return stems


def paired(
    images: Mapping[str, Path], labels: Mapping[str, Path], where: Path, coding: LabelCoding
) -> tuple[Sample, ...]:
    """Return samples of the images and the labels of the same stem, which lie in `where`.

    Raises `FormatError` for an image without labels, labels without an image, or nothing at all.
    """
    if not images:
        raise FormatError(f"{printable(where)}: there are no images for these labels")
    for stem, image in images.items():
        if stem not in labels:
            raise FormatError(f"{printable(image)}: no labels of this name in {printable(where)}")
    for stem, path in labels.items():
        if stem not in images:
            raise FormatError(f"{printable(path)}: labels without an image of this name")
    return tuple(Sample(images[stem], labels[stem], coding) for stem in images)


def _plain(name: str) -> str:
    bare = name.casefold().replace("-", "").replace("_", "")
    return _SAME_SPLIT.get(bare, bare)
