"""Counting in how many pixels two label maps differ, band by band, so that an edit costs little."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from pspgui.imaging.scratch import let_go
from pspgui.jobs.messages import Job, Step, Steps, Turn

_BAND_PIXELS: Final = 1 << 20


class Differing(NamedTuple):
    """How many pixels differ, and how many of them are drawn: not unlabelled, not hidden."""

    pixels: int
    drawn: int


def band_rows(width: int) -> int:
    """Return how many rows of a map one band has."""
    return max(1, _BAND_PIXELS // max(1, width))


def count_bands(
    one: np.ndarray, other: np.ndarray, drawn: np.ndarray, bands: tuple[int, ...]
) -> Job:
    """Make the job that counts some bands of two maps (H, W) of any integer dtype.

    `drawn` (K,) bool says which labels of the first are drawn; labels beyond it take the last.
    The job returns {band: Differing}. Some 2 ms a band; maps may be written meanwhile, if those
    bands are counted again.
    """
    rows = band_rows(one.shape[1])

    def job(_turn: Turn) -> Steps:
        found: dict[int, Differing] = {}
        for band in bands:
            part = slice(band * rows, (band + 1) * rows)
            labels = one[part]
            at = np.flatnonzero(labels != other[part])
            seen = drawn.take(labels.ravel()[at], mode="clip")
            found[band] = Differing(int(at.size), int(np.count_nonzero(seen)))
            let_go(one)
            let_go(other)
            yield Step("Counting what differs", len(found) / len(bands))
        return found

    return job
