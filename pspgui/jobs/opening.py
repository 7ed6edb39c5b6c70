"""Jobs of the files lane: decoding an image with its labels, listing a folder, exporting."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from pspgui.durable import SaveError, printable, write_durably
from pspgui.imaging import (
    DecodedImage,
    DecodeError,
    DeepSamples,
    encode_png,
    find_images,
    texts_of,
)
from pspgui.imaging.scratch import LARGE_BYTES, prepare_map
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.jobs.reading_ahead import KeptImages, decoding
from pspgui.labels.classes import IGNORE, ClassTable
from pspgui.project.recovery import Found

SAMPLE_TITLE = "Sample scene"



class ReadBack(NamedTuple):
    """Saved labels (H, W), where each came from, and their classes; None where nothing tells.

    `warning` is a sentence about labels or classes that could not be read. `models` names models
    by provenance value; `found` is what stroke journals know of the image.
    """

    labels: np.ndarray | None
    provenance: np.ndarray | None = None
    table: ClassTable | None = None
    warning: str = ""
    models: Mapping[int, str] = MappingProxyType({})
    found: Found | None = None


ReadLabels = Callable[[Path, tuple[int, int]], ReadBack | None]
ReadFolder = Callable[[Path], ClassTable | None]


@dataclass(frozen=True, eq=False)
class OpenedImage:
    """An image ready to show: pixels (H, W, 3) uint8, and its labels if a file has them.

    `path` is None only for a sample scene that could not be written. `notes` are clauses a person
    may want to know; `warning` is a sentence about labels that could not be read. `table` holds
    the classes of the labels, where a file tells, and `folder_table` those that a person chose for
    all images of the folder. `deep` holds samples of more than 8 bits. `models` names models by
    provenance value; `found` is what stroke journals know of the image.
    """

    pixels: np.ndarray
    path: Path | None
    title: str
    labels: np.ndarray | None = None
    provenance: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    warning: str = ""
    table: ClassTable | None = None
    folder_table: ClassTable | None = None
    deep: DeepSamples | None = None
    models: Mapping[int, str] = field(default_factory=dict)
    found: Found | None = None


@dataclass(frozen=True)
class ListedFolder:
    """The images of what was opened, in natural order, and the one to show first (None: none).

    `around_file` tells that a single file was opened and `images` are its neighbours: they are
    worth listing only once that file proves to be an image.
    """

    opened: Path
    images: Sequence[Path]
    chosen: Path | None
    around_file: bool = False


def open_image(
    path: Path, read_labels: ReadLabels, read_folder: ReadFolder = lambda _path: None,
    kept: KeptImages | None = None,
) -> Job:  # fmt: skip
    """Return a job that decodes `path`, unless it is `kept`, and reads its saved labels.

    `read_labels(path, (H, W))` returns what was saved or None, and `read_folder(path)` the classes
    chosen for the folder; both may raise ValueError or OSError: the image is then shown without
    them, with a warning. The job fails with `DecodeError`.
    """

    def job(turn: Turn) -> Steps:
        words = f"Opening {printable(path.name)}"
        yield Step(words)
        decoded: DecodedImage = yield from decoding(path, kept, words)
        yield Step(f"Reading the labels of {printable(path.name)}")
        saved, folder_table, warning = None, None, ""
        try:
            saved = read_labels(path, decoded.pixels.shape[:2])
        except (ValueError, OSError) as error:
            warning = f"The saved labels were not loaded: {error}"
        try:
            folder_table = read_folder(path)
        except (ValueError, OSError) as error:
            warning = warning or f"The folder's classes were not loaded: {error}"
        saved = ReadBack(None) if saved is None else saved
        warning = saved.warning or warning
        height, width = decoded.pixels.shape[:2]
        if saved.labels is None and height * width >= LARGE_BYTES:
            yield Step(f"Making room for the labels of {printable(path.name)}", 1.0)
            prepare_map((height, width), np.uint8, IGNORE)
        return OpenedImage(
            decoded.pixels, path, printable(path.name), saved.labels, saved.provenance,
            decoded.notes, warning, saved.table, folder_table, decoded.deep, saved.models,
            saved.found,
        )  # fmt: skip

    return job


def open_sample(
    home: Path, read_labels: ReadLabels, read_folder: ReadFolder = lambda _path: None
) -> Job:
    """Return a job that opens the sample scene, kept as an image file in `home`.

    It is drawn and written on first use, so that it can be corrected and exported like any other
    image. Where it cannot be written it is shown all the same, as an image without a file.
    """
    path = home / "sample_scene.png"

    def job(turn: Turn) -> Steps:
        if not path.exists():
            yield Step("Drawing the sample scene")
            from pspgui.scenes import sample_scene

            pixels = np.ascontiguousarray(sample_scene().image)
            pixels.setflags(write=False)
            try:
                write_durably(path, encode_png(pixels))
            except SaveError:
                return OpenedImage(pixels, None, SAMPLE_TITLE)
        opened = yield from open_image(path, read_labels, read_folder)(turn)
        return replace(opened, title=SAMPLE_TITLE)

    return job


def look_up(paths: Sequence[Path]) -> Job:
    """Return a job that lists files, the images of folders, or the folder around a single file.

    A file that cannot be an image is chosen all the same: opening it says why not. Fails with
    `DecodeError` when a folder cannot be listed.
    """
    first = paths[0]

    def job(turn: Turn) -> Steps:
        yield Step(f"Looking for images in {printable(first.name)}")
        if len(paths) == 1 and not first.is_dir():
            try:
                images: Sequence[Path] = find_images(first.parent)
            except DecodeError:
                images = ()
            images = images if first in images else (first, *images)
            return ListedFolder(first, images, first, around_file=True)
        found = [find_images(path) if path.is_dir() else (path,) for path in paths]
        if len(found) == 1:
            images = found[0]
        else:
            images = tuple(dict.fromkeys(image for part in found for image in part))
        return ListedFolder(first, images, next(iter(images), None))

    return job


def find_labelled(images: Sequence[Path], label_file: Callable[[Path], Path]) -> Job:
    """Return a job that gives the set of images which have labels from earlier.

    `label_file(image)` names the file where they would be. Folders are listed first, so that a
    hundred thousand images without labels cost nothing.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Looking for labels")
        names: dict[str, frozenset[str] | None] = {}
        found = set()
        for number, text in enumerate(texts_of(images)):
            if number % 1024 == 0:
                turn.check()
                yield Step("Looking for labels", number / len(images))
            folder, _, name = text.rpartition(os.sep)
            if folder not in names:
                names[folder] = _label_names(Path(text).parent)
            there = names[folder]
            if there is not None and (
                not there or not there & {f"{Path(name).stem}.png", f"{name}.png"}
            ):
                continue
            image = Path(text)
            if label_file(image).is_file():
                found.add(image)
        return frozenset(found)

    return job


def _label_names(folder: Path) -> frozenset[str] | None:
    """Return what is among the labels of a folder; None where they may be kept elsewhere."""
    if not os.access(folder, os.W_OK):
        return None
    try:
        return frozenset(os.listdir(folder / ".pspgui" / "labels"))  # noqa: PTH208 - names only
    except OSError:
        return frozenset()
