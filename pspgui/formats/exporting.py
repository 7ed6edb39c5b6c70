"""What all exports share: names, splits, images, reading back, the table of pixels."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pspgui.durable import SaveError, printable, write_durably
from pspgui.formats.errors import FormatError
from pspgui.formats.options import ExportOptions, SplitChooser
from pspgui.formats.pictures import Picture, about_turn, picture_of
from pspgui.formats.report import ExportReport, by_class, by_source, shares
from pspgui.formats.samples import check_split
from pspgui.formats.scheme import ExportItem, LabelFile, Scheme, Written
from pspgui.formats.value_map import DESCRIPTION, original_names
from pspgui.imaging import DecodeError, is_image_name
from pspgui.labels.classes import ClassTable

# Images under way at a time beside the one being fetched; each holds its labels in memory.
_AHEAD = 2


class _Outcome(NamedTuple):
    """An image that is written: what it was, labels by value as exported and as read back.

    `sources` counts its pixels by provenance; `digest` is that of its labels.
    """

    written: Written
    counts: np.ndarray
    read_back: np.ndarray
    sources: np.ndarray
    notes: tuple[str, ...]
    digest: bytes


class _LeftOut(Exception):  # noqa: N818 -- a choice of the person, no error
    """An image whose labels have another size, which the person chose to skip."""


@dataclass
class _Export:
    """The state of one export; `write` runs on any thread, all else on the caller's."""

    root: Path
    scheme: Scheme
    stems: set[str] = field(default_factory=set)
    counts: dict[str | None, np.ndarray] = field(default_factory=dict)
    read_back: np.ndarray = field(default_factory=lambda: np.zeros(65536, np.int64))
    sources: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    notes: list[str] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    digests: dict[str, bytes] = field(default_factory=dict)

    # -- one image ----------------------------------------------------------------------------

    def write(self, item: ExportItem, split: str | None, stem: str) -> _Outcome:
        """Write one image and its labels; raises `DecodeError`, `FormatError` or `SaveError`."""
        how = self.scheme.options.images
        picture = picture_of(item, self.scheme.png_images, how)
        labels, notes = self._fitting(item, picture.shape)
        counts = self._checked(item, labels)
        notes += [about_turn(item, how)] if picture.was_turned else []
        if stem + picture.suffix != item.image.name:  # some systems take x and X for one name
            name = printable(item.image.name)
            notes.append(f"{name}: written as {printable(stem + picture.suffix)}")
        self.scheme.look_at(stem, item.image)
        files = self.scheme.label_files(split, stem, labels)
        where = self._write_image(item.image, picture, split, stem)
        read_back = counts
        for file in files:
            check = _Comparison(file, labels)
            write_durably(self.root / file.path, file.content, check)
            read_back = check.counts(counts)
        written = Written(split, stem, where, picture.shape, item.image.name)
        digest = _digest(labels) if self.scheme.layout is not None else b""
        sources = _sources(item, labels.shape)
        return _Outcome(written, counts, read_back, sources, tuple(notes), digest)

    def take(self, outcome: _Outcome) -> None:
        """Take note of an image that is written, in the order in which they came."""
        written = outcome.written
        self.scheme.place(written)
        for total, counts in (
            (self.counts.setdefault(written.split, np.zeros(65536, np.int64)), outcome.counts),
            (self.read_back, outcome.read_back), (self.sources, outcome.sources),
        ):  # fmt: skip
            total[: len(counts)] += counts
        self.notes += outcome.notes
        self.written.append(written)
        self.digests[written.stem] = outcome.digest

    def _fitting(self, item: ExportItem, shape: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
        """Return labels of the image's size as the options say; raises `FormatError`."""
        name = printable(item.image.name)
        if item.labels.dtype not in (np.uint8, np.uint16):
            raise FormatError(f"{name}: its labels are {item.labels.dtype}")
        if item.labels.shape == shape:
            return item.labels, []
        sizes = f"its labels have {_size(item.labels.shape)} pixels, the image {_size(shape)}"
        if self.scheme.options.misfits == "skip":
            raise _LeftOut(name)
        if self.scheme.options.misfits == "refuse" or item.labels.ndim != 2:
            raise FormatError(f"{name}: {sizes}")
        return resized(item.labels, shape), [f"{name}: {sizes}; resized by nearest neighbour"]

    def _checked(self, item: ExportItem, labels: np.ndarray) -> np.ndarray:
        """Return pixels by label; raises `FormatError` for labels without a class."""
        table = self.scheme.table
        counts = count_labels(labels)
        for label in np.flatnonzero(counts):
            if label >= len(table) and label != table.ignore:
                name = printable(item.image.name)
                raise FormatError(f"{name}: label {label} is not in the class table")
        return counts

    def free_stem(self, image: Path) -> str:
        """Return, and keep, the image's stem, with a number if another image here has it."""
        shown = image.name.lstrip(".") or image.name  # hidden files are no part of a data set
        bare = Path(shown).stem if is_image_name(shown) else shown
        stem = self.scheme.stem_of(bare)
        free, number = stem, 2
        while free.casefold() in self.stems:
            free, number = self.scheme.numbered(stem, number), number + 1
        self.stems.add(free.casefold())
        return free

    def _write_image(self, source: Path, picture: Picture, split: str | None, stem: str) -> str:
        """Write or link an image and return its path in the destination, "" for none."""
        how = self.scheme.options.images
        if how == "none":
            return ""
        where = self.scheme.image_path(split, stem, picture.suffix)
        if how == "link" and picture.is_source and not self.scheme.holds_images:
            _link(source, self.root / where)
        else:
            self.scheme.write_image(self.root, where, picture.content)
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

    # -- the end ------------------------------------------------------------------------------

    def finish(self) -> None:
        """Write lists and tables, and the description last; raises `SaveError`, `FormatError`."""
        for path, content in self.scheme.closing_files(self.written).items():
            write_durably(self.root / path, content)
        self.scheme.finish(self.root, self.written)
        described = json.dumps(self._description(), indent=2, ensure_ascii=False) + "\n"
        # Names of bytes that are no text become JSON's own escapes, which are read back as such.
        content = described.encode("utf-8", errors="backslashreplace")
        if self.scheme.layout is not None:  # it reads classes from the description
            write_durably(self.root / DESCRIPTION, content)
            try:
                self._compare_whole()
            except FormatError:
                (self.root / DESCRIPTION).unlink(missing_ok=True)
                raise
        self.scheme.check_result(self.root, tuple(self.counts))
        write_durably(self.root / DESCRIPTION, content)

    def _compare_whole(self) -> None:
        """Read the finished data set as a reader would; raises `FormatError` for a difference."""
        layout = self.scheme.layout
        assert layout is not None
        left = dict(self.digests)
        for split in self.counts:
            samples, _ = layout.read(self.root, split)
            for sample in samples:
                stem = sample.image.stem
                if left.pop(stem, None) != _digest(sample.coding.read(sample.labels)):
                    raise FormatError(
                        f"{printable(sample.labels)}: read back, the labels of {stem!r} differ "
                        "from those exported; the export is not to be used"
                    )
        if left:
            raise FormatError(f"{next(iter(left))!r} is missing in what was written")

    def _description(self) -> dict[str, Any]:
        scheme = self.scheme
        described: dict[str, Any] = {
            "format": scheme.key, "written_by": f"pspgui {_version()}",
            "model": scheme.options.model, "classes": scheme.table.to_json(),
        }  # fmt: skip
        values = scheme.values()
        if values is not None:
            described["values"] = values.to_json()
        described["provenance"] = {
            name: round(share, 6) for name, share in shares(by_source(self.sources)).items()
        }
        renamed = self._renamed()
        if renamed:
            described["renamed"] = renamed
        losses = scheme.losses()
        if losses:
            described["lost"] = {name: loss._asdict() for name, loss in losses.items()}
        images = dict.fromkeys(self.counts, 0)
        for entry in self.written:
            images[entry.split] += 1
        described["splits"] = self._earlier_splits() + [
            {"name": split, "images": images[split], "pixels": by_class(counts, scheme.table)}
            for split, counts in self.counts.items()
        ]
        return described

    def _renamed(self) -> dict[str, str]:
        """Return, by file name in the export, what images were called; only where that differs.

        Two images of one name, from different folders, are left out: the name tells neither.
        """
        times = Counter(entry.source for entry in self.written)
        renamed = {} if not self.scheme.adds_splits else dict(original_names(self.root))
        for entry in self.written:
            renamed.pop(entry.name, None)
            if entry.name != entry.source and times[entry.source] == 1:
                renamed[entry.name] = entry.source
        return renamed

    def _earlier_splits(self) -> list[Any]:
        """Return what an earlier export said of splits that this one did not write."""
        if self.scheme.adds_splits:
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
                told = json.loads((self.root / DESCRIPTION).read_text(encoding="utf-8"))["splits"]
                return [entry for entry in told if entry["name"] not in self.counts]
        return []


class _Task(NamedTuple):
    """An image under way."""

    item: ExportItem
    split: str | None
    future: Future[_Outcome]


@dataclass
class _Crew:
    """Writes some images at a time and gives their outcomes in the order in which they came.

    zlib, Pillow and the disk let go of the interpreter's lock.
    """

    export: _Export
    threads: int
    pending: deque[_Task] = field(default_factory=deque)
    pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> _Crew:
        if self.threads > 1:
            self.pool = ThreadPoolExecutor(self.threads, thread_name_prefix="pspgui-export")
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)

    def submit(self, item: ExportItem, split: str | None, stem: str) -> None:
        """Begin an image."""
        if self.pool is not None:
            future = self.pool.submit(self.export.write, item, split, stem)
        else:
            future = Future()
            try:
                future.set_result(self.export.write(item, split, stem))
            except Exception as error:
                future.set_exception(error)
        self.pending.append(_Task(item, split, future))

    def finished(self, room: int) -> Iterator[_Task]:
        """Yield, first come first, the images that must end before `room` are left."""
        while len(self.pending) > room:
            yield self.pending.popleft()


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
    """Write images and labels in a format; every file is read back and compared.

    `items` may be a generator, so that few label maps are in memory at a time; `progress` is told
    the images done and may raise to stop. An image that cannot be read, or whose labels do not
    fit, is reported in `failed` and the rest is done. `dataset.json` (classes, values, pixels by
    class and split, provenance, losses, model, version) comes last, so that a folder with it is
    complete. Raises `FormatError` when the destination holds files already (unless `overwrite`),
    holds the images themselves, when the classes do not fit, or when nothing could be exported;
    `SaveError` when the disk refuses. Any thread but the GUI's; it uses two of its own.
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
    failed, skipped = _write_all(export, items, named, chooser, progress)
    if not export.written:
        reason = failed[0][1] if failed else "no image was given"
        raise FormatError(f"nothing was exported: {reason}")
    export.finish()
    empty = [name for name in splits if name not in export.counts]
    notes = [*export.notes, *scheme.notes(export.written), *map(_about_empty, empty)]
    counts = np.sum(list(export.counts.values()), axis=0)
    return ExportReport(
        export.root, len(export.written), by_class(counts, table), tuple(notes), tuple(failed),
        by_class(export.read_back, table), scheme.losses(), by_source(export.sources),
        tuple(skipped), scheme.key,
    )  # fmt: skip


def _write_all(
    export: _Export, items: Iterable[ExportItem | tuple[Path, np.ndarray]], named: str | None,
    chooser: SplitChooser | None, progress: Callable[[int], None] | None,
) -> tuple[list[tuple[Path, str]], list[Path]]:  # fmt: skip
    """Write all images; return those that failed, with the reason, and those left out."""
    failed: list[tuple[Path, str]] = []
    skipped: list[Path] = []

    def take(task: _Task) -> None:
        image = task.item.image
        try:
            export.take(task.future.result())
        except (DecodeError, FormatError, _LeftOut) as error:
            if chooser is not None:
                chooser.forget(str(task.split))
            if isinstance(error, _LeftOut):
                skipped.append(image)
            else:
                failed.append((image, str(error)))
        if progress is not None:
            progress(len(export.written) + len(failed) + len(skipped))

    with _Crew(export, export.scheme.threads) as crew:
        for entry in items:
            item = ExportItem(Path(entry[0]), *entry[1:])
            split = named if chooser is None else chooser.choose(item.image)
            export.refuse_source(item.image, split)
            if chooser is not None:
                chooser.count(item.image, str(split))
            crew.submit(item, split, export.free_stem(item.image))
            for task in crew.finished(_AHEAD if crew.pool else 0):
                take(task)
        for task in crew.finished(0):
            take(task)
    return failed, skipped


class _Comparison:
    """Refuses bytes that do not decode to the labels on screen; counts what a lossy file holds."""

    def __init__(self, file: LabelFile, expected: np.ndarray) -> None:
        self._file, self._expected = file, expected
        self._found: np.ndarray | None = None

    def __call__(self, written: bytes) -> None:
        """Decode; raises `ValueError`."""
        back = self._file.decode(written)
        if self._file.lossy:
            self._found = back
        elif not np.array_equal(back, self._expected):
            raise ValueError("the file decodes to other labels than were exported")

    def counts(self, expected: np.ndarray) -> np.ndarray:
        """Return the pixels by label that the file holds; `expected` are those exported."""
        return expected if self._found is None else count_labels(self._found)


def count_labels(labels: np.ndarray) -> np.ndarray:
    """Return pixels by label, (256,) or (65536,) int64, of labels (H, W) uint8 or uint16."""
    if labels.dtype == np.uint8:  # Pillow counts without widening every pixel to 8 bytes
        return np.array(Image.fromarray(np.ascontiguousarray(labels)).histogram(), np.int64)
    counts = np.zeros(65536, np.int64)
    rows = max(1, (1 << 18) // labels.shape[1])
    for top in range(0, labels.shape[0], rows):
        counts += np.bincount(labels[top : top + rows].ravel(), minlength=65536)
    return counts


def resized(labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return labels (H, W) of another size, each pixel that of the nearest middle."""
    rows, columns = (
        ((2 * np.arange(wanted) + 1) * own // (2 * wanted)).astype(np.intp)
        for wanted, own in zip(shape, labels.shape, strict=True)
    )
    result: np.ndarray = labels[rows[:, None], columns]
    return result


def _digest(labels: np.ndarray) -> bytes:
    content = np.ascontiguousarray(labels, np.uint16)
    return hashlib.blake2b(content.tobytes(), salt=b"%dx%d" % labels.shape[:2]).digest()


def _sources(item: ExportItem, shape: tuple[int, ...]) -> np.ndarray:
    """Return pixels by provenance; none where nothing is known."""
    marks = item.provenance
    if marks is None or marks.dtype != np.uint8 or marks.shape != shape:
        return np.zeros(256, np.int64)
    return count_labels(marks)


def _about_empty(split: str | None) -> str:
    return f"the split {split} is empty: there are too few images, or they are all of one sequence"


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
