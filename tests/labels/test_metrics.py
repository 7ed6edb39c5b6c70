"""Confusion counts against a plain loop; absent classes stay out of the mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pspgui.labels.classes import CAMVID
from pspgui.labels.metrics import Confusion, class_shares


def test_counts_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(10)
    truth = rng.integers(0, 5, (20, 30)).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.2] = 255
    prediction = rng.integers(0, 5, truth.shape).astype(np.uint8)
    confusion = Confusion(6)
    confusion.add(truth[:10], prediction[:10])
    other = Confusion(6)
    other.add(truth[10:], prediction[10:])
    confusion.merge(other)
    expected = np.zeros((6, 6), int)
    for t, p in zip(truth.ravel(), prediction.ravel(), strict=True):
        if t != 255:
            expected[t, p] += 1
    assert np.array_equal(confusion.matrix, expected)
    ious = confusion.iou()
    for c in range(5):
        both = expected[c, c]
        assert ious[c] == both / (expected[c].sum() + expected[:, c].sum() - both)
    assert math.isnan(ious[5])
    assert confusion.miou == pytest.approx(ious[:5].mean())
    assert confusion.pixel_accuracy == np.trace(expected) / expected.sum()
    assert confusion.mean_accuracy == pytest.approx(
        np.mean([expected[c, c] / expected[c].sum() for c in range(5)])
    )


def test_a_class_only_predicted_counts_as_zero() -> None:
    confusion = Confusion(3)
    confusion.add(np.array([[0, 0]]), np.array([[0, 1]]))
    assert confusion.iou()[1] == 0
    assert math.isnan(confusion.accuracy()[1])
    assert confusion.miou == 0.25


def test_nothing_counted_is_not_a_number() -> None:
    assert math.isnan(Confusion(3).miou)
    assert math.isnan(Confusion(3).pixel_accuracy)


@pytest.mark.parametrize(
    ("truth", "prediction", "word"),
    [([[7]], [[0]], "label 7"), ([[0]], [[7]], "prediction 7"), ([[0, 0]], [[0]], "shape")],
)
def test_wrong_values_are_named(truth: object, prediction: object, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Confusion(3).add(np.array(truth), np.array(prediction))


def test_shares_add_up_and_name_everything() -> None:
    labels = np.array([[0, 0, 3, 255]], np.uint8)
    assert class_shares(labels, CAMVID) == {"Sky": 0.5, "Road": 0.25, "unlabelled": 0.25}
