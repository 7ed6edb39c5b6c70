"""Evaluation of any predictor of labels on a labelled source."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pspgui.labels.classes import ClassTable
from pspgui.labels.metrics import Confusion
from pspgui.models.pspnet import PSPNet, PyramidPooling
from pspgui.models.segmenter import Segmenter
from pspgui.training.augmentation import normalised
from pspgui.training.datasets import Source

PredictLabels = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Evaluation:
    """Scores over a set: one confusion matrix, and what is derived from it."""

    confusion: Confusion
    table: ClassTable
    images: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the object that `pspgui evaluate --json` prints; absent classes are null."""
        iou, accuracy = self.confusion.iou(), self.confusion.accuracy()
        pixels = self.confusion.matrix.sum(axis=1)
        return {
            "miou": _number(self.confusion.miou),
            "pixel_accuracy": _number(self.confusion.pixel_accuracy),
            "mean_accuracy": _number(self.confusion.mean_accuracy),
            "images": self.images,
            "seconds": round(self.seconds, 3),
            "classes": [
                {
                    "name": c.name,
                    "iou": _number(iou[c.id]),
                    "accuracy": _number(accuracy[c.id]),
                    "pixels": int(pixels[c.id]),
                }
                for c in self.table.classes
            ],
        }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def evaluate(
    predict: PredictLabels,
    source: Source,
    table: ClassTable,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score `predict(pixels (H, W, 3) uint8) -> labels (H, W)` on every sample of `source`."""
    confusion = Confusion(len(table))
    started = time.perf_counter()
    for index in range(len(source)):
        sample = source.read(index)
        confusion.add(sample.labels, predict(sample.pixels), table.ignore)
        if progress:
            progress(index + 1, len(source))
    return Evaluation(confusion, table, len(source), time.perf_counter() - started)


def plain_predictor(model: Segmenter) -> PredictLabels:
    """Return the straightforward predictor: whole image, plain forward pass, argmax."""

    @torch.inference_mode()
    def predict(pixels: np.ndarray) -> np.ndarray:
        logits = plain_logits(model, pixels)
        height, width = pixels.shape[:2]
        labels: np.ndarray = logits[0, :, :height, :width].argmax(0).cpu().numpy()
        return labels

    return predict


@torch.inference_mode()
def plain_logits(model: Segmenter, pixels: np.ndarray) -> Tensor:
    """Return (1, classes, H', W') logits of the padded image."""
    image = torch.tensor(np.moveaxis(pixels, -1, 0))
    device = next(model.parameters()).device
    batch = normalised(image, model.spec)[None].to(device, memory_format=torch.channels_last)
    logits: Tensor = model(batch).main
    return logits


@contextmanager
def silenced_pyramid(model: PSPNet) -> Iterator[None]:
    """Make every bin of `model` zero for the time being: what local features alone would say."""

    def silence(module: PyramidPooling, inputs: object, levels: list[Tensor]) -> list[Tensor]:
        return [torch.zeros_like(level) for level in levels]

    hook = model.pyramid.register_forward_hook(silence)
    try:
        yield
    finally:
        hook.remove()


@dataclass(frozen=True)
class PyramidUse:
    """How much the pyramid matters: mIoU without it, and the share of cells it decides."""

    miou: float
    miou_silenced: float
    cells_changed: float


def pyramid_use(model: PSPNet, source: Source, table: ClassTable) -> PyramidUse:
    """Compare the model with itself when all bins are silenced, over a whole source.

    Cells are those of the score grid: the winner is compared before upsampling.
    """
    predict = plain_predictor(model)
    whole = evaluate(predict, source, table).confusion.miou
    winners: list[np.ndarray] = []

    def keep(module: torch.nn.Module, inputs: object, scores: Tensor) -> None:
        winners.append(scores.argmax(1).cpu().numpy())

    hook = model.classifier.register_forward_hook(keep)
    changed = cells = 0
    silent = Confusion(len(table))
    try:
        for index in range(len(source)):
            sample = source.read(index)
            predict(sample.pixels)
            with silenced_pyramid(model):
                silent.add(sample.labels, predict(sample.pixels), table.ignore)
            with_bins, without = winners
            winners.clear()
            changed += int((with_bins != without).sum())
            cells += with_bins.size
    finally:
        hook.remove()
    return PyramidUse(whole, silent.miou, changed / max(cells, 1))
