"""Writing a data set folder: images/, labels/, classes.json, each read back and compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pspgui.durable import printable, write_durably
from pspgui.formats.errors import FormatError
from pspgui.formats.layouts.folder import read_folder
from pspgui.formats.samples import check_split
from pspgui.imaging import (
    DecodeError,
    encode_labels,
    encode_png,
    image_from_bytes,
    is_image_name,
    labels_from_bytes,
    read_file,
)
from pspgui.labels.areas import ClassAreas
from pspgui.labels.classes import ClassTable, ClassTableError


class ExportItem(NamedTuple):
    """One image to export with its labels (H, W) uint8 or uint16.

    `pixels` (H, W, 3) uint8 stands for an image that has no file, such as a sample scene; `image`
    then gives the name alone.
    """

    image: Path
    labels: np.ndarray
    pixels: np.ndarray | None = None


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote: images, labelled pixels by class name, remarks, and what was refused.

    `pixels` lists every class of the table, and `unlabelled` last. `failed` holds (image, reason).
    """

    destination: Path
    images: int
    pixels: dict[str, int]
    notes: tuple[str, ...] = ()
    failed: tuple[tuple[Path, str], ...] = ()

    def lines(self) -> list[str]:
        """Return the report as lines of text: a headline, a table of classes, then remarks."""
        total = sum(self.pixels.values()) or 1
        width = max(len(name) for name in self.pixels)
        rows = [
            f"  {name:<{width}}  {count:>13,} px  {count / total:7.2%}"
            for name, count in self.pixels.items()
        ]
        head = f"{self.images} images with labels written to {printable(self.destination)}"
        return [head, *rows, *self.notes, *(f"not exported: {why}" for _, why in self.failed)]


_SUFFIX_OF = {
    "PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "BMP": ".bmp", "WEBP": ".webp",
    "GIF": ".gif", "PPM": ".ppm",
}  # fmt: skip


@dataclass
class _Writer:
    """The state of one export."""

    images: Path
    labels: Path
    table: ClassTable
    stems: set[str] = field(default_factory=set)
    counts: np.ndarray = field(default_factory=lambda: np.zeros(65536, np.int64))
    notes: list[str] = field(default_factory=list)

    def write(self, item: ExportItem) -> None:
        """Write one image and its labels; raises `DecodeError`, `FormatError` or `SaveError`."""
        name, content, shape = self._image(item)
        if item.labels.dtype not in (np.uint8, np.uint16):
            raise FormatError(f"{printable(item.image.name)}: its labels are {item.labels.dtype}")
        if item.labels.shape != shape:
            sizes = f"{_size(item.labels.shape)} pixels, the image {_size(shape)}"
            raise FormatError(f"{printable(item.image.name)}: its labels have {sizes}")
        counts = ClassAreas(item.labels).counts
        for label in np.flatnonzero(counts):
            if label >= len(self.table) and label != self.table.ignore:
                raise FormatError(
                    f"{printable(item.image.name)}: label {label} is not in the class table"
                )
        target = self.labels / f"{Path(name).stem}.png"
        encoded = encode_labels(item.labels, self.table.palette())
        write_durably(self.images / name, content)
        write_durably(target, encoded, lambda back: _compare(target, back, item.labels))
        self.stems.add(Path(name).stem.casefold())
        self.counts[: len(counts)] += counts

    def _image(self, item: ExportItem) -> tuple[str, bytes, tuple[int, int]]:
        """Return file name, bytes and (height, width) of what to write for an image."""
        if item.pixels is not None:
            name = self._free_name(f"{item.image.stem}.png", item.image)
            return name, encode_png(item.pixels), (item.pixels.shape[0], item.pixels.shape[1])
        content = read_file(item.image)
        decoded = image_from_bytes(item.image, content)
        shape = decoded.pixels.shape[0], decoded.pixels.shape[1]
        if decoded.orientation == 1:
            known = is_image_name(item.image.name)
            name = item.image.name + ("" if known else _SUFFIX_OF[decoded.format])
            return self._free_name(name, item.image), content, shape
        # Readers that do not know of EXIF would lay upright labels on a turned picture.
        self.notes.append(
            f"{printable(item.image.name)}: its EXIF turn was applied to the pixels, saved as PNG"
        )
        name = self._free_name(f"{item.image.stem}.png", item.image)
        return name, encode_png(decoded.pixels), shape

    def _free_name(self, name: str, image: Path) -> str:
        """Return the name, with a number if its stem is taken by another image of this export."""
        shown = name.lstrip(".") or name  # hidden files are no part of a data set
        stem, suffix = Path(shown).stem, Path(shown).suffix
        free, number = stem, 2
        while free.casefold() in self.stems:
            free, number = f"{stem}-{number}", number + 1
        if free + suffix != image.name:  # some file systems take x and X for one name
            self.notes.append(f"{printable(image.name)}: written as {printable(free + suffix)}")
        return free + suffix


