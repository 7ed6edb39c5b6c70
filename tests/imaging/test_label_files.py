"""Label files keep class ids: nothing is scaled, converted or lost."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image

from pspgui.imaging import DecodeError, decode_labels, encode_labels, labels_from_bytes
from pspgui.imaging.label_files import read_texts
from pspgui.labels.classes import CAMVID


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda kind: st_numpy.arrays(kind, st_numpy.array_shapes(min_dims=2, max_dims=2))
    )
)
def test_encode_then_decode_is_identity(labels: np.ndarray) -> None:
    content = encode_labels(labels, CAMVID.palette())
    decoded = labels_from_bytes("x.png", content)
    assert np.array_equal(decoded.labels, labels)
    assert decoded.labels.dtype == labels.dtype
    assert decoded.labels.flags.writeable
    if labels.dtype == np.uint8:
        assert decoded.palette is not None
        assert np.array_equal(decoded.palette, CAMVID.palette())


def test_two_classes_of_one_colour_stay_two(tmp_path: Path) -> None:
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = tmp_path / "x.png"
    path.write_bytes(encode_labels(labels, np.zeros((256, 3), np.uint8)))
    assert np.array_equal(decode_labels(path).labels, labels)


def test_remarks_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(encode_labels(np.zeros((2, 2), np.uint8), CAMVID.palette(), {"Image": "a"}))
    assert read_texts(path)["Image"] == decode_labels(path).texts["Image"] == "a"


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("colour", [0, 3])
def test_png_of_few_bits_gives_raw_values(tmp_path: Path, bits: int, colour: int) -> None:
    values = np.arange(16, dtype=np.uint8).reshape(2, 8) & ((1 << bits) - 1)
    shifted = np.unpackbits(values[..., None], axis=2)[..., 8 - bits :]
    rows = b"".join(b"\0" + np.packbits(row.ravel()).tobytes() for row in shifted)
    header = struct.pack(">IIBBBBB", 8, 2, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header)]
    if colour == 3:
        chunks.append((b"PLTE", bytes(range(6))))  # shorter than the indices: they are kept
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks
    )
    path = tmp_path / "x.png"
    path.write_bytes(content)
    decoded = decode_labels(path)
    assert np.array_equal(decoded.labels, values)
    assert (decoded.palette is None) == (colour == 0)


@pytest.mark.parametrize("maxval", [3, 15, 255, 1000, 65535])
def test_pgm_gives_raw_values(tmp_path: Path, maxval: int) -> None:
    values = np.random.default_rng(5).integers(0, maxval + 1, (4, 6), dtype=np.uint16)
    raw = values.astype(">u2" if maxval > 255 else np.uint8).tobytes()
    path = tmp_path / "x.pgm"
    path.write_bytes(b"P5 6 4 %d\n" % maxval + raw)
    assert np.array_equal(decode_labels(path).labels, values)


def test_pbm_gives_its_bits(tmp_path: Path) -> None:
    path = tmp_path / "x.pbm"
    path.write_bytes(b"P4\n8 1\n\xa1")
    assert decode_labels(path).labels.tolist() == [[1, 0, 1, 0, 0, 0, 0, 1]]


def test_16_bit_instance_ids_survive(tmp_path: Path) -> None:
    values = np.array([[0, 26002, 65535]], np.uint16)
    for suffix in ("png", "tif"):
        path = tmp_path / f"x.{suffix}"
        Image.fromarray(values).save(path)
        assert np.array_equal(decode_labels(path).labels, values)


def test_camvid_style_grey_is_read_as_it_is(tmp_path: Path) -> None:
    values = np.array([[0, 1, 10, 255]], np.uint8)
    path = tmp_path / "x.png"
    Image.fromarray(values).save(path)
    decoded = decode_labels(path)
    assert np.array_equal(decoded.labels, values)
    assert decoded.palette is None


@pytest.mark.parametrize(
    ("mode", "suffix", "word"),
    [
        ("RGB", "png", "colour picture"),
        ("RGBA", "png", "colour picture"),
        ("LA", "png", "transparency"),
        ("L", "jpg", "JPEG"),
        ("RGB", "webp", "colour picture"),
        ("F", "tif", "fractions"),
    ],
)
def test_what_cannot_be_labels_is_refused(
    tmp_path: Path, mode: str, suffix: str, word: str
) -> None:
    path = tmp_path / f"x.{suffix}"
    Image.new(mode, (4, 4)).save(path)
    with pytest.raises(DecodeError, match=word) as caught:
        decode_labels(path)
    assert str(caught.value).startswith(path.name)


def test_values_beyond_16_bits_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(np.array([[1, 70_000]], np.int32)).save(path)
    with pytest.raises(DecodeError, match="70000"):
        decode_labels(path)


def test_truncated_labels_are_refused() -> None:
    content = encode_labels(np.zeros((9, 9), np.uint8), CAMVID.palette())
    for length in range(1, len(content)):
        with pytest.raises(DecodeError):
            labels_from_bytes("x.png", content[:length])


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 2), np.int64), np.zeros((2, 2, 3), np.uint8), np.zeros((0, 2), np.uint8)],
)
def test_what_is_no_label_map_is_not_encoded(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 or uint16"):
        encode_labels(array, CAMVID.palette())


def test_other_programs_read_the_indices_and_colours() -> None:
    labels = np.array([[0, 3, 255]], np.uint8)
    with Image.open(io.BytesIO(encode_labels(labels, CAMVID.palette()))) as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), labels)
        assert image.convert("RGB").getpixel((1, 0)) == CAMVID.classes[3].colour
