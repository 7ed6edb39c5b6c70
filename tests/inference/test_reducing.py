"""Images made smaller strip by strip are those made smaller at once."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pspgui.imaging import scratch
from pspgui.inference import reducing
from pspgui.inference.reducing import reduced

sides = st.integers(1, 60)


@given(sides, sides, st.integers(1, 7), st.sampled_from([np.uint8, np.float32]))
def test_strips_give_what_the_whole_gives(height, width, times, kind):
    rng = np.random.default_rng(height * 61 + width)
    pixels = rng.integers(0, 256, (height, width, 3)).astype(kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reducing, "_STRIP_BYTES", 1)
        strips = reduced(pixels, times)
    whole = np.pad(pixels, ((0, -height % times), (0, -width % times), (0, 0)), mode="edge")
    size = whole.shape[1] // times, whole.shape[0] // times
    expected = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    assert strips.shape == expected.shape and strips.dtype == kind
    assert np.allclose(strips, expected, atol=0 if kind == np.uint8 else 1e-3)


def test_a_mapped_image_keeps_its_pixels(tmp_path):
    pixels = scratch.zeros((50, 40, 3), np.uint8, tmp_path)
    pixels[:] = np.random.default_rng(1).integers(0, 256, pixels.shape)
    before = pixels.copy()
    assert (reduced(pixels, 3) == reduced(before, 3)).all()
    assert (pixels == before).all()
