"""How the numbers of a pyramid map become colours: one rule for the strip and the canvas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from pspgui.gui.colours import diverging_lut, sequential_lut

if TYPE_CHECKING:
    from pspgui.inference.views import LevelView

# Maps of shares and probabilities, whose colours must mean the same in every image.
_FROM_0_TO_1: Final = ("confidence", "share")

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
