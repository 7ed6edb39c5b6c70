"""Strokes go along where a folder is closed to us, and are found wherever they went."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from workbench import SHAPE, bench_at

from pspgui import durable


class _Closed(durable.Disk):
    """A disk on which nothing below one folder can be changed, as long as `closed`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.closed = folder, True

    def _check(self, path: Path) -> None:
        if self.closed and path.is_relative_to(self.folder):
            raise OSError(errno.EACCES, "closed")

    def make_folder(self, folder: Path) -> None:
        self._check(folder)
        super().make_folder(folder)

    def open_beside(self, path: Path) -> tuple[int, Path]:
        self._check(path)
        return super().open_beside(path)

    def open_append(self, path: Path) -> int:
        self._check(path)
        return super().open_append(path)

    def replace(self, part: Path, path: Path) -> None:
        self._check(part)
        super().replace(part, path)


def test_strokes_go_along_when_the_folder_is_closed(tmp_path, monkeypatch) -> None:
    rng = np.random.default_rng(2)
    bench = bench_at(tmp_path)
    bench.stroke(rng)
    bench.save()
    bench.stroke(rng)
    bench.journals.drain(None, 60)
    disk = _Closed(tmp_path / ".pspgui")
    monkeypatch.setattr(durable, "disk", disk)
    bench.stroke(rng)
    bench.history.undo()
    bench.stroke(rng)
    bench.journals.close(60)
    again = bench_at(tmp_path)
    assert again.found.lost is not None and again.found.lost.strokes == 2
    again.recover()
    assert again.state() == bench.state() and len(again.history.edits) == 2
    again.stroke(rng)  # in a program that finds it closed
    again.save()
    again.journals.close(60)
    disk.closed = False
    third = bench_at(tmp_path)
    assert third.state() == again.state() and third.found.lost is None
    third.walk_history()
    assert len(third.history.edits) == 3


def test_strokes_that_were_taken_along_and_given_up_are_not_offered_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    bench = bench_at(tmp_path)
    bench.stroke(rng)
    bench.journals.drain(None, 60)
    disk = _Closed(tmp_path / ".pspgui")
    monkeypatch.setattr(durable, "disk", disk)
    bench.stroke(rng)
    bench.journals.close(60)
    disk.closed = False
    again = bench_at(tmp_path)
    assert again.found.lost is not None and again.found.lost.strokes == 2
    again.journals.follow(again.image, SHAPE, np.dtype(np.uint8), again.found.resume)
    again.journals.put_away(again.image)
    assert again.journals.close(60)
    assert bench_at(tmp_path).found.lost is None


@pytest.mark.parametrize("saved", [False, True])
def test_strokes_left_for_later_stay_on_offer_though_their_folder_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: bool
) -> None:
    rng = np.random.default_rng(2)
    bench = bench_at(tmp_path)
    if saved:
        bench.stroke(rng)
        bench.save()
    bench.stroke(rng)
    bench.journals.close(60)
    monkeypatch.setattr(durable, "disk", _Closed(tmp_path / ".pspgui"))
    later = bench_at(tmp_path)
    later.stroke(rng)
    later.save()
    later.journals.close(60)
    again = bench_at(tmp_path)
    assert again.state() == later.state() and len(again.history.edits) == 1 + saved
    assert again.found.lost is not None and again.found.lost.strokes == 1
    assert again.found.lost.ended < again.history.edits[-1].at
    again.journals.follow(again.image, SHAPE, np.dtype(np.uint8), again.found.resume)
    again.journals.put_away(again.image)
    assert again.journals.close(60)
    assert bench_at(tmp_path).found.lost is None
