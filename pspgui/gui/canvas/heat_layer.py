"""A source of evidence opened into cells: a signed map over the picture, with its scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QWidget

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.map_layer import axis_extent
from pspgui.gui.colours import diverging_lut, nice_limit, to_rgb
from pspgui.gui.panels.drawing import draw_elided, short, signed
from pspgui.gui.qimages import rgb_image
from pspgui.gui.theme import current_theme, heading_font, quiet_font

if TYPE_CHECKING:
    from pspgui.evidence.readings import OpenedSource
    from pspgui.gui.document import Document

_VEIL, _STRENGTH = 0.6, 0.6


class HeatLayer:
    """Each cell as a square in the colour of what it adds, in logits; zero is neutral.

    Sign and size are kept: the scale is symmetric about zero and written in `HeatLegend`.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._key: tuple[object, ...] = ()
        self._image: QImage | None = None
        self._limit = 1.0

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the cells, if a source lies open."""
        document, opened = self._document, self._document.opened
        prediction = document.prediction
        if opened is None or prediction is None or document.overlay_hidden:
            self._key, self._image = (), None
            return
        self._colour(opened.values)
        height, width = camera.image_shape
        painter.save()
        painter.setTransform(camera.transform(), True)
        # What a window alone is made of says nothing of the picture around it.
        f = (document.window_frame or Rect(0, 0, height, width)).intersect(
            Rect(0, 0, height, width)
        )
        over = QRectF(f.x0, f.y0, f.width, f.height)
        painter.setClipRect(over, Qt.ClipOperation.IntersectClip)
        # The picture steps back, so that its colours are not taken for amounts.
        ground = QColor(current_theme().canvas)
        ground.setAlphaF(_VEIL)
        painter.fillRect(over, ground)
        painter.setOpacity(_STRENGTH)
        painter.drawImage(self._place(opened), self._image)
        painter.restore()

    @property
    def limit(self) -> float:
        """The end of the scale, in logits."""
        return self._limit

    def _place(self, opened: OpenedSource) -> QRectF:
        if opened.region is not None:
            r = opened.region
            return QRectF(r.x0, r.y0, r.x1 - r.x0, r.y1 - r.y0)
        prediction = self._document.prediction
        rows, columns = opened.values.shape
        top, bottom = axis_extent(rows, prediction.padded_shape[0], prediction.align_corners)
        left, right = axis_extent(columns, prediction.padded_shape[1], prediction.align_corners)
        return QRectF(left, top, right - left, bottom - top)

    def _colour(self, values: np.ndarray) -> None:
        lut = diverging_lut(current_theme())
        if self._key and self._key[0] is values and self._key[1] is lut:
            return
        self._limit = nice_limit(float(np.abs(values).max())) or 1.0
        self._image = rgb_image(to_rgb(np.asarray(values), lut, -self._limit, self._limit))
        self._key = (values, lut)


class HeatLegend:
    """What lies open, its exact sum, and the scale. GUI thread only."""

    def __init__(self, document: Document, layer: HeatLayer, canvas: QWidget) -> None:
        self._document, self._layer, self._canvas = document, layer, canvas

    def size(self, widest: float) -> QSizeF:
        """Return the room it takes; empty while nothing lies open."""
        return QSizeF() if self._document.opened is None else QSizeF(widest, 70)

    def paint(self, painter: QPainter, inner: QRectF) -> None:
        """Write what lies open and its scale."""
        opened, theme = self._document.opened, current_theme()
        if opened is None or self._document.prediction is None:
            return
        line = QRectF(inner.left(), inner.top() - 2, inner.width(), 20)
        painter.setFont(heading_font(self._canvas))
        painter.setPen(QColor(theme.text))
        draw_elided(painter, line, f"{_name(opened)}: {signed(opened.total, 3)}")
        painter.setFont(quiet_font(self._canvas))
        painter.setPen(QColor(theme.quiet))
        cells = signed(float(opened.values.sum()), 3)
        text = f"= {cells} by cells {signed(opened.constant, 3)} by biases"
        draw_elided(painter, line.translated(0, 18), text)
        limit = self._layer.limit
        ramp = QRectF(inner.left(), inner.top() + 43, inner.width(), 8)
        lut = diverging_lut(theme)
        painter.drawImage(ramp, QImage(lut.data, 256, 1, 768, QImage.Format.Format_RGB888))
        row = QRectF(inner.left(), ramp.bottom() + 2, inner.width(), 16)
        draw_elided(painter, row, f"−{short(limit)}")
        draw_elided(painter, row, "0", Qt.AlignmentFlag.AlignHCenter)
        draw_elided(painter, row, f"+{short(limit)} logits", Qt.AlignmentFlag.AlignRight)


def _name(opened: OpenedSource) -> str:
    """Return the name of the source that lies open."""
    source = opened.source
    return source.title or (
        "Local features" if source.level == 0
        else f"{source.level} × {source.level}, all bins" if source.kind == "level"
        else f"{source.level} × {source.level}, row {source.row + 1}, column {source.col + 1}"
    )
