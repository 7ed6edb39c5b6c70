"""Labels that nobody has touched follow the model: what another prediction changes of them.

Predicting an image again mostly gives the same labels, and then nothing needs to be written, drawn
or counted anew. To compare takes a while on a large image, so the thread that predicts does it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pspgui.geometry import Rect
from pspgui.imaging.scratch import let_go, strips
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import MODEL

_STRIP_BYTES = 1 << 18  # what is compared stays in the processor's cache


class Following(NamedTuple):
    """Where a label map, as of a revision, differs from a prediction: within `rect` only."""

    label_map: LabelMap
    revision: int
    rect: Rect

    def is_about(self, label_map: LabelMap | None) -> bool:
        """Whether it tells of this map as it is now. GUI thread only."""
        return label_map is self.label_map and label_map.revision == self.revision


def compare(label_map: LabelMap, labels: np.ndarray) -> Following:
    """Compare a label map with a prediction's labels (H, W) of the same shape.

    Any thread: the map is read where it lies. What is written meanwhile raises the map's revision,
    which is noted before, so that the answer is then about a revision that has gone.
    """
    revision, rect = label_map.revision, Rect(0, 0, 0, 0)
    for rows in strips(labels.shape, labels.dtype, _STRIP_BYTES):
        differs = label_map.labels[rows] != labels[rows]
        down = np.flatnonzero(differs.any(axis=1))
        if down.size:
            across = np.flatnonzero(differs.any(axis=0))
            top, left = rows.start + int(down[0]), int(across[0])
            bottom, right = rows.start + int(down[-1]) + 1, int(across[-1]) + 1
            rect = rect.union(Rect(top, left, bottom, right))
        let_go(label_map.labels)
        let_go(labels)
    return Following(label_map, revision, rect)


def follow(label_map: LabelMap, labels: np.ndarray, rect: Rect) -> None:
    """Take a prediction's labels within a rect, wherever the model set those there. GUI thread."""
    if rect.is_empty:
        return
    for rows in strips((rect.height, rect.width), labels.dtype, _STRIP_BYTES):
        at = slice(rect.y0 + rows.start, rect.y0 + rows.stop), slice(rect.x0, rect.x1)
        models = label_map.provenance[at] == MODEL
        np.copyto(label_map.labels[at], labels[at], where=True if models.all() else models)
        for array in (label_map.labels, label_map.provenance, labels):
            let_go(array)
    label_map.revision += 1
