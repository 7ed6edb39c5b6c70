"""The images that eight bits are fitted to: few, spread, small, and only those that can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pspgui.imaging import encode_png
from pspgui.jobs.samples import MOST_SAMPLES, read_samples


def images(folder: Path, count: int, shape: tuple[int, int] = (20, 30)) -> list[Path]:
    paths = []
    for number in range(count):
        paths.append(folder / f"{number:03d}.png")
        paths[-1].write_bytes(encode_png(np.full((*shape, 3), number, np.uint8)))
    return paths


def test_a_few_are_spread_over_the_list(tmp_path: Path) -> None:
    found = read_samples(images(tmp_path, 5 * MOST_SAMPLES))
    assert [int(pixels[0, 0, 0]) for pixels in found] == list(range(0, 5 * MOST_SAMPLES, 5))


def test_large_ones_are_made_small(tmp_path: Path) -> None:
    found = read_samples(images(tmp_path, 4, (900, 1300)))
    assert {pixels.shape for pixels in found} == {(450, 650, 3)}


def test_too_few_are_none_and_broken_ones_do_not_count(tmp_path: Path) -> None:
    paths = images(tmp_path, 4)
    assert len(read_samples(paths)) == 4
    paths[1].write_bytes(b"not a picture")
    assert read_samples(paths) == ()
    assert read_samples(()) == ()
