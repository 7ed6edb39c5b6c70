"""A small picture of what a cleaning would change, over the part of the image in view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from pspgui.geometry import Rect
from pspgui.gui.qimages import rgb_image
from pspgui.gui.theme import GRID_PX, current_theme
from pspgui.labels.morphology import Patch

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_SIZE = QSize(62 * GRID_PX, 36 * GRID_PX)
_LABEL_SHARE = 0.5
_MARKED_PX = 4096
_QUIET_SHARE = 0.35  # of what stays: what changes stands out


class ChangePane(QWidget):
    """Shows the labels as they would be, what stays as it is paler, what changes edged in white.

    The picture is sampled once for each result, at the size of the pane.
    """

    def __init__(self, document: Document, view: Rect, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document, self._view = document, view
        self._patches: Sequence[Patch] = ()
        self._picture: QImage | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(_SIZE)
        self.setAccessibleName("What would change")

    def sizeHint(self) -> QSize:
        """Wide enough to see what happens."""
        return _SIZE

    def show_changes(self, patches: Sequence[Patch]) -> None:
        """Show another result."""
        self._patches, self._picture = patches, None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the picture, in the middle; none where the labels are gone."""
        if self._document.label_map is None:
            return
        if self._picture is None or self._picture.size() != self._room():
            self._picture = self._rendered(self._room())
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(current_theme().canvas))
            left = (self.width() - self._picture.width()) // 2
            top = (self.height() - self._picture.height()) // 2
            painter.drawImage(left, top, self._picture)

    def _room(self) -> QSize:
        shape = QSize(max(1, self._view.width), max(1, self._view.height))
        return shape.scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)

    def _rendered(self, size: QSize) -> QImage:
        document, view = self._document, self._view
        rows = view.y0 + np.arange(size.height()) * view.height // max(1, size.height())
        columns = view.x0 + np.arange(size.width()) * view.width // max(1, size.width())
        before = document.label_map.labels[np.ix_(rows, columns)]
        after = before.copy()
        for patch in self._patches:
            _lay(after, patch, rows, columns)
        changed = after != before
        image = document.image[np.ix_(rows, columns)].astype(np.float32)
        palette = document.table.palette().astype(np.float32)
        share = np.where(changed, 1.0, _LABEL_SHARE * _QUIET_SHARE)[..., None]
        mixed = image * (1 - share) + palette[np.minimum(after, 255)] * share
        mixed[_rim(changed)] = 255
        return rgb_image(np.ascontiguousarray(mixed.astype(np.uint8))).copy()


def _lay(after: np.ndarray, patch: Patch, rows: np.ndarray, columns: np.ndarray) -> None:
    """Write the sampled pixels of a patch."""
    y0, y1 = np.searchsorted(rows, (patch.rect.y0, patch.rect.y1))
    x0, x1 = np.searchsorted(columns, (patch.rect.x0, patch.rect.x1))
    if y0 == y1 or x0 == x1:
        return
    picked = np.ix_(rows[y0:y1] - patch.rect.y0, columns[x0:x1] - patch.rect.x0)
    np.copyto(after[y0:y1, x0:x1], patch.wanted[picked], where=patch.mask[picked])
    ys, xs = np.nonzero(patch.mask)
    if len(ys) <= _MARKED_PX:  # few pixels must not fall between those sampled
        at = np.searchsorted(rows, ys + patch.rect.y0), np.searchsorted(columns, xs + patch.rect.x0)
        inside = (at[0] < len(rows)) & (at[1] < len(columns))
        inside &= (ys + patch.rect.y0 >= rows[0]) & (xs + patch.rect.x0 >= columns[0])
        after[at[0][inside], at[1][inside]] = patch.wanted[ys[inside], xs[inside]]


def _rim(mask: np.ndarray) -> np.ndarray:
    """Return the pixels just outside of a mask, where it has any."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    return wide & ~mask
