"""QImages over arrays follow the arrays, keep them alive, and refuse what they cannot follow."""

import gc

import numpy as np
import pytest
from PySide6.QtGui import QColor

from pspgui.gui.qimages import argb_image, premultiplied, rgb_image


def test_an_rgb_image_has_the_arrays_pixels_at_odd_widths():
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    pixels.flags.writeable = False
    image = rgb_image(pixels)

    assert (image.width(), image.height()) == (7, 5)
    shown = [[image.pixelColor(x, y).getRgb()[:3] for x in range(7)] for y in range(5)]
    assert np.array_equal(shown, pixels)


def test_edits_of_the_array_show_without_a_new_image():
    pixels = np.full((4, 6), 0xFF000000, np.uint32)
    image = argb_image(pixels)
    pixels[2, 5] = 0xFF0A141E

    assert image.pixelColor(5, 2) == QColor(10, 20, 30)
    assert image.pixelColor(0, 0) == QColor(0, 0, 0)


def test_the_image_keeps_its_array_alive():
    labels = np.arange(1 << 16, dtype=np.uint32).reshape(256, 256) | 0xFF000000
    expected = labels.copy()
    image = argb_image(labels)
    del labels
    gc.collect()
    np.full((256, 256), 0, np.uint32)  # would take the freed memory

    assert image.pixel(255, 255) == int(expected[255, 255])


@pytest.mark.parametrize(
    ("make", "array"),
    [
        (rgb_image, np.zeros((4, 4), np.uint8)),
        (rgb_image, np.zeros((4, 4, 3), np.float32)),
        (rgb_image, np.zeros((4, 8, 3), np.uint8)[:, ::2]),
        (argb_image, np.zeros((4, 4, 1), np.uint32)),
        (argb_image, np.zeros((0, 4), np.uint32)),
        (argb_image, np.zeros((4, 4), np.int64)),
    ],
)
def test_arrays_that_would_need_a_copy_are_refused(make, array):
    with pytest.raises(ValueError, match="C-contiguous"):
        make(array)


def test_premultiplying_agrees_with_qt_to_one_level():
    colours = np.random.default_rng(2).integers(0, 256, (200, 4), np.uint8)
    ours = premultiplied(colours)
    for row, packed in zip(colours.tolist(), ours.tolist(), strict=True):
        back = [packed >> shift & 255 for shift in (16, 8, 0)]

        assert packed >> 24 == row[3]
        assert all(abs(b - c * row[3] / 255) <= 0.51 for b, c in zip(back, row, strict=False))
