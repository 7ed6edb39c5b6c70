"""Whose labels a file holds: read once a version."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pspgui.imaging import DecodeError, encode_labels, encode_png
from pspgui.project import LabelStore, label_owners
from pspgui.project.label_owners import owner_of

_LABELS = np.zeros((6, 7), np.uint8)
_PALETTE = np.zeros((256, 3), np.uint8)


@pytest.fixture
def reads(monkeypatch):
    """Return the names of files read, in order; the clock is an hour on."""
    names = []
    read = label_owners.read_texts
    monkeypatch.setattr(label_owners, "read_texts", lambda p: names.append(p.name) or read(p))
    late = time.time_ns() + 3_600_000_000_000
    monkeypatch.setattr(label_owners.time, "time_ns", lambda: late)
    return names


def write(path, owner):
    beside = path.with_name("new.png")
    beside.write_bytes(encode_labels(_LABELS, _PALETTE, {"Image": owner} if owner else {}))
    beside.replace(path)


def test_a_file_is_read_once_a_version(tmp_path, reads):
    path = tmp_path / "a.png"
    write(path, "a.jpg")
    assert [owner_of(path) for _ in range(3)] == ["a.jpg"] * 3
    assert reads == ["a.png"]
    write(path, "b.jpg")  # as long as before
    assert [owner_of(path) for _ in range(3)] == ["b.jpg"] * 3
    write(path, "")
    assert owner_of(path) is None
    assert len(reads) == 3


def test_a_file_written_a_moment_ago_is_not_trusted_to_be_the_same(tmp_path, reads, monkeypatch):
    path = tmp_path / "a.png"
    write(path, "a.jpg")
    now = path.stat().st_mtime_ns + 1000
    monkeypatch.setattr(label_owners.time, "time_ns", lambda: now)
    owner_of(path)
    owner_of(path)
    assert len(reads) == 2


def test_missing_and_damaged_files_are_told(tmp_path, reads):
    with pytest.raises(DecodeError):
        owner_of(tmp_path / "a.png")
    assert not reads
    (tmp_path / "a.png").write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(DecodeError):
            owner_of(tmp_path / "a.png")


def test_loading_labels_again_reads_no_owner(tmp_path, reads):
    image = tmp_path / "a.png"
    image.write_bytes(encode_png(np.zeros((6, 7, 3), np.uint8)))
    store = LabelStore()
    store.save(image, _LABELS, _LABELS, _PALETTE)
    store.load(image)
    reads.clear()
    assert store.load(image) is not None
    assert reads == []
