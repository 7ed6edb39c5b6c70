"""Reading a data set folder: images/<split>, labels/<split>, classes.json."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pspgui.durable import printable
from pspgui.formats.errors import FormatError
from pspgui.imaging import DecodeError, list_images
from pspgui.labels.classes import ClassTable, ClassTableError


class Sample(NamedTuple):
    """One image file and the label file that belongs to it."""

    image: Path
    labels: Path


def read_dataset(
    root: str | Path, split: str | None = None
) -> tuple[tuple[Sample, ...], ClassTable]:
    """Return the samples of a data set folder by name, and its class table.

    With a split the files lie in images/<split> and labels/<split>, without one in images and
    labels. An image pairs with the label file of its stem. Nothing is decoded here. Raises
    `FormatError` naming the file and what is wrong: a missing folder, an image without labels,
    labels without image, two images of one stem.
    """
    root = Path(root)
    check_split(split)
    try:
        table = ClassTable.load(root / "classes.json")
    except ClassTableError as error:
        raise FormatError(str(error)) from error
    images = _by_stem(root, "images", split)
    labels = _by_stem(root, "labels", split)
    if not images:
        raise FormatError(f"{printable(_folder(root, 'images', split))}: no images in this folder")
    for stem, image in images.items():
        if stem not in labels:
            raise FormatError(f"{printable(image)}: no labels of this name beside it in labels/")
    for stem, path in labels.items():
        if stem not in images:
            raise FormatError(f"{printable(path)}: labels without an image of this name")
    return tuple(Sample(images[stem], labels[stem]) for stem in images), table


def check_split(split: str | None) -> None:
    """Raise `FormatError` unless a split is None or the plain name of one folder."""
    if split is not None and (split[:1] in ("", ".") or Path(split).name != split):
        raise FormatError(f"{split!r} is not the name of a split; give the name of one folder")


def splits_of(root: str | Path) -> tuple[str, ...]:
    """Return the names of the splits a data set folder has, in order; empty where it has none."""
    try:
        folders = [p.name for p in (Path(root) / "images").iterdir() if p.is_dir()]
    except OSError:
        return ()
    return tuple(sorted(name for name in folders if not name.startswith(".")))


def _folder(root: Path, kind: str, split: str | None) -> Path:
    return root / kind if split is None else root / kind / split


def _by_stem(root: Path, kind: str, split: str | None) -> dict[str, Path]:
    """Return the image files of one folder by stem; raises `FormatError`."""
    folder = _folder(root, kind, split)
    try:
        paths = list_images(folder)
    except DecodeError as error:
        raise FormatError(f"{printable(folder)}: {error.reason}{_hint(root, kind)}") from error
    if not paths and split is None and kind == "images" and splits_of(root):
        raise FormatError(f"{printable(folder)}: no images here{_hint(root, kind)}")
    stems: dict[str, Path] = {}
    for path in paths:
        if path.stem in stems:
            other = printable(stems[path.stem].name)
            raise FormatError(f"{printable(path)}: {other} has the same stem; rename one of them")
        stems[path.stem] = path
    return stems


def _hint(root: Path, kind: str) -> str:
    """Return the splits there are, as the end of a sentence about a missing folder."""
    names = splits_of(root) if kind == "images" else ()
    return f"; there are the splits {', '.join(map(printable, names))}" if names else ""
