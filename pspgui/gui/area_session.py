"""Writing whole areas at once: by tools that outline them, by cleaning, by relabelling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import numpy as np
from PySide6.QtCore import QObject, Signal

from pspgui.geometry import Rect
from pspgui.gui.errands import Errands
from pspgui.gui.paint_rules import PaintRules
from pspgui.labels.editing import UNTOUCHED, Painted, paint, writing
from pspgui.labels.edits import TILE_PX, Edit
from pspgui.labels.filters import OPEN, PaintFilter
from pspgui.labels.morphology import Patch
from pspgui.labels.provenance import PERSON
from pspgui.labels.raster import Stamp
from pspgui.labels.shapes import squares

SMOOTH_MODES: Final = ("joint", "smooth", "grow", "shrink", "close")

Part = tuple[Rect, np.ndarray, int | np.ndarray]  # where, of it which pixels, and what they get


class Pending(Protocol):
    """A tool with steps that are no edit yet, such as the corners of a polygon."""

    def take_back(self) -> None:
        """Take back the last step."""


class AreaSession(PaintRules):
    """The labels with areas to fill, to select and to clean. GUI thread only.

    `selection` is a region of the image that commands act on; it belongs to the image shown and
    `selection_changed` comes when it is another. `errands` runs what takes too long here.
    """

    selection_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.errands = Errands(self)
        self.errands.failed.connect(self.message)
        self._selection: Stamp | None = None
        self._pending: Pending | None = None
        self._smooth_mode: str = SMOOTH_MODES[0]

    # -- the selection ------------------------------------------------------------------------

    @property
    def selection(self) -> Stamp | None:
        """The region selected; None for none."""
        return self._selection

    def select(self, stamp: Stamp | None) -> None:
        """Select a region; an empty one is none."""
        stamp = None if stamp is None or not stamp.mask.any() else stamp
        if stamp is not self._selection:
            self._selection = stamp
            self.selection_changed.emit()
            self.brush_changed.emit()

    # -- tools with steps ---------------------------------------------------------------------

    @property
    def pending(self) -> Pending | None:
        """The tool in use, while it has steps that undo would take back one by one."""
        return self._pending

    def set_pending(self, tool: Pending | None) -> None:
        """Say which tool has steps."""
        if tool is not self._pending:
            self._pending = tool
            self.history_changed.emit()

    def undo(self) -> None:
        """Undo the last step of the tool in use, the running stroke, or the latest edit."""
        if self._pending is not None and self._stroke is None:
            self._pending.take_back()
            self.brush_changed.emit()
        else:
            super().undo()

    @property
    def smooth_mode(self) -> str:
        """What the smoothing brush does, one of SMOOTH_MODES."""
        return self._smooth_mode

    def set_smooth_mode(self, mode: str) -> None:
        """Choose what the smoothing brush does; raises `ValueError` for another word."""
        if mode not in SMOOTH_MODES:
            raise ValueError(f"{mode!r} is none of {', '.join(SMOOTH_MODES)}")
        self._smooth_mode = mode
        self.brush_changed.emit()

    # -- areas --------------------------------------------------------------------------------

    def fill(
        self, stamp: Stamp, verb: str, kind: str = "brush", allowed: PaintFilter = OPEN
    ) -> bool:
        """Give an area the active class, or erase it, as one edit.

        `verb` names the edit ("Lasso"); `allowed` is what `filter_at` said of the press. A large
        area is written in turns. Returns whether anything changed, or does so now; what hinders it
        is said in the status bar.
        """
        self.finish_stroke()
        if not self.can_paint(kind):
            return False
        value, provenance, name = self.writes(kind, verb)
        return self.write(stamp, name, value, provenance, allowed)

    def clean(self, patches: Iterable[Patch], name: str) -> bool:
        """Write what a cleaning found, as one edit of a person's; locked classes stay."""
        self.finish_stroke()
        if self._label_map is None or not self.may_change():
            return False
        parts = [(p.rect, p.mask, p.wanted) for p in patches]
        return self._write_parts(parts, name, PERSON, self.locks)

    def write(
        self,
        stamp: Stamp,
        name: str,
        value: int | np.ndarray,
        provenance: int | None = None,
        allowed: PaintFilter = OPEN,
    ) -> bool:
        """Write one label under a stamp, or what an array holds there, as one edit.

        The array is of the whole image or of the stamp's shape. Returns what `fill` returns.
        """
        local = isinstance(value, np.ndarray) and value.shape == stamp.mask.shape

        def parts() -> Iterator[Part]:
            for rect in squares(stamp.rect, TILE_PX):
                part = rect.moved(-stamp.rect.y0, -stamp.rect.x0).slices
                yield rect, stamp.mask[part], value[part] if local else value

        return self._write_parts(parts(), name, provenance, allowed)

    # -- inside -------------------------------------------------------------------------------

    def _write_parts(
        self, parts: Iterable[Part], name: str, provenance: int | None, allowed: PaintFilter
    ) -> bool:
        """Write labels under masks as one edit; whether anything changed, or does so now."""
        serial, label_map, history = self._serial, self._label_map, self._history

        def writes() -> Iterator[Painted]:
            for rect, mask, value in parts:
                yield UNTOUCHED if not mask.any() else paint(
                    label_map, history, rect, mask, value, provenance, allowed
                )

        self._changing.run(writing(history, name, writes()), self._written, may_take_back=True)
        return self._changing.is_busy or self._serial != serial

    def _written(self, edit: Edit | None) -> None:
        if edit is None:
            self.message.emit(self._nothing_changed())
        else:
            self._edited(edit, edit.title)

    def _install_labels(self, *labels: object, **options: object) -> None:
        """Start over with another image's labels: what was selected was another image's."""
        super()._install_labels(*labels, **options)
        self.select(None)
