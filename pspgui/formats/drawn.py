"""Labels that stand as shapes in a file of many: polygons, boxes, discs, run lengths, pictures.

Every shape is checked before anything is made of it: numbers must be finite and near the image,
run lengths must fill their box, pictures must be small enough. Shapes are painted in their order,
later ones over earlier ones; a pixel belongs to an outline if its middle does.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pspgui.durable import printable
from pspgui.formats.coding import FileValues
from pspgui.formats.errors import FormatError
from pspgui.geometry import Rect
from pspgui.imaging import MAX_PIXELS, DecodeError, labels_from_bytes
from pspgui.labels.brush_rle import decode_brush
from pspgui.labels.raster import NOTHING, Stamp
from pspgui.labels.rle import RunLengthError, decode_runs, unpack_runs
from pspgui.labels.shapes import polygon, rectangle, turned_ellipse

Size = tuple[int, int]
# A shape drawn: from the image's (height, width) to pixels. May raise ShapeError.
Draw = Callable[[Size], Stamp]

_FURTHEST = 1e6  # px from the origin; a point beyond is damage, not an overhang
_MOST_POINTS = 1_000_000
_MOST_CROSSINGS = 20_000_000  # of outlines with rows, each of which takes some 50 bytes


class ShapeError(ValueError):
    """A shape that cannot be drawn; a clause."""


class Region(NamedTuple):
    """A shape of a label; `name` says which one it is, such as `shape 3 (car)`."""

    name: str
    label: int
    draw: Draw


@dataclass(frozen=True, eq=False)
class DrawnLabels:
    """The labels of one image of a file of shapes; one is made for every image.

    `entry` names the image in the file. Pixels under no shape get the label `ground`. Not cached:
    many images have one file.
    """

    entry: str
    shape: Size
    regions: Sequence[Region]
    ground: int
    deep: bool = False
    key: str = ""
    expected: str = "the shapes name classes that are not listed"

    def read(self, path: Path) -> np.ndarray:
        """Return labels (H, W) uint8, or uint16 where `deep`; raises `FormatError`."""
        where = f"{printable(path)}, {self.entry}" if self.entry else printable(path)
        height, width = self.shape
        if height < 1 or width < 1 or height * width > MAX_PIXELS:
            raise FormatError(f"{where}: {width} × {height} is no size of an image that is opened")
        labels = np.full(self.shape, self.ground, np.uint16 if self.deep else np.uint8)
        for region in self.regions:
            try:
                stamp = region.draw(self.shape)
            except (ShapeError, RunLengthError, DecodeError) as error:
                reason = error.reason if isinstance(error, DecodeError) else str(error)
                raise FormatError(f"{where}, {region.name}: {reason}") from error
            if not stamp.rect.is_empty:
                labels[stamp.rect.slices][stamp.mask] = region.label
        return labels

    def values_of(self, path: Path) -> FileValues:
        """Return the different labels."""
        counts = np.bincount(self.read(path).ravel())
        return FileValues(tuple(int(v) for v in np.flatnonzero(counts)), False)

    def label_of(self, value: int) -> int | None:
        """Return the value."""
        return value

    def show(self, value: int) -> str:
        """Return `the label 7`."""
        return f"the label {value}"


# -- what shapes there are --------------------------------------------------------------------


def outline(points: object, scale: tuple[float, float] = (1.0, 1.0)) -> Draw:
    """Return a polygon of (x, y) points, or of x, y, x, y, …; `scale` is (x, y) px a unit."""

    def draw(shape: Size) -> Stamp:
        found = numbers(points, "a point")
        if found.ndim == 1 and found.size % 2 == 0:
            found = found.reshape(-1, 2)
        if found.ndim != 2 or found.shape[1] != 2 or len(found) < 3:
            raise ShapeError("a polygon has three points or more, of two numbers each")
        if len(found) > _MOST_POINTS:
            raise ShapeError(f"{len(found):,} points are more than {_MOST_POINTS:,}")
        near = _near(found * scale)
        rows = np.clip(near[:, 1], 0, shape[0])
        if np.abs(np.diff(rows, append=rows[:1])).sum() + len(rows) > _MOST_CROSSINGS:
            raise ShapeError("its outline goes up and down too often to be filled")
        return polygon(near[:, ::-1].copy(), shape)  # type: ignore[arg-type]

    return draw


def outlines(many: Sequence[object]) -> Draw:
    """Return the union of polygons."""
    parts = [outline(points) for points in many]

    def draw(shape: Size) -> Stamp:
        if not parts:
            raise ShapeError("there is no polygon in it")
        return _union([part(shape) for part in parts])

    return draw


def box(x0: object, y0: object, x1: object, y1: object) -> Draw:
    """Return the pixels whose middles lie in a box."""

    def draw(shape: Size) -> Stamp:
        (left, top), (right, bottom) = _near(numbers([[x0, y0], [x1, y1]], "a corner"))
        (left, right), (top, bottom) = sorted((left, right)), sorted((top, bottom))
        sides = Rect(*(math.ceil(v - 0.5) for v in (top, left, bottom, right)))
        return rectangle(sides, shape)

    return draw


def turned_box(
    x0: object, y0: object, x1: object, y1: object, degrees: object, about_corner: bool = False
) -> Draw:
    """Return a box turned clockwise about its middle, or about its corner (x0, y0)."""

    def draw(shape: Size) -> Stamp:
        corners = _near(numbers([[x0, y0], [x1, y1]], "a corner"))
        (left, top), (right, bottom) = corners.tolist()
        pivot = corners[0] if about_corner else corners.mean(0)
        angle = math.radians(_near(numbers([degrees], "the rotation"))[0])
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        round_ = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        return outline((pivot + (round_ - pivot) @ turn.T).tolist())(shape)

    return draw


def disc(x: object, y: object, across: object, down: object, degrees: object = 0.0) -> Draw:
    """Return the pixels whose middles lie in an ellipse of these radii, turned clockwise."""

    def draw(shape: Size) -> Stamp:
        found = _near(numbers([x, y, across, down, degrees], "a radius"))
        middle_x, middle_y, radius_x, radius_y, turn = found.tolist()
        if min(radius_x, radius_y) <= 0:
            raise ShapeError("its radius is not above 0")
        return turned_ellipse((middle_y, middle_x), (radius_y, radius_x), turn, shape)

    return draw


def column_runs(counts: object, size: object) -> Draw:
    """Return a mask of the whole image in COCO's run lengths, as text or as numbers."""

    def draw(shape: Size) -> Stamp:
        if not isinstance(size, list) or size != list(shape):
            raise ShapeError(f"its run lengths are for a size of {size!r:.40}, not {list(shape)}")
        runs = unpack_runs(counts, shape[0] * shape[1]) if isinstance(counts, str) else counts
        if not isinstance(runs, list):
            raise ShapeError("its run lengths are neither text nor a list")
        return Stamp(Rect(0, 0, *shape), decode_runs(runs, shape))

    return draw


