"""Label Studio: a JSON of tasks with brush masks, polygons, boxes and ellipses.

Numbers of shapes are per cent of the image's size. Of the annotations of a task the newest that
was not cancelled counts; where nobody annotated, the newest prediction. Later shapes lie over
earlier ones; pixels under no shape are unlabelled. Boxes may be turned about their first corner,
ellipses about their middle, clockwise in degrees. The file is label_studio_<split>.json, or any
JSON of the folder that looks like such a list.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pspgui.durable import printable
from pspgui.formats.checked_json import read_json, start_of
from pspgui.formats.drawn import (
    Draw,
    DrawnLabels,
    Region,
    ShapeError,
    box,
    brush,
    disc,
    numbers,
    outline,
    size_of,
    turned_box,
)
from pspgui.formats.errors import FormatError, lacking
from pspgui.formats.named_classes import named_table, number_of
from pspgui.formats.samples import Layout, Sample
from pspgui.imaging import image_size
from pspgui.labels.classes import ClassTable

PREFIX = "label_studio_"
_KINDS = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels")
_LOOKS = re.compile(r'"(annotations|completions|predictions)"\s*:')


def _files(root: Path) -> dict[str, Path]:
    try:
        found = sorted(root.glob("*.json"))
    except OSError:
        return {}
    every = {path.stem.removeprefix(PREFIX): path for path in found if _is_tasks(path)}
    ours = {name: path for name, path in every.items() if path.name.startswith(PREFIX)}
    return ours or every


def _is_tasks(path: Path) -> bool:
    start = start_of(path, 1 << 20)
    return start.startswith("[") and _LOOKS.search(start) is not None


def _find(root: Path) -> Path | None:
    return root if _files(root) else None


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(_files(root))


def _read(root: Path, split: str | None) -> tuple[tuple[Sample, ...], ClassTable]:
    path = _files(root)[str(split)]
    where = printable(path)
    tasks = read_json(path)
    try:
        found = [(_image_name(where, n, task), *_shapes(task)) for n, task in enumerate(tasks, 1)]
        names = dict.fromkeys(name for _, shapes, _ in found for name, _ in shapes)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise FormatError(
            f"{where}: it is no list of Label Studio's tasks ({lacking(error)})"
        ) from error
    if not names:
        raise FormatError(f"{where}: no shape has a label of pixels")
    classes = named_table(root, [(name, None) for name in sorted(names)], path)
    numbers_ = number_of(classes)
    samples = tuple(
        _sample(root, path, str(split), name, shapes, size, numbers_, classes)
        for name, shapes, size in found
    )
    return samples, classes


def _image_name(where: str, number: int, task: Any) -> str:
    """Return the file name in a task's address; raises `FormatError`."""
    fields = task["data"]
    address = fields.get("image") or next(
        (v for v in fields.values() if isinstance(v, str) and "." in v), ""
    )
    name = unquote(str(address).split("?d=")[-1].split("?")[0]).replace("\\", "/").split("/")[-1]
    if not name or name in (".", "..") or "\0" in name:
        raise FormatError(f"{where}, task {number}: it names no image")
    # The server puts eight letters before the names of what is uploaded.
    return re.sub(r"^[0-9a-f]{8}-", "", name) if "/upload/" in str(address) else name


def _shapes(task: Any) -> tuple[list[tuple[str, dict[str, Any]]], tuple[Any, Any] | None]:
    """Return (class, result) of a task's shapes, and the size that they tell."""
    done = task.get("annotations") or task.get("completions") or []
    valid = [entry for entry in done if not entry.get("was_cancelled")]
    chosen = [*(task.get("predictions") or []), *valid][-1:]
    found, size = [], None
    for result in chosen[0].get("result", []) if chosen else []:
        kind = result.get("type")
        if kind not in _KINDS:
            continue
        size = (result.get("original_height"), result.get("original_width"))
        found += [(str(name), result) for name in result["value"][kind][:1]]
    return found, size


def _sample(
    root: Path, path: Path, split: str, name: str, shapes: list[tuple[str, dict[str, Any]]],
    size: tuple[Any, Any] | None, labels: dict[str, int], classes: ClassTable,
) -> Sample:  # fmt: skip
    places = (root / "images" / split / name, root / "images" / name, root / name)
    image = next((place for place in places if place.is_file()), places[0])
    where = f"{printable(path)}, image {name!r}"
    if size is not None:
        shape = size_of(*size, where)
    else:
        shape = image_size(image) if image.is_file() else (1, 1)  # no shape, and nothing to tell
    regions = [
        Region(f"shape {number} ({label})", labels[label], _drawing(result))
        for number, (label, result) in enumerate(shapes, 1)
    ]
    coding = DrawnLabels(
        f"image {name!r}", shape, regions, classes.ignore, classes.ignore > 255
    )  # fmt: skip
    return Sample(image, path, coding)


def _drawing(result: dict[str, Any]) -> Draw:
    value, kind = result["value"], result["type"]

    def draw(shape: tuple[int, int]) -> Any:
        if kind == "brushlabels":
            if value.get("format", "rle") != "rle":
                raise ShapeError(f"its form {value.get('format')!r:.20} is not rle")
            return brush(value.get("rle"))(shape)
        height, width = shape
        if kind == "polygonlabels":
            return outline(value.get("points"), (width / 100, height / 100))(shape)
        is_box = kind == "rectanglelabels"
        names = ("x", "y", "width", "height") if is_box else ("x", "y", "radiusX", "radiusY")
        found = numbers([value.get(name) for name in names], "a side")
        x, y, across, down = (found * (width, height, width, height) / 100).tolist()
        degrees = value.get("rotation") or 0
        if not is_box:
            return disc(x, y, across, down, degrees)(shape)
        sides = (x, y, x + across, y + down)
        return (turned_box(*sides, degrees, about_corner=True) if degrees else box(*sides))(shape)

    return draw


LAYOUT = Layout(
    "label-studio", "Label Studio", "a JSON list of tasks with brush labels", _find, _splits,
    _read,
)  # fmt: skip
