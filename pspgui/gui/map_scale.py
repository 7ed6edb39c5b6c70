"""How the numbers of a map become colours: one rule for the strip, the canvas and legends.

Anything can put a map on the canvas: `document.show_map(ShownMap(...))`, None takes it off (see
`inference.shown_map`; `Lattice.of(activations or prediction)` says where cells lie, None means full
resolution). Title, meaning, limits and the value under the pointer are drawn by the canvas. It
excludes a tile chosen by `document.set_shown_map(name)`: the later one stays. `document.shown_map`
is the name of whichever is shown, `document.canvas_map` the `ShownMap`; both change with
`display_changed`. A map goes with its prediction: `prediction_changed` finds none.
`map_of_view` makes a `ShownMap` of a tile, and `map_colours` gives (lut, lowest, highest) of any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PySide6.QtGui import QColor

from pspgui.gui.colours import diverging_lut, nice_limit, sequential_lut
from pspgui.gui.panels.drawing import short, signed
from pspgui.gui.theme import current_theme

if TYPE_CHECKING:
    from pspgui.evidence.readings import OpenedSource
    from pspgui.gui.document import Document
    from pspgui.inference.shown_map import Kind, Part, Placed, ShownMap
    from pspgui.inference.views import LevelView

# Maps of shares and probabilities, whose colours must mean the same in every image.
_FROM_0_TO_1: Final = ("confidence", "share")

# Levels from coarse to fine over a picture: the bars' shades of one hue are too alike there. They
# differ in lightness as well as in hue, so that every colour vision tells them apart.
_LEVELS: Final = ("#4a3fd0", "#b03fb8", "#f0607a", "#ffc24a")
_VEIL: Final = 0.7

Span = tuple[float, float]


def map_scale(
    view: LevelView, views: Sequence[LevelView], spans: Mapping[str, Span] | None = None
) -> tuple[np.ndarray, float, float]:
    """Return (lut, lowest, highest) for a map of the strip.

    Maps that go below zero are signed and symmetric about it; confidence and share run 0..1; levels
    have one scale, before and after upsampling, so that they can be compared; others their own.
    `spans` are those of single maps by name, where they were looked for before.
    """

    def span(one: LevelView) -> Span:
        return map_span((one,)) if spans is None else spans[one.name]

    low, high = span(view)
    if view.name in _FROM_0_TO_1:
        return sequential_lut(), 0.0, 1.0
    if low < 0:
        limit = max(-low, high)
        return diverging_lut(), -limit, limit
    if view.before is not None:
        lows, highs = zip(*(span(v) for v in views if v.before is not None), strict=True)
        return sequential_lut(), min(lows), max(highs)
    return sequential_lut(), low, high


def map_span(views: Sequence[LevelView]) -> Span:
    """Return the lowest and highest value in these maps."""
    arrays = [a for v in views for a in (v.before, v.after) if a is not None]
    return float(min(np.nanmin(a) for a in arrays)), float(max(np.nanmax(a) for a in arrays))


def map_of_view(view: LevelView, views: Sequence[LevelView], placed: Placed) -> ShownMap:
    """Return a tile's map as it is shown on the canvas, on the scale that the strip gives it."""
    from pspgui.inference.shown_map import Lattice, ShownMap

    _, low, high = map_scale(view, views)
    kind: Kind = "share" if view.name in _FROM_0_TO_1 else "signed" if low < 0 else "plain"
    unit = "logits" if view.name == "score" else ""
    title = "Context share" if view.name == "share" else view.title  # as among the maps
    return ShownMap(
        view.name, title, view.after, kind, Lattice.of(placed), unit=unit, limits=(low, high)
    )


