"""The altered answer of a what-if in place of the labels, with what changed brought out.

Where a person painted, the labels stay what they are: a what-if concerns the model's part alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import QWidget

from pspgui.geometry import Rect
from pspgui.gui.canvas.camera import Camera
from pspgui.gui.canvas.divider import draw_chip
from pspgui.gui.canvas.rulers import BREADTH
from pspgui.gui.canvas.screen_labels import Look, Maps, ScreenCache, borders
from pspgui.gui.panels.drawing import grouped
from pspgui.gui.theme import GRID_PX, quiet_font
from pspgui.labels.provenance import MODEL

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.what_if import WhatIfSession

BEFORE_KEY: Final = Qt.Key.Key_U
_VIEWS: Final = ("labels", "prediction")
_DARK, _LIGHT = 0xB0000000, 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class AlteredLook:
    """The altered labels: `plain` where nothing changed, `strong` colours where it did.

    Maps: the labels in view, the altered and the model's own answer, and who labelled, where a
    person may have. A line goes around what changed, light within and dark without; slivers
    along borders, which are everywhere, get none.
    """

    plain: Look
    strong: np.ndarray
    width: int

    @property
    def reach(self) -> int:
        """That of the look below, and that of the line with what makes a sliver."""
        return max(self.plain.reach, 4 * self.width + 1)

    def draw(self, maps: Maps) -> np.ndarray:
        """Draw the altered labels where the model's are in view."""
        changed = maps[1] != maps[2]
        now = maps[1]
        if len(maps) > 3:
            models = maps[3] == MODEL
            changed &= models
            now = np.where(models, maps[1], maps[0])
        drawn = self.plain.draw((now,))
        at = np.flatnonzero(changed)
        drawn.ravel()[at] = self.strong.take(now.ravel()[at], mode="clip")
        wide = thick(changed, 2 * self.width)
        edge = np.flatnonzero(borders(wide, self.width))
        drawn.ravel()[edge] = np.where(changed.ravel()[edge], _LIGHT, _DARK)
        return drawn


def thick(mask: np.ndarray, reach: int) -> np.ndarray:
    """Return a mask (h, w) without what no square of `reach` + 1 a side fits into."""
    if not mask.any() or min(mask.shape) <= reach:
        return mask
    core = mask
    for axis in (0, 1):
        core = _joined(core, reach, axis, np.logical_and)
    core = np.pad(core, reach)
    for axis in (0, 1):
        core = _joined(core, reach, axis, np.logical_or)
    return core


def _joined(mask: np.ndarray, reach: int, axis: int, join: np.ufunc) -> np.ndarray:
    """Return every entry joined with the `reach` after it; that much shorter along the axis."""
    before = (slice(None),) * axis
    covered = 1
    while covered < reach + 1:  # twice as many each time
        step = min(covered, reach + 1 - covered)
        mask = join(mask[(*before, slice(None, -step))], mask[(*before, slice(step, None))])
        covered += step
    return mask


class WhatIfLayer:
    """Stands in for the labels while a what-if has an answer. GUI thread only.

    Holding U shows for that long what there was before.
    """

    def __init__(self, document: Document, what_if: WhatIfSession, canvas: QWidget) -> None:
        self._document, self._what_if, self._canvas = document, what_if, canvas
        self._cache = ScreenCache()
        self._look: Look | None = None
        self._own_look: Look | None = None
        what_if.answered.connect(canvas.update)
        what_if.look_changed.connect(canvas.update)

    @property
    def is_shown(self) -> bool:
        """Whether the altered answer is what the canvas shows."""
        document, told = self._document, self._what_if.told
        return (
            told is not None and self._what_if.on_image and document.view_mode in _VIEWS
            and document.shown_map is None and document.opened is None
            and not document.overlay_hidden and document.prediction is not None
            and document.prediction.labels.shape == told.prediction.labels.shape
        )  # fmt: skip

    def stands_in(self) -> bool:
        """Whether the labels are drawn here, and not by their own layer."""
        return self.is_shown and not self._what_if.before_held

    # -- following, as the layer of labels does -----------------------------------------------

    def forget(self) -> None:
        """Let go of all arrays."""
        self._cache.forget()

    def touch(self, changed: Rect) -> None:
        """Follow an edit of the labels."""
        self._cache.touch(changed)

    def step_back(self) -> bool:
        """Go back to nothing altered; whether something was."""
        if self._what_if.is_plain:
            return False
        self._what_if.restore_all()
        return True

    def takes_key(self, event: QKeyEvent) -> bool:
        """Show what there was before while U is held; whether it was U."""
        if event.key() != BEFORE_KEY:
            return False
        held = self._what_if.before_held
        if event.type() == QEvent.Type.KeyRelease and held:  # the answer may be gone by now
            if not event.isAutoRepeat():
                self._what_if.hold_before(False)
            return True
        if self._what_if.told is None:
            return False
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        if plain and event.type() == QEvent.Type.KeyPress:
            self._what_if.hold_before(True)
        return plain

    def let_go(self) -> None:
        """Forget a held key, whose release goes elsewhere."""
        self._what_if.hold_before(False)

    # -- painting -----------------------------------------------------------------------------

    def paint(self, painter: QPainter, camera: Camera, look: Look, strong: np.ndarray) -> None:
        """Draw the altered labels by the look of the labels; `strong` colours for what changed."""
        told, document = self._what_if.told, self._document
        if told is None or document.prediction is None:
            return
        before, altered = document.prediction.labels, told.prediction.labels
        if altered.shape != camera.image_shape:
            return
        if look is not self._own_look or self._look is None:
            self._own_look = look
            self._look = AlteredLook(look, strong, max(2, round(2 * camera.ratio)))
        maps: Maps = (before, altered, before)
        labels = document.label_map
        if document.view_mode == "labels" and labels is not None:
            maps = (labels.labels, altered, before, labels.provenance)
        self._cache.paint(painter, camera, maps, self._look)

    def paint_chip(self, painter: QPainter, camera: Camera, left: float) -> None:
        """Say on the canvas that this is a what-if, and how to go back."""
        told = self._what_if.told
        if told is None or not self.is_shown:
            return
        count = told.what.altered
        sources = f"{count} source{'s' if count != 1 else ''} altered"
        text = f"What if: {sources}, {grouped(told.changed_px)} px changed"
        text += " · U before" if not self._what_if.before_held else " · this is before"
        if not self._what_if.before_held:
            text += " · Esc restores"
        rulers = BREADTH if self._document.has_aid("rulers") else 0.0
        captions = 4 * GRID_PX if self._document.has_aid("split") else 0.0
        corner = QPointF(left + 2 * GRID_PX + rulers, 2 * GRID_PX + rulers + captions)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(quiet_font(self._canvas))
        room = camera.viewport.right() - corner.x() - 4 * GRID_PX
        metrics = painter.fontMetrics()
        draw_chip(painter, corner, metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(room)))
        painter.restore()


__all__ = ["BEFORE_KEY", "AlteredLook", "WhatIfLayer"]
