"""A source of evidence opened into cells: a signed map over the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.map_layer import map_image, place_of
from pspgui.gui.map_scale import MapInView
from pspgui.gui.theme import current_theme

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.inference.shown_map import ShownMap

_VEIL: Final = 0.6
_STRENGTH: Final = 0.6


class HeatLayer:
    """Each cell as a square in the colour of what it adds, in logits; zero is neutral.

    Sign and size are kept: the scale is symmetric about zero and written in the legend. Around the
    cells that the source reads the picture only steps back, so that one sees where they lie.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._in_view = MapInView(document)
        self._key: tuple[object, ...] = ()
        self._image: QImage | None = None
        self._read = QRectF()

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the cells, if a source lies open."""
        document, shown, theme = self._document, self._in_view.shown, current_theme()
        if (
            document.opened is None or document.prediction is None or shown is None
            or document.overlay_hidden
        ):  # fmt: skip
            self._key, self._image = (), None
            return
        if not self._key or self._key[0] is not shown or self._key[1] is not theme:
            self._image, self._key = map_image(shown), (shown, theme)
            self._read = _place_read(shown)
        height, width = camera.image_shape
        painter.save()
        painter.setTransform(camera.transform(), True)
        # What a window alone is made of says nothing of the picture around it.
        whole = Rect(0, 0, height, width)
        frame = (document.window_frame or whole).intersect(whole)
        over = QRectF(frame.x0, frame.y0, frame.width, frame.height)
        painter.setClipRect(over, Qt.ClipOperation.IntersectClip)
        # The picture steps back, so that its colours are not taken for amounts.
        ground = QColor(theme.canvas)
        ground.setAlphaF(_VEIL)
        painter.fillRect(over, ground)
        painter.setClipRect(self._read, Qt.ClipOperation.IntersectClip)
        painter.setOpacity(_STRENGTH)
        painter.drawImage(place_of(shown), self._image)
        painter.restore()


def _place_read(shown: ShownMap) -> QRectF:
    """Return the rectangle around all cells that add something, in image pixels."""
    place = place_of(shown)
    rows, columns = (np.flatnonzero((shown.values != 0).any(axis)) for axis in (1, 0))
    if not len(rows):
        return QRectF()
    high, wide = place.height() / shown.values.shape[0], place.width() / shown.values.shape[1]
    return QRectF(
        place.left() + columns[0] * wide, place.top() + rows[0] * high,
        (columns[-1] + 1 - columns[0]) * wide, (rows[-1] + 1 - rows[0]) * high,
    )  # fmt: skip