def map_of_opened(opened: OpenedSource, placed: Placed, read_otherwise: bool = False) -> ShownMap:
    """Return the cells of an opened source as a map: sign and size kept, each cell a square.

    Cells are of the split against silence; read_otherwise: the panel shows other amounts, so that
    it must be said.
    """
    from pspgui.inference.shown_map import Lattice, ShownMap

    region, source = opened.region, opened.source
    tap = source.kind == "tap" or (source.kind == "local" and source.level > 0)
    name = (f"Tap {source.title}" if tap else source.title) or (
        "Local features" if source.level == 0
        else f"{source.level}×{source.level}, all bins" if source.kind == "level"
        else "1×1" if source.level == 1
        else f"{source.level}×{source.level} row {source.row + 1}, column {source.col + 1}"
    )
    of_cells = float(opened.values.sum())
    meaning = "What every cell adds through this source"
    if abs(opened.constant) > abs(of_cells):
        meaning += "; more of it comes from its biases, which are no cell's"
    parts = f"{signed(of_cells, 3)} cells {signed(opened.constant, 3)} biases"
    lattice = Lattice.of(placed)
    if region is not None:
        lattice = Lattice((region.height, region.width), False, (region.y0, region.x0))
    return ShownMap(
        "opened", f"{name}: {'split ' * read_otherwise}{signed(opened.total, 3)} = {parts}",
        opened.values, "signed", lattice, meaning, "logits", smooth=False,
    )  # fmt: skip


def map_colours(shown: ShownMap) -> tuple[np.ndarray, float, float]:
    """Return (lut, lowest, highest) for any map but one of parts.

    Shares run 0..1; signed maps are symmetric about zero up to a round number, written in the
    legend; others run over their own values, unless `limits` say otherwise.
    """
    if shown.kind == "share":
        return sequential_lut(), *(shown.limits or (0.0, 1.0))
    low, high = shown.limits or shown.span
    if shown.kind == "signed":
        limit = max(-low, high) if shown.limits else nice_limit(max(-low, high, 1e-9))
        return diverging_lut(), -limit, limit
    return sequential_lut(), low, high


def part_colours(parts: Sequence[Part]) -> list[int]:
    """Return the 0xAARRGGBB colours of a map's parts in the present theme; 0 for those not drawn.

    Raises ValueError for more than 256 parts.
    """
    if len(parts) > 256:
        raise ValueError("a map has 256 parts at most")
    return [part_colour(part).rgba() if part.colour else 0 for part in parts]


def part_colour(part: Part) -> QColor:
    """Return the colour of a part; local features are a veil, so that levels stand out."""
    if part.colour in ("local", "constant"):
        colour = QColor(current_theme().neutral if part.colour == "local" else "#8a8b92")
        colour.setAlphaF(_VEIL)
        return colour
    if part.colour.startswith("level-"):
        return QColor(_LEVELS[int(part.colour.removeprefix("level-")) % len(_LEVELS)])
    return QColor(part.colour)


class MapInView:
    """The map that a document shows now, a tile or opened cells included. GUI thread only."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._made: tuple[object, bool, ShownMap] | None = None

    @property
    def shown(self) -> ShownMap | None:
        """The map; None where none is shown or there is none for this picture.

        While a source lies open its cells are what is shown.
        """
        document = self._document
        if document.prediction is None:
            return document.canvas_map
        if document.opened is not None:
            made: object = document.opened
        elif document.canvas_map is not None:
            return document.canvas_map
        else:
            made = next((v for v in document.views if v.name == document.shown_map), None)
        if made is None:
            self._made = None
            return None
        # Cells are of the split against silence, whatever the amounts beside them.
        otherwise = document.reading != "split" or document.baseline is not None
        known = self._made
        if known is None or known[0] is not made or known[1] != otherwise:
            known = self._made = made, otherwise, self._make(made, otherwise)
        return known[2]

    def _make(self, made: Any, otherwise: bool) -> ShownMap:
        document = self._document
        if made is document.opened:
            return map_of_opened(made, document.prediction, otherwise)
        return map_of_view(made, document.views, document.prediction)


def value_text(shown: ShownMap, value: float | None) -> str:
    """Return a value of a map in words: a number with its unit, or the name of a part."""
    if value is None:
        return ""
    if shown.kind == "parts":
        return shown.parts[int(value)].name if 0 <= value < len(shown.parts) else ""
    if shown.kind == "signed":
        limit = map_colours(shown)[2]
        text = signed(value, min(8, max(2, 2 - math.floor(math.log10(limit)))))
    else:
        text = f"{value:.3f}" if shown.kind == "share" else short(value)
    return f"{text} {shown.unit}".rstrip()
