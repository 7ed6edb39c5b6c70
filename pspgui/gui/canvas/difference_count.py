"""In how many pixels the maps of a comparing view differ, kept true while a person paints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pspgui.geometry import Rect
from pspgui.gui.errands import Errands
from pspgui.jobs.differing import Differing, band_rows, count_bands

if TYPE_CHECKING:
    from pspgui.gui.document import Document

COMPARING: Final = ("difference", "other", "changes")
_REST_MS: Final = 60
_KIND: Final = "differing"


class DifferenceCount(QObject):
    """Counts on a thread of its own; `changed` when there is another count. GUI thread only.

    Only what was edited since is counted anew. `found` is None while nothing is compared, and
    until the first count of two maps. `shows_some_changed` comes when `shows_some` did.
    """

    changed = Signal()
    shows_some_changed = Signal()

    def __init__(self, document: Document, parent: QObject) -> None:
        super().__init__(parent)
        self._document = document
        self._errands = Errands(self)
        self._maps: tuple[np.ndarray, ...] = ()
        self._drawn = np.zeros(0, bool)
        self._bands: dict[int, Differing] = {}
        self._stale: set[int] = set()
        self.found: Differing | None = None
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._count)
        for signal in (
            document.display_changed, document.prediction_changed, document.image_changed,
            document.labels_came, document.classes_changed,
        ):  # fmt: skip
            signal.connect(self._follow)
        document.labels_changed.connect(self._touch)

    @property
    def is_possible(self) -> bool:
        """Whether there are two maps to compare."""
        return bool(self._maps)

    @property
    def shows_some(self) -> bool:
        """Whether the view has something to bring out; until that is counted it is thought so."""
        return self.found is None or self.found.drawn > 0

    @Slot()
    def _follow(self) -> None:
        """Count anew when other maps are compared, or other labels drawn."""
        document = self._document
        if document.overlay_hidden or (not self._maps and document.view_mode not in COMPARING):
            return  # hidden for a moment only, or not of interest
        maps: tuple[np.ndarray | None, ...] = ()
        if document.view_mode in COMPARING:
            maps = document.maps_in_view()
        if any(m is None for m in maps) or len({m.shape for m in maps}) > 1:
            maps = ()
        drawn = np.append(document.visible, True)
        drawn[min(document.table.ignore, len(drawn) - 1)] = False  # the last: all labels beyond
        same = len(maps) == len(self._maps) and all(
            a is b for a, b in zip(maps, self._maps, strict=True)
        )
        if same and np.array_equal(drawn, self._drawn):
            return
        self._errands.cancel(_KIND)
        self._maps, self._drawn, self._bands, self._stale = maps, drawn, {}, set()
        if not maps or not same:
            self._tell(None)
        if maps:
            height, width = maps[0].shape
            self._stale.update(range(-(-height // band_rows(width))))
            self._count()

    @Slot(object)
    def _touch(self, changed: Rect) -> None:
        self._follow()  # labels may have become another array
        if self._maps and not changed.is_empty:
            rows = band_rows(self._maps[0].shape[1])
            self._stale.update(range(changed.y0 // rows, (changed.y1 - 1) // rows + 1))
            if not self._rest.isActive():
                self._rest.start()

    @Slot()
    def _count(self) -> None:
        if self._stale and self._maps and not self._errands.is_busy(_KIND):
            bands, self._stale = tuple(sorted(self._stale)), set()
            job = count_bands(*self._maps, self._drawn, bands)
            self._errands.ask(_KIND, job, self._take)

    def _take(self, found: dict[int, Differing]) -> None:
        self._bands.update(found)
        pixels, drawn = (sum(column) for column in zip(*self._bands.values(), strict=True))
        self._tell(Differing(pixels, drawn))
        self._count()  # what was edited meanwhile

    def _tell(self, found: Differing | None) -> None:
        if found == self.found:
            return
        before, self.found = self.shows_some, found
        self.changed.emit()
        if self.shows_some != before:
            self.shows_some_changed.emit()


__all__ = ["COMPARING", "DifferenceCount"]
