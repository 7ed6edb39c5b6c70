"""The import job: labels of a data set in any form that is known, into a folder of images.

Classes are matched by name with those that the folder's labels have; what they lack is added.
Everything that will change is backed up first, and taken back as a whole where the disk refuses
or the person cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from pspgui.durable import SaveError, printable, write_durably
from pspgui.formats import FormatError, Sample
from pspgui.formats.exporting import count_labels, resized
from pspgui.formats.report import by_class
from pspgui.formats.sources import Source, opened_source
from pspgui.imaging import DecodeError, image_from_bytes, image_size, list_images, read_file
from pspgui.jobs.class_tables import (
    extended,
    put_together,
    read_classes,
    read_folder_classes,
    write_classes,
)
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.labels.classes import ClassTable, ClassTableError, LabelClass, name_key
from pspgui.labels.provenance import IMPORTED
from pspgui.project import LabelStore, StoreError
from pspgui.project.class_files import classes_beside
from pspgui.project.pending import PendingChange, begin_change, finish_change

UNLABELLED = ""


@dataclass(frozen=True)
class ImportOptions:
    """What a person chose. `key` is the form, None to find it; `split` one split, None for all.

    conflicts: keep the labels that images have already, or replace them (backed up); misfits:
    labels of another size than their image are refused, resized to the nearest pixel, or skipped;
    images: copy those that the folder lacks, or only give labels to those it has; classes: for a
    class of the data set another of the labels' classes, or UNLABELLED.
    """

    key: str | None = None
    split: str | None = None
    conflicts: Literal["keep", "replace"] = "keep"
    misfits: Literal["refuse", "resize", "skip"] = "refuse"
    images: Literal["copy", "match"] = "copy"
    classes: Mapping[str, str] = field(default_factory=dict)


class ClassMatch(NamedTuple):
    """A class of the data set, the class of the labels it becomes ("" for none), if that is new."""

    name: str
    target: str
    is_new: bool
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do, found out without reading labels.

    images: all of the data set; matched: those that the folder has; copied: those it would get;
    absent: those that are nowhere; labelled: of the matched ones, those with labels already.
    `known` are the class names of the folder's labels.
    """

    source: Path
    folder: Path
    key: str
    title: str
    splits: tuple[str, ...]
    classes: tuple[ClassMatch, ...]
    known: tuple[str, ...]
    images: int
    matched: int
    copied: int
    absent: int
    labelled: int

    def lines(self) -> list[str]:
        """Return the plan as lines of text."""
        splits = f", splits {', '.join(map(printable, self.splits))}" if self.splits else ""
        new = [match.target for match in self.classes if match.is_new]
        return [
            f"{printable(self.source)}: {self.title}{splits}",
            f"{self.images} images with labels: {self.matched} are in {printable(self.folder)}, "
            f"{self.copied} would be copied there, {self.absent} are nowhere",
            f"{self.labelled} of them have labels already",
            f"{len(self.classes)} classes, {len(new)} new"
            + (f": {', '.join(map(printable, new))}" if new else ""),
        ]


@dataclass
class ImportReport:
    """What an import did. `failed` holds (image or file, reason); `kept` images had labels."""

    folder: Path
    title: str
    images: int = 0
    copied: int = 0
    replaced: int = 0
    kept: int = 0
    empty: int = 0
    skipped: int = 0
    absent: int = 0
    pixels: dict[str, int] = field(default_factory=dict)
    new_classes: tuple[str, ...] = ()
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    backup: str = ""

    def lines(self) -> list[str]:
        """Return the report as lines of text: a headline, a table of classes, then remarks."""
        total = sum(self.pixels.values()) or 1
        width = max((len(name) for name in self.pixels), default=0)
        rows = [
            f"  {name:<{width}}  {count:>13,} px  {count / total:7.2%}"
            for name, count in self.pixels.items()
        ]
        told = (
            (self.copied, "images copied into the folder"),
            (self.replaced, "images whose earlier labels were replaced; those are in the backups"),
            (self.kept, "images that kept the labels they had"),
            (self.empty, "images left out, having no labelled pixel in the data set"),
            (self.skipped, "images left out, their labels being of another size"),
            (self.absent, "images left out, being neither in the folder nor in the data set"),
        )
        new = f"new classes: {', '.join(map(printable, self.new_classes))}"
        return [
            f"labels of {self.images} images imported into {printable(self.folder)}", *rows,
            *([new] if self.new_classes else []),
            *(f"{what}: {count:,}" for count, what in told if count), *self.notes,
            *([f"backup: {self.backup}"] if self.backup else []),
            *(f"not imported: {reason}" for _, reason in self.failed),
        ]  # fmt: skip

    def to_json(self) -> dict[str, object]:
        """Return the report for programs."""
        return {
            "folder": str(self.folder), "format": self.title, "images": self.images,
            "copied": self.copied, "replaced": self.replaced, "kept": self.kept,
            "empty": self.empty, "skipped": self.skipped, "absent": self.absent,
            "pixels": self.pixels, "new_classes": list(self.new_classes), "notes": self.notes,
            "backup": self.backup, "failed": [reason for _, reason in self.failed],
        }  # fmt: skip