def row_runs(counts: Sequence[int], left: int, top: int, size: Size) -> Draw:
    """Return a mask in a box, its run lengths along the rows, clipped to the image."""

    def draw(shape: Size) -> Stamp:
        if size[0] * size[1] > MAX_PIXELS:
            raise ShapeError(f"a mask of {size[1]} × {size[0]} is too large")
        mask = decode_runs(counts, (size[1], size[0])).T
        return _clipped(mask, top, left, shape)

    return draw


def picture(text: object, left: object, top: object) -> Draw:
    """Return the pixels that are not 0 in a base64 PNG whose corner lies at (left, top)."""

    def draw(shape: Size) -> Stamp:
        if not isinstance(text, str):
            raise ShapeError("its mask is no base64 text")
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ShapeError("its mask is no base64 text") from error
        corner = _near(numbers([left, top], "its corner"))
        decoded = labels_from_bytes("mask.png", content, MAX_PIXELS)
        return _clipped(decoded.labels != 0, round(corner[1]), round(corner[0]), shape)

    return draw


def brush(stream: object) -> Draw:
    """Return the mask of Label Studio's stream, a list of bytes."""

    def draw(shape: Size) -> Stamp:
        try:
            content = bytes(stream) if isinstance(stream, list) else None
        except (ValueError, TypeError) as error:
            raise ShapeError("its rle is no list of bytes") from error
        if content is None:
            raise ShapeError("its rle is no list of bytes")
        return Stamp(Rect(0, 0, *shape), decode_brush(content, shape))

    return draw


# -- checks -----------------------------------------------------------------------------------


def numbers(values: object, what: str) -> np.ndarray:
    """Return numbers as float64; raises `ShapeError` for what is none or not finite."""
    try:
        found = np.asarray(values)
        if found.dtype.kind not in "iuf":  # text would pass as a number otherwise
            raise TypeError(found.dtype)
        found = found.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ShapeError(f"{what} of it is no number") from error
    if not np.isfinite(found).all():
        raise ShapeError(f"{what} of it is not a finite number")
    return found


def whole(value: object, what: str, least: int = 0, most: int = 1 << 31) -> int:
    """Return a whole number of a file, also as text; raises `ShapeError`."""
    if isinstance(value, str) and len(value) < 20 and value.strip().removeprefix("-").isdecimal():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not least <= value <= most:
        raise ShapeError(f"{what} is {value!r:.40}, not a whole number from {least} to {most}")
    return value


def size_of(height: Any, width: Any, where: str) -> Size:
    """Return an image's size; raises `FormatError` that begins with `where`."""
    try:
        return whole(height, "its height", 1), whole(width, "its width", 1)
    except ShapeError as error:
        raise FormatError(f"{where}: {error}") from error


def _near(points: np.ndarray) -> np.ndarray:
    if points.size and np.abs(points).max() > _FURTHEST:
        raise ShapeError(f"a coordinate of {np.abs(points).max():g} px is far outside of any image")
    return points


def _clipped(mask: np.ndarray, top: int, left: int, shape: Size) -> Stamp:
    rect = Rect(top, left, top + mask.shape[0], left + mask.shape[1])
    inside = rect.intersect(Rect(0, 0, *shape))
    if inside.is_empty:
        return NOTHING
    return Stamp(inside, mask[inside.moved(-top, -left).slices])


def _union(stamps: Sequence[Stamp]) -> Stamp:
    filled = [stamp for stamp in stamps if not stamp.rect.is_empty]
    if len(filled) < 2:
        return filled[0] if filled else NOTHING
    rect = Rect(
        min(s.rect.y0 for s in filled), min(s.rect.x0 for s in filled),
        max(s.rect.y1 for s in filled), max(s.rect.x1 for s in filled),
    )  # fmt: skip
    mask = np.zeros((rect.height, rect.width), np.bool_)
    for stamp in filled:
        mask[stamp.rect.moved(-rect.y0, -rect.x0).slices] |= stamp.mask
    return Stamp(rect, mask)
