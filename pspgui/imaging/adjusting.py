"""Brightness, contrast, gamma and window of a picture as shown; numpy, no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pspgui.imaging.scratch import let_go

BINS: Final = 256
_MOST_SAMPLES: Final = 2_000_000
_AUTO_TAIL: Final = 0.005


@dataclass(frozen=True)
class Adjustment:
    """How samples become brightness on the screen; the default changes nothing.

    `low` and `high` are the shares 0..1 of the sample range shown as black and white;
    `brightness` and `contrast` run from -1 to 1, `gamma` from 0.2 to 5 (above 1 lifts shadows).
    """

    low: float = 0.0
    high: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 1.0

    @property
    def is_neutral(self) -> bool:
        """Whether the picture is shown as it is."""
        return self == NEUTRAL

    def table(self, white: int = 255) -> np.ndarray:
        """Return (white + 1,) uint8: what each sample 0..white is shown as."""
        share = np.arange(white + 1, dtype=np.float64) / white
        span = max(self.high - self.low, 1e-6)
        share = np.clip((share - self.low) / span, 0, 1)
        share = (share - 0.5) * 4.0**self.contrast + 0.5 + self.brightness
        share = np.clip(share, 0, 1) ** (1 / self.gamma)
        return np.asarray(np.rint(255 * share), np.uint8)


NEUTRAL: Final = Adjustment()


def histogram(samples: np.ndarray, white: int = 255) -> np.ndarray:
    """Return how often samples fall into 256 equal parts of 0..white, per channel.

    `samples` is (H, W) or (H, W, 3); the result is (1 or 3, 256) int64. Large pictures are
    sampled evenly, about two million pixels of them. Any thread.
    """
    step = max(1, int(np.sqrt(samples.shape[0] * samples.shape[1] / _MOST_SAMPLES)))
    planes = samples[..., None] if samples.ndim == 2 else samples
    counts = np.zeros((planes.shape[2], white + 1), np.int64)
    for y in range(0, len(planes), 64 * step):
        thin = planes[y : y + 64 * step : step, ::step]
        for channel, count in enumerate(counts):
            count += np.bincount(thin[..., channel].ravel(), minlength=white + 1)[: white + 1]
        let_go(samples)
    where = np.arange(white + 1) * BINS // (white + 1)
    return np.stack([np.bincount(where, count, BINS) for count in counts]).astype(np.int64)


def auto_window(counts: np.ndarray) -> tuple[float, float]:
    """Return the (low, high) shares between which all but 0.5 % at either end of samples lie.

    `counts` is what `histogram` gave. A picture of one value keeps the whole range.
    """
    total = np.cumsum(counts.sum(axis=0))
    if not total[-1]:
        return 0.0, 1.0
    tail = _AUTO_TAIL * total[-1]
    low = int(np.searchsorted(total, tail, side="right"))
    high = int(np.searchsorted(total, total[-1] - tail, side="left"))
    if high <= low:
        return 0.0, 1.0
    return low / BINS, (high + 1) / BINS
