"""A map over an image as it is put on show: values, what they mean, and where they lie.

Numbers stay as they are; colours are the viewer's part. numpy only, any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, Protocol

import numpy as np

from pspgui.geometry import Rect
from pspgui.inference.resampling import sample

Kind = Literal["plain", "signed", "share", "parts", "colours"]
"""plain: from `limits` or the lowest to the highest value; signed: symmetric about zero;
share: 0..1, the same in every image; parts: the value counts into `parts`; colours: values are
(h, w, 3), red, green and blue in 0..1, and there is no number to read."""


_MOST_LOOKED_AT = 1 << 21


class Part(NamedTuple):
    """A category of a map: its name, and its colour as `#rrggbb` or by the name of a source.

    Sources are "local", "constant" and "level-0", "level-1" … from coarse to fine, whose colours
    belong to the theme; "" is not drawn at all.
    """

    name: str
    colour: str


class Placed(Protocol):
    """What says where its cells lie: activations and predictions do."""

    @property
    def padded_shape(self) -> tuple[int, int]:
        """(H, W) of what the network saw."""

    @property
    def align_corners(self) -> bool:
        """Which rule of interpolation holds."""


class Lattice(NamedTuple):
    """Where the cells of a model's map lie: interpolated to `padded_shape` they are pixels.

    origin: (y, x) of the window that the model saw, in image pixels; most saw the whole image.
    seen: (H, W) of the image without its padding, None for no padding.
    """

    padded_shape: tuple[int, int]
    align_corners: bool
    origin: tuple[int, int] = (0, 0)
    seen: tuple[int, int] | None = None

    @classmethod
    def of(cls, known: Placed, origin: tuple[int, int] = (0, 0)) -> Lattice:
        """Return that of what a network found in an image, or in a window of it."""
        seen = getattr(known, "image_shape", None) or getattr(known, "shape", None)
        return cls(known.padded_shape, known.align_corners, origin, seen)

    @property
    def frame(self) -> Rect | None:
        """What of the image the map is of, in pixels; None where `seen` is not known."""
        if self.seen is None:
            return None
        (y, x), (height, width) = self.origin, self.seen
        return Rect(y, x, y + height, x + width)

    def extent(self, cells: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return (top, left, bottom, right) of a map of cells in continuous image pixels."""
        y, x = self.origin
        top, bottom = axis_extent(cells[0], self.padded_shape[0], self.align_corners)
        left, right = axis_extent(cells[1], self.padded_shape[1], self.align_corners)
        return top + y, left + x, bottom + y, right + x

    def region(self, cells: tuple[int, int]) -> Rect:
        """Return what a map of cells stands over, to the nearest pixel; it may pass the image."""
        return Rect(*(round(end) for end in self.extent(cells)))

    def visible(self, cells: tuple[int, int]) -> tuple[slice, slice]:
        """Return the cells of a map whose middle lies in the image, not in the padding."""
        found = []
        for count, padded, seen in zip(
            cells, self.padded_shape, self.seen or self.padded_shape, strict=True
        ):
            low, high = axis_extent(count, padded, self.align_corners)
            middles = low + (np.arange(count) + 0.5) * ((high - low) / count)
            found.append(slice(0, max(1, int((middles <= seen).sum()))))
        return found[0], found[1]


@dataclass(frozen=True, eq=False)
class ShownMap:
    """A map for the canvas, with what its legend says.

    name: tells maps apart; title: a few words, and behind ": " what it is about; meaning: one
    short sentence under the title.
    values: (h, w) float, or integers that count into `parts` for kind "parts"; finite.
    lattice: where the cells lie; None for values at the image's full resolution, (H, W).
    unit: behind the limits, such as "logits"; limits: (lowest, highest) of the scale, where the
    values' own are not wanted. smooth: whether what lies between cells is interpolated, as it is
    for whatever the network itself interpolates; parts never are.
    """

    name: str
    title: str
    values: np.ndarray
    kind: Kind = "plain"
    lattice: Lattice | None = None
    meaning: str = ""
    unit: str = ""
    parts: tuple[Part, ...] = ()
    limits: tuple[float, float] | None = None
    smooth: bool = True

    @property
    def interpolates(self) -> bool:
        """Whether values between the middles of cells are interpolated."""
        return self.smooth and self.lattice is not None and self.kind != "parts"

    @property
    def visible(self) -> np.ndarray:
        """The values that lie in the image and not in its padding; of very many every n-th."""
        shape = (self.values.shape[0], self.values.shape[1])
        step = max(1, round((shape[0] * shape[1] / _MOST_LOOKED_AT) ** 0.5))
        rows, columns = (slice(None),) * 2 if self.lattice is None else self.lattice.visible(shape)
        return self.values[rows, columns][::step, ::step]

    @cached_property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest value in the image."""
        values = self.visible
        return float(values.min()), float(values.max())

    @cached_property
    def shares(self) -> np.ndarray:
        """The share of the image's cells (or pixels) that every part takes, (P,)."""
        values = self.visible
        counts = np.bincount(values.ravel(), minlength=len(self.parts))
        found: np.ndarray = counts[: len(self.parts)] / max(1, values.size)
        return found

    def value_at(self, y: int, x: int) -> float | None:
        """Return the value drawn in the middle of an image pixel; None where the map is not."""
        if self.kind == "colours":
            return None
        if self.lattice is None:
            return self._cell(y, x)
        (padded_h, padded_w), align_corners, (top, left), seen = self.lattice
        y, x = y - top, x - left
        high, wide = seen or (padded_h, padded_w)
        if not (0 <= y < high and 0 <= x < wide):
            return None
        if self.interpolates:
            values = self.values[None]
            return float(sample(values, y, x, (padded_h, padded_w), align_corners)[0])
        rows, columns = self.values.shape
        return self._cell(
            _cell_under(y, rows, padded_h, align_corners),
            _cell_under(x, columns, padded_w, align_corners),
        )

    def part_at(self, y: int, x: int) -> Part | None:
        """Return the part drawn at an image pixel; None where there is none."""
        value = self.value_at(y, x)
        known = value is not None and 0 <= value < len(self.parts)
        return self.parts[int(value or 0)] if known else None

    def _cell(self, row: int, column: int) -> float | None:
        rows, columns = self.values.shape
        inside = 0 <= row < rows and 0 <= column < columns
        return float(self.values[row, column]) if inside else None


def axis_extent(cells: int, padded: int, align_corners: bool) -> tuple[float, float]:
    """Return where a row of cells begins and ends, in continuous image pixels.

    Interpolating a cell map to `padded` pixels puts the middle of cell i on the middle of pixel
    i (padded-1)/(cells-1) with align_corners, and at (i+1/2) padded/cells without; each cell
    reaches half a pitch around its middle. One cell alone fills everything.
    """
    if cells == 1 or not align_corners:
        return 0.0, float(padded)
    pitch = (padded - 1) / (cells - 1)
    return 0.5 - pitch / 2, padded - 0.5 + pitch / 2


def nice_limit(value: float) -> float:
    """Return the end of a scale for values up to `value`: the next of 1, 1.5, 2, 3, 5, 7 x 10^n."""
    if not np.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    for step in (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0):
        if value <= step * power * (1 + 1e-9):
            return float(step * power)
    return float(10.0 * power)


def _cell_under(position: int, cells: int, padded: int, align_corners: bool) -> int:
    """Return the cell whose square the middle of a pixel lies in, along one axis."""
    low, high = axis_extent(cells, padded, align_corners)
    return min(cells - 1, max(0, int((position + 0.5 - low) / (high - low) * cells)))
