"""Where labels meet: the outline drawn instead of a filled overlay."""

from __future__ import annotations

import numpy as np


def outline_mask(labels: np.ndarray) -> np.ndarray:
    """Return (H, W) bool, True where a pixel differs from the one below or to the right of it.

    Lines are one pixel wide. To renew a rect alone, give it with one row and column more at its
    end, and one before it: those pixels' outline depends on it.
    """
    edge = np.zeros(labels.shape, bool)
    np.not_equal(labels[:, :-1], labels[:, 1:], out=edge[:, :-1])
    edge[:-1] |= labels[:-1] != labels[1:]
    return edge
