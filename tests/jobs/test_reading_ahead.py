"""Images kept decoded: within their bytes, never an old version, and asked for in no vain."""

from __future__ import annotations

import os

import numpy as np
import pytest

from pspgui.imaging import DecodeError, decode_steps, encode_png
from pspgui.jobs import reading_ahead
from pspgui.jobs.messages import Turn
from pspgui.jobs.opening import open_image
from pspgui.jobs.reading_ahead import KeptImages, decoding, read_ahead, stamp_of

_TURN = Turn(lambda step: None, lambda: False)
_BYTES = 40 * 50 * 3


@pytest.fixture
def images(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        path.write_bytes(encode_png(np.full((40, 50, 3), number, np.uint8)))
    return paths


@pytest.fixture
def decoded(monkeypatch):
    """Return the names of files decoded, in order."""
    names = []

    def noted(path, *arguments):
        names.append(path.name)
        return decode_steps(path, *arguments)

    monkeypatch.setattr(reading_ahead, "decode_steps", noted)
    return names


def run(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def opened(path, kept):
    return run(open_image(path, lambda image, shape: None, kept=kept)(_TURN))


def test_what_was_read_ahead_is_not_decoded_again(images, decoded):
    kept = KeptImages()
    run(read_ahead(images[:2], kept)(_TURN))
    assert decoded == ["0.png", "1.png"]
    assert [int(opened(path, kept).pixels[0, 0, 0]) for path in images[:3]] == [0, 1, 2]
    assert decoded == ["0.png", "1.png", "2.png"]
    opened(images[2], kept)  # and neither is what was shown a moment ago
    run(read_ahead(images[:3], kept)(_TURN))
    assert decoded == ["0.png", "1.png", "2.png"]


def test_a_file_that_changed_is_decoded_anew(images, decoded):
    kept = KeptImages()
    opened(images[0], kept)
    before = stamp_of(images[0])
    images[0].write_bytes(encode_png(np.full((40, 50, 3), 9, np.uint8)))
    os.utime(images[0], ns=(before[2] + 1, before[2] + 1))
    assert int(opened(images[0], kept).pixels[0, 0, 0]) == 9
    assert decoded == ["0.png", "0.png"]


def test_a_file_that_is_gone_is_not_shown_from_memory(images):
    kept = KeptImages()
    opened(images[0], kept)
    images[0].unlink()
    with pytest.raises(DecodeError):
        opened(images[0], kept)


def test_bytes_are_bounded_and_the_oldest_goes_first(images, decoded):
    kept = KeptImages(3 * _BYTES)
    for path in images[:4]:
        run(decoding(path, kept, ""))
        assert kept.nbytes <= 3 * _BYTES
    assert kept.get(images[0]) is None
    assert all(kept.get(path) is not None for path in images[1:4])
    kept.get(images[1])
    run(decoding(images[4], kept, ""))
    assert kept.get(images[2]) is None
    assert kept.get(images[1]) is not None


def test_neither_large_nor_damaged_files_are_read_ahead(images, decoded):
    images[1].write_bytes(b"no image")
    run(read_ahead(images[:3], KeptImages(3 * _BYTES - 3))(_TURN))
    assert decoded == []  # they would not be kept
    run(read_ahead(images[:3], KeptImages())(_TURN))
    assert decoded == ["0.png", "2.png"]
