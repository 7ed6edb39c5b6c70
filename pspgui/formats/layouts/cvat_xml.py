"""CVAT XML 1.1, for images and for video: annotations.xml with masks, polygons, boxes, ellipses.

A mask holds run lengths along the rows of its box, zeros first. Boxes and ellipses may be turned
about their middles, clockwise in degrees. Shapes are painted by their z_order, then as they stand;
pixels under no shape are unlabelled. Images lie in images/<subset>, images, or beside the file;
how frames of a video find theirs is said in `cvat_tracks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pspgui.durable import printable
from pspgui.formats.checked_json import start_of
from pspgui.formats.checked_xml import read_xml
from pspgui.formats.coding import Colour
from pspgui.formats.drawn import (
    Draw,
    DrawnLabels,
    Region,
    ShapeError,
    box,
    disc,
    outline,
    row_runs,
    size_of,
    turned_box,
    whole,
)
from pspgui.formats.errors import FormatError
from pspgui.formats.layouts.cvat_tracks import (
    META,
    Told,
    Track,
    frames_in,
    read_track,
    task_of,
    told_by,
)
from pspgui.formats.named_classes import colour_from_hex, named_table, number_of
from pspgui.formats.samples import Layout, Sample
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

FILE = "annotations.xml"
_DRAWN = ("mask", "polygon", "box", "ellipse")
_MOST_RUNS = 1 << 27  # characters of run lengths that are taken apart


class _Image(NamedTuple):
    """An <image>: its name, subset and size, and its shapes as (tag, attributes)."""

    name: str
    subset: str
    size: tuple[int, int]
    shapes: tuple[tuple[str, dict[str, str]], ...]


class _Document(NamedTuple):
    """What the file holds."""

    labels: tuple[tuple[str, Colour | None], ...]
    images: tuple[_Image, ...]
    tracks: tuple[Track, ...] = ()
    told: Told = MappingProxyType({})


_last: dict[tuple[str, int, int, int], _Document] = {}  # splits are asked for, then read: the same


def _document(path: Path) -> _Document:
    """Return the file's content, remembered for one file; raises `FormatError`."""
    try:
        status = path.stat()
    except OSError as error:
        raise FormatError(f"{printable(path)}: it cannot be read ({error.strerror})") from error
    # Unpacked over an earlier one a file may have its size and time, but not when it changed here.
    key = (str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    found = _last.get(key)
    if found is None:
        found = _parsed(path)
        _last.clear()
        _last[key] = found
    return found


def _parsed(path: Path) -> _Document:
    labels: dict[str, Colour | None] = {}
    images, tracks = [], []
    told: dict[str, list[tuple[str, ...]]] = {}
    for element in read_xml(path, "image", "label", "track", *META):
        if element.tag == "track":
            tracks.append(read_track(path, element, _DRAWN))
        elif element.tag == "image":
            images.append(_image(path, element))
        elif element.tag == "label":
            name = element.findtext("name") or ""
            labels[name] = colour_from_hex(element.findtext("color"))
        elif len(told.setdefault(element.tag, [])) < 2:
            told[element.tag].append(told_by(element))
    if images and tracks:
        raise FormatError(
            f"{printable(path)}: it holds images and tracks of a video; export the task from CVAT "
            'as "CVAT for images 1.1", or as "CVAT for video 1.1"'
        )
    return _Document(tuple(labels.items()), tuple(images), tuple(tracks), told)


def _image(path: Path, element: Element) -> _Image:
    name = element.get("name") or ""
    where = f"{printable(path)}, image {name!r}"
    parts = Path(name).parts
    if not parts or ".." in parts or Path(name).is_absolute() or "\0" in name or "\\" in name:
        raise FormatError(f"{where}: this is not the name of a file in the data set")
    size = size_of(element.get("height"), element.get("width"), where)
    shapes = tuple((shape.tag, dict(shape.attrib)) for shape in element if shape.tag in _DRAWN)
    return _Image(name, element.get("subset") or "", size, shapes)


def _find(root: Path) -> Path | None:
    return root if "<annotations" in start_of(root / FILE) else None


def _splits(root: Path) -> tuple[str, ...]:
    subsets = dict.fromkeys(image.subset for image in _document(root / FILE).images)
    return tuple(subset for subset in subsets if subset)


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    path = root / FILE
    document = _document(path)
    listed = dict(document.labels)
    placed = _placed(root, path, document)
    for _, image in placed:  # exports of jobs leave the list of labels out
        for _, attributes in image.shapes:
            listed.setdefault(attributes.get("label", ""), None)
    if not listed:
        raise FormatError(f"{printable(path)}: it names no labels")
    classes = named_table(root, list(listed.items()), path)
    numbers = number_of(classes)
    samples = tuple(
        Sample(place, path, _coding(image, numbers, classes))
        for place, image in placed
        if split is None or image.subset == split
    )
    if not samples:
        raise FormatError(f"{printable(path)}: it lists no images")
    return samples, classes


def _placed(root: Path, path: Path, document: _Document) -> list[tuple[Path, _Image]]:
    """Return where each image lies; those of a video are found by their frames."""
    if not document.tracks:
        return [(_place(root, image), image) for image in document.images]
    frames = frames_in(root, path, task_of(path, document.told), document.tracks)
    return [(f.image, _Image(f.image.name, "", f.size, f.shapes)) for f in frames]


def _place(root: Path, image: _Image) -> Path:
    places = (root / "images" / image.subset / image.name, root / "images" / image.name,
              root / image.name)  # fmt: skip
    return next((place for place in places if place.is_file()), places[0])


def _coding(image: _Image, numbers: dict[str, int], classes: ClassTable) -> DrawnLabels:
    regions = []
    for order, name, tag, attributes in _ordered(image):
        label = attributes.get("label", "")
        regions.append((order, Region(name, numbers[label], _drawing(tag, attributes))))
    regions.sort(key=lambda entry: entry[0])
    return DrawnLabels(
        f"image {image.name!r}", image.size, [region for _, region in regions], classes.ignore,
        classes.ignore > 255,
    )  # fmt: skip


def _ordered(image: _Image) -> Iterator[tuple[int, str, str, dict[str, str]]]:
    for number, (tag, attributes) in enumerate(image.shapes, 1):
        text = attributes.get("z_order", "0").strip()
        order = int(text) if text.removeprefix("-").isdecimal() and len(text) < 12 else 0
        yield order, f"{tag} {number} ({attributes.get('label', '')})", tag, attributes


def _drawing(tag: str, found: dict[str, str]) -> Draw:
    def draw(shape: tuple[int, int]) -> Any:
        if tag == "polygon":
            return outline(_points(found.get("points", "")))(shape)
        if tag == "mask":
            return _mask(found)(shape)
        names = ("xtl", "ytl", "xbr", "ybr") if tag == "box" else ("cx", "cy", "rx", "ry")
        one, two, three, four = (_number(found.get(name, "")) for name in names)
        degrees = _number(found.get("rotation", "0"))
        if tag == "ellipse":
            return disc(one, two, three, four, degrees)(shape)
        if degrees:
            return turned_box(one, two, three, four, degrees)(shape)
        return box(one, two, three, four)(shape)

    return draw


def _mask(found: dict[str, str]) -> Draw:
    left, top, width, height = (
        whole(found.get(name), name, least)
        for name, least in (("left", 0), ("top", 0), ("width", 1), ("height", 1))
    )
    text = found.get("rle", "")
    if len(text) > _MOST_RUNS:
        raise ShapeError("its run lengths are too long a text")
    words = text.split(",")
    if not all(word.strip().isdecimal() and len(word) < 13 for word in words):
        raise ShapeError("its run lengths are not whole numbers with commas between")
    return row_runs([int(word) for word in words], left, top, (height, width))


def _points(text: str) -> list[list[float]]:
    return [[_number(word) for word in pair.split(",")] for pair in text.split(";")]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ShapeError(f"{text[:20]!r} is no number") from error


LAYOUT = Layout(
    "cvat-xml", "CVAT XML 1.1", "annotations.xml", _find, _splits, _read, needs_split=False
)  # fmt: skip
