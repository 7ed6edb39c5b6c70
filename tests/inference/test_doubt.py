"""Doubt measures against what they say they are, computed plainly pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from pspgui.inference.activations import Prediction, Stamp
from pspgui.inference.doubt import boundary_length, doubt_of, doubt_of_windows


def prediction(scores, shape, padded=None):
    return Prediction(
        labels=np.zeros(shape, np.uint8), scores=np.asarray(scores, np.float32), shape=shape,
        padded_shape=padded or shape, align_corners=False, stamp=Stamp("", ""), seconds=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(20, 30), (17, 40)])
def test_measures_are_those_of_every_pixel_of_a_small_image(shape):
    found = prediction(np.random.default_rng(0).normal(0, 2, (5, 4, 6)), shape, (32, 48))
    p = np.array([[found.probability_at(y, x) for x in range(shape[1])] for y in range(shape[0])])
    top = np.sort(p, axis=2)
    entropies = np.sort((-(p * np.log(p)).sum(axis=2) / np.log(5)).ravel())
    count = round(entropies.size * 0.01)
    doubt = doubt_of(found)
    assert doubt.margin == pytest.approx(float((top[..., -1] - top[..., -2]).mean()), abs=1e-5)
    assert doubt.entropy == pytest.approx(float(entropies[-count:].mean()), abs=1e-5)


def test_certainty_and_a_guess_are_the_ends():
    sure = np.zeros((3, 2, 2))
    sure[1] = 60.0
    assert doubt_of(prediction(sure, (16, 16)))[:2] == pytest.approx((1.0, 0.0), abs=1e-6)
    assert doubt_of(prediction(np.zeros((3, 2, 2)), (16, 16)))[:2] == pytest.approx((0.0, 1.0))
    assert doubt_of(prediction(np.zeros((1, 2, 2)), (16, 16)))[:2] == (1.0, 0.0)


def test_classes_the_model_does_not_have_do_not_count():
    scores = np.random.default_rng(1).normal(0, 1, (3, 4, 4)).astype(np.float32)
    wider = np.concatenate([scores, np.full((2, 4, 4), -1e4, np.float32)])
    assert doubt_of(prediction(scores, (32, 32))) == doubt_of(prediction(wider, (32, 32)))


def test_a_large_image_is_sampled_evenly():
    rng = np.random.default_rng(2)
    found = prediction(rng.normal(0, 2, (4, 12, 16)), (192, 256))
    whole, sampled = doubt_of(found, max_side=256), doubt_of(found, max_side=64)
    assert sampled.margin == pytest.approx(whole.margin, abs=0.01)
    assert sampled.entropy == pytest.approx(whole.entropy, abs=0.02)


def test_the_boundary_is_counted_edge_by_edge():
    labels = np.zeros((6, 7), np.uint8)
    assert boundary_length(labels) == 0
    labels[2:4, 3:6] = 1
    assert boundary_length(labels) == 2 * (2 + 3)
    labels[0, 0] = 255
    assert boundary_length(labels) == 12


def test_windows_give_bounds_of_the_same_measures():
    rng = np.random.default_rng(3)
    found = prediction(rng.normal(0, 2, (5, 4, 6)), (20, 30))
    p = np.array([[found.probability_at(y, x) for x in range(30)] for y in range(20)])
    bound = doubt_of_windows(found.labels, p.max(axis=2), 5)
    exact = doubt_of(found)
    assert bound.margin <= exact.margin + 1e-6 and bound.entropy >= exact.entropy - 1e-6
    assert doubt_of_windows(found.labels, np.ones((20, 30)), 5)[:2] == pytest.approx((1.0, 0.0))
