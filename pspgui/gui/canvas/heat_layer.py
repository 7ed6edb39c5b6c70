"""A source of evidence opened into cells: a signed map over the picture, with its scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.map_layer import axis_extent
from pspgui.gui.colours import diverging_lut, nice_limit, to_rgb
from pspgui.gui.panels.drawing import short, signed
from pspgui.gui.qimages import rgb_image
from pspgui.gui.theme import current_theme

if TYPE_CHECKING:
    from pspgui.evidence.readings import OpenedSource
    from pspgui.gui.document import Document

_MARGIN: Final = 12
_VEIL, _STRENGTH = 0.6, 0.6
_RAMP: Final = (128, 8)


class HeatLayer:
    """Each cell as a square in the colour of what it adds, in logits; zero is neutral.

    Sign and size are kept: the scale is symmetric about zero and written beside it.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._key: tuple[object, ...] = ()
        self._image: QImage | None = None
        self._limit = 1.0

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the cells and the legend, if a source lies open."""
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
        self._paint_legend(painter, camera, opened)

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

    def _paint_legend(self, painter: QPainter, camera: Camera, opened: OpenedSource) -> None:
        """Write what lies open and its scale into the lower left corner."""
        theme, view = current_theme(), camera.viewport
        source = opened.source
        name = source.title or (
            "local features" if source.level == 0
            else f"{source.level}×{source.level}, all bins" if source.kind == "level"
            else f"{source.level}×{source.level} row {source.row + 1}, column {source.col + 1}"
        )
        cells = signed(float(opened.values.sum()), 3)
        text = f"{name}: {signed(opened.total, 3)} = {cells} by cells "
        text += f"{signed(opened.constant, 3)} by biases"
        painter.save()
        metrics = painter.fontMetrics()
        wide = max(metrics.horizontalAdvance(text), _RAMP[0] + 90) + 2 * _MARGIN
        box = QRectF(view.left() + _MARGIN, view.bottom() - 60 - _MARGIN, wide, 60)
        painter.setPen(Qt.PenStyle.NoPen)
        ground = QColor(theme.panel)
        ground.setAlphaF(0.92)
        painter.setBrush(ground)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QColor(theme.text))
        painter.drawText(QPointF(box.left() + _MARGIN, box.top() + 8 + metrics.ascent()), text)
        low, base = f"−{short(self._limit)}", box.top() + 34
        painter.setPen(QColor(theme.quiet))
        painter.drawText(QPointF(box.left() + _MARGIN, base + metrics.ascent()), low)
        left = box.left() + _MARGIN + metrics.horizontalAdvance(low) + 6
        lut = diverging_lut(theme)
        ramp = QImage(lut.data, 256, 1, 768, QImage.Format.Format_RGB888)
        painter.drawImage(QRectF(left, base + 4, *_RAMP), ramp)
        painter.drawText(
            QPointF(left + _RAMP[0] + 6, base + metrics.ascent()), f"+{short(self._limit)} logits"
        )
        painter.restore()
