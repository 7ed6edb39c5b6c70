"""Legends on the canvas: what colours mean, one above the other in the lower left corner.

Whatever needs one hands the canvas a `Legend` (`canvas.legends.add`); they never overlap. Where
they would hide the mouse, the pin or what an opened source pools from, they stand in another
corner.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol

from PySide6.QtCore import QMarginsF, QObject, QPointF, QRectF, QSizeF, Qt, Slot
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
_NEAR: Final = 12.0  # how near the mouse may come before they make way

_Areas = list[tuple["Legend", QRectF]]


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
        self._mouse: QPointF | None = None
        document.hover_changed.connect(self._on_hover)

    def add(self, *legends: Legend) -> None:
        """Put legends on top of those there are."""
        self._legends = (*self._legends, *legends)
        self._canvas.update()

    def areas(self) -> _Areas:
        """Return every legend that is shown, and where; those without room are left out."""
        document = self._document
        if document.overlay_hidden or document.image is None:
            return []
        return min(self._corners(self._stacked()), key=self._hides)

    def set_mouse(self, at: QPointF | None) -> None:
        """Make way for the mouse, at a widget point or elsewhere (None)."""
        self._mouse = at
        if self._painted and self._painted != [area for _, area in self.areas()]:
            self.refresh()

    def _stacked(self) -> _Areas:
        """Return the legends one above the other in the lower left corner."""
        document, view = self._document, self._camera.viewport
        bottom = view.bottom() - (_OVER_GRIP if document.has_aid("split") else _EDGE)
        widest = min(_WIDEST, view.width() - self._left - _EDGE)
        found: _Areas = []
        for legend in self._legends:
            size = legend.size(widest - 2 * PAD)
            if size.isEmpty() or widest < 120:
                continue
            width, height = size.width() + 2 * PAD, size.height() + 2 * PAD - 4
            if bottom - height < _EDGE:
                break
            found.append((legend, QRectF(self._left, bottom - height, width, height)))
            bottom -= height + _GAP
        return found

    @property
    def _left(self) -> float:
        return _EDGE + (BREADTH if self._document.has_aid("rulers") else 0.0)

    def _corners(self, found: _Areas) -> Iterator[_Areas]:
        """Yield the areas in every corner that is free, the most usual first."""
        yield found
        if self._camera.shows_all:  # else the minimap is there
            right = self._camera.viewport.right() - _EDGE
            yield [(legend, area.translated(right - area.right(), 0)) for legend, area in found]
        if found:
            up = min(area.top() for _, area in found) - self._left  # rulers are equally broad
            yield [(legend, area.translated(0, -up)) for legend, area in found]

    def _hides(self, areas: _Areas) -> tuple[bool, bool, float]:
        """Return whether areas hide mouse and pin, and how much of what an open source reads."""
        opened, pin, camera = self._document.opened, self._document.pin, self._camera
        pinned = None if pin is None else camera.to_widget(pin.y + 0.5, pin.x + 0.5)
        hidden = [_covers(areas, point) for point in (self._mouse, pinned)]
        if opened is None or not camera.shows_all:
            return *hidden, 0.0
        place = camera.to_widget_rect(opened.source.region)
        return *hidden, sum(_shared(area, place) for _, area in areas)

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


def _covers(areas: _Areas, point: QPointF | None) -> bool:
    """Return whether a widget point lies beneath areas, or near them."""
    near = QMarginsF(_NEAR, _NEAR, _NEAR, _NEAR)
    return point is not None and any((area + near).contains(point) for _, area in areas)


def _shared(area: QRectF, other: QRectF) -> float:
    """Return how many square units two areas share."""
    both = area.intersected(other)
    return both.width() * both.height()