class _Entry(NamedTuple):
    """A sample, the classes of its labels, and the image of the folder that it is for.

    `copies` says that the image is still to be copied there.
    """

    sample: Sample
    table: ClassTable
    image: Path
    copies: bool


def plan_import(path: Path, folder: Path, store: LabelStore, options: ImportOptions) -> Job:
    """Return a job that gives the `ImportPlan`; it fails with `FormatError`."""

    def job(turn: Turn) -> Steps:
        yield Step(f"Looking into {printable(path.name)}")
        with opened_source(path, options.key, check=turn.check) as source:
            yield Step(f"Reading {source.layout.title}")
            found = _Found(source, folder, options, turn.check)
            known = _known_classes(store, found.present, turn.check)
            return found.plan(path, store, known)

    return job


def run_import(
    path: Path, folder: Path, store: LabelStore, options: ImportOptions,
    is_saved: Callable[[], bool] = lambda: True,
) -> Job:  # fmt: skip
    """Return a job that imports and gives the `ImportReport`.

    `is_saved()` waits for saves under way, on the job's thread. An image whose labels cannot be
    read is noted and the rest done; it fails with `FormatError` where there is nothing to import,
    and with `SaveError` where the disk refuses: all is then as before. Labels must not be edited
    meanwhile.
    """

    def job(turn: Turn) -> Steps:
        yield Step(f"Looking into {printable(path.name)}")
        if not is_saved():
            raise FormatError("Some labels are not saved yet; save them, then import once more.")
        with opened_source(path, options.key, check=turn.check) as source:
            yield Step(f"Reading {source.layout.title}")
            found = _Found(source, folder, options, turn.check)
            known = _known_classes(store, found.present, turn.check)
            work = _Import(found, store, known)
            yield Step("Backing up", 0.0)
            with work.change():
                for number, entry in enumerate(work.entries):
                    name = printable(entry.image.name)
                    yield Step(f"Importing {name}", number / len(work.entries))
                    work.take(entry)
            return work.report

    return job


