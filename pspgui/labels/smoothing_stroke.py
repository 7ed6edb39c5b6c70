"""Morphology as a brush: what an operation would do to the whole map, let through by the brush."""

from __future__ import annotations

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.editing import Stroke, paint
from pspgui.labels.filters import OPEN, PaintFilter
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.morphology import Operation, tiles_of, transformed
from pspgui.labels.provenance import PERSON
from pspgui.labels.raster import Point, Stamp

_TILE_PX = 64  # small, so that a move computes little beyond what it sweeps


class SmoothingStroke(Stroke):
    """A stroke under which an operation shows, once: rubbing a place twice changes no more.

    The operation sees the labels as they were when the stroke began. GUI thread only.
    """

    def __init__(
        self,
        label_map: LabelMap,
        history: History,
        name: str,
        diameter_px: int,
        operation: Operation,
        allowed: PaintFilter = OPEN,
        square: bool = False,
    ) -> None:
        """Describe the stroke; nothing is computed yet."""
        super().__init__(label_map, history, name, diameter_px, 0, allowed, square)
        self._operation = operation
        # Pages of these that are never written cost no memory.
        self._before = np.empty_like(label_map.labels)
        self._after = np.empty_like(label_map.labels)
        self._kept: set[tuple[int, int]] = set()
        self._known: set[tuple[int, int]] = set()

    def _goes_on(self, start: Point, end: Point) -> bool:
        return False  # what is written under the brush is not one value

    def _apply(self, stamp: Stamp) -> Rect:
        labels = self._map.labels
        self._compute(stamp.rect)
        wanted = self._after[stamp.rect.slices]
        mask = stamp.mask & (wanted != labels[stamp.rect.slices])
        return paint(
            self._map, self._history, stamp.rect, mask, wanted, PERSON, self._allowed
        ).rect

    def _compute(self, part: Rect) -> None:
        for tile in self._whole_tiles(part):
            key = tile.y0, tile.x0
            if key in self._known:
                continue
            self._known.add(key)
            self._keep(tile.padded(self._operation.reach).intersect(self._map.rect))
            self._after[tile.slices] = transformed(self._before, tile, self._operation)

    def _keep(self, rect: Rect) -> None:
        """Copy labels before this stroke has painted them: painting comes after keeping."""
        for tile in self._whole_tiles(rect):
            if (tile.y0, tile.x0) not in self._kept:
                self._kept.add((tile.y0, tile.x0))
                self._before[tile.slices] = self._map.labels[tile.slices]

    def _whole_tiles(self, rect: Rect) -> list[Rect]:
        """Return the tiles that a rect touches, whole but for the image's edge."""
        grown = Rect(
            rect.y0 // _TILE_PX * _TILE_PX, rect.x0 // _TILE_PX * _TILE_PX,
            -(-rect.y1 // _TILE_PX) * _TILE_PX, -(-rect.x1 // _TILE_PX) * _TILE_PX,
        )  # fmt: skip
        return tiles_of(grown.intersect(self._map.rect), _TILE_PX)
