"""Painting whole areas at once: by tools that outline them, and by cleaning."""

from __future__ import annotations

import numpy as np

from pspgui.gui.paint_rules import PaintRules
from pspgui.labels.editing import paint
from pspgui.labels.filters import OPEN, PaintFilter
from pspgui.labels.history import TILE_PX
from pspgui.labels.provenance import PERSON
from pspgui.labels.raster import Stamp
from pspgui.labels.regions import holes, islands
from pspgui.labels.shapes import tiles


class AreaSession(PaintRules):
    """The labels with areas to fill and to clean, under the rules of painting. GUI thread only."""

    def fill(
        self, stamp: Stamp, verb: str, kind: str = "brush", allowed: PaintFilter = OPEN
    ) -> bool:
        """Give an area the active class, or erase it, as one edit.

        `verb` names the edit ("Lasso"); `allowed` is what `filter_at` said of the press. Returns
        whether anything changed; what hinders it is said in the status bar.
        """
        self.finish_stroke()
        if not self.can_paint(kind):
            return False
        value, provenance, name = self.writes(kind, verb)
        return self.write(stamp, name, value, provenance, allowed)

    def remove_islands(self, below_px: int) -> bool:
        """Give pieces of the active class below a size to the class around them, as one edit."""
        self.finish_stroke()
        if not self.can_paint("brush"):
            return False
        label = self._active_class
        stamp, wanted = islands(self._label_map.labels, label, below_px)
        name = f"Remove islands of {self._table.name_of(label)}"
        return self.write(stamp, name, wanted, PERSON, self.locks)

    def fill_holes(self, below_px: int) -> bool:
        """Give holes in the active class below a size to it, as one edit."""
        self.finish_stroke()
        if not self.can_paint("brush"):
            return False
        label = self._active_class
        stamp = holes(self._label_map.labels, label, below_px)
        name = f"Fill holes in {self._table.name_of(label)}"
        return self.write(stamp, name, label, allowed=self.locks)

    def write(
        self,
        stamp: Stamp,
        name: str,
        value: int | np.ndarray,
        provenance: int | None = None,
        allowed: PaintFilter = OPEN,
    ) -> bool:
        """Write one label under a stamp, or what an array holds there, as one edit.

        The array is of the whole image or of the stamp's shape. Returns whether anything changed;
        if nothing did, that is said.
        """
        history = self._history
        local = isinstance(value, np.ndarray) and value.shape == stamp.mask.shape
        history.begin(name)
        try:
            for rect, mask in tiles(stamp, TILE_PX):
                part = rect.moved(-stamp.rect.y0, -stamp.rect.x0).slices
                wanted = value[part] if local else value
                paint(self._label_map, history, rect, mask, wanted, provenance, allowed)
        except BaseException:
            history.abort()
            raise
        edit = history.commit()
        if edit is None:
            self.message.emit(self._nothing_changed())
            return False
        self._announce(edit.rect)
        self._changed(edit.title)
        self.history_changed.emit()
        return True
