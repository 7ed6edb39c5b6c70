"""Painting whole areas at once, and what may be painted over: by areas and by strokes alike."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from PySide6.QtCore import QObject

from pspgui.gui.label_session import LabelSession
from pspgui.labels.editing import paint
from pspgui.labels.history import TILE_PX
from pspgui.labels.provenance import PERSON
from pspgui.labels.raster import Stamp
from pspgui.labels.regions import holes, islands
from pspgui.labels.shapes import tiles

PAINT_OVER: Final = ("everything", "class", "unlabelled")
PAINT_OVER_TEXTS: Final = {
    "everything": "Paint over everything",
    "class": "Paint over the class under the press only",
    "unlabelled": "Paint over unlabelled pixels only",
}
_NO_EFFECT: Final = {
    "everything": "Nothing changed: it was so already.",
    "class": "Nothing changed: only the class under the press is painted over.",
    "unlabelled": "Nothing changed: only unlabelled pixels are painted over.",
}


class AreaSession(LabelSession):
    """The labels with areas to fill and a rule of what may be painted over. GUI thread only.

    `paint_over` is one of PAINT_OVER: everything, only the class under the press, or only
    unlabelled pixels. Every tool obeys it; `brush_changed` comes when it changes.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paint_over: str = PAINT_OVER[0]

    @property
    def paint_over(self) -> str:
        """What strokes and areas may paint over, one of PAINT_OVER."""
        return self._paint_over

    def set_paint_over(self, rule: str) -> None:
        """Choose what may be painted over; raises `ValueError` for a rule that there is not."""
        if rule not in PAINT_OVER:
            raise ValueError(f"painting over {rule!r} is none of {', '.join(PAINT_OVER)}")
        if rule != self._paint_over:
            self._paint_over = rule
            self.brush_changed.emit()
            self.message.emit(PAINT_OVER_TEXTS[rule])

    def restriction_at(self, y: float, x: float, to_class: bool = False) -> int | None:
        """Return the only label that a press at (y, x) may paint over; None for every label.

        `to_class` asks for the class under the press whatever the rule is. A press outside of the
        image counts as one on the pixel next to it.
        """
        label_map = self._label_map
        if label_map is None:
            return None
        if to_class or self._paint_over == "class":
            height, width = label_map.shape
            row = min(max(math.floor(y), 0), height - 1)
            return int(label_map.labels[row, min(max(math.floor(x), 0), width - 1)])
        return self._table.ignore if self._paint_over == "unlabelled" else None

    def begin_stroke(self, y: float, x: float, kind: str, only_class: int | None = None) -> None:
        """Press the brush or the eraser, see LabelSession; without a class the rule holds."""
        if only_class is None:
            only_class = self.restriction_at(y, x)
        super().begin_stroke(y, x, kind, only_class)

    def finish_stroke(self) -> None:
        """Release the tool; say so when the rule of painting over left nothing to change."""
        was_active, serial = self.stroke_active, self.edit_serial
        super().finish_stroke()
        if was_active and serial == self.edit_serial and self._paint_over != PAINT_OVER[0]:
            self.message.emit(_NO_EFFECT[self._paint_over])

    def can_paint(self, kind: str) -> bool:
        """Whether "brush" or "erase" can be used now; if not, say why in the status bar."""
        if not self.may_change():
            return False
        look = "This is a first look; painting begins with the full prediction."
        if self._label_map is None:
            none = "There are no labels to paint on before the image is predicted."
            self.message.emit(look if self._is_preview else none)
        elif kind == "erase" and (self._prediction is None or self._is_preview):
            none = "Erasing needs a prediction to go back to."
            self.message.emit(look if self._is_preview else none)
        else:
            return True
        return False

    def fill(
        self, stamp: Stamp, verb: str, kind: str = "brush", only_class: int | None = None
    ) -> bool:
        """Give an area the active class, or erase it to the prediction, as one edit.

        `verb` names the edit ("Lasso"); `only_class` is what `restriction_at` said of the press.
        Returns whether anything changed; what hinders it is said in the status bar.
        """
        self.finish_stroke()
        if not self.can_paint(kind):
            return False
        mask = stamp.mask
        if only_class is not None:
            mask = mask & (self._label_map.labels[stamp.rect.slices] == only_class)
        if kind == "erase":
            return self._write(stamp._replace(mask=mask), f"{verb} to prediction",
                               self._prediction.labels)  # fmt: skip
        name = f"{verb} {self._table.name_of(self._active_class)}"
        return self._write(stamp._replace(mask=mask), name, self._active_class)

    def remove_islands(self, below_px: int) -> bool:
        """Give pieces of the active class below a size to the class around them, as one edit."""
        self.finish_stroke()
        if not self.can_paint("brush"):
            return False
        label = self._active_class
        labels = self._label_map.labels
        stamp, wanted = islands(labels, label, below_px)
        whole = labels.copy()
        np.copyto(whole[stamp.rect.slices], wanted, where=stamp.mask)
        return self._write(stamp, f"Remove islands of {self._table.name_of(label)}", whole, PERSON)

    def fill_holes(self, below_px: int) -> bool:
        """Give holes in the active class below a size to it, as one edit."""
        self.finish_stroke()
        if not self.can_paint("brush"):
            return False
        label = self._active_class
        stamp = holes(self._label_map.labels, label, below_px)
        return self._write(stamp, f"Fill holes in {self._table.name_of(label)}", label)

    def _write(
        self, stamp: Stamp, name: str, value: int | np.ndarray, provenance: int | None = None
    ) -> bool:
        """Write one label under a stamp, or what an array (H, W) of the whole image holds there."""
        history = self._history
        history.begin(name)
        try:
            for rect, mask in tiles(stamp, TILE_PX):
                paint(self._label_map, history, rect, mask, value, provenance)
        except BaseException:
            history.abort()
            raise
        edit = history.commit()
        if edit is None:
            self.message.emit(_NO_EFFECT[self._paint_over])
            return False
        self._announce(edit.rect)
        self._changed(edit.title)
        self.history_changed.emit()
        return True
