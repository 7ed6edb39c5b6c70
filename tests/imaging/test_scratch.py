"""Large arrays over files: nothing left behind, values kept, a full disk told in words."""

import errno
import os

import numpy as np
import pytest

from pspgui.imaging import scratch
from pspgui.imaging.scratch import (
    ScratchError,
    copied,
    full_map,
    is_mapped,
    let_go,
    prepare_map,
    strips,
    zeros,
)


@pytest.fixture
def small_counts_as_large(monkeypatch, tmp_path):
    monkeypatch.setattr(scratch, "LARGE_BYTES", 100)
    monkeypatch.setattr(scratch, "_FILL_BYTES", 64)
    monkeypatch.setattr(scratch, "cache_folder", lambda: tmp_path)
    return tmp_path


def test_an_array_over_a_file_leaves_no_name_behind(tmp_path):
    array = zeros((3, 50), np.uint16, tmp_path)
    array[1] = 7
    let_go(array)

    assert is_mapped(array) and is_mapped(array[1:2, ::3])
    assert (array == np.array([0, 7, 0])[:, None]).all()
    if os.name == "posix":
        assert not list(tmp_path.iterdir())


def test_large_maps_lie_over_files_and_small_ones_do_not(small_counts_as_large):
    small, large = full_map((9, 11), np.uint8, 255), full_map((10, 11), np.uint8, 255)

    assert not is_mapped(small) and is_mapped(large)
    assert (large == 255).all() and (small == 255).all()
    copy = copied(large)
    copy[0] = 1
    assert is_mapped(copy) and (large == 255).all()
    assert not is_mapped(copied(small))


def test_a_map_made_ready_is_used_once_and_only_if_it_fits(small_counts_as_large):
    prepare_map((20, 30), np.uint8, 255)
    other = full_map((20, 30), np.uint8, 0)
    first, second = (full_map((20, 30), np.uint8, 255) for _ in range(2))

    assert (other == 0).all() and (first == 255).all() and (second == 255).all()
    first[:] = 3
    assert (second == 255).all()


def test_a_full_disk_is_an_error_and_no_crash(monkeypatch, tmp_path):
    def full(handle, offset, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(ScratchError, match=r"needs 5\.0 GB of disk space"):
        zeros((50_000, 100_000), np.uint8, tmp_path)
    assert not list(tmp_path.iterdir())


def test_strips_cover_all_rows_with_even_starts():
    found = strips((101, 7), np.uint16, 100)

    assert [part.start % 2 for part in found] == [0] * len(found)
    assert np.concatenate([np.arange(101)[part] for part in found]).tolist() == list(range(101))
