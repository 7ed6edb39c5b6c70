"""Whole-image maps of an FCN's evidence: what every score map adds at every pixel, exactly.

Score maps are upsampled and added, with no gate behind them, so the split of a pixel holds for all
pixels at once: each map less its bias, upsampled alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pspgui.evidence.readings import Target
from pspgui.evidence.scores import ScoreEvidence
from pspgui.inference.layers import Transposed


class ScoreMapSplit(NamedTuple):
    """The split of every pixel's logit: constant + parts == logit, each (h, w) over the scores.

    `parts` are keyed by the titles of the score maps, coarsest first.
    """

    logit: np.ndarray
    constant: np.ndarray
    parts: dict[str, np.ndarray]

    def strongest(self) -> np.ndarray:
        """Return which score map adds most at every pixel, (h, w) uint8."""
        found: np.ndarray = np.argmax(list(self.parts.values()), axis=0).astype(np.uint8)
        return found


def is_cheap(evidence: ScoreEvidence) -> bool:
    """Whether every class is upsampled by itself, as FCNs do unless they were taught otherwise."""
    weights = evidence.weights
    return all(step.weight.ndim == 3 for step in (*weights.doubling, weights.last))


def split_scores(
    evidence: ScoreEvidence, target: Target | None = None,
    stop: Callable[[], None] | None = None,
) -> ScoreMapSplit:  # fmt: skip
    """Return the split of a target at every pixel; without one of each pixel's own margin.

    Some milliseconds a class and a quarter of a million pixels; a margin of winners reads all
    classes that win or come second somewhere. `stop` is called between classes and may raise.
    Raises IndexError for an unknown class, ValueError where classes are not upsampled alone.
    """
    if not is_cheap(evidence):
        raise ValueError("the network upsamples its classes together")
    scores = evidence.activations.scores
    if target is None and len(scores) > 1:
        return _winners(evidence, stop)
    aim = target or Target(0)
    for class_id in (aim.class_id, aim.versus):
        if class_id is not None and not 0 <= class_id < len(scores):
            raise IndexError(f"there is no class {class_id}")
    found = _of_class(evidence, aim.class_id)
    if aim.versus is None:
        return found
    other = _of_class(evidence, aim.versus)
    return ScoreMapSplit(
        found.logit - other.logit, found.constant - other.constant,
        {title: found.parts[title] - other.parts[title] for title in found.parts},
    )  # fmt: skip


def _winners(evidence: ScoreEvidence, stop: Callable[[], None] | None) -> ScoreMapSplit:
    """Return the split of each pixel's margin of its winner over the runner-up."""
    scores = evidence.activations.scores
    order = np.argpartition(scores, -2, axis=0)[-2:]
    zeros = np.zeros(scores.shape[1:], scores.dtype)
    whole = ScoreMapSplit(
        zeros.copy(), zeros.copy(), {title: zeros.copy() for title in evidence.weights.biases}
    )
    for class_id in np.unique(order).tolist():
        if stop is not None:
            stop()
        one = _of_class(evidence, class_id)
        for place, sign in ((order[1] == class_id, 1), (order[0] == class_id, -1)):
            whole.logit[place] += sign * one.logit[place]
            whole.constant[place] += sign * one.constant[place]
            for title, part in one.parts.items():
                whole.parts[title][place] += sign * part[place]
    return whole


def _of_class(evidence: ScoreEvidence, class_id: int) -> ScoreMapSplit:
    """Return the split of a class's logit."""
    known, weights = evidence.activations, evidence.weights
    maps = {shown.title: shown.values for shown in known.maps}
    titles = tuple(weights.biases)
    steps = (*weights.doubling, weights.last)
    sizes = [maps[title].shape[1:] for title in titles[1:]] + [known.scores.shape[1:]]
    parts: dict[str, np.ndarray] = {}
    constant = np.zeros(known.scores.shape[1:], known.scores.dtype)
    running = None
    for index, title in enumerate(titles):
        own, bias = maps[title][class_id], weights.biases[title][class_id]
        value = own - bias
        flat = np.full(own.shape, bias, own.dtype)
        running = flat if running is None else running + flat
        for step, size in zip(steps[index:], sizes[index:], strict=True):
            value = _upsampled(value, step, class_id, size)
        parts[title] = value
        running = _upsampled(running, steps[index], class_id, sizes[index])
        running += steps[index].bias[class_id]
    constant += running
    return ScoreMapSplit(known.scores[class_id], constant, parts)


def _upsampled(
    values: np.ndarray, step: Transposed, class_id: int, size: tuple[int, int]
) -> np.ndarray:
    """Return a class's map (h, w) through a transposed convolution without its bias, cut to size.

    Output y reads input i through tap y + cut - stride i.
    """
    kernel, stride = step.weight[class_id], step.stride
    taps = kernel.shape[0]
    height, width = values.shape
    found = np.zeros((stride * (height - 1) + taps, stride * (width - 1) + taps), values.dtype)
    for row in range(taps):
        rows = slice(row, row + stride * (height - 1) + 1, stride)
        for column in range(taps):
            weight = kernel[row, column]
            if weight:
                across = slice(column, column + stride * (width - 1) + 1, stride)
                found[rows, across] += values * weight
    cut: np.ndarray = found[step.cut : step.cut + size[0], step.cut : step.cut + size[1]]
    return cut
