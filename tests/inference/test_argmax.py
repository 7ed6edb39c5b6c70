"""Labels by blocks are the argmax of the upsampled logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.imaging import scratch
from pspgui.inference import argmax
from pspgui.inference.argmax import full_resolution_labels


def upsampled(scores: np.ndarray, size: tuple[int, int], align_corners: bool) -> np.ndarray:
    """Return torch's interpolation (N, H, W)."""
    tensor = torch.from_numpy(scores)[None]
    return F.interpolate(tensor, size, mode="bilinear", align_corners=align_corners)[0].numpy()


def mismatches(
    scores: np.ndarray, padded: tuple[int, int], image: tuple[int, int], align_corners: bool
) -> tuple[int, float]:
    """Return how many labels differ from torch's, and the widest top-two gap among those."""
    logits = upsampled(scores, padded, align_corners)[:, : image[0], : image[1]]
    labels = full_resolution_labels(scores, padded, image, align_corners)
    assert labels.shape == image and labels.flags.c_contiguous
    differ = labels != logits.argmax(axis=0)
    chosen = np.take_along_axis(logits, labels[None].astype(np.int64), axis=0)[0]
    return int(differ.sum()), float((logits.max(axis=0) - chosen)[differ].max(initial=0.0))


def smooth_scores(seed: int, classes: int, grid: tuple[int, int]) -> np.ndarray:
    """Return logits (N, h, w) with regions, as a network gives them."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(classes, max(2, grid[0] // 4), max(2, grid[1] // 4)))
    fine = upsampled(coarse.astype(np.float32), grid, True) * 6
    return fine + rng.normal(size=fine.shape).astype(np.float32) * 0.5


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    classes=st.sampled_from([1, 2, 3, 11, 40]),
    grid=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    crop=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    align_corners=st.booleans(),
)
def test_equals_interpolation_and_argmax(seed, classes, grid, size, crop, align_corners):
    scores = np.random.default_rng(seed).normal(size=(classes, *grid)).astype(np.float32)
    image = tuple(max(1, int(s * c)) for s, c in zip(size, crop, strict=True))

    _, gap = mismatches(scores, size, image, align_corners)

    assert gap < 1e-5


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("classes", [11, 150, 300])
def test_equals_at_the_size_of_real_images(classes, align_corners):
    scores = smooth_scores(3, classes, (31, 41))

    count, gap = mismatches(scores, (241, 321), (237, 320), align_corners)

    assert gap < 1e-5
    assert count <= 3


def test_exact_ties_go_to_the_lower_class():
    scores = np.zeros((4, 3, 3), np.float32)
    scores[1] = scores[3] = 1

    assert (full_resolution_labels(scores, (17, 17), (17, 17), True) == 1).all()


def test_tie_between_classes_that_cross_inside_a_block():
    scores = np.array([[[0.0, 1.0]], [[1.0, 0.0]]], np.float32)

    labels = full_resolution_labels(scores, (1, 5), (1, 5), True)

    assert labels.tolist() == [[1, 1, 0, 0, 0]]


def test_two_cells_over_a_wide_image_stay_within_bounds():
    scores = np.random.default_rng(0).normal(size=(3, 2, 2)).astype(np.float32)

    _, gap = mismatches(scores, (700, 900), (700, 900), True)

    assert gap < 1e-5


def test_type_follows_the_number_of_classes():
    for classes, kind in ((255, np.uint8), (256, np.uint16)):
        scores = np.zeros((classes, 1, 1), np.float32)
        assert full_resolution_labels(scores, (2, 2), (2, 2), True).dtype == kind


def test_work_can_be_stopped():
    class StopError(Exception):
        pass

    def stop() -> None:
        raise StopError

    scores = np.random.default_rng(0).normal(size=(3, 4, 4)).astype(np.float32)
    with pytest.raises(StopError):
        full_resolution_labels(scores, (25, 25), (25, 25), True, stop)


@pytest.mark.parametrize("align_corners", [True, False])
def test_large_labels_lie_over_a_file_and_are_the_same(monkeypatch, align_corners):
    scores = np.random.default_rng(8).normal(size=(7, 9, 13)).astype(np.float32)
    plain = full_resolution_labels(scores, (301, 103), (299, 100), align_corners)
    monkeypatch.setattr(argmax, "LARGE_BYTES", 1)
    monkeypatch.setattr(scratch, "LARGE_BYTES", 1)
    monkeypatch.setattr(argmax, "strips", lambda shape, kind: scratch.strips(shape, kind, 4000))
    large = full_resolution_labels(scores, (301, 103), (299, 100), align_corners)
    assert scratch.is_mapped(large) and not scratch.is_mapped(plain)
    assert large.dtype == plain.dtype and (large == plain).all()
