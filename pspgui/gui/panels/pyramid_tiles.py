"""What the tiles of the pyramid strip show: pictures of maps, on scales that can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QImage

from pspgui.gui.colours import diverging_lut, to_rgb
from pspgui.gui.map_scale import Span, map_scale, map_span
from pspgui.gui.panels.drawing import short, signed

if TYPE_CHECKING:
    from pspgui.inference.channels import MapStatistics
    from pspgui.inference.views import LevelView
    from pspgui.jobs.strip import StripTile

# Shown before the first prediction, so that one sees what will be here.
PLACEHOLDERS = (
    ("features", "Features", False),
    ("level-1", "1×1", True),
    ("level-2", "2×2", True),
    ("level-3", "3×3", True),
    ("level-6", "6×6", True),
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
    "level": "this level: norm over its channels, as reduced (left) and as upsampled to the cells",
    "fused": "local features and all levels together, after the bottleneck",
    "score": "the logit of the class",
    "confidence": "the probability of the winner",
    "share": "what the pyramid adds to the margin, as a share of what it and local features add",
}
_CLICK = "Click to show it on the image; double click for its channels"


@dataclass(frozen=True, eq=False)
class Tile:
    """One tile: its pictures (before is None but for pairs), title, range of values, words.

    values: the maps themselves, before and after, for the number under the pointer; bins: whether
    the last is drawn bin by bin. badge: what stands behind the title; empty: why there is nothing
    to see. limits and is_signed: the scale of the colours; None for pictures that are colours.
    rough_range: the range in fewer figures, for narrow tiles.
    """

    name: str
    title: str
    two: bool
    before: QImage | None = None
    after: QImage | None = None
    value_range: str = ""
    words: str = ""
    values: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
    bins: bool = False
    badge: str = ""
    empty: str = ""
    limits: Span | None = None
    is_signed: bool = False
    rough_range: str = ""

    def looks_like(self, other: Tile) -> bool:
        """Whether both are painted alike, whatever their words."""
        return self is other or all(
            _same(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
            if field.name != "words"
        )


@cache
def placeholder_tiles() -> tuple[Tile, ...]:
    """Return the empty tiles before there is a prediction."""
    return tuple(Tile(name, title, two) for name, title, two in PLACEHOLDERS)


def effective(
    views: Sequence[LevelView], drawn: Mapping[str, StripTile]
) -> tuple[LevelView, ...]:
    """Return the views with the maps of the strip's mode in place of their norms."""
    return tuple(
        view._replace(before=drawn[view.name].view.before, after=drawn[view.name].view.after)
        if view.name in drawn else view
        for view in views
    )  # fmt: skip


def titled_tiles(
    views: Sequence[LevelView], class_name: str, drawn: Mapping[str, StripTile] | None = None
) -> tuple[Tile, ...]:
    """Return the tiles of views without their pictures, which take longer."""
    drawn = drawn or {}
    return tuple(
        Tile(
            view.name, _title(view, class_name), view.before is not None,
            badge=drawn[view.name].badge if view.name in drawn else "",
        )
        for view in effective(views, drawn)
    )  # fmt: skip


def tile_steps(
    views: Sequence[LevelView],
    class_name: str,
    drawn: Mapping[str, StripTile] | None = None,
    numbers: Mapping[str, str] | None = None,
) -> Iterator[Tile | None]:
    """Yield the tiles of views, one a step; None after steps that only look at values.

    All levels share one scale where norms are shown, signed maps have one symmetric about zero. A
    step takes some milliseconds at most, so that the window can go on between any two. `drawn` is
    what the strip's mode shows instead of norms; `numbers` are further lines of words by tile.
    """
    drawn, numbers = drawn or {}, numbers or {}
    shown = effective(views, drawn)
    spans: dict[str, Span] = {}
    compared = []
    for view in shown:
        spans[view.name] = map_span((view,))
        kind = drawn[view.name].kind if view.name in drawn else "norm"
        if kind == "norm":
            is_level = view.name.startswith("level-")
            compared.append(view._replace(before=view.after) if is_level else view)
        yield None
    for view in shown:
        own = drawn.get(view.name)
        words = numbers.get(view.name, "")
        if own is None or own.kind == "norm":
            yield _norm_tile(view, compared, spans, class_name, own, words)
        else:
            yield _mode_tile(view, own, spans[view.name], class_name, words)


def tiles_of(views: Sequence[LevelView], class_name: str) -> tuple[Tile, ...]:
    """Return all that `tile_steps` makes, at once."""
    return tuple(tile for tile in tile_steps(views, class_name) if tile is not None)


def number_words(rows: Sequence[MapStatistics]) -> dict[str, str]:
    """Return the line of statistics of every tile."""
    found: dict[str, str] = {}
    for row in rows:
        of = "" if row.form is None else f" {row.form}"
        dead = f"{row.dead} of them dead" if row.dead else "none of them dead"
        line = (
            f"{row.channels} channels{of}, {row.shape[0]} × {row.shape[1]}, {dead}; "
            f"{100 * row.zeros:.0f} % of values not above zero; mean {short(row.mean)} "
            f"± {short(row.std)}"
        )
        if row.share is not None:
            line += f"; {100 * row.share:.0f} % of the squared norm the bottleneck reads"
        found[row.name] = f"{found[row.name]}\n{line}" if row.name in found else line
    return found


