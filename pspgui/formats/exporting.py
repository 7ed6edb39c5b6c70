"""What all exports share: names, splits, images, reading back, the table of pixels."""

from __future__ import annotations

import contextlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from pspgui.durable import SaveError, printable, write_durably
from pspgui.formats.errors import FormatError
from pspgui.formats.options import ExportOptions, SplitChooser
from pspgui.formats.samples import check_split
from pspgui.formats.value_map import DESCRIPTION, ValueMap
from pspgui.imaging import DecodeError, encode_png, image_from_bytes, is_image_name, read_file
from pspgui.labels.areas import ClassAreas
from pspgui.labels.classes import ClassTable


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


class LabelFile(NamedTuple):
    """A label file to write: its path in the destination, its bytes, and how to read them back.

    `decode(bytes)` returns labels (H, W), or None stands where the format cannot hold them all.
    """

    path: str
    content: bytes
    decode: Callable[[bytes], np.ndarray] | None


class Written(NamedTuple):
    """An image of the export: split, stem, file, (height, width), and its name where it came from.

    `image` is "" where only labels were written.
    """

    split: str | None
    stem: str
    image: str
    shape: tuple[int, int]
    source: str


class Scheme(ABC):
    """How one format lays out an export; made anew for each export, with its state if any.

    `default_split` is taken where none is asked for; `png_images` says that readers of the format
    know PNG only; `adds_splits` that an export may join earlier ones of other splits; `choices`
    names the options that the format leaves open.
    """

    key: ClassVar[str]
    default_split: ClassVar[str | None] = "train"
    png_images: ClassVar[bool] = False
    needs_images: ClassVar[bool] = False
    adds_splits: ClassVar[bool] = False
    choices: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, table: ClassTable, options: ExportOptions) -> None:
        """Raise `FormatError` for classes that do not fit, or a choice that is not open."""
        self.table, self.options = table, options
        for name in ("first_value", "ignore_value"):
            if getattr(options, name) is not None and name not in self.choices:
                what = name.replace("_", " ")
                raise FormatError(f"the format {self.key} fixes the {what}; leave that choice out")
        if self.needs_images and options.images == "none":
            raise FormatError(f"the format {self.key} needs its images; copy them or link to them")

    @abstractmethod
    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""

    @abstractmethod
    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return the label files of an image; raises `FormatError`."""

    def stem_of(self, stem: str) -> str:
        """Return a stem as readers of the format can take it."""
        return re.sub(r"[^\w.\-]+", "_", stem)

    def numbered(self, stem: str, number: int) -> str:
        """Return the stem with a number, for another image of the same name."""
        return f"{stem}-{number}"

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return files to write at the end: lists, tables, a config."""
        return {}

    def notes(self, written: Sequence[Written]) -> Sequence[str]:
        """Return remarks for the person."""
        return ()

    def values(self) -> ValueMap | None:
        """Return which values stand for the classes, where values do."""
        return None

    def check_destination(self, root: Path, splits: Sequence[str | None], overwrite: bool) -> None:
        """Raise `FormatError` where the export would mix with or replace something else."""
        if not overwrite and root.is_dir() and any(root.iterdir()):
            raise FormatError(
                f"{printable(root)}: there are files here already; choose an empty folder"
            )

    def check_result(self, root: Path, splits: Sequence[str | None]) -> None:
        """Raise `FormatError` unless the whole can be read."""
        return


_SUFFIX_OF = {
    "PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "BMP": ".bmp", "WEBP": ".webp",
    "GIF": ".gif", "PPM": ".ppm",
}  # fmt: skip


@dataclass
class _Picture:
    """An image to write: suffix, bytes, size, and whether the bytes are those of its own file."""

    suffix: str
    content: bytes
    shape: tuple[int, int]
    is_source: bool = False
    was_turned: bool = False


