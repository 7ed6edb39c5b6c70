"""What lies on the canvas, bottom to top: the picture, then a map or the labels, then the grid.

A layer paints itself through the camera and knows nothing of the widget, so one is added by
adding a class. Layers read the document when they paint; they own caches, never pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QTransform

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.difference_count import COMPARING, DifferenceCount
from pspgui.gui.canvas.divider import Divider
from pspgui.gui.canvas.label_mips import MipStore
from pspgui.gui.canvas.pyramid_image import PyramidImage
from pspgui.gui.canvas.screen_labels import (
    Difference,
    Fill,
    Look,
    Outline,
    ScreenCache,
    sources,
)
from pspgui.gui.qimages import argb_image, premultiplied
from pspgui.imaging.scratch import let_go
from pspgui.labels.provenance import palette

if TYPE_CHECKING:
    from pspgui.gui.canvas.what_if_layer import WhatIfLayer
    from pspgui.gui.document import Document

_GRID_FROM_ZOOM: Final = 8.0
_DIFFERENCE_ALPHA: Final = 0.85
_ORIGIN_ALPHA: Final = 0.6
_LET_GO_AFTER: Final = 8e6  # device pixels painted
_VEIL: Final = 0xA6000000  # black at 65 %: what agrees steps back, in both themes


class Layer(Protocol):
    """Anything that paints on the canvas."""

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Paint what lies in `exposed` (widget units); the painter is already clipped to it."""


