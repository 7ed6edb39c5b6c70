"""Ultralytics: polygons (YOLO) and semantic masks, both with a YAML that names the classes.

images/<split>/<stem> goes with labels/<split>/<stem>.txt, rows of a class and normalised points
painted in their order, or, where the YAML has `masks_dir`, with a grey PNG of values in that
folder, 255 being ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pspgui.durable import printable
from pspgui.formats.coding import FileValues, ValueCoding, identity_and
from pspgui.formats.drawn import ShapeError, numbers, whole
from pspgui.formats.errors import FormatError
from pspgui.formats.named_classes import named_table
from pspgui.formats.samples import Layout, Sample, folders_of, images_by_stem, paired
from pspgui.formats.value_map import written_coding
from pspgui.formats.yaml_subset import Value, names_of, read_yaml
from pspgui.imaging import image_size, read_file
from pspgui.labels.classes import IGNORE, ClassTable

_MAX_TEXT = 256 << 20


def _yaml(root: Path) -> tuple[Path, dict[str, Value]] | None:
    """Return the description that names classes; raises `FormatError` for a damaged one."""
    for path in sorted((*root.glob("*.yaml"), *root.glob("*.yml"))):
        found = read_yaml(path)
        if "names" in found:
            return path, found
    return None


def _masks(root: Path) -> str | None:
    """Return the folder of masks; None where there is no semantic data set."""
    try:
        found = _yaml(root)
    except FormatError:
        return None
    name = found[1].get("masks_dir") if found else None
    known = isinstance(name, str) and Path(name).name == name and (root / name).is_dir()
    return str(name) if known else None


def _find_masks(root: Path) -> Path | None:
    return root if (root / "images").is_dir() and _masks(root) else None


def _find_rows(root: Path) -> Path | None:
    """Return the folder where there are rows of text among the labels, and no masks."""
    if not (root / "images").is_dir() or not (root / "labels").is_dir():
        return None
    if (root / "classes.json").exists() or not (*root.glob("*.yaml"), *root.glob("*.yml")):
        return None
    folders = [root / "labels", *(root / "labels" / name for name in folders_of(root / "labels"))]
    return root if any(next(folder.glob("*.txt"), None) for folder in folders) else None


def _splits(root: Path) -> tuple[str, ...]:
    return folders_of(root / "images")


def _classes(root: Path) -> ClassTable:
    found = _yaml(root)
    if found is None:
        raise FormatError(f"{printable(root)}: no YAML names the classes")
    path, described = found
    return named_table(root, [(name, None) for name in names_of(path, described)], path)


def _read_masks(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    coding, classes = written_coding(root) or (None, _classes(root))
    if coding is None:
        if len(classes) > IGNORE:
            raise FormatError(f"{printable(root)}: {len(classes)} classes are more than 255")
        coding = ValueCoding(
            identity_and([IGNORE], len(classes)),
            f"the YAML names {len(classes)} classes, so values are 0 to {len(classes) - 1} and 255",
        )
    where = root / str(_masks(root)) / (split or "")
    images = images_by_stem(root / "images" / (split or ""))
    return paired(images, images_by_stem(where), where, coding), classes


def _read_rows(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    classes = _classes(root)
    images = images_by_stem(root / "images" / (split or ""))
    if not images:
        raise FormatError(f"{printable(root / 'images')}: there are no images for these labels")
    where = root / "labels" / (split or "")
    samples = tuple(
        Sample(image, where / f"{stem}.txt", RowsCoding(image, classes))
        for stem, image in images.items()
    )
    return samples, classes


class RowsCoding(NamedTuple):
    """Rows of polygons for one image, painted as readers of this form do: rims included.

    An image without a file, or with an empty one, has no labels at all.
    """

    image: Path
    classes: ClassTable
    key: str = ""
    expected: str = "the YAML names fewer classes"

    def read(self, path: Path) -> np.ndarray:
        """Return labels (H, W); raises `DecodeError` or `FormatError` naming the line."""
        from pspgui.imaging.opencv import cv2  # slow to import

        shape, ignore = image_size(self.image), self.classes.ignore
        labels: np.ndarray = np.full(shape, ignore, np.uint16)
        for number, row in enumerate(_text(path).splitlines(), 1):
            if row.strip():
                label, points = self._row(f"{printable(path)}, line {number}", row.split())
                corners = (points * (shape[1], shape[0])).astype(np.int32)
                cv2.fillPoly(labels, [corners], label)
        return labels if ignore > 255 else labels.astype(np.uint8)

    def _row(self, where: str, words: list[str]) -> tuple[int, np.ndarray]:
        """Return a row's class and its points (N, 2) as parts of the image's size."""
        try:
            label = whole(words[0], "its class", 0, len(self.classes) - 1)
            values = numbers([float(word) for word in words[1:]], "a point")
        except ShapeError as error:
            raise FormatError(f"{where}: {error}") from error
        except ValueError as error:
            raise FormatError(f"{where}: it is no row of numbers") from error
        if len(values) == 4:
            raise FormatError(f"{where}: a box of a detector, which is no label of pixels")
        if len(values) < 6 or len(values) % 2:
            raise FormatError(f"{where}: a polygon has three points or more, of two numbers each")
        if values.min() < -1 or values.max() > 2:
            raise FormatError(f"{where}: points are parts of the image's size, 0 to 1")
        return label, values.reshape(-1, 2)

    def values_of(self, path: Path) -> FileValues:
        """Return the different labels."""
        return FileValues(tuple(np.unique(self.read(path)).tolist()), False)

    def label_of(self, value: int) -> int | None:
        """Return the value."""
        return value

    def show(self, value: int) -> str:
        """Return `the label 7`."""
        return f"the label {value}"


def _text(path: Path) -> str:
    try:
        if not path.exists() or (path.is_file() and not path.stat().st_size):
            return ""
        return read_file(path, _MAX_TEXT).decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError(f"{printable(path)}: it is no text of numbers") from error


YOLO = Layout(
    "yolo-seg", "YOLO polygons", "images/, labels/*.txt and a YAML", _find_rows, _splits,
    _read_rows, needs_split=False,
)  # fmt: skip
SEMANTIC = Layout(
    "ultralytics", "Ultralytics semantic", "images/, masks/ and a YAML with masks_dir",
    _find_masks, _splits, _read_masks, needs_split=False,
)  # fmt: skip
