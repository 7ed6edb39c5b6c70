"""The folder form that pspgui itself writes: images/<split>, labels/<split>, classes.json.

Without splits the files lie in images and labels. Values are labels as they are.
"""

from __future__ import annotations

from pathlib import Path

from pspgui.durable import printable
from pspgui.formats.coding import PLAIN
from pspgui.formats.errors import FormatError
from pspgui.formats.samples import Layout, Sample, check_split, folders_of, images_by_stem
from pspgui.labels.classes import ClassTable, ClassTableError


def read_folder(
    root: str | Path, split: str | None = None
) -> tuple[tuple[Sample, ...], ClassTable]:
    """Return the samples of a folder data set by name, and its class table; nothing is decoded.

    An image pairs with the label file of its stem. Raises `FormatError` naming the file and what
    is wrong: a missing folder, an image without labels, labels without image, two images of one
    stem.
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
    return tuple(Sample(images[stem], labels[stem], PLAIN) for stem in images), table


def _find(root: Path) -> Path | None:
    both = (root / "images").is_dir() and (root / "labels").is_dir()
    return root if both or (root / "classes.json").exists() else None


def _splits(root: Path) -> tuple[str, ...]:
    return folders_of(root / "images")


def _folder(root: Path, kind: str, split: str | None) -> Path:
    return root / kind if split is None else root / kind / split


def _by_stem(root: Path, kind: str, split: str | None) -> dict[str, Path]:
    """Return the image files of one folder by stem; raises `FormatError` with the splits."""
    folder = _folder(root, kind, split)
    names = _splits(root) if kind == "images" else ()
    hint = f"; there are the splits {', '.join(map(printable, names))}" if names else ""
    if hint and not folder.is_dir():
        raise FormatError(f"{printable(folder)}: there is no such folder{hint}")
    stems = images_by_stem(folder)
    if not stems and split is None and hint:
        raise FormatError(f"{printable(folder)}: no images here{hint}")
    return stems


LAYOUT = Layout(
    "folder", "Data set folder", "images/, labels/ and classes.json", _find, _splits, read_folder,
    needs_split=False,
)  # fmt: skip