@dataclass
class _Export:
    """The state of one export."""

    root: Path
    scheme: Scheme
    stems: set[str] = field(default_factory=set)
    counts: dict[str | None, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)

    def write(self, item: ExportItem, split: str | None) -> None:
        """Write one image and its labels; raises `DecodeError`, `FormatError` or `SaveError`."""
        picture = self._picture(item)
        counts = self._checked(item, picture.shape)
        stem, renamed = self._free_stem(item.image, picture.suffix)
        notes = [self._about_turn(item.image)] if picture.was_turned else []
        files = self.scheme.label_files(split, stem, item.labels)
        where = self._write_image(item.image, picture, split, stem)
        for file in files:
            write_durably(self.root / file.path, file.content, _compare(file, item.labels))
        self.stems.add(stem.casefold())
        total = self.counts.setdefault(split, np.zeros(65536, np.int64))
        total[: len(counts)] += counts
        self.notes += [*notes, *renamed]
        name = printable(item.image.name)
        self.written.append(Written(split, stem, where, picture.shape, name))

    def _checked(self, item: ExportItem, shape: tuple[int, int]) -> np.ndarray:
        """Return pixels by label; raises `FormatError` for labels that do not fit."""
        name, table = printable(item.image.name), self.scheme.table
        if item.labels.dtype not in (np.uint8, np.uint16):
            raise FormatError(f"{name}: its labels are {item.labels.dtype}")
        if item.labels.shape != shape:
            sizes = f"{_size(item.labels.shape)} pixels, the image {_size(shape)}"
            raise FormatError(f"{name}: its labels have {sizes}")
        counts: np.ndarray = ClassAreas(item.labels).counts
        for label in np.flatnonzero(counts):
            if label >= len(table) and label != table.ignore:
                raise FormatError(f"{name}: label {label} is not in the class table")
        return counts

    def _picture(self, item: ExportItem) -> _Picture:
        """Return what to write for an image; raises `DecodeError`."""
        if item.pixels is not None:
            height, width = item.pixels.shape[:2]
            return _Picture(".png", encode_png(item.pixels), (height, width))
        content = read_file(item.image)
        decoded = image_from_bytes(item.image, content)
        shape = decoded.pixels.shape[0], decoded.pixels.shape[1]
        # Readers that do not know of EXIF would lay upright labels on a turned picture.
        turned = decoded.orientation != 1
        if turned or (self.scheme.png_images and decoded.format != "PNG"):
            content = b"" if self.scheme.options.images == "none" else encode_png(decoded.pixels)
            return _Picture(".png", content, shape, was_turned=turned)
        known = is_image_name(item.image.name)
        suffix = item.image.suffix if known else _SUFFIX_OF[decoded.format]
        suffix = ".png" if self.scheme.png_images else suffix
        return _Picture(suffix, content, shape, is_source=True)

    def _free_stem(self, image: Path, suffix: str) -> tuple[str, list[str]]:
        """Return the image's stem, with a number if another image of this export has it."""
        shown = image.name.lstrip(".") or image.name  # hidden files are no part of a data set
        bare = Path(shown).stem if is_image_name(shown) else shown
        stem = self.scheme.stem_of(bare)
        free, number = stem, 2
        while free.casefold() in self.stems:
            free, number = self.scheme.numbered(stem, number), number + 1
        if free + suffix == image.name:  # some file systems take x and X for one name
            return free, []
        return free, [f"{printable(image.name)}: written as {printable(free + suffix)}"]

    def _about_turn(self, image: Path) -> str:
        if self.scheme.options.images == "none":
            return f"{printable(image.name)}: its labels are for the picture turned by its EXIF"
        return f"{printable(image.name)}: its EXIF turn was applied to the pixels, saved as PNG"

    def _write_image(self, source: Path, picture: _Picture, split: str | None, stem: str) -> str:
        """Write or link an image and return its path in the destination, "" for none."""
        how = self.scheme.options.images
        if how == "none":
            return ""
        where = self.scheme.image_path(split, stem, picture.suffix)
        if how == "link" and picture.is_source:
            _link(source, self.root / where)
        else:
            write_durably(self.root / where, picture.content)
        return where

    def refuse_source(self, image: Path, split: str | None) -> None:
        """Refuse to export an image into the folder where it lies: its labels may be truth there.

        Raises `FormatError`.
        """
        folder = (self.root / self.scheme.image_path(split, "x", ".png")).parent
        if image.exists() and image.resolve().parent == folder.resolve():
            raise FormatError(
                f"{printable(folder)}: the images to export lie in this very folder; "
                "choose another destination"
            )

    def finish(self) -> None:
        """Write lists and tables, and the description last; raises `SaveError`, `FormatError`."""
        for path, content in self.scheme.closing_files(self.written).items():
            write_durably(self.root / path, content)
        self.scheme.check_result(self.root, tuple(self.counts))
        described = json.dumps(self._description(), indent=2, ensure_ascii=False) + "\n"
        write_durably(self.root / DESCRIPTION, described.encode("utf-8"))

    def _description(self) -> dict[str, Any]:
        scheme = self.scheme
        described: dict[str, Any] = {
            "format": scheme.key, "written_by": f"pspgui {_version()}",
            "model": scheme.options.model, "classes": scheme.table.to_json(),
        }  # fmt: skip
        values = scheme.values()
        if values is not None:
            described["values"] = values.to_json()
        images = dict.fromkeys(self.counts, 0)
        for entry in self.written:
            images[entry.split] += 1
        described["splits"] = self._earlier_splits() + [
            {"name": split, "images": images[split], "pixels": by_class(counts, scheme.table)}
            for split, counts in self.counts.items()
        ]
        return described

    def _earlier_splits(self) -> list[Any]:
        """Return what an earlier export said of splits that this one did not write."""
        if self.scheme.adds_splits:
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
                told = json.loads((self.root / DESCRIPTION).read_text(encoding="utf-8"))["splits"]
                return [entry for entry in told if entry["name"] not in self.counts]
        return []


