"""Thumbnails on disk: made once, made anew for a changed image, bounded, never in the way."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from pspgui.imaging import DecodeError
from pspgui.imaging.thumbnail_cache import SIDE_PX, ThumbnailCache


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (600, 300), (200, 60, 20)).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def files(folder):
    return sorted(folder.rglob("*.jpg"))


def test_a_picture_is_made_once_and_serves_every_size(image, folder, monkeypatch):
    cache = ThumbnailCache(folder)
    assert cache.read(image, SIDE_PX).shape == (128, 256, 3)
    assert len(files(folder)) == 1

    def never(*_):
        raise AssertionError("read from the image again")

    monkeypatch.setattr("pspgui.imaging.thumbnail_cache.thumbnail", never)
    small = ThumbnailCache(folder).read(image, 64)
    assert small.shape == (32, 64, 3)
    assert np.abs(small.astype(int) - (200, 60, 20)).max() < 8


def test_a_changed_image_has_another_picture(image, folder):
    cache = ThumbnailCache(folder)
    cache.read(image, 64)
    Image.new("RGB", (300, 600), (10, 200, 20)).save(image)
    os.utime(image, ns=(1, 1))
    found = cache.read(image, 64)
    assert found.shape == (64, 32, 3) and found[5, 5, 1] > 180


def test_pictures_are_upright(tmp_path, folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    Image.new("RGB", (80, 40)).save(path, exif=exif)
    cache = ThumbnailCache(folder)
    assert cache.read(path, 40).shape == cache.read(path, 40).shape == (40, 20, 3)


def test_damage_and_a_folder_that_cannot_be_written_only_cost_time(image, folder, tmp_path):
    cache = ThumbnailCache(folder)
    cache.read(image, 64)
    files(folder)[0].write_bytes(b"\xff\xd8 torn")
    assert cache.read(image, 64).shape == (32, 64, 3)
    (tmp_path / "file").write_text("in the way")
    assert ThumbnailCache(tmp_path / "file").read(image, 64).shape == (32, 64, 3)
    with pytest.raises(DecodeError):
        cache.read(tmp_path / "none.png", 64)


def test_the_folder_is_bounded_and_what_is_looked_at_stays(tmp_path, folder):
    rng = np.random.default_rng(0)
    paths = []
    for i in range(6):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(paths[-1])
    cache = ThumbnailCache(folder)
    for age, path in enumerate(paths):
        before = set(files(folder))
        cache.read(path, 64)
        (new,) = set(files(folder)) - before
        os.utime(new, (1000 + age, 1000 + age))
    cache.read(paths[0], 64)  # looked at just now
    sizes = [f.stat().st_size for f in files(folder)]
    ThumbnailCache(folder, budget_bytes=sum(sizes) // 2).prune()
    left = files(folder)
    assert 1 <= len(left) <= 3
    assert sum(f.stat().st_size for f in left) <= sum(sizes) // 2
    count = len(left)
    cache.read(paths[0], 64)
    assert len(files(folder)) == count