def export_dataset(
    items: Iterable[ExportItem | tuple[Path, np.ndarray]],
    destination: str | Path,
    table: ClassTable,
    split: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ExportReport:
    """Write images, labels and class table as a folder that `read_folder` reads.

    Images are copied byte for byte, labels become palette PNGs; everything is read back and
    compared. With a split the files go to images/<split> and labels/<split>. `items` may be a
    generator, so that one label map is in memory at a time; `progress` is told the images done
    and may raise to stop. An image that cannot be read, or whose labels do not fit, is reported in
    `failed` and the rest is done. Raises `FormatError` when the destination holds files already
    (unless `overwrite`), holds the images themselves, has another class table, or when nothing
    could be exported; `SaveError` when the disk refuses. Any thread but the GUI's.
    """
    check_split(split)
    destination = Path(destination)
    part = Path() if split is None else Path(split)
    writer = _Writer(destination / "images" / part, destination / "labels" / part, table)
    _check_destination(destination, writer, overwrite)
    failed: list[tuple[Path, str]] = []
    done = 0
    for entry in items:
        item = ExportItem(Path(entry[0]), *entry[1:])
        _refuse_source(item.image, writer)
        try:
            writer.write(item)
            done += 1
        except (DecodeError, FormatError) as error:
            failed.append((item.image, str(error)))
        if progress is not None:
            progress(done + len(failed))
    if done == 0:
        reason = failed[0][1] if failed else "no image was given"
        raise FormatError(f"nothing was exported: {reason}")
    classes = json.dumps(table.to_json(), indent=2, ensure_ascii=False) + "\n"
    write_durably(destination / "classes.json", classes.encode("utf-8"))
    read_folder(destination, split)
    return ExportReport(
        destination, done, _by_class(writer.counts, table), tuple(writer.notes), tuple(failed)
    )


def _check_destination(destination: Path, writer: _Writer, overwrite: bool) -> None:
    """Refuse a destination where an export would mix with or replace something else."""
    if destination.exists() and not destination.is_dir():
        raise FormatError(f"{printable(destination)}: this is a file; choose a folder")
    for folder in (writer.images, writer.labels):
        if not overwrite and folder.is_dir() and any(p.is_file() for p in folder.iterdir()):
            raise FormatError(
                f"{printable(folder)}: there are files here already; choose an empty folder"
            )
    try:
        present = ClassTable.load(destination / "classes.json")
    except ClassTableError as error:
        if not (destination / "classes.json").exists():
            return
        raise FormatError(f"{error}; choose an empty folder") from error
    if present != writer.table:
        raise FormatError(
            f"{printable(destination / 'classes.json')}: another class table is here already; "
            "choose an empty folder"
        )


def _refuse_source(image: Path, writer: _Writer) -> None:
    """Refuse to export an image into the folder where it lies: its labels may be truth there."""
    if image.exists() and image.resolve().parent == writer.images.resolve():
        raise FormatError(
            f"{printable(writer.images)}: the images to export lie in this very folder; "
            "choose another destination"
        )


def _compare(path: Path, written: bytes, expected: np.ndarray) -> None:
    """Refuse bytes that do not decode to the labels on screen."""
    if not np.array_equal(labels_from_bytes(path, written).labels, expected):
        raise ValueError("the file decodes to other labels than were exported")


def _by_class(counts: np.ndarray, table: ClassTable) -> dict[str, int]:
    """Return pixels by class name in the order of the table, the ignore label last."""
    labels = [*range(len(table)), table.ignore]
    return {table.name_of(label): int(counts[label]) for label in labels}


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}" if len(shape) == 2 else str(shape)
