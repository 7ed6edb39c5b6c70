"""Large label maps written and read by strips are the files that Pillow writes and reads."""

import io

import numpy as np
import pytest
from PIL import Image

from pspgui.imaging import (
    DecodeError,
    decode_labels,
    encode_labels,
    label_files,
    scratch,
    strip_png,
)
from pspgui.imaging.label_files import labels_from_bytes, read_texts
from pspgui.imaging.scratch import is_mapped

PALETTE = np.random.default_rng(1).integers(0, 256, (256, 3), np.uint8)
TEXTS = {"Image": "street.png", "Labels": "abc"}


@pytest.fixture
def small_counts_as_large(monkeypatch, tmp_path):
    monkeypatch.setattr(scratch, "cache_folder", lambda: tmp_path / "cache")
    for module in (scratch, strip_png, label_files):
        monkeypatch.setattr(module, "LARGE_BYTES", 100)
    monkeypatch.setattr(strip_png, "_STRIP_BYTES", 500)


def labels_of(kind, top):
    values = np.random.default_rng(2).integers(0, top, (67, 43))
    values[10:40] = 5
    return values.astype(kind)


@pytest.mark.parametrize(("kind", "top"), [(np.uint8, 256), (np.uint16, 65536)])
def test_what_is_written_comes_back_here_and_in_pillow(small_counts_as_large, tmp_path, kind, top):
    labels = labels_of(kind, top)
    path = tmp_path / "labels.png"
    path.write_bytes(encode_labels(labels, PALETTE, TEXTS))
    found = decode_labels(path)

    assert is_mapped(found.labels) and found.labels.dtype == kind
    assert np.array_equal(found.labels, labels) and found.labels.flags.writeable
    assert found.texts == TEXTS == read_texts(path)
    assert np.array_equal(np.asarray(Image.open(path)), labels)
    assert found.palette is None if kind == np.uint16 else np.array_equal(found.palette, PALETTE)


def test_bytes_are_read_as_pillow_reads_them(small_counts_as_large, monkeypatch):
    labels = labels_of(np.uint8, 9)
    buffer = io.BytesIO()
    image = Image.fromarray(labels)
    image.putpalette(PALETTE.tobytes(), "RGB")
    image.save(buffer, "PNG", bits=8)
    found = labels_from_bytes("a.png", buffer.getvalue())

    assert is_mapped(found.labels) and np.array_equal(found.labels, labels)
    assert np.array_equal(found.palette, PALETTE)


@pytest.mark.parametrize("kind", [1, 2])
def test_rows_filtered_by_difference_are_read(kind):
    rows = np.random.default_rng(3).integers(0, 256, (4, 11), np.uint8)
    above = np.random.default_rng(4).integers(0, 256, 10, np.uint8)
    rows[:, 0] = kind
    plain = strip_png._unfiltered(rows, above, 1)
    before = np.vstack([above[None], plain[:-1]]) if kind == 2 else (
        np.pad(plain[:, :-1], ((0, 0), (1, 0)))
    )  # fmt: skip

    assert np.array_equal(plain - before, rows[:, 1:])


def test_damage_is_told_and_so_is_what_is_not_read(small_counts_as_large, monkeypatch):
    content = encode_labels(labels_of(np.uint8, 256), PALETTE)
    flipped = bytearray(content)
    flipped[-200] ^= 1
    for bad in (content[:-300], bytes(flipped)):
        with pytest.raises(DecodeError, match=r"a\.png: "):
            labels_from_bytes("a.png", bad)
    monkeypatch.setattr(label_files, "MAX_PIXELS", 1000)
    with pytest.raises(DecodeError, match=r"a\.png: the file is truncated"):
        labels_from_bytes("a.png", _ended(content[:-300]), max_pixels=10_000)
    rows = np.full((1, 5), 4, np.uint8)
    with pytest.raises(strip_png.StripPngError, match="as this program writes them"):
        strip_png._unfiltered(rows, rows[0, 1:], 1)


def _ended(content):
    """Return a PNG cut within its pixels with all checksums right."""
    at = content.index(b"IDAT") - 4
    return content[:at] + strip_png._chunk(b"IEND", b"")


def test_filters_that_are_slow_here_are_left_to_pillow(small_counts_as_large):
    labels = np.add.outer(np.arange(60), np.arange(50)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, "PNG")
    assert np.array_equal(labels_from_bytes("a.png", buffer.getvalue()).labels, labels)


def test_a_callers_cap_holds_for_large_maps_too(small_counts_as_large):
    content = encode_labels(labels_of(np.uint8, 256), PALETTE)
    with pytest.raises(DecodeError, match="more than"):
        labels_from_bytes("a.png", content, max_pixels=1000)
