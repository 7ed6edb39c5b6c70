"""The brush ring: what a dab would cover, readable on any ground."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QTransform

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import DARK, LIGHT, two_toned
from pspgui.labels.raster import capsule, snapped

_EXACT_FROM_SCALE = 4.0  # from here on the ring follows the pixels it would paint
_EXACT_UP_TO_PX = 96
_TINY = 5.0
_DOT = 4.0


def ring_bounds(camera: Camera, at: QPointF, diameter_px: int) -> QRectF:
    """Return the widget area of the ring and its dot."""
    box = _box(camera, at, diameter_px)
    reach = max(box.width() / 2, _TINY + 6) + 4 + 2 * _DOT
    centre = box.center()
    return QRectF(centre.x() - reach, centre.y() - reach, 2 * reach, 2 * reach)


def paint_ring(
    painter: QPainter,
    camera: Camera,
    at: QPointF,
    diameter_px: int,
    square: bool,
    dot: QColor | None,
) -> None:
    """Draw the ring around the mouse at `at`, and a dot in the colour that would be painted.

    Without a colour (the eraser) the dot is hollow. A ring too small to see gets four ticks.
    """
    box = _box(camera, at, diameter_px)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if camera.scale >= _EXACT_FROM_SCALE and diameter_px <= _EXACT_UP_TO_PX:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        to_box = QTransform(camera.scale, 0, 0, camera.scale, box.left(), box.top())
        path = to_box.map(footprint(diameter_px, square))
        two_toned(painter, lambda: painter.drawPath(path))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    else:
        # Half a unit out: the light line then fills the pixels just outside of what is painted.
        line = box.adjusted(-0.5, -0.5, 0.5, 0.5)
        if square:
            two_toned(painter, lambda: painter.drawRect(line))
        else:
            _paint_circles(painter, line)
    if box.width() < 2 * _TINY:
        _paint_ticks(painter, box.center())
    _paint_dot(painter, box, 1.0 if square else 0.7071, dot)
    painter.restore()


def _box(camera: Camera, at: QPointF, diameter_px: int) -> QRectF:
    """Return the widget rectangle of the pixels that a dab covers, snapped as the raster does."""
    y, x = snapped(camera.to_image(at), diameter_px)
    radius = diameter_px / 2
    return QRectF(
        camera.to_widget(y - radius, x - radius), camera.to_widget(y + radius, x + radius)
    )


def _paint_circles(painter: QPainter, box: QRectF) -> None:
    """Draw dark, light, dark: thin pens are drawn directly, a wide one takes six times as long."""
    for colour, grow in ((DARK, -1.0), (DARK, 1.0), (LIGHT, 0.0)):
        painter.setPen(QPen(colour, 1.0))
        painter.drawEllipse(box.adjusted(-grow, -grow, grow, grow))


def _paint_ticks(painter: QPainter, centre: QPointF) -> None:
    ends = [(1, 0), (-1, 0), (0, 1), (0, -1)]

    def draw() -> None:
        for dx, dy in ends:
            way = QPointF(dx, dy)
            painter.drawLine(centre + way * _TINY, centre + way * (_TINY + 5))

    two_toned(painter, draw)


def _paint_dot(painter: QPainter, box: QRectF, corner: float, colour: QColor | None) -> None:
    """Draw the dot outside the ring's lower right, `corner` of its radius away both ways."""
    reach = max(box.width() / 2, _TINY + 3) * corner + _DOT
    centre = box.center() + QPointF(reach, reach)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(DARK)
    painter.drawEllipse(centre, _DOT + 2, _DOT + 2)
    painter.setBrush(LIGHT)
    painter.drawEllipse(centre, _DOT + 1, _DOT + 1)
    painter.setBrush(DARK if colour is None else colour)
    painter.drawEllipse(centre, _DOT, _DOT)
    if colour is None:
        painter.setBrush(LIGHT)
        painter.drawEllipse(centre, _DOT - 1.5, _DOT - 1.5)


@lru_cache(maxsize=64)
def footprint(diameter_px: int, square: bool) -> QPainterPath:
    """Return the outline of a dab's pixels, in image pixels from its box's top left corner."""
    middle = diameter_px / 2
    stamp = capsule(
        (middle, middle), (middle, middle), diameter_px, (diameter_px, diameter_px), square
    )
    rows: list[Rect] = []
    for y, row in enumerate(stamp.mask):
        columns = row.nonzero()[0]
        if columns.size:
            y0, x0 = y + stamp.rect.y0, stamp.rect.x0
            rows.append(Rect(y0, x0 + int(columns[0]), y0 + 1, x0 + int(columns[-1]) + 1))
    path = QPainterPath(QPointF(rows[0].x0, rows[0].y0))
    for row in rows:  # a dab is convex: down its right side, up its left
        path.lineTo(row.x1, row.y0)
        path.lineTo(row.x1, row.y1)
    for row in reversed(rows):
        path.lineTo(row.x0, row.y1)
        path.lineTo(row.x0, row.y0)
    path.closeSubpath()
    return path