class _Found:
    """A data set whose images were looked for in a folder."""

    def __init__(
        self, source: Source, folder: Path, options: ImportOptions, check: Callable[[], None]
    ) -> None:
        if not folder.is_dir():
            raise FormatError(f"{printable(folder)}: there is no such folder")
        self.source, self.folder, self.options = source, folder, options
        try:
            self.present = list_images(folder)
        except DecodeError as error:
            raise FormatError(f"{printable(folder)}: {error.reason}") from error
        self._by_name = {image.name: image for image in self.present}
        self._by_stem: dict[str, list[Path]] = {}
        for image in self.present:
            self._by_stem.setdefault(image.stem, []).append(image)
        self._originals = source.original_names()
        self.entries: list[_Entry] = []
        self.absent: list[Sample] = []
        self.failed: list[tuple[str, str]] = []
        self.tables: list[ClassTable] = []
        targets: dict[Path, Path] = {}
        for samples, table in source.parts(options.split):
            self.tables.append(table)
            for sample in samples:
                check()
                self._place(sample, table, targets)

    def _place(self, sample: Sample, table: ClassTable, targets: dict[Path, Path]) -> None:
        name = sample.image.name
        try:
            image = self._image_for(sample.image)
        except FormatError as error:
            self.failed.append((name, str(error)))
            return
        copies = image is None and sample.image.is_file() and self.options.images == "copy"
        if image is None and not copies:
            self.absent.append(sample)
            return
        target = image or self.folder / name
        if target in targets:
            reason = "the data set has two images of this name; import its splits one by one"
            self.failed.append((name, f"{printable(name)}: {reason}"))
            return
        targets[target] = sample.image
        self.entries.append(_Entry(sample, table, target, copies))

    def _image_for(self, wanted: Path) -> Path | None:
        """Return the folder's image of the same name, or the only one of the same stem.

        What an image was called before it was exported counts first.
        """
        original = self._originals.get(wanted.name)
        if original is not None and original in self._by_name:
            return self._by_name[original]
        if wanted.name in self._by_name:
            if wanted.name in self._originals.values():
                shown = printable(wanted.name)
                raise FormatError(f"{shown}: the folder's image of this name is another one")
            return self._by_name[wanted.name]
        same = self._by_stem.get(wanted.stem, [])
        if len(same) > 1:
            shown = printable(wanted.name)
            raise FormatError(f"{shown}: {len(same)} images of the folder have this stem")
        return same[0] if same else None

    def plan(self, path: Path, store: LabelStore, known: ClassTable | None) -> ImportPlan:
        """Return what importing would do."""
        copied = sum(entry.copies for entry in self.entries)
        labelled = sum(store.path_for(e.image).exists() for e in self.entries if not e.copies)
        names = () if known is None else known.names
        return ImportPlan(
            path, self.folder, self.source.layout.key, self.source.layout.title,
            self.source.splits, matches(self.tables, known, self.options.classes), names,
            len(self.entries) + len(self.absent) + len(self.failed), len(self.entries) - copied,
            copied, len(self.absent), labelled,
        )  # fmt: skip


class _Import:
    """One import under way."""

    def __init__(self, found: _Found, store: LabelStore, known: ClassTable | None) -> None:
        self._options, self._store, self._source = found.options, store, found.source
        found_classes = matches(found.tables, known, found.options.classes)
        self._wanted = wanted_table(found_classes, known)
        self._counts = np.zeros(65536, np.int64)
        self._lookups: dict[ClassTable, np.ndarray] = {}
        self._copies: list[Path] = []
        self.report = ImportReport(found.folder, found.source.layout.title)
        self.report.failed += found.failed
        self.report.absent = len(found.absent)
        self.report.new_classes = tuple(
            dict.fromkeys(match.target for match in found_classes if match.is_new)
        )
        self.entries = [entry for entry in found.entries if self._may_write(entry)]

    def _may_write(self, entry: _Entry) -> bool:
        if entry.copies or not self._store.path_for(entry.image).exists():
            return True
        if self._options.conflicts == "keep":
            self.report.kept += 1
            return False
        return True

    def change(self) -> ExitStack:
        """Return what backs up, and takes all back unless it ends well."""
        stack = ExitStack()
        files: dict[Path, list[Path]] = {}
        for entry in self.entries:
            file = self._store.path_for(entry.image)
            home = file.parent.parent
            files.setdefault(home, []).extend(
                (file, home / "provenance" / file.name, classes_beside(file))
            )
        begun: list[PendingChange] = []
        stack.push(lambda kind, *_: self._end(begun, kind is None))
        try:
            for home, changing in files.items():
                begun.append(begin_change(home, "import", changing))
        except BaseException:
            stack.pop_all()
            self._end(begun, False)
            raise
        names = [change.backup.name for change in begun if change.backup is not None]
        self.report.backup = ", ".join(names)
        return stack

    def _end(self, begun: list[PendingChange], well: bool) -> bool:
        try:
            for change in begun if well else ():
                finish_change(change.home)
        except SaveError:
            self._take_back(begun)
            raise
        if not well:
            self._take_back(begun)
        self.report.pixels = by_class(self._counts, self._wanted)
        return False

    def _take_back(self, begun: list[PendingChange]) -> None:
        for change in begun:
            change.take_back()
        for copy in self._copies:
            copy.unlink(missing_ok=True)

    def take(self, entry: _Entry) -> None:
        """Import one image; what is wrong with it is noted. Raises `SaveError`."""
        name = printable(entry.image.name)
        try:
            self._take(entry)
        except SaveError:
            raise
        except (FormatError, DecodeError, StoreError, ClassTableError) as error:
            self.report.failed.append((name, self._source.words(error)))

    def _take(self, entry: _Entry) -> None:
        sample, report = entry.sample, self.report
        own = sample.coding.read(sample.labels)
        shape = image_size(sample.image if entry.copies else entry.image)
        if own.shape != shape:
            name = printable(entry.image.name)
            sizes = f"its labels have {_size(own.shape)} pixels, the image {_size(shape)}"
            if self._options.misfits == "skip":
                report.skipped += 1
                return
            if self._options.misfits == "refuse":
                raise FormatError(f"{name}: {sizes}")
            own = resized(own, shape)
            report.notes.append(f"{name}: {sizes}; resized by nearest neighbour")
        labels = self._lookup(entry.table)[own]
        counts = count_labels(labels)
        if counts.sum() == counts[self._wanted.ignore]:
            report.empty += 1
            return
        if entry.copies:
            self._copy(sample.image, entry.image)
        elif self._store.path_for(entry.image).exists():
            report.replaced += 1
        marks = np.full(labels.shape, IMPORTED, np.uint8)
        palette = np.ascontiguousarray(self._wanted.palette())
        file = self._store.save(entry.image, labels, marks, palette, overwrite=True)
        write_classes(file, self._wanted)
        self._counts[: len(counts)] += counts
        report.images += 1

    def _copy(self, source: Path, target: Path) -> None:
        content = read_file(source)
        image_from_bytes(source, content)
        write_durably(target, content)
        self._copies.append(target)
        self.report.copied += 1

    def _lookup(self, table: ClassTable) -> np.ndarray:
        """Return the labels of the folder for those of a table of the data set."""
        if table not in self._lookups:
            wanted = self._wanted
            kind = np.uint8 if wanted.ignore <= 255 else np.uint16
            found = np.full(65536, wanted.ignore, kind)
            numbers = wanted.ids_by_key()
            for label, name in enumerate(table.names):
                target = self._options.classes.get(name, name)
                if target != UNLABELLED:
                    found[label] = numbers[name_key(target)]
            self._lookups[table] = found
        return self._lookups[table]


