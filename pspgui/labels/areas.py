"""How many pixels each label covers, kept up with edits instead of counted anew."""

from __future__ import annotations

import numpy as np

from pspgui.labels.edits import Edit


class ClassAreas:
    """Pixels by label of one map; `counts` is (256,) or (65536,) int64. GUI thread only."""

    def __init__(self, labels: np.ndarray) -> None:
        """Count the map once, some rows at a time: bincount works on a copy of 8 bytes a pixel."""
        values = int(np.iinfo(labels.dtype).max) + 1
        self.counts = np.zeros(values, np.int64)
        rows = max(1, (1 << 18) // labels.shape[1])
        for top in range(0, labels.shape[0], rows):
            self.counts += np.bincount(labels[top : top + rows].ravel(), minlength=values)

    def apply(self, edit: Edit) -> None:
        """Account for an edit that was committed or redone."""
        for label, pixels in edit.area_change:
            self.counts[label] += pixels

    def revert(self, edit: Edit) -> None:
        """Account for an edit that was undone."""
        for label, pixels in edit.area_change:
            self.counts[label] -= pixels

    def share(self, label: int) -> float:
        """Return the part of the image that a label covers, 0..1."""
        return float(self.counts[label] / self.counts.sum())
