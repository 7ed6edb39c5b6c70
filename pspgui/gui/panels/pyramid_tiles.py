"""What the tiles of the pyramid strip show: pictures of maps, on scales that can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QImage

from pspgui.gui.colours import to_rgb
from pspgui.gui.map_scale import Span, map_scale, map_span
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
_MOST_PX = 512
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


def titled_tiles(views: Sequence[LevelView], class_name: str) -> tuple[Tile, ...]:
    """Return the tiles of views without their pictures, which take longer."""
    return tuple(
        Tile(view.name, _title(view, class_name), view.before is not None) for view in views
    )


def tile_steps(views: Sequence[LevelView], class_name: str) -> Iterator[Tile | None]:
    """Yield the tiles of views, one a step; None after steps that only look at values.

    All levels share one scale, signed maps one symmetric one. A step takes some milliseconds at
    most, so that the window can go on between any two.
    """
    spans: dict[str, Span] = {}
    for view in views:
        spans[view.name] = map_span((view,))
        yield None
    for view in views:
        yield _tile(view, views, spans, class_name)


def tiles_of(views: Sequence[LevelView], class_name: str) -> tuple[Tile, ...]:
    """Return all that `tile_steps` makes, at once."""
    return tuple(tile for tile in tile_steps(views, class_name) if tile is not None)


def _tile(
    view: LevelView, views: Sequence[LevelView], spans: Mapping[str, Span], class_name: str
) -> Tile:
    lut, *scale = map_scale(view, views, spans)
    own = spans[view.name]
    title = _title(view, class_name)
    best = view.name == "score" and view.title != "Score"
    words = _BEST if best else _WORDS.get("level" if view.before is not None else view.name, "")
    span = f"{signed(own[0], 1)}{_TO}{signed(own[1], 1)}" if own[0] < 0 else _plain(own)
    return Tile(
        name=view.name,
        title=title,
        two=view.before is not None,
        before=None if view.before is None else _picture(view.before, lut, scale),
        after=_picture(view.after, lut, scale),
        value_range=span,
        words=f"{title}: {words}\nvalues {span}; colours from "
        f"{short(scale[0])} to {short(scale[1])}\nClick to show it on the image",
    )


def _title(view: LevelView, class_name: str) -> str:
    """Return a tile's title; a score of no class in particular has its own."""
    is_of_class = view.name == "score" and view.title == "Score" and view.before is None
    return f"{class_name} score" if is_of_class else view.title


def _plain(span: tuple[float, float]) -> str:
    low, high = short(span[0]), short(span[1])
    return low if low == high else f"{low}{_TO}{high}"


def _picture(values: np.ndarray, lut: np.ndarray, scale: Sequence[float]) -> QImage:
    step = max(1, max(values.shape) // _MOST_PX)  # the tile is smaller still
    rgb = np.ascontiguousarray(to_rgb(values[::step, ::step], lut, *scale))
    height, width = rgb.shape[:2]
    # A copy, small as it is, so that the picture owns its pixels.
    return QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
