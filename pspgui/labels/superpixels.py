"""Superpixels: small regions of like colour, to be painted whole.

SLIC (Achanta et al. 2012) as scikit-image has it; skimage is imported where it is used. Any
thread.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.editing import Stroke, paint
from pspgui.labels.filters import OPEN, PaintFilter
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.raster import Point, Stamp

SIZES_PX: Final = (8, 12, 16, 24, 32, 48, 64, 96, 128)
_MOST_CELLS: Final = 600_000  # SLIC takes about two seconds a megapixel: larger views are halved
_COMPACTNESS: Final = 10.0
_ROUNDS: Final = 5


class Superpixels:
    """The superpixels of one rect of an image: `ids` (h, w) int32, 0..count-1, each connected."""

    def __init__(self, rect: Rect, ids: np.ndarray) -> None:
        """Take over ids that lie over `rect`; pixels are found by id from then on."""
        self.rect, self.ids = rect, ids
        self.count = int(ids.max()) + 1 if ids.size else 0
        flat = ids.ravel()
        self._order = np.argsort(flat, kind="stable")
        self._starts = np.searchsorted(flat[self._order], np.arange(self.count + 1))

    def stamp(self, number: int) -> Stamp:
        """Return the pixels of one superpixel, in image coordinates."""
        places = self._order[self._starts[number] : self._starts[number + 1]]
        ys, xs = np.divmod(places, self.ids.shape[1])
        box = Rect(int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1)
        mask = np.zeros((box.height, box.width), bool)
        mask[ys - box.y0, xs - box.x0] = True
        return Stamp(box.moved(self.rect.y0, self.rect.x0), mask)

    def under(self, stamp: Stamp) -> np.ndarray:
        """Return the numbers of the superpixels that a mask touches, ascending."""
        rect = stamp.rect.intersect(self.rect)
        if rect.is_empty:
            return np.zeros(0, np.int32)
        mask = stamp.mask[rect.moved(-stamp.rect.y0, -stamp.rect.x0).slices]
        return np.unique(self.ids[rect.moved(-self.rect.y0, -self.rect.x0).slices][mask])


def find_superpixels(image: np.ndarray, rect: Rect, size_px: int) -> Superpixels:
    """Return the superpixels, about `size_px` wide, of a rect of an image (H, W, 3) uint8.

    In a large rect they are found on every second, third... pixel, so that it takes no longer.
    """
    from skimage.segmentation import slic

    rect = rect.intersect(Rect(0, 0, *image.shape[:2]))
    step = max(1, math.ceil(math.sqrt(rect.area / _MOST_CELLS)))
    small = np.ascontiguousarray(image[rect.slices][::step, ::step])
    count = max(1, round(rect.area / size_px**2))
    ids = slic(
        small, n_segments=count, compactness=_COMPACTNESS, max_num_iter=_ROUNDS, start_label=0,
        channel_axis=-1,
    ).astype(np.int32)  # fmt: skip
    if step > 1:
        ids = np.repeat(np.repeat(ids, step, axis=0), step, axis=1)[: rect.height, : rect.width]
    return Superpixels(rect, np.ascontiguousarray(ids))


class SuperpixelStroke(Stroke):
    """A stroke that paints every superpixel it touches, whole. GUI thread only."""

    def __init__(
        self,
        label_map: LabelMap,
        history: History,
        name: str,
        diameter_px: int,
        value: int | np.ndarray,
        superpixels: Superpixels,
        allowed: PaintFilter = OPEN,
        provenance: int | None = None,
    ) -> None:
        """Describe the stroke; nothing is written yet."""
        super().__init__(
            label_map, history, name, diameter_px, value, allowed, provenance=provenance
        )
        self._superpixels = superpixels
        self._painted: set[int] = set()

    def _goes_on(self, start: Point, end: Point) -> bool:
        return False  # superpixels reach beyond the brush

    def _apply(self, stamp: Stamp) -> Rect:
        dirty = Rect(0, 0, 0, 0)
        for number in self._superpixels.under(stamp):
            if int(number) not in self._painted:
                self._painted.add(int(number))
                whole = self._superpixels.stamp(int(number))
                done = paint(
                    self._map, self._history, *whole, self._value, self._provenance, self._allowed
                )
                dirty = dirty.union(done.rect)
        return dirty
