"""Carrying a region's labels from one image to another, such as the next frame of a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QTimer, Slot

from pspgui.geometry import Rect
from pspgui.labels.provenance import IGNORED, PERSON
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.gui.document import Document


@dataclass(frozen=True)
class CopiedRegion:
    """A region with its labels (h, w), their names by label, and the image's (height, width)."""

    stamp: Stamp
    labels: np.ndarray
    names: dict[int, str]
    shape: tuple[int, int]


class RegionClipboard(QObject):
    """Keeps what was copied last. GUI thread only.

    Classes are carried by name; what the other image's classes lack is left out and said so.
    """

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._copied: CopiedRegion | None = None
        self._waits_for: Path | None = None
        document.prediction_changed.connect(self._paste_waiting)
        document.image_changed.connect(self._image_changed)

    @property
    def can_paste(self) -> bool:
        """Whether anything was copied."""
        return self._copied is not None

    def copy(self) -> bool:
        """Copy the selection; whether there is one."""
        document, stamp = self._document, self._document.selection
        if stamp is None or document.label_map is None:
            document.message.emit("Select a region first (C); it is then copied with its labels.")
            return False
        labels = document.label_map.labels[stamp.rect.slices].copy()
        names = {int(v): document.table.name_of(int(v)) for v in np.unique(labels[stamp.mask])}
        self._copied = CopiedRegion(stamp, labels, names, document.label_map.shape)
        pixels = f"{int(np.count_nonzero(stamp.mask)):,}".replace(",", "\u2009")
        document.message.emit(f"{pixels} px copied; Ctrl+V puts them into another image.")
        return True

    @Slot()
    def paste(self) -> bool:
        """Put the copied labels where they were, as one edit; whether anything changed."""
        document, copied = self._document, self._copied
        if copied is None:
            document.message.emit("Nothing was copied yet: select a region (C), then Ctrl+C.")
            return False
        document.finish_stroke()
        if not document.may_change() or not document.has_labels():
            return False
        label_map, table = document.label_map, document.table
        ids = {table.name_of(label): label for label in [*range(len(table)), table.ignore]}
        rect = copied.stamp.rect.intersect(Rect(0, 0, *label_map.shape))
        part = rect.moved(-copied.stamp.rect.y0, -copied.stamp.rect.x0).slices
        mask, wanted = copied.stamp.mask[part].copy(), np.zeros((rect.height, rect.width), int)
        for label, name in copied.names.items():
            here = copied.labels[part] == label
            if name in ids:
                wanted[here] = ids[name]
            else:
                mask &= ~here
        if rect.is_empty or not mask.any():
            document.message.emit("Nothing was pasted: no part of the region fits this image.")
            return False
        wanted = wanted.astype(label_map.labels.dtype)
        unlabelled = len(copied.names) == 1 and table.ignore in wanted[mask]
        mark = IGNORED if unlabelled else PERSON
        done = document.write(Stamp(rect, mask), "Paste region", wanted, mark, document.locks)
        self._tell_lost(copied, int(np.count_nonzero(mask)))
        return done

    def paste_into(self, image: Path) -> None:
        """Paste as soon as this image is shown and has labels; not if another one is shown."""
        self._waits_for = image

    def _tell_lost(self, copied: CopiedRegion, pasted: int) -> None:
        lost = int(np.count_nonzero(copied.stamp.mask)) - pasted
        if lost:
            self._document.message.emit(
                f"{lost} px were left out: they lie outside of this image, or it lacks their class."
            )

    @Slot()
    def _image_changed(self) -> None:
        if self._document.image_path != self._waits_for:
            self._waits_for = None
        self._paste_waiting()

    @Slot()
    def _paste_waiting(self) -> None:
        document = self._document
        wanted = self._waits_for is not None and document.image_path == self._waits_for
        if wanted and document.label_map is not None:
            self._waits_for = None
            QTimer.singleShot(0, self.paste)  # once whoever opened it has settled its classes
