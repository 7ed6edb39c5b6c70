"""The label map of one image: labels, where they came from, and a revision."""

from __future__ import annotations

import numpy as np

from pspgui.geometry import Rect
from pspgui.labels.provenance import MODEL


class LabelMap:
    """The labels of one image, edited in place.

    `labels` is (H, W) uint8 or uint16 and `provenance` (H, W) uint8, both C-contiguous, writable
    and never rebound, so that a view may lie over their memory. `models` names the models by
    their provenance value (`provenance.value_for`). `revision` grows with every change. GUI
    thread only.
    """

    def __init__(self, labels: np.ndarray, provenance: np.ndarray | None = None) -> None:
        """Take over `labels` (copied only if read-only or not contiguous).

        Raises `ValueError` for another dtype or for shapes that differ.
        """
        if labels.ndim != 2 or labels.size == 0 or labels.dtype not in (np.uint8, np.uint16):
            found = f"{labels.shape} {labels.dtype}"
            raise ValueError(f"a label map is (H, W) uint8 or uint16, not {found}")
        self._labels = np.require(labels, requirements=["C", "W"])
        if provenance is None:
            provenance = np.full(labels.shape, MODEL, np.uint8)
        if provenance.shape != labels.shape or provenance.dtype != np.uint8:
            found = f"{provenance.shape} {provenance.dtype}"
            raise ValueError(f"provenance is {labels.shape} uint8, not {found}")
        self._provenance = np.require(provenance, requirements=["C", "W"])
        self.models: dict[int, str] = {}
        self.revision = 0

    @property
    def labels(self) -> np.ndarray:
        """The labels, (H, W)."""
        return self._labels

    @property
    def provenance(self) -> np.ndarray:
        """Where each label came from, (H, W) uint8 of `pspgui.labels.provenance`."""
        return self._provenance

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self._labels.shape
        return height, width

    @property
    def rect(self) -> Rect:
        """The whole image."""
        return Rect(0, 0, *self.shape)
