"""Balancing a trained classifier: one bias a class, chosen for mIoU over the training images.

Cross-entropy, weighted or not, sets the point where one class gives way to another for a purpose of
its own; thin and rare classes come out too seldom or too often. Shifting the classifier's biases
moves those points without touching what the network has learnt, as logit adjustment does (Menon et
al., arXiv 2007.07314), here fitted to the measure that is reported.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pspgui.labels.metrics import Confusion
from pspgui.models.segmenter import Segmenter
from pspgui.training.datasets import Source
from pspgui.training.evaluation import plain_logits

_STEPS = (1.0, 0.5, 0.25, 0.125)
_MAX_SHIFT = 3.0


def tuned_biases(
    model: Segmenter,
    source: Source,
    stride: int = 6,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, float, float]:
    """Return (shift of each class's logit (K,), mIoU before, mIoU after) over `source`.

    Every `stride`-th pixel of both axes counts. Use training images, never those that the result
    is reported on. The model is not changed; see `shift_biases`.
    """
    logits, truth = _sampled(model, source, stride, progress)
    shifts = torch.zeros(logits.shape[1])
    before = best = _miou(logits, truth)
    for step in _STEPS:
        improved = True
        while improved:
            improved = False
            for label in range(len(shifts)):
                for change in (step, -step):
                    trial = shifts.clone()
                    trial[label] += change
                    if abs(float(trial[label])) > _MAX_SHIFT:
                        continue
                    score = _miou(logits + trial, truth)
                    if score > best + 1e-5:
                        best, shifts, improved = score, trial, True
    return shifts.numpy(), before, best


def shift_biases(model: Segmenter, shifts: np.ndarray) -> None:
    """Add the shifts (K,) to the classifier's biases in place; TypeError if it has none."""
    bias = getattr(model.get_submodule("classifier"), "bias", None)
    if bias is None:
        raise TypeError(f"{model.spec.title} has no classifier with biases")
    with torch.no_grad():
        bias += torch.from_numpy(shifts).to(bias)


def _sampled(
    model: Segmenter, source: Source, stride: int, progress: Callable[[int, int], None] | None
) -> tuple[Tensor, Tensor]:
    """Return logits (n, K) and labels (n,) of the pixels that count."""
    table = model.spec.classes
    logits, truth = [], []
    for index in range(len(source)):
        sample = source.read(index)
        height, width = sample.labels.shape
        found = plain_logits(model, sample.pixels)[0, :, :height:stride, :width:stride].cpu()
        labels = torch.from_numpy(sample.labels[::stride, ::stride].astype(np.int64))
        known = labels != table.ignore
        logits.append(found[:, known].T)
        truth.append(labels[known])
        if progress:
            progress(index + 1, len(source))
    return torch.cat(logits), torch.cat(truth)


def _miou(logits: Tensor, truth: Tensor) -> float:
    confusion = Confusion(logits.shape[1])
    confusion.add(truth.numpy(), logits.argmax(1).numpy())
    return confusion.miou
