"""Painting one tile of the pyramid strip: title, pictures, range or value, marks."""

from __future__ import annotations

from typing import Final, NamedTuple

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from pspgui.geometry import Pixel
from pspgui.gui.canvas.marks import two_toned
from pspgui.gui.panels.drawing import draw_elided, draw_focus, short, signed
from pspgui.gui.panels.pyramid_frame import StripFrame
from pspgui.gui.panels.pyramid_tiles import Tile
from pspgui.gui.theme import GRID_PX, Theme

TITLE: Final = 18
RANGE: Final = 16
BETWEEN: Final = 2
_ARM, _GAP = 4.0, 2.0


class Look(NamedTuple):
    """How a tile is painted now; `margin` is the room above and below its contents."""

    theme: Theme
    frame: StripFrame
    ready: bool
    marked: bool
    hovered: bool
    focused: bool
    margin: float
    pointed: Pixel | None


def pictures_of(tile: Tile, rect: QRectF, margin: float) -> tuple[QRectF, ...]:
    """Return where a tile's pictures are: one, or two side by side."""
    inner = rect.adjusted(GRID_PX, margin, -GRID_PX, -margin)
    top, height = inner.top() + TITLE, inner.height() - TITLE - RANGE
    width = round((inner.width() - BETWEEN) / 2 if tile.two else inner.width())
    right = QRectF(inner.right() - width, top, width, height)
    if not tile.two:
        return (right,)
    return QRectF(inner.left(), top, width, height), right


def paint_tile(p: QPainter, tile: Tile, rect: QRectF, look: Look) -> None:
    """Paint a tile into its rectangle."""
    theme, ground = look.theme, rect.adjusted(2, 2, -2, -2)
    if look.ready and (look.marked or look.hovered):
        p.setPen(Qt.PenStyle.NoPen)
        p.setBrush(QColor(theme.selected if look.marked else theme.hover))
        p.drawRoundedRect(ground, 4, 4)
    inner = rect.adjusted(GRID_PX, look.margin, -GRID_PX, -look.margin)
    # Into the room on the right, too: tiles are narrow, and the next title begins further on.
    above = QRectF(inner.left(), inner.top() - 2, inner.width() + 5, TITLE)
    _paint_title(p, tile, above, look)
    places = pictures_of(tile, rect, look.margin)
    _paint_pictures(p, tile, places, look)
    p.setPen(QColor(theme.quiet))
    below = QRectF(inner.left(), places[-1].bottom() + 2, inner.width() + 5, RANGE)
    text = value_text(tile, look) or tile.value_range
    if p.fontMetrics().horizontalAdvance(text) > below.width():
        text = tile.rough_range or text
    draw_elided(p, below, text)
    if look.ready and look.marked:
        p.setBrush(Qt.BrushStyle.NoBrush)
        p.setPen(QPen(QColor(theme.accent), 1.5))
        p.drawRoundedRect(ground, 4, 4)
    elif look.focused:
        draw_focus(p, ground, theme)


def value_text(tile: Tile, look: Look) -> str:
    """Return the value of the last map under the pixel pointed at; empty for none."""
    values = tile.values[1]
    if look.pointed is None or values is None or not look.ready:
        return ""
    value = look.frame.value_at(values, tile.bins, look.pointed)
    return "= " + (signed(value) if tile.is_signed else short(value))


def _paint_title(p: QPainter, tile: Tile, rect: QRectF, look: Look) -> None:
    theme = look.theme
    p.setPen(QColor(theme.text if look.ready else theme.disabled))
    draw_elided(p, rect, tile.title)
    metrics = p.fontMetrics()
    width = metrics.horizontalAdvance(tile.title) + 4
    # The header says it too: half a word in a narrow tile says nothing.
    if tile.badge and width + metrics.horizontalAdvance(tile.badge) + 6 <= rect.width():
        p.setPen(QColor(theme.quiet))
        draw_elided(p, rect.adjusted(width, 0, 0, 0), tile.badge)


def _paint_pictures(
    p: QPainter, tile: Tile, places: tuple[QRectF, ...], look: Look
) -> None:
    if tile.after is None:
        p.setPen(Qt.PenStyle.NoPen)
        p.setBrush(QColor(look.theme.hover))
        for place in places:
            p.drawRect(place)
        if tile.empty:
            p.setPen(QColor(look.theme.quiet))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            p.drawText(places[-1].adjusted(4, 2, -4, -2), int(flags), "–")
        return
    if tile.before is not None and tile.two:
        _draw_map(p, places[0], tile.before, True, look.frame)
    _draw_map(p, places[-1], tile.after, tile.bins, look.frame)
    if look.pointed is not None and look.ready:
        for place in places:
            _draw_cross(p, look.frame.place_of(place, look.pointed), place)


def _draw_map(
    p: QPainter, place: QRectF, image: QImage, bins: bool, frame: StripFrame
) -> None:
    p.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not bins)
    source = frame.source((image.height(), image.width()), bins)
    bounds = QRectF(image.rect())
    if bounds.contains(source):
        p.drawImage(place, image, source)
        return
    # Half a cell is missing at the borders, where corners are not aligned or in the padding.
    kept = source.intersected(bounds)
    scale_x, scale_y = place.width() / source.width(), place.height() / source.height()
    target = QRectF(
        place.left() + (kept.left() - source.left()) * scale_x,
        place.top() + (kept.top() - source.top()) * scale_y,
        kept.width() * scale_x, kept.height() * scale_y,
    )  # fmt: skip
    p.drawImage(target, image, kept)


def _draw_cross(p: QPainter, centre: QPointF | None, place: QRectF) -> None:
    """Mark a place with a small open crosshair that reads on any picture."""
    if centre is None:
        return
    lines = [
        QLineF(centre + QPointF(dx, dy) * _GAP, centre + QPointF(dx, dy) * (_GAP + _ARM))
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    p.save()
    p.setClipRect(place)
    two_toned(p, lambda: p.drawLines(lines))
    p.restore()
