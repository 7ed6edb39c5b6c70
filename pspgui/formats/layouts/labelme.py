"""labelme: a JSON file beside each image, with masks as PNG and polygons, boxes and circles.

Later shapes lie over earlier ones. `__ignore__` is unlabelled. labels.txt beside or above them
lists the classes in their order; `_background_`, where it is listed, is what no shape covers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pspgui.durable import printable
from pspgui.formats.checked_json import read_json, start_of
from pspgui.formats.drawn import (
    Draw,
    DrawnLabels,
    Region,
    ShapeError,
    box,
    disc,
    numbers,
    outline,
    picture,
    size_of,
)
from pspgui.formats.errors import FormatError
from pspgui.formats.named_classes import named_table, number_of
from pspgui.formats.samples import Layout, Sample, folders_of
from pspgui.formats.value_map import DESCRIPTION, written_table
from pspgui.imaging import natural_key
from pspgui.labels.classes import ClassTable

LABELS, IGNORED, BACKGROUND = "labels.txt", "__ignore__", "_background_"
# Files hold their image as text too, some 1.4 times its bytes.
_MAX_BYTES = 256 << 20


def _files(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.glob("*.json") if path.name != DESCRIPTION]
    except OSError:
        return []
    return sorted(found, key=natural_key)


def _is_labelme(folder: Path) -> bool:
    """Whether the first JSON file of a folder looks like labelme's."""
    first = next(iter(_files(folder)), None)
    if first is None:
        return False
    start = start_of(first, 1 << 20)
    return start.startswith("{") and '"shapes"' in start


def _find(root: Path) -> Path | None:
    if _is_labelme(root) or any(_is_labelme(root / name) for name in folders_of(root)):
        return root
    return None


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(name for name in folders_of(root) if _is_labelme(root / name))


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    folders = [root] if split is None else [root / split]
    if split is None and not _is_labelme(root):
        folders = [root / name for name in _splits(root)]
    files = [path for folder in folders for path in _files(folder)]
    told = [_Labelled(path) for path in files]
    if not told:
        raise FormatError(f"{printable(folders[0])}: there are no files of labelme here")
    classes, ground = _classes(root, told)
    by_name = number_of(classes)
    samples = tuple(one.sample(by_name, classes.ignore, ground) for one in told)
    return samples, classes


def _classes(root: Path, told: list[_Labelled]) -> tuple[ClassTable, int]:
    """Return the classes, and the label of pixels under no shape."""
    listed = _listed(root)
    names = dict.fromkeys(name for name in listed if name != IGNORED)
    for one in told:
        names.update(dict.fromkeys(name for name in one.names if name != IGNORED))
    own = written_table(root)
    if own is not None and BACKGROUND not in own.names:
        names.pop(BACKGROUND, None)  # it stands there because labelme's own converters ask for it
    if not names:
        raise FormatError(f"{printable(root)}: no class is named, neither by a shape nor by labels")
    classes = named_table(root, [(name, None) for name in names], root / LABELS)
    has_ground = own is None and BACKGROUND in listed
    return classes, classes.names.index(BACKGROUND) if has_ground else classes.ignore


def _listed(root: Path) -> list[str]:
    """Return the names in labels.txt, in the folder or above it; raises `FormatError`."""
    path = next((p for p in (root / LABELS, root.parent / LABELS) if p.is_file()), None)
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{printable(path)}: it cannot be read ({error})") from error
    return [line.strip() for line in lines if line.strip()]


class _Labelled:
    """What one JSON file says; its image's bytes are dropped. Raises `FormatError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        told = read_json(path, _MAX_BYTES)
        where = printable(path)
        if not isinstance(told, dict) or not isinstance(told.get("shapes"), list):
            raise FormatError(f"{where}: it is no file of labelme (there is no list of shapes)")
        self._size = size_of(told.get("imageHeight"), told.get("imageWidth"), where)
        self._shapes: list[dict[str, Any]] = told["shapes"]
        for number, shape in enumerate(self._shapes, 1):
            if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
                raise FormatError(f"{where}, shape {number}: it has no label")
        self._image = self._image_of(told.get("imagePath"))

    @property
    def names(self) -> Iterator[str]:
        """The labels of the shapes."""
        return (shape["label"] for shape in self._shapes)

    def _image_of(self, named: Any) -> Path:
        """Return the image: what the file names, if it lies beside it, else the same stem."""
        name = str(named or "").replace("\\", "/").rpartition("/")[2]
        if name and "\0" not in name and (self._path.parent / name).is_file():
            return self._path.parent / name
        for suffix in (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"):
            beside = self._path.with_suffix(suffix)
            if beside.is_file():
                return beside
        return self._path.with_suffix(Path(name).suffix or ".png")

    def sample(self, labels: dict[str, int], ignore: int, ground: int) -> Sample:
        """Return the sample; `labels` are by name."""
        regions = [
            Region(
                f"shape {number} ({shape['label']})", labels.get(shape["label"], ignore),
                _drawing(shape),
            )
            for number, shape in enumerate(self._shapes, 1)
        ]  # fmt: skip
        coding = DrawnLabels("", self._size, regions, ground, ignore > 255)
        return Sample(self._image, self._path, coding)


def _drawing(shape: dict[str, Any]) -> Draw:
    kind = shape.get("shape_type") or "polygon"
    points = shape.get("points")
    if kind in ("polygon", "oriented_rectangle"):
        return outline(points)

    def draw(size: tuple[int, int]) -> Any:
        if kind not in ("mask", "rectangle", "circle"):
            raise ShapeError(f"shapes of the kind {str(kind)[:20]!r} cover no pixels")
        found = numbers(points, "a point")
        if found.ndim != 2 or found.shape[1] != 2 or len(found) < 2:
            raise ShapeError("two points of two numbers each are needed")
        (x0, y0), (x1, y1) = found[0].tolist(), found[1].tolist()
        if kind == "mask":
            return picture(shape.get("mask"), x0, y0)(size)
        if kind == "rectangle":
            if len(found) == 4:
                return outline(points)(size)
            return box(x0, y0, x1, y1)(size)
        radius = math.hypot(x1 - x0, y1 - y0)
        return disc(x0, y0, radius, radius)(size)

    return draw


LAYOUT = Layout(
    "labelme", "labelme", "JSON files with shapes beside the images", _find, _splits, _read,
    needs_split=False,
)  # fmt: skip
