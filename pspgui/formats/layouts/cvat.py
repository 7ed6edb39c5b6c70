"""CVAT's "Segmentation mask 1.1": VOC's folders, but colour PNGs explained by labelmap.txt.

A line is `name:red,green,blue:parts:actions`; `#` begins a remark. Beside an export of ours
dataset.json says which of the names mean unlabelled; otherwise every name is a class.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pspgui.durable import printable
from pspgui.formats.coding import Colour, ColourCoding, FileValues, ValueCoding, unknown_value
from pspgui.formats.errors import FormatError
from pspgui.formats.samples import Layout, Sample, first_folder, images_by_stem
from pspgui.formats.value_map import written_table
from pspgui.imaging import read_file
from pspgui.imaging.checked_pillow import open_image
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
        lines = path.read_text(encoding="utf-8").splitlines()
        stems = [line.strip().rpartition("/")[2] for line in lines]
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{printable(path)}: the list cannot be read ({error})") from error
    labels = images_by_stem(root / "SegmentationClass")
    if (root / "JPEGImages").is_dir():
        images = images_by_stem(root / "JPEGImages")
    else:  # CVAT leaves them out unless told to save them
        images = {stem: root / "JPEGImages" / f"{stem}.jpg" for stem in labels}
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
    labels = [number.get(name, classes.ignore) for name in colours]
    return classes, LabelmapCoding(dict(zip(colours.values(), labels, strict=True)), labels)


class LabelmapCoding(ColourCoding):
    """Colours of labelmap.txt; in a file of one channel, values that count its lines from 0."""

    key = "labelmap"

    def __init__(self, labels: dict[Colour, int], lines: list[int]) -> None:
        super().__init__(labels, f"{LABELMAP} does not list that colour")
        self._lines = ValueCoding(
            dict(enumerate(lines[:256])), f"{LABELMAP} has {len(lines)} lines"
        )

    def read(self, path: Path) -> np.ndarray:
        """Return labels (H, W); raises `DecodeError` or `FormatError`."""
        return self._lines.read(path) if self._is_grey(path) else super().read(path)

    def values_of(self, path: Path) -> FileValues:
        """Return the colours of a file, or of its lines where it has one channel."""
        if not self._is_grey(path):
            return super().values_of(path)
        values = self._lines.values_of(path).values
        colours = list(self._labels)
        unknown = next((value for value in values if value >= len(colours)), None)
        if unknown is not None:
            raise unknown_value(path, unknown, self._lines)
        return FileValues(tuple(sorted(colours[value] for value in values)), False)

    def _is_grey(self, path: Path) -> bool:
        return open_image(path, read_file(path)).image.mode in ("1", "L", "I", "I;16")


LAYOUT = Layout(
    "cvat-mask", "CVAT segmentation mask 1.1", "SegmentationClass/, ImageSets/ and labelmap.txt",
    _find, _splits, _read,
)  # fmt: skip
