"""A source of evidence opened into cells: a signed map over the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.map_layer import map_image, place_of
from pspgui.gui.map_scale import MapInView
from pspgui.gui.theme import current_theme

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_VEIL: Final = 0.6
_STRENGTH: Final = 0.6


class HeatLayer:
    """Each cell as a square in the colour of what it adds, in logits; zero is neutral.

    Sign and size are kept: the scale is symmetric about zero and written in the legend.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._in_view = MapInView(document)
        self._key: tuple[object, ...] = ()
        self._image: QImage | None = None

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
        painter.setOpacity(_STRENGTH)
        painter.drawImage(place_of(shown), self._image)
        painter.restore()
