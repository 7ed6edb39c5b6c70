"""Writing a data set folder: images/, labels/, classes.json, each read back and compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pspgui.durable import printable
from pspgui.formats.errors import FormatError
from pspgui.formats.exporting import export_as
from pspgui.formats.layouts.folder import read_folder
from pspgui.formats.options import ExportOptions
from pspgui.formats.report import ExportReport
from pspgui.formats.scheme import ExportItem, LabelFile, Scheme, Written
from pspgui.imaging import encode_labels, labels_from_bytes
from pspgui.labels.classes import ClassTable, ClassTableError


class FolderScheme(Scheme):
    """images/<split>, labels/<split> and classes.json; splits may be added one after another."""

    key = "folder"
    default_split = None
    needs_images = True
    adds_splits = True

    def image_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where an image goes."""
        return str(_part("images", split) / f"{stem}{suffix}")

    def label_files(self, split: str | None, stem: str, labels: np.ndarray) -> list[LabelFile]:
        """Return a palette PNG whose values are the labels themselves."""
        path = self.label_path(split, stem, ".png")
        content = encode_labels(labels, self.table.palette())
        return [LabelFile(path, content, lambda back: labels_from_bytes(path, back).labels)]

    def label_path(self, split: str | None, stem: str, suffix: str) -> str:
        """Return where labels go."""
        return str(_part("labels", split) / f"{stem}{suffix}")

    def stem_of(self, stem: str) -> str:
        """Return the stem; this form takes any name."""
        return stem

    def closing_files(self, written: Sequence[Written]) -> Mapping[str, bytes]:
        """Return the class table."""
        classes = json.dumps(self.table.to_json(), indent=2, ensure_ascii=False) + "\n"
        return {"classes.json": classes.encode("utf-8")}

    def check_destination(self, root: Path, splits: Sequence[str | None], overwrite: bool) -> None:
        """Refuse label or image files of these splits, and another class table."""
        for folder in (root / _part(kind, split) for split in splits for kind in _KINDS):
            if not overwrite and folder.is_dir() and any(p.is_file() for p in folder.iterdir()):
                raise FormatError(
                    f"{printable(folder)}: there are files here already; choose an empty folder"
                )
        try:
            present = ClassTable.load(root / "classes.json")
        except ClassTableError as error:
            if not (root / "classes.json").exists():
                return
            raise FormatError(f"{error}; choose an empty folder") from error
        if present != self.table:
            raise FormatError(
                f"{printable(root / 'classes.json')}: another class table is here already; "
                "choose an empty folder"
            )

    def check_result(self, root: Path, splits: Sequence[str | None]) -> None:
        """Pair images and labels as a reader would."""
        for split in splits:
            read_folder(root, split)


_KINDS = ("images", "labels")


def _part(kind: str, split: str | None) -> Path:
    return Path(kind) if split is None else Path(kind) / split


def export_dataset(
    items: Iterable[ExportItem | tuple[Path, np.ndarray]],
    destination: str | Path,
    table: ClassTable,
    split: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
    options: ExportOptions | None = None,
) -> ExportReport:
    """Write images, labels and class table as a folder that `read_folder` reads.

    Images are copied byte for byte, labels become palette PNGs. With a split the files go to
    images/<split> and labels/<split>. All else, and what is raised, as `exporting.export_as`;
    another class table at the destination is refused too.
    """
    return export_as(
        FolderScheme, items, destination, table, split, overwrite, progress, options
    )  # fmt: skip
