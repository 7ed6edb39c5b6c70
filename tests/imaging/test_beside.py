"""Pixels that lie in a file as they are, and what is made ready while others are decoded."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pspgui.imaging import DecodeError, beside, decode_image
from pspgui.imaging.beside import Beside
from pspgui.imaging.checked_pillow import open_image
from pspgui.imaging.images import image_from_bytes


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 91 + width).integers(0, 256, (height, width, 3), np.uint8)


def encoded(pixels: np.ndarray, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 70), st.sampled_from(["TIFF", "PPM"]))
def test_plain_files_are_looked_at_where_they_lie(
    height: int, width: int, rows: int, form: str
) -> None:
    pixels = picture(height, width)
    options = {"tiffinfo": {278: rows}} if form == "TIFF" else {}  # rows a strip
    content = encoded(pixels, form, **options)
    stored = open_image("x", content).as_stored()
    assert stored is not None and np.array_equal(stored, pixels)
    assert np.shares_memory(stored, np.frombuffer(content, np.uint8))
    decoded = image_from_bytes("x", content, keep_deep=True)
    assert np.array_equal(decoded.pixels, pixels) and decoded.deep is None
    assert decoded.pixels.flags.c_contiguous and not decoded.pixels.flags.writeable
    assert decoded.digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"tiffinfo": {274: 6}}),
        ("PNG", {}),
        ("JPEG", {}),
        ("BMP", {}),
    ],
)
def test_all_others_are_decoded(form: str, options: dict[str, object]) -> None:
    opened = open_image("x", encoded(picture(20, 31), form, **options))
    assert opened.as_stored() is None


def test_grey_tiffs_and_palettes_are_decoded() -> None:
    grey = picture(9, 7)[..., 0]
    assert open_image("x", encoded(grey, "TIFF")).as_stored() is None
    assert open_image("x", encoded(grey, "PPM")).as_stored() is None


@pytest.mark.parametrize("form", ["TIFF", "PPM"])
def test_a_plain_file_that_is_cut_short_is_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x"
    whole = encoded(picture(40, 50), form)
    cut = whole[:-1] if form == "PPM" else whole.replace(whole[200:300], b"", 1)
    path.write_bytes(cut)
    with pytest.raises(DecodeError):
        decode_image(path)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_large_pictures_are_those_decoded_alone(
    monkeypatch: pytest.MonkeyPatch, form: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    content = encoded(picture(60, 90), form, exif=exif)
    alone = image_from_bytes("x", content)
    monkeypatch.setattr(beside, "_LARGE_BYTES", 1)
    made = image_from_bytes("x", content)
    assert np.array_equal(made.pixels, alone.pixels)
    assert (made.digest, made.orientation) == (alone.digest, orientation)
    assert made.pixels.flags.c_contiguous and not made.pixels.flags.writeable


def test_room_is_handed_out_once_and_fits_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beside, "_LARGE_BYTES", 1)
    made = Beside(b"content", 3 * 4 * 5)
    first, second = made.room((5, 4, 3)), made.room((5, 4, 3))
    assert first.shape == second.shape == (5, 4, 3) and not np.shares_memory(first, second)
    assert Beside(b"content", 7).room((2, 2, 3)).shape == (2, 2, 3)
    assert made.digest() == hashlib.sha256(b"content").hexdigest()
