"""The place of the picture that is pointed at elsewhere: in the pictures of the pyramid strip."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QPainter

from pspgui.geometry import Pixel
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import NO_BOUNDS, two_toned

_ARM: Final = 12.0
_GAP: Final = 6.0


class ElsewhereMark:
    """An open crosshair around the pixel `at`; None for none."""

    def __init__(self) -> None:
        self.at: Pixel | None = None

    def bounds(self, camera: Camera) -> QRectF:
        """Return the square around the arms."""
        if self.at is None:
            return NO_BOUNDS
        reach, centre = _GAP + _ARM + 3, camera.to_widget(self.at.y + 0.5, self.at.x + 0.5)
        return QRectF(centre.x() - reach, centre.y() - reach, 2 * reach, 2 * reach)

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the crosshair."""
        if self.at is None:
            return
        centre = camera.to_widget(self.at.y + 0.5, self.at.x + 0.5)
        lines = [
            QLineF(centre + QPointF(dx, dy) * _GAP, centre + QPointF(dx, dy) * (_GAP + _ARM))
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        two_toned(painter, lambda: painter.drawLines(lines))