def matches(
    tables: list[ClassTable], known: ClassTable | None, chosen: Mapping[str, str]
) -> tuple[ClassMatch, ...]:
    """Return what becomes of every class of the data set; classes of one name are one.

    A class that had another name before, or that another one went into, is known by that, too.
    """
    ids = {} if known is None else known.ids_by_key()
    there = {key: known.name_of(label) for key, label in ids.items()} if known else {}
    found: dict[str, ClassMatch] = {}
    for table in tables:
        for entry in table.classes:
            if entry.name in found:
                continue
            target = chosen.get(entry.name, entry.name)
            own = there.get(name_key(target))
            is_new = own is None and target != UNLABELLED
            found[entry.name] = ClassMatch(entry.name, own or target, is_new, entry.colour)
    return tuple(found.values())


def wanted_table(found: tuple[ClassMatch, ...], known: ClassTable | None) -> ClassTable:
    """Return the classes of the labels after the import; ids of `known` stay.

    Raises `FormatError` where no class is left, or where they are too many for the labels there.
    """
    new = {name_key(match.target): match for match in found if match.is_new}
    rows = tuple(
        LabelClass(number, match.target, match.colour) for number, match in enumerate(new.values())
    )
    if not rows:
        if known is None:
            raise FormatError("every class is to be left out; there is nothing to import")
        return known
    added = ClassTable(rows, 255 if len(rows) <= 255 else 65535)
    return added if known is None else extended(known, added)


def _known_classes(
    store: LabelStore, images: tuple[Path, ...], check: Callable[[], None]
) -> ClassTable | None:
    """Return the classes of the labels that a folder has, and those chosen for it; None for none.

    Raises `ClassTableError` for a damaged table.
    """
    tables: dict[ClassTable, None] = {}
    for table in _tables(store, images):
        check()
        tables[table] = None
    return put_together(tables) if tables else None


def _tables(store: LabelStore, images: tuple[Path, ...]) -> Iterator[ClassTable]:
    for number, image in enumerate(images):
        file = store.path_for(image)
        if not number:
            chosen = read_folder_classes(file)
            if chosen is not None:
                yield chosen
        if file.is_file():
            own = read_classes(file)
            if own is not None:
                yield own


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}"


__all__ = [
    "UNLABELLED",
    "ClassMatch",
    "ImportOptions",
    "ImportPlan",
    "ImportReport",
    "matches",
    "plan_import",
    "run_import",
    "wanted_table",
]