def export_as(
    kind: type[Scheme],
    items: Iterable[ExportItem | tuple[Path, np.ndarray]],
    destination: str | Path,
    table: ClassTable,
    split: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
    options: ExportOptions | None = None,
) -> ExportReport:
    """Write images and labels in a format; every lossless file is read back and compared.

    `items` may be a generator, so that one label map is in memory at a time; `progress` is told
    the images done and may raise to stop. An image that cannot be read, or whose labels do not
    fit, is reported in `failed` and the rest is done. `dataset.json` (classes, values, pixels by
    class and split, model, version) comes last, so that a folder with it is complete. Raises
    `FormatError` when the destination holds files already (unless `overwrite`), holds the images
    themselves, when the classes do not fit, or when nothing could be exported; `SaveError` when
    the disk refuses. Any thread but the GUI's.
    """
    check_split(split)
    options = options or ExportOptions()
    if split is not None and options.train_share is not None:
        raise FormatError("give the name of a split, or the share of train, not both")
    scheme = kind(table, options)
    share = options.train_share
    chooser = None if share is None else SplitChooser(share, options.group)
    named = split if split is not None else scheme.default_split
    splits = (named,) if chooser is None else tuple(chooser.counts)
    export = _Export(Path(destination), scheme)
    if export.root.exists() and not export.root.is_dir():
        raise FormatError(f"{printable(export.root)}: this is a file; choose a folder")
    scheme.check_destination(export.root, splits, overwrite)
    failed: list[tuple[Path, str]] = []
    for entry in items:
        item = ExportItem(Path(entry[0]), *entry[1:])
        here = named if chooser is None else chooser.choose(item.image)
        export.refuse_source(item.image, here)
        try:
            export.write(item, here)
            if chooser is not None:
                chooser.count(item.image, str(here))
        except (DecodeError, FormatError) as error:
            failed.append((item.image, str(error)))
        if progress is not None:
            progress(len(export.written) + len(failed))
    if not export.written:
        reason = failed[0][1] if failed else "no image was given"
        raise FormatError(f"nothing was exported: {reason}")
    export.finish()
    empty = [name for name in splits if name not in export.counts]
    notes = [*export.notes, *scheme.notes(export.written), *map(_about_empty, empty)]
    counts = np.sum(list(export.counts.values()), axis=0)
    return ExportReport(
        export.root, len(export.written), by_class(counts, table), tuple(notes), tuple(failed)
    )


def by_class(counts: np.ndarray, table: ClassTable) -> dict[str, int]:
    """Return pixels by class name in the order of the table, the ignore label last."""
    labels = [*range(len(table)), table.ignore]
    return {table.name_of(label): int(counts[label]) for label in labels}


def _about_empty(split: str | None) -> str:
    return f"the split {split} is empty: there are too few images, or they are all of one sequence"


def _compare(file: LabelFile, expected: np.ndarray) -> Callable[[bytes], None] | None:
    """Return what refuses bytes that do not decode to the labels on screen."""
    decode = file.decode
    if decode is None:
        return None

    def verify(written: bytes) -> None:
        if not np.array_equal(decode(written), expected):
            raise ValueError("the file decodes to other labels than were exported")

    return verify


def _link(source: Path, path: Path) -> None:
    """Make `path` a symbolic link to an image; raises `SaveError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        path.symlink_to(source.resolve())
    except OSError as error:
        raise SaveError(
            f"{printable(path)}: no link could be made ({error.strerror or error}); "
            "copy the images instead"
        ) from error


def _version() -> str:
    try:
        return version("pspgui")
    except PackageNotFoundError:  # run from its folder, not installed
        return "unknown"


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}" if len(shape) == 2 else str(shape)
