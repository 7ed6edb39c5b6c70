"""Legends on the canvas: what colours mean, one above the other in the lower left corner.

Whatever needs one hands the canvas a `Legend` (`canvas.legends.add`); they never overlap. Where
they would hide what an opened source pools from, they stand in the lower right corner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from PySide6.QtCore import QObject, QRectF, QSizeF, Qt, Slot
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QWidget

from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.rulers import BREADTH
from pspgui.gui.theme import GRID_PX, current_theme

if TYPE_CHECKING:
    from pspgui.gui.document import Document

PAD: Final = 12.0
_GAP: Final = 8.0
_EDGE: Final = 2.0 * GRID_PX
_OVER_GRIP: Final = 76.0  # the divider's grip stays free
_WIDEST: Final = 288.0
_GROUND: Final = 0.92


class Legend(Protocol):
    """One legend."""

    def size(self, widest: float) -> QSizeF:
        """Return how much room it takes in widget units; empty while it has nothing to say."""

    def paint(self, painter: QPainter, inner: QRectF) -> None:
        """Draw it; the ground is there, and `inner` is what lies within its margins."""


class LegendStack(QObject):
    """All legends of a canvas, the first one lowest. GUI thread only.

    They are repainted where they are when the pixel under the mouse changes, for they tell its
    value.
    """

    def __init__(self, document: Document, canvas: QWidget, camera: Camera) -> None:
        super().__init__(canvas)
        self._document, self._canvas, self._camera = document, canvas, camera
        self._legends: tuple[Legend, ...] = ()
        self._painted: list[QRectF] = []
        document.hover_changed.connect(self._on_hover)

    def add(self, *legends: Legend) -> None:
        """Put legends on top of those there are."""
        self._legends = (*self._legends, *legends)
        self._canvas.update()

    def areas(self) -> list[tuple[Legend, QRectF]]:
        """Return every legend that is shown, and where; those without room are left out."""
        document, view = self._document, self._camera.viewport
        if document.overlay_hidden or document.image is None:
            return []
        left = _EDGE + (BREADTH if document.has_aid("rulers") else 0.0)
        bottom = view.bottom() - (_OVER_GRIP if document.has_aid("split") else _EDGE)
        widest = min(_WIDEST, view.width() - left - _EDGE)
        found = []
        for legend in self._legends:
            size = legend.size(widest - 2 * PAD)
            if size.isEmpty() or widest < 120:
                continue
            width, height = size.width() + 2 * PAD, size.height() + 2 * PAD - 4
            if bottom - height < _EDGE:
                break
            found.append((legend, QRectF(left, bottom - height, width, height)))
            bottom -= height + _GAP
        return self._beside_opened(found)

    def _beside_opened(self, found: list[tuple[Legend, QRectF]]) -> list[tuple[Legend, QRectF]]:
        """Return the areas, moved to the right where they hide less there of what lies open."""
        document, camera = self._document, self._camera
        if document.opened is None or not camera.shows_all:  # the minimap is on the right then
            return found
        place = camera.to_widget_rect(document.opened.source.region)
        right = camera.viewport.right() - _EDGE
        moved = [
            (legend, QRectF(right - area.width(), area.top(), area.width(), area.height()))
            for legend, area in found
        ]
        return min(found, moved, key=lambda areas: sum(_shared(a, place) for _, a in areas))

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw those that are shown."""
        ground = QColor(current_theme().panel)
        ground.setAlphaF(_GROUND)
        shown = self.areas()
        self._painted = [area for _, area in shown]
        for legend, area in shown:
            if not area.intersects(exposed):
                continue
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(area, 4, 4)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            legend.paint(painter, area.adjusted(PAD, PAD - 2, -PAD, -PAD + 2))
            painter.restore()

    @Slot()
    def refresh(self) -> None:
        """Repaint legends that say something else now, where they are and where they were."""
        for area in (*self._painted, *(area for _, area in self.areas())):
            self._canvas.update(area.toAlignedRect())

    @Slot(object)
    def _on_hover(self, _pixel: object) -> None:
        for _, area in self.areas():
            self._canvas.update(area.toAlignedRect())


def _shared(area: QRectF, other: QRectF) -> float:
    """Return how many square units two areas share."""
    both = area.intersected(other)
    return both.width() * both.height()
