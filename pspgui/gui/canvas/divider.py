"""The divider of the split view: the image alone to its left, what lies over it to its right.

One picture in one place, so that the eye need not travel and tools work on both sides.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.marks import two_toned
from pspgui.gui.icons import draw_icon
from pspgui.gui.theme import GRID_PX, current_theme

_GRIP: Final = 28.0
_FROM_BOTTOM: Final = 5.0 * GRID_PX
_LEAST: Final = 0.04  # of the width: the grip never leaves the canvas


class Divider:
    """An upright line through the canvas with a grip near its lower end. GUI thread only."""

    def __init__(self) -> None:
        self._share = 0.5
        self._is_held = False

    @property
    def share(self) -> float:
        """Where it stands, as a share 0..1 of the canvas's width."""
        return self._share

    def x(self, camera: Camera) -> float:
        """Return where it stands in widget units, between two device pixels."""
        return round(self._share * camera.viewport.width() * camera.ratio) / camera.ratio

    def right_of(self, camera: Camera) -> QRectF:
        """Return the widget area where labels are shown."""
        return camera.viewport.adjusted(self.x(camera), 0, 0, 0)

    def grip(self, camera: Camera) -> QRectF:
        """Return the part that can be dragged: the line itself is not in a brush's way."""
        bottom = camera.viewport.height() - _FROM_BOTTOM
        return QRectF(self.x(camera) - _GRIP / 2, bottom - _GRIP, _GRIP, _GRIP)

    def press(self, point: QPointF, camera: Camera) -> bool:
        """Take hold of it; say whether the press was on the grip."""
        self._is_held = self.grip(camera).contains(point)
        return self._is_held

    def drag(self, point: QPointF, camera: Camera) -> bool:
        """Move it to the pointer if it is held; say whether it moved."""
        if not self._is_held:
            return False
        share = point.x() / max(1.0, camera.viewport.width())
        self._share = max(_LEAST, min(1 - _LEAST, share))
        return True

    def release(self) -> None:
        """Let go of it."""
        self._is_held = False

    def paint(
        self, painter: QPainter, camera: Camera, captions: tuple[str, str], top: float = 0.0
    ) -> None:
        """Draw the line, the grip, and from `top` down what lies on either side."""
        theme, x = current_theme(), self.x(camera)
        line = QLineF(x, 0, x, camera.viewport.height())
        two_toned(painter, lambda: painter.drawLine(line))
        grip = self.grip(camera)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(theme.line))
        painter.setBrush(QColor(theme.accent if self._is_held else theme.raised))
        painter.drawEllipse(grip)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        colour = theme.on_accent if self._is_held else theme.text
        draw_icon(painter, "arrow-split-vertical", grip.adjusted(6, 6, -6, -6), colour)
        left, right = captions
        draw_chip(painter, QPointF(x - GRID_PX, top + GRID_PX), left, right_aligned=True)
        draw_chip(painter, QPointF(x + GRID_PX, top + GRID_PX), right)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def draw_chip(
    painter: QPainter, corner: QPointF, text: str, right_aligned: bool = False
) -> QRectF:
    """Draw a few words on a small panel at its upper left (or right) corner; return its area."""
    theme, metrics = current_theme(), painter.fontMetrics()
    width = metrics.horizontalAdvance(text) + 2 * GRID_PX
    left = corner.x() - width if right_aligned else corner.x()
    chip = QRectF(left, corner.y(), width, metrics.height() + GRID_PX / 2)
    ground = QColor(theme.panel)
    ground.setAlphaF(0.9)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ground)
    painter.drawRoundedRect(chip, 4, 4)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QColor(theme.text))
    painter.drawText(chip, int(Qt.AlignmentFlag.AlignCenter), text)
    return chip
