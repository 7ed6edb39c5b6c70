"""What is shown of samples: neutral changes nothing, order is kept, histograms count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pspgui import imaging
from pspgui.imaging.adjusting import NEUTRAL, Adjustment, auto_window, histogram
from pspgui.imaging.images import decode_steps


def test_the_neutral_adjustment_changes_no_byte():
    assert NEUTRAL.table().tolist() == list(range(256))
    assert NEUTRAL.is_neutral and not Adjustment(gamma=1.1).is_neutral


@given(st.floats(0, 0.6), st.floats(0.61, 1), st.floats(-1, 1), st.floats(-1, 1), st.floats(0.2, 5))
def test_brighter_stays_brighter(low, high, brightness, contrast, gamma):
    table = Adjustment(low, high, brightness, contrast, gamma).table(4095)

    assert table.shape == (4096,) and table.dtype == np.uint8
    assert (np.diff(table.astype(int)) >= 0).all()


def test_the_window_is_spread_over_the_range():
    table = Adjustment(low=1000 / 65535, high=3000 / 65535).table(65535)

    assert table[:1001].max() == 0 and table[3000:].min() == 255
    assert table[2000] in (127, 128)


def test_histograms_count_each_channel():
    image = np.zeros((10, 20, 3), np.uint8)
    image[..., 1] = 255
    image[:5, :, 2] = 100
    counts = histogram(image)

    assert counts.shape == (3, 256) and (counts.sum(axis=1) == 200).all()
    assert counts[0, 0] == counts[1, 255] == 200 and counts[2, 100] == 100
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert (histogram(deep, 65535) == 256).all()


def test_auto_leaves_out_half_a_percent_at_each_end():
    counts = np.zeros((1, 256), int)
    counts[0, 50:100] = 1000
    counts[0, 3], counts[0, 250] = 100, 100
    low, high = auto_window(counts)

    assert (low, high) == (50 / 256, 100 / 256)
    flat = np.zeros((1, 256), int)
    flat[0, 9] = 5
    assert auto_window(flat) == (0.0, 1.0)


def deep_of(path):
    steps = decode_steps(path)
    with pytest.raises(StopIteration) as done:
        next(steps)
    return done.value.value


@pytest.mark.parametrize("top", [65535, 4000])
def test_sixteen_bits_are_kept_and_agree_with_the_eight_shown(tmp_path, top):
    values = np.random.default_rng(1).integers(0, top, (9, 7), dtype=np.uint16)
    values[0, 0] = top - 1
    Image.fromarray(values).save(tmp_path / "deep.png")
    found = deep_of(tmp_path / "deep.png")
    shown = np.rint(found.deep.samples * (255 / found.deep.white))

    assert np.array_equal(found.deep.samples, values)
    assert np.array_equal(found.pixels[..., 0], shown)
    assert imaging.decode_image(tmp_path / "deep.png").deep is None, "kept for the eye only"


def test_sixteen_bit_colour_is_kept_upright(tmp_path):
    from pspgui.imaging.opencv import cv2

    values = np.random.default_rng(1).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    _, png = cv2.imencode(".png", values[..., ::-1])
    (tmp_path / "colour.png").write_bytes(png.tobytes())

    assert np.array_equal(deep_of(tmp_path / "colour.png").deep.samples, values)


def test_floats_are_spread_over_the_samples(tmp_path):
    values = np.linspace(-2, 6, 35, dtype=np.float32).reshape(5, 7)
    values[2, 3] = np.nan
    Image.fromarray(values).save(tmp_path / "float.tif")
    deep = deep_of(tmp_path / "float.tif").deep

    assert (deep.low, deep.high, deep.value_at(0.5)) == (-2.0, 6.0, 2.0)
    known = np.isfinite(values)
    back = deep.low + deep.samples / deep.white * (deep.high - deep.low)
    assert np.abs(back - values)[known].max() < 1e-4
    assert deep.samples[2, 3] == 0


def test_eight_bits_have_nothing_deeper(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    assert deep_of(tmp_path / "plain.png").deep is None
