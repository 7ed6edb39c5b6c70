"""What the tiles of the pyramid strip show: pictures of maps, on scales that can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QImage

from pspgui.gui.colours import to_rgb
from pspgui.gui.map_scale import map_scale, map_span
from pspgui.gui.panels.drawing import short, signed

if TYPE_CHECKING:
    from pspgui.inference.views import LevelView

# Shown before the first prediction, so that one sees what will be here.
PLACEHOLDERS = (
    ("features", "Features", False),
    ("level-1", "1 × 1", True),
    ("level-2", "2 × 2", True),
    ("level-3", "3 × 3", True),
    ("level-6", "6 × 6", True),
    ("fused", "Fused", False),
    ("score", "Score", False),
    ("confidence", "Confidence", False),
    ("share", "Share", False),
)
_TO = "\u2009…\u2009"  # thin spaces: tiles are narrow
_BEST = "the logit of the winner; the model does not know the class chosen"
_WORDS = {
    "features": "what the backbone sees: norm over its channels",
    "level": "this level: norm over its channels, as pooled (left) and as spread over the image",
    "fused": "local features and all levels together, after the bottleneck",
    "score": "the logit of the class",
    "confidence": "the probability of the winner",
    "share": "what the pyramid adds to the margin, as a share of what it and local features add",
}


@dataclass(frozen=True, eq=False)
class Tile:
    """One tile: its pictures (before is None but for levels), title, range of values, words."""

    name: str
    title: str
    two: bool
    before: QImage | None = None
    after: QImage | None = None
    value_range: str = ""
    words: str = ""


def placeholder_tiles() -> tuple[Tile, ...]:
    """Return the empty tiles before there is a prediction."""
    return tuple(Tile(name, title, two) for name, title, two in PLACEHOLDERS)


def tiles_of(views: Sequence[LevelView], class_name: str) -> tuple[Tile, ...]:
    """Return the tiles of views; all levels share one scale, signed maps one symmetric one."""
    tiles = []
    for view in views:
        lut, *scale = map_scale(view, views)
        own = map_span((view,))
        kind = "level" if view.before is not None else view.name
        best = kind == "score" and view.title != "Score"  # of no class in particular
        title = f"{class_name} score" if kind == "score" and not best else view.title
        words = _BEST if best else _WORDS.get(kind, "")
        span = f"{signed(own[0], 1)}{_TO}{signed(own[1], 1)}" if own[0] < 0 else _plain(own)
        tiles.append(
            Tile(
                name=view.name,
                title=title,
                two=view.before is not None,
                before=None if view.before is None else _picture(view.before, lut, scale),
                after=_picture(view.after, lut, scale),
                value_range=span,
                words=f"{title}: {words}\nvalues {span}; colours from "
                f"{short(scale[0])} to {short(scale[1])}\nClick to show it on the image",
            )
        )
    return tuple(tiles)


def _plain(span: tuple[float, float]) -> str:
    low, high = short(span[0]), short(span[1])
    return low if low == high else f"{low}{_TO}{high}"


def _picture(values: np.ndarray, lut: np.ndarray, scale: Sequence[float]) -> QImage:
    rgb = np.ascontiguousarray(to_rgb(values, lut, *scale))
    height, width = rgb.shape[:2]
    # A copy, small as it is, so that the picture owns its pixels.
    return QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
