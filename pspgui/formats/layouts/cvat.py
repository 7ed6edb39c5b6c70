"""CVAT's "Segmentation mask 1.1": VOC's folders, but colour PNGs explained by labelmap.txt.

A line is `name:red,green,blue:parts:actions`; `#` begins a remark. Beside an export of ours
dataset.json says which of the names mean unlabelled; otherwise every name is a class.
"""

from __future__ import annotations

from pathlib import Path

from pspgui.durable import printable
from pspgui.formats.coding import Colour, ColourCoding
from pspgui.formats.errors import FormatError
from pspgui.formats.samples import Layout, Sample, first_folder, images_by_stem
from pspgui.formats.value_map import written_table
from pspgui.labels.classes import ClassTable, ClassTableError, table

LABELMAP = "labelmap.txt"
_LISTS = "ImageSets/Segmentation"


def colour_labels(classes: ClassTable, ignored: Colour | None) -> dict[Colour, int]:
    """Return the label of every colour; `ignored` is that of unlabelled pixels."""
    unlabelled = {} if ignored is None else {ignored: classes.ignore}
    return {**unlabelled, **{entry.colour: entry.id for entry in classes.classes}}


def read_labelmap(path: Path) -> dict[str, Colour]:
    """Return the colours of labelmap.txt by name; raises `FormatError` naming file and line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{printable(path)}: it cannot be read ({error})") from error
    colours: dict[str, Colour] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.strip().partition(":")
        parts = rest.split(":")[0].split(",")
        if len(parts) != 3 or not all(p.strip().isdecimal() and int(p) <= 255 for p in parts):
            raise FormatError(
                f"{printable(path)}, line {number}: expected `name:red,green,blue::` with 0 to 255"
            )
        colour = int(parts[0]), int(parts[1]), int(parts[2])
        if name in colours or colour in colours.values():
            raise FormatError(
                f"{printable(path)}, line {number}: this name or colour stands there twice; "
                "classes cannot be told apart"
            )
        colours[name] = colour
    if not colours:
        raise FormatError(f"{printable(path)}: no class is listed")
    return colours


def _find(root: Path) -> Path | None:
    found = first_folder(root, (), "SegmentationClass", _LISTS)
    return found if found is not None and (found / LABELMAP).is_file() else None


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (root / _LISTS).glob("*.txt")))


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    classes, coding = _coding(root)
    path = root / _LISTS / f"{split}.txt"
    try:
        stems = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{printable(path)}: the list cannot be read ({error})") from error
    if not (root / "JPEGImages").is_dir():
        raise FormatError(
            f"{printable(root)}: there are no images in JPEGImages; export from CVAT with "
            '"Save images" on, or put them there'
        )
    images, labels = images_by_stem(root / "JPEGImages"), images_by_stem(root / "SegmentationClass")
    samples = []
    for number, stem in enumerate(stems, 1):
        if not stem:
            continue
        if stem not in images or stem not in labels:
            where = "JPEGImages" if stem not in images else "SegmentationClass"
            raise FormatError(f"{printable(path)}, line {number}: {stem!r} is not in {where}")
        samples.append(Sample(images[stem], labels[stem], coding))
    if not samples:
        raise FormatError(f"{printable(path)}: the list is empty")
    return tuple(samples), classes


def _coding(root: Path) -> tuple[ClassTable, ColourCoding]:
    """Return classes and colours; raises `FormatError`."""
    colours = read_labelmap(root / LABELMAP)
    try:
        classes = written_table(root) or table(*colours.items())
    except ClassTableError as error:
        raise FormatError(f"{printable(root / LABELMAP)}: {error}") from error
    for name in classes.names:
        if name not in colours:
            raise FormatError(f"{printable(root / LABELMAP)}: the class {name!r} has no line")
    number = {name: label for label, name in enumerate(classes.names)}
    labels = {colour: number.get(name, classes.ignore) for name, colour in colours.items()}
    return classes, ColourCoding(labels, f"{LABELMAP} does not list that colour")


LAYOUT = Layout(
    "cvat-mask", "CVAT segmentation mask 1.1", "SegmentationClass/, ImageSets/ and labelmap.txt",
    _find, _splits, _read,
)  # fmt: skip
