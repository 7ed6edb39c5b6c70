"""What lies over the canvas to help looking: divider, minimap, rulers, legend of origins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QWidget

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.divider import Divider, draw_chip
from pspgui.gui.canvas.minimap import Minimap
from pspgui.gui.canvas.pyramid_image import PyramidImage
from pspgui.gui.canvas.rulers import BREADTH, paint_rulers
from pspgui.gui.theme import GRID_PX, current_theme, quiet_font
from pspgui.labels.provenance import name_of, palette

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_SWATCH: Final = 12.0
_LINE: Final = 20.0
_LEGEND_SAMPLES: Final = 128  # rows and columns looked at for which origins there are


class ViewAids:
    """The aids in use. GUI thread only; the document says which are on."""

    def __init__(self, document: Document, picture: PyramidImage, canvas: QWidget) -> None:
        self._document = document
        self._canvas = canvas
        self.divider = Divider()
        self.minimap = Minimap(picture)

    # -- the mouse ----------------------------------------------------------------------------

    def press(self, point: QPointF, camera: Camera) -> bool:
        """Take a press on one of them; the tool gets all others."""
        document = self._document
        return (document.has_aid("minimap") and self.minimap.press(point, camera)) or (
            document.has_aid("split") and self.divider.press(point, camera)
        )

    def drag(self, point: QPointF, camera: Camera) -> bool:
        """Follow the pointer while one of them is held; say whether one is."""
        return self.minimap.drag(point, camera) or self.divider.drag(point, camera)

    def release(self) -> None:
        """Let go of what was held."""
        self.minimap.release()
        self.divider.release()

    def cursor(self, point: QPointF | None, camera: Camera) -> Qt.CursorShape | None:
        """Return the pointer's shape over one of them; None elsewhere."""
        document = self._document
        if point is None:
            return None
        if document.has_aid("minimap") and self.minimap.area(camera).contains(point):
            return Qt.CursorShape.PointingHandCursor
        if document.has_aid("split") and self.divider.grip(camera).contains(point):
            return Qt.CursorShape.SplitHCursor
        return None

    # -- painting -----------------------------------------------------------------------------

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw those that are on, the rulers last."""
        document = self._document
        painter.setFont(quiet_font(self._canvas))
        if document.has_aid("split"):
            top = BREADTH if document.has_aid("rulers") else 0.0
            self.divider.paint(painter, camera, ("Image", self._overlay_name()), top)
        if document.has_aid("minimap") and self.minimap.area(camera).intersects(exposed):
            self.minimap.paint(painter, camera)
        if document.view_mode == "provenance" and not document.overlay_hidden:
            self._paint_legend(painter, camera)
        if document.has_aid("rulers"):
            painter.save()
            paint_rulers(painter, camera)
            painter.restore()

    def _overlay_name(self) -> str:
        from pspgui.gui.display import VIEW_TEXTS

        if self._document.canvas_map is not None:
            return self._document.canvas_map.title
        if self._document.shown_map is not None:
            return self._document.shown_map
        mode = self._document.view_mode
        return "Labels" if mode == "image" else VIEW_TEXTS[mode][0]

    def _paint_legend(self, painter: QPainter, camera: Camera) -> None:
        """Say which colour means whose labels, for those there are."""
        label_map = self._document.label_map
        if label_map is None:
            return
        offset = BREADTH if self._document.has_aid("rulers") else 0.0
        corner = QPointF(2 * GRID_PX + offset, 2 * GRID_PX + offset)
        colours, models = palette(), getattr(label_map, "models", None)
        names = [(v, name_of(v, models).capitalize()) for v in _present(label_map.provenance)]
        metrics = painter.fontMetrics()
        width = max(metrics.horizontalAdvance(name) for _, name in names) + _SWATCH + 4 * GRID_PX
        width = min(width, camera.viewport.width() - 4 * GRID_PX)
        theme = current_theme()
        ground = QColor(theme.panel)
        ground.setAlphaF(0.92)
        box = QRectF(corner.x(), corner.y(), width, len(names) * _LINE + GRID_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(box, 4, 4)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for k, (value, name) in enumerate(names):
            y = box.top() + GRID_PX / 2 + k * _LINE
            swatch = QRectF(box.left() + GRID_PX, y + (_LINE - _SWATCH) / 2, _SWATCH, _SWATCH)
            painter.fillRect(swatch, QColor(*colours[value].tolist()))
            painter.setPen(QColor(theme.text))
            text = QRectF(swatch.right() + GRID_PX, y, width - _SWATCH - 3 * GRID_PX, _LINE)
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(text.width()))
            painter.drawText(text, int(Qt.AlignmentFlag.AlignVCenter), shown)


def _present(provenance: np.ndarray) -> list[int]:
    """Return the origins that an even sample of the map finds."""
    rows, columns = (max(1, n // _LEGEND_SAMPLES) for n in provenance.shape)
    counts = np.bincount(provenance[::rows, ::columns].ravel(), minlength=1)
    found: list[int] = np.flatnonzero(counts).tolist()
    return found


__all__ = ["ViewAids", "draw_chip"]
