"""The file in which a project keeps the pins of an image: places a person wants to come back to.

`.pspgui/pins/<stem>.json`, one a label file's stem: pixels as x and y, regions as run lengths
down the columns of their rectangle, as COCO packs them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pspgui.durable import write_durably
from pspgui.geometry import Pixel, Rect
from pspgui.labels.raster import Stamp
from pspgui.labels.rle import RunLengthError, decode_runs, encode_runs, pack_runs, unpack_runs
from pspgui.project.class_files import classes_beside

_VERSION: Final = 1
_MOST_PINS: Final = 64
_MOST_PIXELS: Final = 1 << 28
_LONGEST_NAME: Final = 200


class PinFileError(ValueError):
    """A file of pins that cannot be used; one sentence. It is left as it is."""


class KeptPin(NamedTuple):
    """A pin as it is kept; `region` is None for a pixel's."""

    number: int
    pixel: Pixel
    region: Stamp | None
    name: str


def pins_beside(label_file: Path) -> Path:
    """Return the file of the pins of an image, there or not, from where its labels are."""
    classes = classes_beside(label_file)  # which knows of names that are too long
    return classes.parent.parent / "pins" / classes.name


def has_project(label_file: Path) -> bool:
    """Say whether there is a project around a label file, in which pins may be kept."""
    return label_file.parent.parent.is_dir()


def write_pins(label_file: Path, pins: Sequence[KeptPin]) -> None:
    """Keep the pins of an image; no file is made for none. Raises `SaveError`. Any thread."""
    path = pins_beside(label_file)
    if not pins and not path.is_file():
        return
    told = {"version": _VERSION, "pins": [_to_json(pin) for pin in pins]}
    write_durably(path, json.dumps(told, ensure_ascii=False, indent=1).encode())


def read_pins(label_file: Path) -> tuple[KeptPin, ...]:
    """Return the pins kept for an image; raises `PinFileError` for a damaged file. Any thread."""
    path = pins_beside(label_file)
    if not path.is_file():
        return ()
    try:
        told = json.loads(path.read_bytes())
        if told["version"] != _VERSION or len(told["pins"]) > _MOST_PINS:
            raise ValueError("it is of another version")
        return tuple(_from_json(pin) for pin in told["pins"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise PinFileError(
            f"The pins kept in {path.name} cannot be read ({error}). The file is left as it is; "
            "pins of this session stay in memory until you remove it."
        ) from error


def fault_of(path: Path) -> str:
    """Return why a file of pins cannot be read, one clause; "" for a sound or a newer one."""
    try:
        told = json.loads(path.read_bytes())
        version = told["version"]
        if type(version) is int and version > _VERSION:
            return ""  # it is another pspgui's to judge
        if version != _VERSION or len(told["pins"]) > _MOST_PINS:
            return "it is no file of pins"
        for pin in told["pins"]:
            _from_json(pin)
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return f"its pins cannot be read ({error})"
    return ""


def _to_json(pin: KeptPin) -> dict[str, Any]:
    found: dict[str, Any] = {
        "number": pin.number, "name": pin.name, "x": pin.pixel.x, "y": pin.pixel.y,
    }  # fmt: skip
    if pin.region is not None:
        y0, x0, y1, x1 = pin.region.rect
        found["region"] = [x0, y0, x1, y1]
        found["runs"] = pack_runs(encode_runs(pin.region.mask))
    return found


def _from_json(told: dict[str, Any]) -> KeptPin:
    number, x, y, name = (told[key] for key in ("number", "x", "y", "name"))
    if not all(type(value) is int and value >= 0 for value in (number, x, y)):
        raise ValueError("a number is none")
    if not isinstance(name, str):
        raise TypeError("a name is no text")
    region = None
    if "region" in told:
        x0, y0, x1, y1 = told["region"]
        if not all(type(value) is int and value >= 0 for value in (x0, y0, x1, y1)):
            raise ValueError("a region has no place")
        rect = Rect(y0, x0, y1, x1)
        if rect.is_empty or rect.area > _MOST_PIXELS:
            raise ValueError("a region has no sensible size")
        try:
            runs = unpack_runs(told["runs"], rect.area)
            region = Stamp(rect, decode_runs(runs, (rect.height, rect.width)))
        except RunLengthError as error:
            raise ValueError(f"a region is damaged: {error}") from error
        if not region.mask.any():
            raise ValueError("a region is empty")
    return KeptPin(number, Pixel(y, x), region, name[:_LONGEST_NAME])
