"""What a format says about an export: where files go, what they hold, how they are read back."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from pspgui.durable import printable, write_durably
from pspgui.formats.errors import FormatError
from pspgui.formats.options import ExportOptions
from pspgui.formats.value_map import ValueMap
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from pspgui.formats.samples import Layout


class ExportItem(NamedTuple):
    """One image to export with its labels (H, W) uint8 or uint16.

    `pixels` (H, W, 3) uint8 stands for an image that has no file, such as a sample scene; `image`
    then gives the name alone. `provenance` (H, W) uint8 says where each label came from.
    """

    image: Path
    labels: np.ndarray
    pixels: np.ndarray | None = None
    provenance: np.ndarray | None = None


class LabelFile(NamedTuple):
    """A label file to write: its path in the destination, its bytes, and how to read them back.

    `decode(bytes)` returns labels (H, W); they equal what was exported unless the file is `lossy`.
    """

    path: str
    content: bytes
    decode: Callable[[bytes], np.ndarray]
    lossy: bool = False


class Written(NamedTuple):
    """An image of the export: split, stem, file, (height, width), and its name where it came from.

    `image` is "" where only labels were written.
    """

    split: str | None
    stem: str
    image: str
    shape: tuple[int, int]
    source: str

    @property
    def name(self) -> str:
        """The image's file name in the destination, or the one that it would have."""
        suffix = PurePosixPath(self.source).suffix or ".png"
        return PurePosixPath(self.image).name or f"{self.stem}{suffix}"


class Loss(NamedTuple):
    """What a lossy format cannot hold of one class: pixels, and holes that are filled."""

    pixels: int
    holes: int


class Scheme(ABC):
    """How one format lays out an export; made anew for each export, with its state if any.

    `default_split` is taken where none is asked for; `png_images` says that readers of the format
    know PNG only; `adds_splits` that an export may join earlier ones of other splits; `choices`
    names the options that the format leaves open; one that `holds_images` keeps them inside its own
    files, where there are no links; `threads` how many images may be written at a
    time, for which `label_files` must be ready. `layout`, where there is one, reads the finished
    whole back: the labels of these formats stand in files of many images.
    """

    key: ClassVar[str]
    default_split: ClassVar[str | None] = "train"
    png_images: ClassVar[bool] = False
    needs_images: ClassVar[bool] = False
    adds_splits: ClassVar[bool] = False
    choices: ClassVar[frozenset[str]] = frozenset()
    holds_images: ClassVar[bool] = False
    threads: ClassVar[int] = 2
    layout: ClassVar[Layout | None] = None

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
        """Return the label files of an image; raises `FormatError`. Any thread."""

    def look_at(self, stem: str, image: Path) -> None:  # noqa: B027 -- as `place`
        """Take note of what an image's own file says, before its label files. Any thread."""

    def write_image(self, root: Path, path: str, content: bytes) -> None:
        """Write an image; raises `SaveError`. For formats that keep images in larger files."""
        write_durably(root / path, content)

    def place(self, written: Written) -> None:  # noqa: B027 -- most formats have nothing to do
        """Take note of an image that is written, in the order of the export."""

    def stem_of(self, stem: str) -> str:
        """Return a stem as readers of the format can take it."""
        return re.sub(r"[^\w.\-]+", "_", stem)

    def numbered(self, stem: str, number: int) -> str:
        """Return the stem with a number, for another image of the same name."""
        return f"{stem}-{number}"

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return files to write at the end: lists, tables, a config."""
        return {}

    def finish(self, root: Path, written: Sequence[Written]) -> None:  # noqa: B027 -- as `place`
        """Write what is too large for `closing_files`; raises `SaveError`."""

    def notes(self, written: Sequence[Written]) -> Sequence[str]:
        """Return remarks for the person."""
        return ()

    def losses(self) -> Mapping[str, Loss]:
        """Return what a lossy format lost, by class name."""
        return {}

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
