"""MMSegmentation's form as pspgui exports it: img_dir/<split>, ann_dir/<split>, dataset.json."""

from __future__ import annotations

from pathlib import Path

from pspgui.durable import printable
from pspgui.formats.errors import FormatError
from pspgui.formats.samples import Layout, Sample, first_folder, folders_of, images_by_stem, paired
from pspgui.formats.value_map import DESCRIPTION, written_coding
from pspgui.labels.classes import ClassTable


def _find(root: Path) -> Path | None:
    return first_folder(root, (), "img_dir", "ann_dir")


def _splits(root: Path) -> tuple[str, ...]:
    return folders_of(root / "ann_dir")


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    known = written_coding(root)
    if known is None:
        raise FormatError(
            f"{printable(root / DESCRIPTION)}: there are no classes, and those in a config are not "
            "read, since it is a program; move the files into images/ and labels/ and write "
            "classes.json"
        )
    images = images_by_stem(root / "img_dir" / str(split))
    where = root / "ann_dir" / str(split)
    return paired(images, images_by_stem(where), where, known[0]), known[1]


LAYOUT = Layout(
    "mmseg", "MMSegmentation", "img_dir/ and ann_dir/", _find, _splits, _read
)  # fmt: skip
