"""Where windows lie and what is cut through them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scorers import MEAN, picture

from pspgui.geometry import Rect
from pspgui.inference.modes import InferenceMode
from pspgui.inference.windows import ScaledPicture, WindowPlan, scaled_size, window_starts

sides = st.integers(1, 300)


@given(sides, sides, sides)
def test_windows_cover_an_axis_in_order_and_stay_inside(size, window, stride):
    stride = min(stride, window)
    starts = window_starts(size, window, stride)

    covered = np.zeros(size, bool)
    for start in starts:
        covered[start : start + window] = True
    assert covered.all()
    assert list(starts) == sorted(set(starts))
    assert starts[0] == 0
    assert max(starts) + min(window, size) <= size
    if size >= window:  # semseg's and mmsegmentation's number of windows
        assert len(starts) == math.ceil((size - window) / stride) + 1
        assert len(starts) == max(size - window + stride - 1, 0) // stride + 1


@given(sides, sides, sides, sides, st.booleans(), st.floats(0.05, 1))
def test_every_pixel_is_in_as_many_windows_as_the_plan_says(h, w, crop_h, crop_w, pad, part):
    mode = InferenceMode(crop=(crop_h, crop_w), stride=max(part, 1 / min(crop_h, crop_w)), pad=pad)
    plan = WindowPlan.of((h, w), mode, 1.0)

    counts = np.zeros((h, w), int)
    for row in range(len(plan.rows)):
        for column in range(len(plan.columns)):
            rect = plan.rect(row, column)
            assert (rect.height, rect.width) == plan.window
            counts[rect.intersect(Rect(0, 0, h, w)).slices] += 1
    rows, columns = plan.covers()

    assert np.array_equal(counts, rows[:, None] * columns)
    assert counts.min() >= 1
    assert plan.window == ((crop_h, crop_w) if pad else (min(crop_h, h), min(crop_w, w)))
    for offset, frame, size in zip(plan.offset, plan.frame, plan.size, strict=True):
        assert offset == (frame - size) // 2


@pytest.mark.parametrize(
    ("shape", "scale", "base", "expected"),
    [
        ((375, 500), 1.0, 512, (384, 512)),
        ((500, 375), 1.0, 512, (512, 384)),
        ((1024, 2048), 1.75, 2048, (1792, 3584)),
        ((5, 2), 1.0, 5, (5, 2)),
        ((100, 3), 0.5, 25, (12, 1)),  # 12.5 and 0.36, never below one pixel
        ((101, 51), 0.5, None, (50, 26)),
    ],
)
def test_sizes_are_rounded_as_semseg_does(shape, scale, base, expected):
    assert scaled_size(shape, scale, base) == expected


@pytest.mark.parametrize("size", [(40, 61), (97, 150), (23, 17), (40, 80)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_cuts_are_those_of_the_image_resized_and_framed_whole(size, kind):
    pixels = picture(40, 61).astype(kind)
    whole = cv2.resize(pixels.astype(np.float32), size[::-1])
    framed = cv2.copyMakeBorder(whole, 9, 9, 9, 9, cv2.BORDER_CONSTANT,
                                value=[255 * m for m in MEAN])  # fmt: skip
    scaled = ScaledPicture(pixels, size, MEAN)

    for rect in (Rect(0, 0, *size), Rect(-9, -9, size[0] + 9, size[1] + 9), Rect(3, -4, 11, 9),
                 Rect(-9, 2, -1, 8), Rect(size[0] - 1, 5, size[0] + 8, 6)):  # fmt: skip
        expected = framed[rect.moved(9, 9).slices]
        assert np.abs(scaled.cut(rect) - expected).max() < 1e-2
    if size == (40, 61):
        assert np.shares_memory(scaled.cut(Rect(1, 2, 30, 40)), pixels)
