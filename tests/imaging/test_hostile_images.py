"""Rows 12, 13 and 16 of the scorecard: no crash, no hang, one line for every refused file."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from hostile_files import (
    EITHER,
    NOTED,
    READ,
    REFUSED,
    bombs,
    chunk,
    decode_all,
    in_child,
    png,
    seeds,
    write_images,
    zeros,
)
from PIL import Image

from pspgui.durable import printable
from pspgui.imaging import DecodeError, image_from_bytes, image_size


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return folder, write_images(folder)


@pytest.fixture(scope="module")
def found(corpus, tmp_path_factory):
    """What became of every file in a child process."""
    folder, expected = corpus
    listed = tmp_path_factory.mktemp("list") / "names.json"
    listed.write_text(json.dumps(list(expected)), encoding="utf-8")
    return in_child("decode", str(folder), str(listed))


def test_the_corpus_is_large_and_nothing_crashes_or_hangs(corpus, found):
    _, expected = corpus
    assert len(expected) >= 130 and set(found["result"]) == set(expected)
    assert not [name for name, (fate, _) in found["result"].items() if fate == "hung"]


def test_every_file_meets_its_fate(corpus, found):
    _, expected = corpus
    wrong = {
        name: (fate, found["result"][name]) for name, fate in expected.items()
        if fate not in (EITHER, found["result"][name][0])
    }  # fmt: skip
    assert not wrong


def test_each_refusal_is_one_line_with_file_and_reason(found):
    for name, (fate, words) in found["result"].items():
        if fate == REFUSED:
            assert words.startswith(f"{printable(name)}: ") and words.isprintable(), words
            assert len(words) > len(printable(name)) + 10 and len(words) < 500
            assert "Errno" not in words and "Traceback" not in words


def test_memory_stays_bounded(found):
    assert found["peak_bytes"] < 400 << 20


def test_a_bomb_is_refused_from_its_header(tmp_path):
    path = tmp_path / "900-mp.png"
    path.write_bytes(png(30000, 30000, zeros(900_030_000)))
    listed = tmp_path / "names.json"
    listed.write_text(json.dumps([path.name]))
    done = in_child("decode", str(tmp_path), str(listed))
    fate, words = done["result"][path.name]
    assert fate == REFUSED and "900 million pixels, more than" in words
    assert done["peak_bytes"] < 50 << 20


def test_sizes_are_refused_as_pictures_are(tmp_path):
    for name, content in bombs().items():
        if name == "60000.tif":
            continue  # large TIFFs are read by windows
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DecodeError):
            image_size(tmp_path / name)


def test_mutations_are_read_or_refused():
    random = np.random.default_rng(20)
    for name, content in seeds().items():
        for _ in range(60):
            mutated = bytearray(content)
            for place in random.integers(0, len(content), int(random.integers(1, 8))):
                mutated[place] = int(random.integers(0, 256))
            try:
                decoded = image_from_bytes(name, bytes(mutated), max_pixels=1 << 20)
            except DecodeError as error:
                assert "\n" not in str(error)
            else:
                assert decoded.pixels.ndim == 3 and decoded.pixels.shape[2] == 3


def test_good_files_are_read_alike_here(corpus):
    folder, expected = corpus
    good = [name for name, fate in expected.items() if fate in (READ, NOTED)]
    here = decode_all(Path(folder), good)
    assert {name: fate for name, (fate, _) in here.items()} == {n: expected[n] for n in good}


@pytest.mark.parametrize("kind", ["rgb.png", "deep.png", "palette.png"])
def test_rows_that_a_png_promises_and_lacks_are_missed(kind):
    """Its checksums are right; decoders leave the rest black."""
    content = seeds()[kind]
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    for claimed in (height + 1, 3 * height, 100 * height):
        header = content[16:20] + claimed.to_bytes(4, "big") + content[24:29]
        taller = content[:8] + chunk(b"IHDR", header) + content[33:]
        with pytest.raises(DecodeError, match="cut short"):
            image_from_bytes(kind, taller)
    assert image_from_bytes(kind, content).pixels.shape[:2] == (height, width)


def test_black_rows_that_are_there_are_no_reason_to_refuse():
    black = Image.fromarray(np.zeros((30, 40, 3), np.uint8))
    for options in ({}, {"compress_level": 0}):
        buffer = io.BytesIO()
        black.save(buffer, "PNG", **options)
        assert not image_from_bytes("a.png", buffer.getvalue()).pixels.any()


def interlaced(values: np.ndarray, lacking: int = 0) -> bytes:
    """Return a grey PNG in seven passes, less some bytes of its last rows."""
    starts = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
              (1, 0, 2, 1))  # fmt: skip
    rows = b"".join(
        b"\0" + row.tobytes() for y, x, dy, dx in starts for row in values[y::dy, x::dx] if row.size
    )
    header = np.array(values.shape[::-1], ">u4").tobytes() + bytes((8, 0, 0, 0, 1))
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows[: len(rows) - lacking]))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("shape", [(9, 13), (1, 1), (3, 2), (16, 8)])
def test_rows_of_interlaced_files_are_counted_too(shape):
    values = np.arange(1, 1 + np.prod(shape)).reshape(shape).astype(np.uint8)
    found = image_from_bytes("a.png", interlaced(values)).pixels
    assert np.array_equal(found[..., 0], values)
    with pytest.raises(DecodeError, match="cut short"):
        image_from_bytes("a.png", interlaced(values, lacking=1))
