"""Where the source pointed at is read: the cells that read a bin stay bright, taps become dots.

The box of `BinMark` says where a bin is pooled from; it is read elsewhere, too, and more weakly the
farther away. The taps of an atrous branch are dots, and those in the padding rings at the edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.map_layer import axis_extent
from pspgui.gui.canvas.marks import DARK, LIGHT, NO_BOUNDS
from pspgui.gui.theme import current_theme
from pspgui.jobs.local_taps import inner, is_region

if TYPE_CHECKING:
    from pspgui.evidence.footprints import Footprint
    from pspgui.gui.document import Document

_VEIL: Final = 0.62
_DOT: Final = 3.0
_RING: Final = 3.5


class ReadMark:
    """A veil over all that does not read the bin pointed at, or the constellation of a branch."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._key: tuple[object, ...] = ()
        self._found: Footprint | None = None
        self._veil: QImage | None = None

    def bounds(self, camera: Camera) -> QRectF:
        """Return all of what was read, for weights and taps reach far."""
        if self._footprint() is None:
            return NO_BOUNDS
        return camera.to_widget_rect(self._frame(camera)).adjusted(-8, -8, 8, 8)

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the veil, or dots and rings."""
        found = self._footprint()
        if found is None:
            return
        if found.weights is not None:
            self._paint_veil(painter, camera, found.weights)
        else:
            self._paint_dots(painter, camera, found)

    @property
    def found(self) -> Footprint | None:
        """Where the source pointed at is read, where that is told."""
        return self._footprint()

    def _footprint(self) -> Footprint | None:
        """Return where the source pointed at is read, found once."""
        document = self._document
        source, evidence, engine = document.hovered_bin, document.evidence, document.engine
        if source is None or evidence is None or engine is None:
            self._key, self._found, self._veil = (), None, None
            return None
        key = (source.kind, source.level, source.row, source.col, evidence.pixel, id(engine))
        if key != self._key:
            from pspgui.evidence import PSPEvidence
            from pspgui.evidence.footprints import footprint
            from pspgui.evidence.parts import CellsEvidence

            behind = inner(engine)
            known = isinstance(behind.plain, PSPEvidence | CellsEvidence)
            # Taps lie elsewhere for every pixel of a region; what reads a bin is the same for all.
            known = known and not (is_region(evidence) and source.kind == "branch")
            pixel = behind.pixel(evidence.pixel)
            self._found = footprint(behind.plain, pixel, source) if known else None
            self._key, self._veil = key, None
        return self._found

    def _frame(self, camera: Camera) -> Rect:
        whole = Rect(0, 0, *camera.image_shape)
        frame = self._document.window_frame
        return whole if frame is None else frame.intersect(whole)

    def _paint_veil(self, painter: QPainter, camera: Camera, weights: np.ndarray) -> None:
        if float(weights.min()) >= 1:
            return  # read alike everywhere
        if self._veil is None:
            self._veil = _veil(weights)
        known = inner(self._document.engine).plain.activations
        frame = self._frame(camera)
        rows, columns = (
            axis_extent(cells, size, known.align_corners)
            for cells, size in zip(weights.shape, known.padded_shape, strict=True)
        )
        painter.save()
        painter.setTransform(camera.transform(), True)
        painter.setClipRect(
            QRectF(frame.x0, frame.y0, frame.width, frame.height), Qt.ClipOperation.IntersectClip
        )
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        over = QRectF(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])
        painter.drawImage(over.translated(frame.x0, frame.y0), self._veil)
        painter.restore()

    def _paint_dots(self, painter: QPainter, camera: Camera, found: Footprint) -> None:
        frame = self._frame(camera)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(DARK, 1.5))
        painter.setBrush(LIGHT)
        for y, x in found.points.tolist():
            painter.drawEllipse(camera.to_widget(y + frame.y0, x + frame.x0), _DOT, _DOT)
        # Where they would lie is out of the picture: the edge nearest to it stands for that.
        edge = camera.to_widget_rect(frame)
        rings = {
            (
                round(min(max(at.x(), edge.left() + _RING), edge.right() - _RING)),
                round(min(max(at.y(), edge.top() + _RING), edge.bottom() - _RING)),
            )
            for at in (
                camera.to_widget(y + frame.y0, x + frame.x0) for y, x in found.missed.tolist()
            )
        }
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((DARK, 3.0), (QColor(current_theme().warning), 1.5)):
            painter.setPen(QPen(colour, width))
            for x, y in rings:
                painter.drawEllipse(QPointF(x, y), _RING, _RING)
        painter.restore()


def _veil(weights: np.ndarray) -> QImage:
    """Return a picture whose opacity grows as the weights fall."""
    ground = QColor(current_theme().canvas)
    pixels = np.empty((*weights.shape, 4), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = ground.blue(), ground.green(), ground.red()
    peak = float(weights.max()) or 1.0
    pixels[..., 3] = np.rint(255 * _VEIL * (1 - weights / peak)).astype(np.uint8)
    height, width = weights.shape
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32)
    return image.copy()
