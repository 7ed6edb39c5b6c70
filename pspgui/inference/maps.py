"""How sure a prediction is, pixel by pixel: confidence, margin, entropy and class scores.

All are computed from interpolated logits, in bands of rows, so that the memory taken is bounded
whatever the image's size. Any thread; no torch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pspgui.geometry import Rect
from pspgui.inference.activations import Prediction
from pspgui.inference.resampling import axis_taps, resample

_BAND_VALUES = 1 << 22


def confidence_map(
    prediction: Prediction, rect: Rect | None = None, max_side: int | None = None
) -> np.ndarray:
    """Return the softmax probability of the winning class, (h, w) float32 in 0..1.

    `rect` restricts the map to a part of the image. `max_side` keeps the longer side at or below
    it by reading fewer pixels, evenly spread (no averaging). Both hold for every map here.
    Raises ValueError when no pixel of the image is asked for.
    """
    return _map(prediction, rect, max_side, _confidence)


def margin_map(
    prediction: Prediction, rect: Rect | None = None, max_side: int | None = None
) -> np.ndarray:
    """Return the winner's logit less the runner-up's, (h, w) float32, never below zero.

    The number that evidence for the margin adds up to. A model of one class has no runner-up:
    zero.
    """
    return _map(prediction, rect, max_side, _margin)


def entropy_map(
    prediction: Prediction, rect: Rect | None = None, max_side: int | None = None
) -> np.ndarray:
    """Return the entropy of the softmax in nats, (h, w) float32 in 0..log(classes)."""
    return _map(prediction, rect, max_side, _entropy)


def class_score_map(
    prediction: Prediction, class_id: int, rect: Rect | None = None, max_side: int | None = None
) -> np.ndarray:
    """Return the logit of one class, (h, w) float32; raises IndexError for an unknown class."""
    if not 0 <= class_id < len(prediction.scores):
        raise IndexError(f"there is no class {class_id}")
    one = slice(class_id, class_id + 1)
    return _map(prediction, rect, max_side, lambda logits: logits[0], one)


def _map(
    prediction: Prediction,
    rect: Rect | None,
    max_side: int | None,
    reduce: Callable[[np.ndarray], np.ndarray],
    classes: slice | None = None,
) -> np.ndarray:
    """Interpolate logits (N, rows, columns) band by band and reduce each to (rows, columns)."""
    image = Rect(0, 0, *prediction.shape)
    area = image if rect is None else rect.intersect(image)
    if area.is_empty:
        raise ValueError("no pixel of the image is asked for")
    scores = prediction.scores if classes is None else prediction.scores[classes]
    grid, padded, align = scores.shape[1:], prediction.padded_shape, prediction.align_corners
    longest = max(area.height, area.width)
    shrink = 1.0 if max_side is None else max(1.0, longest / max(1, max_side))
    rows = axis_taps(padded[0], grid[0], align, scores.dtype).at(
        _positions(area.y0, area.height, shrink)
    )
    columns = axis_taps(padded[1], grid[1], align, scores.dtype).at(
        _positions(area.x0, area.width, shrink)
    )
    result = np.empty((len(rows.low), len(columns.low)), np.float32)
    step = max(1, _BAND_VALUES // (len(scores) * len(columns.low)))
    for start in range(0, len(result), step):
        band = slice(start, start + step)
        result[band] = reduce(resample(scores, rows.at(band), columns))
    return result


def _positions(start: int, size: int, shrink: float) -> np.ndarray:
    """Return the pixels to read along one axis: all, or the middles of equal stretches."""
    count = max(1, int(size / shrink))
    return start + ((np.arange(count) + 0.5) * size / count).astype(np.int64)


def _confidence(logits: np.ndarray) -> np.ndarray:
    logits -= logits.max(axis=0)
    result: np.ndarray = 1.0 / np.exp(logits, out=logits).sum(axis=0)
    return result


def _margin(logits: np.ndarray) -> np.ndarray:
    if len(logits) < 2:
        return np.zeros(logits.shape[1:], np.float32)
    logits.partition(len(logits) - 2, axis=0)
    result: np.ndarray = logits[-1] - logits[-2]
    return result


def _entropy(logits: np.ndarray) -> np.ndarray:
    logits -= logits.max(axis=0)
    weights = np.exp(logits)
    total = weights.sum(axis=0)
    weights *= logits
    # H = log Z - sum p * logit, with logits relative to the largest; rounding may fall below 0.
    result: np.ndarray = np.maximum(np.log(total) - weights.sum(axis=0) / total, 0)
    return result
