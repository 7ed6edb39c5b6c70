"""What is explained at a pixel: the logit of a class, or its margin over another one."""

from __future__ import annotations

import numpy as np

from pspgui.evidence.readings import Target
from pspgui.geometry import Pixel
from pspgui.inference.activations import Activations
from pspgui.inference.resampling import sample


def aim(known: Activations, pixel: Pixel, target: Target | None) -> tuple[Target, float]:
    """Return the target and its logit; without one the winner's margin over the runner-up.

    Raises IndexError for an unknown class, ValueError for a class compared with itself.
    """
    logits = sample(known.scores, *pixel, known.padded_shape, known.align_corners)
    if target is None:
        best = int(logits.argmax())
        rest = logits.copy()
        rest[best] = -np.inf
        target = Target(best, int(rest.argmax()) if len(logits) > 1 else None)
    for class_id in (target.class_id, target.versus):
        if class_id is not None and not 0 <= class_id < len(logits):
            raise IndexError(f"there is no class {class_id}")
    if target.versus is None:
        return target, float(logits[target.class_id])
    if target.versus == target.class_id:
        raise ValueError("a class cannot be compared with itself")
    return target, float(logits[target.class_id] - logits[target.versus])


def best_two(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every cell's winner and runner-up, (h, w) both, of two or more classes' scores."""
    # A cell's classes side by side, once: argmax would copy them so each time. Two passes of it
    # take a third of the time of a partition.
    cells = np.ascontiguousarray(scores.reshape(len(scores), -1).T)
    best = cells.argmax(axis=1)
    cells[np.arange(len(cells)), best] = -np.inf
    return best.reshape(scores.shape[1:]), cells.argmax(axis=1).reshape(scores.shape[1:])


def row_of(classifier: np.ndarray, target: Target) -> np.ndarray:
    """Return the weights of a target, (K, ...), from those of all classes, (N, K, ...)."""
    row: np.ndarray = classifier[target.class_id]
    return row if target.versus is None else row - classifier[target.versus]


def offset_of(biases: np.ndarray, target: Target) -> float:
    """Return the bias of a target from those of all classes, (N,)."""
    versus = 0.0 if target.versus is None else float(biases[target.versus])
    return float(biases[target.class_id]) - versus
