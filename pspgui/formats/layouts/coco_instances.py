"""COCO instances: a JSON of categories, images and shapes as polygons or run lengths.

The JSON is annotations/instances_<split>.json as published (CVAT and others write the same), or
_annotations.coco.json in the folder of each split. Regions of many (iscrowd) are painted first,
then large shapes before small ones, so that a small object on a large one is kept; pixels under no
shape are unlabelled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pspgui.durable import printable
from pspgui.formats.checked_json import read_json
from pspgui.formats.drawn import (
    Draw,
    DrawnLabels,
    Region,
    ShapeError,
    column_runs,
    outlines,
    size_of,
)
from pspgui.formats.errors import FormatError, lacking
from pspgui.formats.layouts.coco import category_table
from pspgui.formats.samples import Layout, Sample, folders_of
from pspgui.labels.classes import ClassTable

_PREFIX, _BESIDE = "instances_", "_annotations.coco.json"


def _files(root: Path) -> dict[str, Path]:
    """Return the JSON files by split."""
    found = sorted((root / "annotations").glob(f"{_PREFIX}*.json"))
    files = {path.stem.removeprefix(_PREFIX): path for path in found}
    for name in folders_of(root):
        if (root / name / _BESIDE).is_file():
            files[name] = root / name / _BESIDE
    if (root / _BESIDE).is_file():
        files[root.name or "train"] = root / _BESIDE
    return files


def _find(root: Path) -> Path | None:
    return root if _files(root) else None


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(_files(root))


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    path = _files(root)[str(split)]
    told = read_json(path)
    where = printable(path)
    try:
        classes, labels = category_table(root, told["categories"], path)
        shapes: dict[Any, list[Any]] = defaultdict(list)
        for entry in told["annotations"]:
            shapes[entry["image_id"]].append(entry)
        numbers = {entry["id"] for entry in told["images"]}
        if len(numbers) < len(told["images"]):
            raise FormatError(f"{where}: two images have one id")
        stray = next((number for number in shapes if number not in numbers), None)
        if stray is not None:
            raise FormatError(f"{where}: a shape belongs to image {stray!r}, which is not listed")
        samples = tuple(
            _sample(root, path, str(split), entry, shapes[entry["id"]], labels, classes)
            for entry in told["images"]
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{where}: it is no instances JSON of COCO ({lacking(error)})"
        ) from error
    if not samples:
        raise FormatError(f"{where}: it lists no images")
    return samples, classes


def _sample(
    root: Path, path: Path, split: str, entry: Any, shapes: Iterable[Any],
    labels: Mapping[int, int], classes: ClassTable,
) -> Sample:  # fmt: skip
    name = str(entry["file_name"])
    where = f"{printable(path)}, image {name!r}"
    parts = Path(name).parts
    if not parts or ".." in parts or Path(name).is_absolute() or "\0" in name or "\\" in name:
        raise FormatError(f"{where}: this is not the name of a file in the data set")
    size = size_of(entry.get("height"), entry.get("width"), where)
    ordered = sorted(shapes, key=_depth)
    regions = [_region(shape, labels, where) for shape in ordered]
    coding = DrawnLabels(f"image {name!r}", size, regions, classes.ignore, classes.ignore > 255)
    places = [folder / name for folder in (
        root / "images" / split, root / split, path.parent, root / "images", root,
    )]  # fmt: skip
    return Sample(next((p for p in places if p.is_file()), places[0]), path, coding)


def _depth(shape: Any) -> tuple[int, float]:
    """Return the key that sorts crowds first, then large shapes before small ones."""
    area = shape.get("area", 0)
    known = isinstance(area, int | float) and abs(area) < 1e15  # not so for nan
    return (0 if shape.get("iscrowd") else 1), -float(area) if known else 0.0


def _region(shape: Any, labels: Mapping[int, int], where: str) -> Region:
    name = f"shape {shape.get('id')!r:.20}"
    category = shape["category_id"]
    if category not in labels:
        raise FormatError(f"{where}, {name}: category {category!r:.20} is not listed")
    return Region(name, labels[category], _drawing(shape.get("segmentation")))


def _drawing(found: Any) -> Draw:
    if isinstance(found, dict):
        return column_runs(found.get("counts"), found.get("size"))
    if isinstance(found, list):
        return outlines(found)

    def refuse(_: object) -> Any:
        raise ShapeError("its segmentation is neither polygons nor run lengths")

    return refuse


LAYOUT = Layout(
    "coco-instances", "COCO instances", "annotations/instances_<split>.json", _find, _splits, _read
)  # fmt: skip
