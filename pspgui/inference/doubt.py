"""How unsure a model is of a whole image, in three numbers that images can be sorted by.

They are measured on the prediction's interpolated logits, at pixels evenly spread over the image
(at most 384 along its longer side; all pixels of a smaller one), and on its labels:

margin       mean over pixels of the winner's probability less the runner-up's: 1 is sure
entropy      mean entropy of the 1 % of pixels where it is largest (one pixel at least), over
             log(classes): 0 is sure, 1 is a guess
boundary_px  pairs of pixels side by side or one above the other with different labels, all pixels
             counted: the length of the outlines along pixel edges

Of an image read through windows only the winner's probability c is known. Then the margin is the
least it can be, max(0, 2 c - 1), and the entropy the largest, the rest spread evenly over the other
classes. Any thread; no torch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pspgui.inference.activations import Prediction
from pspgui.inference.resampling import axis_taps, resample

MAX_SIDE = 384
TOP_SHARE = 0.01
_BAND_VALUES = 1 << 21
_ABSENT = -5e3  # a logit below this belongs to a class that the model does not have


class Doubt(NamedTuple):
    """margin and entropy in 0..1, boundary_px in pixel edges; see the module."""

    margin: float
    entropy: float
    boundary_px: int


def doubt_of(prediction: Prediction, max_side: int = MAX_SIDE) -> Doubt:
    """Measure a prediction that has logits.

    Classes that a translation added without the model knowing them do not count.
    """
    scores = prediction.scores
    known = scores.reshape(len(scores), -1).max(axis=1) > _ABSENT
    scores = scores if known.all() else scores[known]
    margins, entropies = _maps(scores, prediction, max_side)
    return Doubt(
        float(margins.mean(dtype=np.float64)),
        _top_mean(entropies),
        boundary_length(prediction.labels),
    )


def doubt_of_windows(
    labels: np.ndarray, confidence: np.ndarray, classes: int, max_side: int = MAX_SIDE
) -> Doubt:
    """Measure labels (H, W) of which only the winner's probability (H, W) is known."""
    rows, columns = (_positions(size, max(labels.shape), max_side) for size in labels.shape)
    sure = np.clip(confidence[rows][:, columns].astype(np.float64), 1e-12, 1.0)
    rest = np.maximum(1.0 - sure, 0.0)
    others = max(1, classes - 1)
    entropy = -sure * np.log(sure) - rest * np.log(np.maximum(rest, 1e-300) / others)
    scale = np.log(classes) if classes > 1 else 1.0
    return Doubt(
        float(np.maximum(0.0, 2.0 * sure - 1.0).mean()),
        _top_mean(np.clip(entropy / scale, 0.0, 1.0)),
        boundary_length(labels),
    )


def boundary_length(labels: np.ndarray) -> int:
    """Return how many pairs of neighbours (beside, below) of a label map (H, W) differ."""
    across = np.count_nonzero(labels[:, 1:] != labels[:, :-1])
    down = np.count_nonzero(labels[1:] != labels[:-1])
    return int(across + down)


def _maps(
    scores: np.ndarray, prediction: Prediction, max_side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return margin and normalised entropy, (h, w) float32 each, of the pixels measured."""
    shape, padded = prediction.shape, prediction.padded_shape
    align, longest = prediction.align_corners, max(prediction.shape)
    rows = axis_taps(padded[0], scores.shape[1], align, scores.dtype).at(
        _positions(shape[0], longest, max_side)
    )
    columns = axis_taps(padded[1], scores.shape[2], align, scores.dtype).at(
        _positions(shape[1], longest, max_side)
    )
    size = len(rows.low), len(columns.low)
    margins, entropies = np.empty(size, np.float32), np.zeros(size, np.float32)
    step = max(1, _BAND_VALUES // (len(scores) * size[1]))
    for start in range(0, size[0], step):
        band = slice(start, start + step)
        logits = resample(scores, rows.at(band), columns)
        margins[band], entropies[band] = _measures(logits)
    return margins, entropies


def _measures(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return margin and normalised entropy (rows, columns) of logits (N, rows, columns)."""
    classes = len(logits)
    if classes < 2:
        sure = np.ones(logits.shape[1:], np.float32)
        return sure, np.zeros_like(sure)
    logits = logits - logits.max(axis=0)
    weights = np.exp(logits)
    total = weights.sum(axis=0)
    entropy = np.log(total) - (weights * logits).sum(axis=0) / total
    weights.partition(classes - 2, axis=0)
    margin = (weights[-1] - weights[-2]) / total
    return margin, np.clip(entropy / np.log(classes), 0.0, 1.0)


def _top_mean(values: np.ndarray) -> float:
    """Return the mean of the largest hundredth, of one value at least."""
    flat = np.asarray(values, np.float64).ravel()
    count = max(1, round(flat.size * TOP_SHARE))
    return float(np.partition(flat, flat.size - count)[flat.size - count :].mean())


def _positions(size: int, longest: int, max_side: int) -> np.ndarray:
    """Return the pixels to measure along one axis: the middles of equal stretches."""
    count = max(1, int(size / max(1.0, longest / max_side)))
    return ((np.arange(count) + 0.5) * size / count).astype(np.int64)
