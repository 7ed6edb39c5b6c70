"""Morphology against slow readings of its definitions, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.geometry import Rect
from pspgui.labels.morphology import OPERATIONS, Operation, patches, transformed

UNLABELLED = 255


def a_map(seed: int, height: int, width: int) -> np.ndarray:
    """Patches of four labels and unlabelled pixels, with specks."""
    random = np.random.default_rng(seed)
    coarse = random.choice([0, 1, 2, 3, UNLABELLED], (height // 3 + 1, width // 4 + 1))
    labels = np.kron(coarse, np.ones((3, 4), int))[:height, :width]
    specks = random.random(labels.shape) < 0.1
    labels[specks] = random.integers(0, 4, int(specks.sum()))
    return labels.astype(np.uint8)


MAPS = st.builds(a_map, st.integers(0, 2**31), st.integers(1, 14), st.integers(1, 15))


def pixels(shape):
    return [(y, x) for y in range(shape[0]) for x in range(shape[1])]


def near(mask: np.ndarray, y: int, x: int, radius: int) -> bool:
    ys, xs = np.nonzero(mask)
    return bool(((ys - y) ** 2 + (xs - x) ** 2 <= radius**2).any())


def grown(mask, r):
    return np.array([[near(mask, y, x, r) for x in range(mask.shape[1])]
                     for y in range(mask.shape[0])])  # fmt: skip


def shrunk(mask, r):
    return mask & ~grown(~mask, r)


def votes(mask, y, x, r):
    total = 0
    for dy in range(-r, r + 1):
        for dx in range(-r, r + 1):
            if 0 <= y + dy < mask.shape[0] and 0 <= x + dx < mask.shape[1]:
                total += int(mask[y + dy, x + dx]) * (r + 1 - abs(dy)) * (r + 1 - abs(dx))
    return total


def nearest_other(labels, label, y, x):
    found = [
        ((v - y) ** 2 + (u - x) ** 2, int(labels[v, u]))
        for v, u in pixels(labels.shape)
        if labels[v, u] != label
    ]
    return min(found)[1]


def slow(labels: np.ndarray, op: Operation) -> np.ndarray:
    """The operation in words."""
    mask, r = labels == op.label, op.radius_px
    result = labels.copy()
    if op.kind == "joint":
        for y, x in pixels(labels.shape):
            if labels[y, x] == op.ignore:
                continue
            ranked = [
                (-votes(labels == k, y, x, r), k != labels[y, x], k)
                for k in range(4) if (labels == k).any()
            ]  # fmt: skip
            result[y, x] = min(ranked)[2]
        return result
    if op.kind == "smooth":
        wanted = np.zeros_like(mask)
        for y, x in pixels(labels.shape):
            ours, half = votes(mask, y, x, r), votes(np.ones_like(mask), y, x, r) / 2
            wanted[y, x] = ours > half or (ours == half and mask[y, x])
    elif op.kind == "grow":
        wanted = grown(mask, r)
    elif op.kind == "shrink":
        wanted = shrunk(mask, r)
    elif op.kind == "close":
        wanted = mask | shrunk(grown(mask, r), r)
    else:
        wanted = grown(shrunk(mask, r), r)
    for y, x in pixels(labels.shape):
        if wanted[y, x]:
            result[y, x] = op.label
        elif mask[y, x]:
            result[y, x] = nearest_other(labels, op.label, y, x)
    return result


@settings(deadline=None, max_examples=25)
@given(MAPS, st.sampled_from(OPERATIONS), st.integers(1, 4), st.integers(0, 3))
def test_every_operation_is_what_its_words_say(labels, kind, radius, label):
    op = Operation(kind, radius, label)
    whole = Rect(0, 0, *labels.shape)
    assert np.array_equal(transformed(labels, whole, op), slow(labels, op))


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**31), st.sampled_from(OPERATIONS), st.integers(1, 5),
    st.sampled_from([np.uint8, np.uint16]), st.tuples(*[st.integers(0, 40)] * 4),
)  # fmt: skip
def test_a_part_comes_out_as_in_the_whole(seed, kind, radius, dtype, corners):
    labels = a_map(seed, 40, 41).astype(dtype)
    op = Operation(kind, radius, 1)
    whole = transformed(labels, Rect(0, 0, 40, 41), op)
    (y0, y1), (x0, x1) = sorted(corners[:2]), sorted(corners[2:])
    part = transformed(labels, Rect(y0, x0, y1, x1), op)
    assert part.dtype == dtype and np.array_equal(part, whole[y0:y1, x0:x1])


@pytest.mark.parametrize("kind", OPERATIONS)
def test_patches_add_up_to_the_whole(kind):
    labels = np.kron(a_map(3, 40, 41), np.ones((15, 15), np.uint8))
    op = Operation(kind, 7, 2)
    result = labels.copy()
    for patch in patches(labels, Rect(0, 0, *labels.shape), op):
        if patch is not None:
            assert (result[patch.rect.slices] != patch.wanted).tolist() == patch.mask.tolist()
            np.copyto(result[patch.rect.slices], patch.wanted, where=patch.mask)
    assert np.array_equal(result, transformed(labels, Rect(0, 0, *labels.shape), op))
    assert not np.array_equal(result, labels)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.integers(1, 8))
def test_joint_smoothing_unlabels_nothing_and_labels_nothing_unlabelled(seed, radius):
    labels = a_map(seed, 30, 30)
    after = transformed(labels, Rect(0, 0, 30, 30), Operation("joint", radius))
    assert np.array_equal(after == UNLABELLED, labels == UNLABELLED)
    assert set(np.unique(after)) <= set(np.unique(labels))


def test_the_largest_votes_are_still_whole_numbers():
    labels = np.zeros((97, 97), np.uint8)
    labels[:, 49:] = 1
    after = transformed(labels, Rect(48, 0, 49, 97), Operation("joint", 48))
    assert after[0, 48] == 0 and after[0, 49] == 1
    assert math.prod([49] * 4) * 2 + 1 < 2**24


def test_operations_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="none of"):
        Operation("blur", 3)
    with pytest.raises(ValueError, match="1 to 48"):
        Operation("grow", 0)
