"""COCO panoptic: annotations/panoptic_<split>.json, and PNGs in annotations/panoptic_<split>.

A pixel's segment is red + 256 green + 65536 blue, 0 is void; the JSON names the category of every
segment of every image. Images lie in images/<split>, or in <split> as published. Categories become
classes in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pspgui.durable import printable
from pspgui.formats.checked_json import read_json
from pspgui.formats.coding import Colour, ColourCoding
from pspgui.formats.errors import FormatError, lacking
from pspgui.formats.named_classes import colour_from_hex, named_table, number_of
from pspgui.formats.samples import Layout, Sample
from pspgui.formats.value_map import DESCRIPTION
from pspgui.labels.classes import ClassTable

_PREFIX = "panoptic_"


def label_coding(labels: Mapping[int, int], ignore: int) -> ColourCoding:
    """Return how colours that are segment ids become labels; `labels` are by segment id."""
    return ColourCoding(
        {(i & 255, i >> 8 & 255, i >> 16): label for i, label in {0: ignore, **labels}.items()},
        "the panoptic JSON lists no such segment for this image",
    )


def _find(root: Path) -> Path | None:
    return root if _splits(root) else None


def _splits(root: Path) -> tuple[str, ...]:
    found = (root / "annotations").glob(f"{_PREFIX}*.json")
    return tuple(sorted(path.stem.removeprefix(_PREFIX) for path in found))


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    path = root / "annotations" / f"{_PREFIX}{split}.json"
    try:
        told = read_json(path)
    except FormatError as error:
        reason = str(error).removeprefix(f"{printable(path)}: ")
        raise FormatError(
            f"{printable(path)}: it is no panoptic JSON of COCO ({reason})"
        ) from error  # fmt: skip
    try:
        classes, by_category = category_table(root, told["categories"], path)
        names = {entry["id"]: str(entry["file_name"]) for entry in told["images"]}
        samples = tuple(
            _sample(root, str(split), names, entry, by_category, classes.ignore)
            for entry in told["annotations"]
        )
    except FormatError as error:
        told_already = str(error).startswith((printable(path), printable(root / DESCRIPTION)))
        raise error if told_already else FormatError(f"{printable(path)}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{printable(path)}: it is no panoptic JSON of COCO ({lacking(error)})"
        ) from error
    if not samples:
        raise FormatError(f"{printable(path)}: it lists no images")
    return samples, classes


def category_table(
    root: Path, categories: list[Any], where: Path
) -> tuple[ClassTable, dict[int, int]]:
    """Return the classes of COCO's categories, and labels by category id.

    Raises `FormatError` for two categories of one id or name; KeyError, TypeError or ValueError
    for what is no list of categories.
    """
    ordered = sorted(categories, key=lambda entry: int(entry["id"]))
    rows = [(str(entry["name"]), _colour(entry.get("color"))) for entry in ordered]
    found = named_table(root, rows, where)
    by_name = number_of(found)
    labels = {int(entry["id"]): by_name[str(entry["name"])] for entry in ordered}
    if len(labels) != len(ordered):
        raise FormatError(f"{printable(where)}: two categories have one id")
    return found, labels


def _colour(colour: Any) -> Colour | None:
    """Return a category's colour, where the file has one."""
    if isinstance(colour, list) and len(colour) == 3 and all(type(v) is int for v in colour):
        red, green, blue = (min(max(v, 0), 255) for v in colour)
        return red, green, blue
    return colour_from_hex(colour)


def _sample(
    root: Path, split: str, names: Mapping[Any, str], entry: Any, labels: Mapping[int, int],
    ignore: int,
) -> Sample:  # fmt: skip
    """Return the sample of one annotation; raises `FormatError` naming it."""
    name, number = str(entry["file_name"]), entry["image_id"]
    if number not in names:
        raise FormatError(f"{name!r} belongs to image {number}, which is not listed")
    image = names[number]
    for written in (name, image):
        if Path(written).name != written or "\0" in written:
            raise FormatError(f"{written!r} is not the name of a file")
    by_segment: dict[int, int] = {}
    for segment in entry["segments_info"]:
        category, segment_id = segment["category_id"], segment["id"]
        if category not in labels:
            raise FormatError(f"{name!r} has a segment of category {category}, which is not listed")
        if type(segment_id) is not int or not 0 < segment_id < 1 << 24:
            raise FormatError(f"{name!r} has a segment {segment_id!r}; ids are 1 to 16777215")
        by_segment[segment_id] = labels[category]
    coding = label_coding(by_segment, ignore)
    png = root / "annotations" / f"{_PREFIX}{split}" / name
    places = [root / "images" / split / image, root / split / image]
    return Sample(next((p for p in places if p.is_file()), places[0]), png, coding)


LAYOUT = Layout(
    "coco", "COCO panoptic", "annotations/panoptic_<split>.json", _find, _splits, _read
)  # fmt: skip
