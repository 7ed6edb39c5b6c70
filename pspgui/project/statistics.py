"""What the labels of an image hold, counted: pixels by class, corrections, confusion."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pspgui.durable import printable
from pspgui.imaging import DecodeError, labels_from_bytes, read_file
from pspgui.labels.classes import ClassTable
from pspgui.project.index import ProjectIndex
from pspgui.project.label_owners import owner_of
from pspgui.project.store import owner_text

# Pixels counted at once: the interpreter is not held for longer than a few milliseconds.
_CHUNK_PX: Final = 1 << 19
_MOST_CODES: Final = 1 << 22


class LabelCounts(NamedTuple):
    """Pixels by class name ("" for unlabelled); pixels that differ from the prediction, None
    without one; pixels by (predicted, labelled), unlabelled ones left out.
    """

    pixels: dict[str, int]
    corrected_px: int | None
    confusion: dict[tuple[str, str], int]


class Reading(NamedTuple):
    """What a model said of an image: labels (H, W) in the numbers of `table`."""

    labels: np.ndarray
    table: ClassTable


def count_labels(
    labels: np.ndarray, table: ClassTable, reading: Reading | None = None
) -> LabelCounts:
    """Count a label map (H, W) by its classes, and against a prediction of the same size.

    A prediction of another size is left aside. Any thread.
    """
    if reading is not None and reading.labels.shape != labels.shape:
        reading = None
    pairs: dict[tuple[int, int], int] = {}
    rows = max(1, _CHUNK_PX // labels.shape[1])
    for top in range(0, labels.shape[0], rows):
        part = labels[top : top + rows]
        said = part if reading is None else reading.labels[top : top + rows]
        for pair, px in _pairs(said, part):
            pairs[pair] = pairs.get(pair, 0) + px
    pixels: dict[str, int] = {}
    confusion: dict[tuple[str, str], int] = {}
    corrected = 0
    for (predicted, labelled), px in pairs.items():
        name = "" if labelled == table.ignore else table.name_of(labelled)
        pixels[name] = pixels.get(name, 0) + px
        if reading is None:
            continue
        is_read = predicted != reading.table.ignore
        said_name = reading.table.name_of(predicted) if is_read else ""
        corrected += px if said_name != name else 0
        if name and said_name:
            confusion[said_name, name] = confusion.get((said_name, name), 0) + px
    return LabelCounts(pixels, None if reading is None else corrected, confusion)


def measure_labels(
    index: ProjectIndex, image: Path, label_file: Path, table: ClassTable,
    reading: Reading | None = None,
) -> None:  # fmt: skip
    """Count the labels of an image as its file holds them now, and keep that in the index.

    Raises `DecodeError` for a file that cannot be read, `ProjectError` for the index.
    """
    stamp = stamp_of(label_file)
    decoded = labels_from_bytes(label_file, read_file(label_file))
    counts = count_labels(decoded.labels, table, reading)
    height, width = decoded.labels.shape
    index.record_labels(
        image, counts.pixels, counts.corrected_px, counts.confusion, decoded.digest,
        (height, width), stamp,
    )  # fmt: skip


def stamp_of(label_file: Path) -> str:
    """Return what tells a version of a label file without reading it; "" where there is none."""
    try:
        found = label_file.stat()
    except OSError:
        return ""
    return _stamp(label_file.name, found)


class Changed(NamedTuple):
    """Images whose label files are not those that were measured, and images that lost theirs."""

    measured_otherwise: list[tuple[Path, Path]]
    lost: list[Path]


def changed_labels(
    home: Path, images: Iterable[Path], known: Mapping[Path, str]
) -> Generator[None, None, Changed]:
    """Compare the label files of a project with what was measured, and return what differs.

    `known` is `ProjectIndex.labels_stamps()`. Yields now and then, to be interrupted at. Where the
    files cannot be listed nothing counts as lost.
    """
    stamps = set(known.values())
    there: set[str] = set()
    new: list[Path] = []
    try:
        with os.scandir(home / "labels") as entries:
            for number, entry in enumerate(entries):
                if number % 256 == 0:
                    yield
                if not entry.name.endswith(".png") or entry.name.startswith("."):
                    continue
                with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                    stamp = _stamp(entry.name, entry.stat())
                    there.add(stamp)
                    if stamp not in stamps:
                        new.append(home / "labels" / entry.name)
    except FileNotFoundError:
        if not home.is_dir():
            return Changed([], [])
    except OSError:
        return Changed([], [])
    lost = [image for image, stamp in known.items() if stamp not in there]
    found: list[tuple[Path, Path]] = []
    if new:
        owners = Owners(images)
        for number, file in enumerate(new):
            if number % 16 == 0:
                yield
            image = owners.of(file)
            if image is not None:
                found.append((image, file))
    again = {image for image, _ in found}
    return Changed(found, [image for image in lost if image not in again])


def compared(steps: Generator[None, None, Changed]) -> Changed:
    """Run a comparison of label files to its end and return what it found."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Changed = end.value
            return result


class Owners:
    """Finds the image that a label file belongs to, among the images of a folder."""

    def __init__(self, images: Iterable[Path]) -> None:
        self._by_name: dict[str, Path] = {}
        self._by_stem: dict[str, Path] = {}
        for image in images:
            self._by_name[owner_text(image.name)] = image
            self._by_stem.setdefault(image.stem, image)

    def of(self, label_file: Path) -> Path | None:
        """Return the image, by what the file says, else by its name; None for an orphan."""
        try:
            owner = owner_of(label_file)
        except DecodeError:
            owner = None
        if owner is not None:
            return self._by_name.get(owner)
        stem = label_file.stem
        return self._by_stem.get(stem) or self._by_name.get(owner_text(stem))


def _pairs(said: np.ndarray, labels: np.ndarray) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield ((predicted, labelled), pixels) of two arrays of one shape."""
    width = int(labels.max()) + 1
    if (int(said.max()) + 1) * width <= _MOST_CODES:
        codes = said.astype(np.intp) * width + labels
        counts = np.bincount(codes.ravel())
        present = np.flatnonzero(counts)
        totals = counts[present]
    else:
        codes = said.astype(np.int64) * width + labels
        present, totals = np.unique(codes, return_counts=True)
    for code, px in zip(present.tolist(), totals.tolist(), strict=True):
        yield divmod(code, width), px


def _stamp(name: str, found: os.stat_result) -> str:
    return f"{printable(name)}:{found.st_mtime_ns}:{found.st_size}"