def _norm_tile(
    view: LevelView, compared: Sequence[LevelView], spans: Mapping[str, Span], class_name: str,
    own: StripTile | None, numbers: str,
) -> Tile:  # fmt: skip
    """Return a tile of norms, or of a map that has no channels."""
    scaled = next(v for v in compared if v.name == view.name)
    lut, *scale = map_scale(scaled, compared, spans)
    best = view.name == "score" and view.title != "Score"
    is_level = view.name.startswith("level-")
    words = _BEST if best else _WORDS.get("level" if is_level else view.name, "")
    return _tile(
        view, class_name, lut, (scale[0], scale[1]), spans[view.name],
        words if own is None else own.note, numbers, own,
    )  # fmt: skip


def _mode_tile(
    view: LevelView, own: StripTile, span: Span, class_name: str, numbers: str
) -> Tile:
    """Return a tile of a channel, of channels mixed, or of colours."""
    if own.kind == "absent":
        return Tile(
            view.name, _title(view, class_name), False, empty=own.note,
            words=_joined(view, own.note, numbers),
        )  # fmt: skip
    if own.kind == "colours":
        return Tile(
            view.name, _title(view, class_name), view.before is not None,
            None if view.before is None else _rgb_picture(view.before), _rgb_picture(view.after),
            own.badge, _joined(view, own.note, numbers), bins=own.bins,
        )  # fmt: skip
    is_signed = own.kind == "signed" or span[0] < 0
    if is_signed:
        limit = max(-span[0], span[1])
        return _tile(
            view, class_name, diverging_lut(), (-limit, limit), span, own.note, numbers, own
        )
    lut, *_ = map_scale(view._replace(name="", before=None), ())
    return _tile(view, class_name, lut, (min(0.0, span[0]), span[1]), span, own.note, numbers, own)


def _tile(
    view: LevelView, class_name: str, lut: np.ndarray, scale: Span, span: Span, note: str,
    numbers: str, own: StripTile | None,
) -> Tile:  # fmt: skip
    text = _plain(span)
    if span[0] < 0:
        text = _TO.join(dict.fromkeys(signed(value, 1) for value in span))
    values = f"values {text}; colours from {short(scale[0])} to {short(scale[1])}"
    return Tile(
        name=view.name,
        title=_title(view, class_name),
        two=view.before is not None,
        before=None if view.before is None else _picture(view.before, lut, scale),
        after=_picture(view.after, lut, scale),
        value_range=text,
        words=_joined(view, note, values, numbers, title=_title(view, class_name)),
        values=(view.before, view.after),
        bins=own is not None and own.bins,
        badge="" if own is None else own.badge,
        limits=scale,
        is_signed=scale[0] < 0,
        rough_range=_rough(span),
    )


def with_numbers(tile: Tile, numbers: str) -> Tile:
    """Return a tile with statistics among its words, which come behind its pictures."""
    if not numbers or numbers in tile.words or not tile.words.endswith(_CLICK):
        return tile
    return replace(tile, words=f"{tile.words.removesuffix(_CLICK)}{numbers}\n{_CLICK}")


def _same(one: object, other: object) -> bool:
    """Whether two fields of tiles are equal; of pictures and maps whether they are the same."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    kept = isinstance(one, QImage | np.ndarray) or isinstance(other, QImage | np.ndarray)
    return one is other if kept else one == other


def _joined(view: LevelView, note: str, *lines: str, title: str = "") -> str:
    first = f"{title or view.title}: {note}"
    return "\n".join(line for line in (first, *lines, _CLICK) if line)


def _title(view: LevelView, class_name: str) -> str:
    """Return a tile's title; a score of no class in particular has its own."""
    is_of_class = view.name == "score" and view.title == "Score" and view.before is None
    return f"{class_name} score" if is_of_class else view.title


def _rough(span: Span) -> str:
    """Return a range in a figure or two, for a narrow tile."""
    largest = max(abs(value) for value in span)
    decimals = 0 if largest >= 3 else 1 if largest >= 0.3 else 2
    sign = "+" if span[0] < 0 else ""
    texts = (f"{value:{sign}.{decimals}f}".replace("-", "\u2212") for value in span)
    return "…".join(dict.fromkeys(texts))


def _plain(span: tuple[float, float]) -> str:
    low, high = short(span[0]), short(span[1])
    return low if low == high else f"{low}{_TO}{high}"


def _picture(values: np.ndarray, lut: np.ndarray, scale: Sequence[float]) -> QImage:
    step = max(1, max(values.shape) // _MOST_PX)  # the tile is smaller still
    return _image(np.ascontiguousarray(to_rgb(values[::step, ::step], lut, *scale)))


def _rgb_picture(colours: np.ndarray) -> QImage:
    """Return (h, w, 3) colours in 0..1 as a picture."""
    step = max(1, max(colours.shape[:2]) // _MOST_PX)
    return _image(np.ascontiguousarray(np.rint(255 * colours[::step, ::step]), np.uint8))


def _image(rgb: np.ndarray) -> QImage:
    height, width = rgb.shape[:2]
    # A copy, small as it is, so that the picture owns its pixels.
    return QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
