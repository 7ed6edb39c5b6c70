"""How well a prediction agrees with labels: confusion, IoU, accuracies; and shares of classes."""

from __future__ import annotations

import numpy as np

from pspgui.labels.classes import IGNORE, ClassTable


class Confusion:
    """Counts of (true class, predicted class), added to image by image.

    `matrix` is (K, K) int64: row = truth, column = prediction. A class absent from both is nan in
    `iou` and `accuracy` and left out of the means. One thread.
    """

    def __init__(self, classes: int) -> None:
        """Start with all counts zero."""
        self.matrix = np.zeros((classes, classes), np.int64)

    def add(self, truth: np.ndarray, prediction: np.ndarray, ignore: int = IGNORE) -> None:
        """Count two label maps of one shape; pixels whose truth is `ignore` are left out.

        Raises `ValueError` for shapes that differ and for a label outside 0..K-1, naming it.
        """
        if truth.shape != prediction.shape:
            raise ValueError(f"labels of shape {truth.shape}, prediction {prediction.shape}")
        k = len(self.matrix)
        kept = truth != ignore
        rows, columns = truth[kept].astype(np.int64), prediction[kept].astype(np.int64)
        for name, values in (("label", rows), ("prediction", columns)):
            wrong = values[(values < 0) | (values >= k)]
            if wrong.size:
                raise ValueError(f"{name} {int(wrong[0])} is not a class id of 0..{k - 1}")
        self.matrix += np.bincount(rows * k + columns, minlength=k * k).reshape(k, k)

    def merge(self, other: Confusion) -> None:
        """Add the counts of another confusion of as many classes."""
        self.matrix += other.matrix

    @property
    def pixels(self) -> np.ndarray:
        """Labelled pixels by true class, (K,) int64."""
        return np.asarray(self.matrix.sum(axis=1))

    def iou(self) -> np.ndarray:
        """Return intersection over union by class, (K,) float64, nan where absent from both."""
        hits = np.diag(self.matrix)
        return _ratio(hits, self.matrix.sum(axis=0) + self.matrix.sum(axis=1) - hits)

    def accuracy(self) -> np.ndarray:
        """Return the share of each true class that was found, (K,) float64, nan where absent."""
        return _ratio(np.diag(self.matrix), self.pixels)

    @property
    def miou(self) -> float:
        """Mean IoU of the classes that occur; nan before any pixel."""
        return _mean(self.iou())

    @property
    def mean_accuracy(self) -> float:
        """Mean accuracy of the true classes that occur."""
        return _mean(self.accuracy())

    @property
    def pixel_accuracy(self) -> float:
        """Share of labelled pixels predicted rightly; nan before any pixel."""
        total = int(self.matrix.sum())
        return float(np.trace(self.matrix) / total) if total else float("nan")


def class_shares(labels: np.ndarray, table: ClassTable) -> dict[str, float]:
    """Return the share of the map that each class covers, by name, largest first, zeros left out.

    Labels outside the table appear under `table.name_of`, so that the shares add up to 1.
    """
    values, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {table.name_of(int(values[i])): float(counts[i] / labels.size) for i in order}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide elementwise, nan where the whole is zero."""
    ratio = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