class PictureLayer:
    """The picture itself."""

    def __init__(self, picture: PyramidImage) -> None:
        self._picture = picture

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the mip level that suits the zoom."""
        self._picture.paint(painter, camera, exposed)


class LabelLayer:
    """The labels or the prediction: filled, outlined, where two maps differ, or who made them.

    Another colour, visibility or opacity is another colour table; the labels are never copied.
    Zoomed out, they are sampled from levels in which thin things stay visible. With the divider
    on, they lie to its right only.
    """

    def __init__(self, document: Document, divider: Divider, differing: DifferenceCount) -> None:
        self._document = document
        self._divider = divider
        self._differing = differing
        self._look: Look | None = None
        self._cache = ScreenCache()
        self.mips = MipStore()
        self.stand_in: WhatIfLayer | None = None
        self._painted = 0.0

    def restyle(self) -> None:
        """Follow another opacity, visibility, colour or mode."""
        self._look = None

    def forget(self) -> None:
        """Follow another image: nothing of the one before is kept."""
        self._look = None
        self._cache.forget()
        self.mips.forget()
        if self.stand_in is not None:
            self.stand_in.forget()

    def touch(self, changed: Rect) -> None:
        """Follow an edit of the labels."""
        self._cache.touch(changed)
        self.mips.touch(changed)
        if self.stand_in is not None:
            self.stand_in.touch(changed)

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the labels in view, or what stands in for them; nothing while a map is shown."""
        stand_in = self.stand_in
        if stand_in is None or not stand_in.is_shown:
            self._paint_labels(painter, camera, exposed)
            return
        split = self._document.has_aid("split")
        if stand_in.stands_in():
            self._cache.forget()
            if self._look is None:
                self._look = self._make_look(camera)
            strong = premultiplied(self._colours(max(self._document.opacity, _DIFFERENCE_ALPHA)))
            painter.save()
            if split:
                painter.setClipRect(self._divider.right_of(camera), Qt.ClipOperation.IntersectClip)
            stand_in.paint(painter, camera, self._look, strong)
            painter.restore()
        else:
            self._paint_labels(painter, camera, exposed)
        stand_in.paint_chip(painter, camera, self._divider.x(camera) if split else 0.0)

    def _paint_labels(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        document = self._document
        maps = document.maps_in_view()
        shown = document.shown_map is None and document.opened is None and all(
            labels is not None and labels.shape == camera.image_shape for labels in maps
        )
        if not shown:
            self._cache.forget()  # arrays that are no longer shown can be freed
            return
        if self._look is None:
            self._look = self._make_look(camera)
        fitting = self.mips.fitting(maps, camera.zoom)
        if not fitting.maps:
            return  # large maps are drawn once their levels are built
        painter.save()
        if document.has_aid("split"):
            painter.setClipRect(self._divider.right_of(camera), Qt.ClipOperation.IntersectClip)
        self._cache.paint(
            painter, camera, fitting.maps, self._look, fitting.shift, fitting.coarse
        )
        painter.restore()
        self._painted += exposed.width() * exposed.height() * camera.ratio**2
        if self._painted > _LET_GO_AFTER:  # of maps over files, pages pile up by whole rows
            self._painted = 0.0
            for array in (*maps, *fitting.maps, *fitting.coarse):
                let_go(array)

    def margin(self, camera: Camera) -> float:
        """Widget units around an edited rect that also have to be repainted."""
        return self._document.outline_px + 2.0 + 7.0 / camera.ratio

    def _make_look(self, camera: Camera) -> Look:
        document = self._document
        if document.view_mode == "provenance":
            colours = np.full((256, 4), round(255 * max(document.opacity, _ORIGIN_ALPHA)), np.uint8)
            colours[:, :3] = palette()
            return Fill(premultiplied(colours))
        if document.view_mode in COMPARING:
            veil = _VEIL if self._differing.shows_some else 0  # it would bring out nothing
            colours = self._colours(max(document.opacity, _DIFFERENCE_ALPHA))
            drawn = premultiplied(colours)
            drawn[colours[:, 3] == 0] = veil  # hidden and unlabelled step back like what agrees
            return Difference(drawn, veil)
        if document.outline:  # thin lines need twice the strength of a fill to read
            colours = premultiplied(self._colours(min(1.0, 2 * document.opacity)))
            return Outline(colours, max(1, round(document.outline_px * camera.ratio)))
        return Fill(premultiplied(self._colours(document.opacity)))

    def _colours(self, opacity: float) -> np.ndarray:
        """Return (K, 4) uint8 straight RGBA by label, the last one for all labels beyond."""
        table = self._document.table
        colours = np.zeros((max(256, len(table) + 1, table.ignore + 1), 4), np.uint8)
        for entry in table.classes:
            colours[entry.id, :3] = entry.colour
        colours[:, 3] = round(255 * opacity)
        visible = self._document.visible[: len(colours)]
        colours[: len(visible), 3] *= visible
        colours[table.ignore, 3] = 0
        return colours


class GridLayer:
    """Lines between pixels from 8x on, coming in softly so that zooming has no jump."""

    def paint(self, painter: QPainter, camera: Camera, exposed: QRectF) -> None:
        """Draw the lines that cross the exposed area."""
        if camera.zoom < _GRID_FROM_ZOOM:
            return
        area = camera.device_rect(exposed)
        if area.is_empty:
            return
        strength = min(1.0, (camera.zoom - _GRID_FROM_ZOOM) / _GRID_FROM_ZOOM)
        grey = np.array([128, 128, 128, round(70 + 60 * strength)], np.uint8)
        # One device pixel more before: a line may lie on the first one exposed.
        rows, columns = sources(camera, Rect(area.y0 - 1, area.x0 - 1, area.y1, area.x1))
        # Upright lines are one row of pixels repeated downwards: drawn one by one, they cost a
        # blend call a pixel.
        row = np.zeros((1, area.width), np.uint32)
        row[0, _changes(columns)] = premultiplied(grey)
        unit = 1.0 / camera.ratio
        left, width = area.x0 * unit, area.width * unit
        brush = QBrush(argb_image(row))
        brush.setTransform(QTransform(unit, 0, 0, unit, left, 0))
        painter.fillRect(QRectF(left, area.y0 * unit, width, area.height * unit), brush)
        colour = QColor(*grey.tolist())
        for y in _changes(rows).tolist():
            painter.fillRect(QRectF(left, (area.y0 + y) * unit, width, unit), colour)


def _changes(positions: np.ndarray) -> np.ndarray:
    """Return the indices after which another image pixel begins."""
    return np.flatnonzero(np.diff(positions))
