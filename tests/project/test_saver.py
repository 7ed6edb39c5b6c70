"""The saving thread: latest wins, failures stay, nothing is reported twice. No sleeping."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pspgui.durable import SaveError
from pspgui.labels.classes import CAMVID
from pspgui.project import LabelStore, SaveQueue, SaveResult, Snapshot

WAIT_S = 60


class GatedDisk:
    """A disk that writes only while its gate is open, and refuses while `full`."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.full = False
        self.refused: set[int] = set()
        self.broken = False
        self.written: list[tuple[str, int]] = []

    def save(self, snapshot: Snapshot) -> Path:
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        if self.broken:
            raise MemoryError("no memory")
        if self.full or snapshot.revision in self.refused:
            raise SaveError("the disk is full")
        self.written.append((snapshot.image.name, snapshot.revision))
        return snapshot.image


def snapshot(name: str, revision: int) -> Snapshot:
    labels = np.full((2, 2), revision % 256, np.uint8)
    return Snapshot(Path(name), labels, np.zeros((2, 2), np.uint8), CAMVID.palette(), revision)


@pytest.fixture
def disk() -> GatedDisk:
    return GatedDisk()


@pytest.fixture
def results() -> list[SaveResult]:
    return []


@pytest.fixture
def queue(disk: GatedDisk, results: list[SaveResult]) -> Iterator[SaveQueue]:
    queue = SaveQueue(disk.save, results.append)
    yield queue
    disk.gate.set()
    queue.close(WAIT_S)
    assert "pspgui-saver" not in {thread.name for thread in threading.enumerate()}


def test_the_latest_snapshot_of_an_image_wins(
    queue: SaveQueue, disk: GatedDisk, results: list[SaveResult]
) -> None:
    disk.gate.clear()
    queue.submit(snapshot("a", 1))
    assert disk.entered.wait(WAIT_S)
    for revision in (2, 3):
        queue.submit(snapshot("a", revision))
    queue.submit(snapshot("b", 1))
    assert queue.unsaved == (Path("a"), Path("b"))
    assert not queue.flush(0)
    disk.gate.set()
    assert queue.flush(WAIT_S)
    assert disk.written == [("a", 1), ("a", 3), ("b", 1)]
    assert [(r.image.name, r.revision, r.error) for r in results] == [
        ("a", 1, None), ("a", 3, None), ("b", 1, None)
    ]  # fmt: skip
    assert queue.unsaved == ()


def test_what_failed_stays_until_it_is_saved(
    queue: SaveQueue, disk: GatedDisk, results: list[SaveResult]
) -> None:
    disk.full = True
    queue.submit(snapshot("a", 1))
    assert not queue.flush(WAIT_S)
    assert queue.failed == queue.unsaved == (Path("a"),)
    assert "full" in str(results[-1].error)
    queue.retry()
    assert not queue.flush(WAIT_S)
    disk.full = False
    queue.retry()
    assert queue.flush(WAIT_S)
    assert disk.written == [("a", 1)]


def test_a_newer_snapshot_replaces_a_failed_one(queue: SaveQueue, disk: GatedDisk) -> None:
    disk.full = True
    queue.submit(snapshot("a", 1))
    queue.flush(WAIT_S)
    disk.full = False
    queue.submit(snapshot("a", 2))
    assert queue.flush(WAIT_S)
    queue.retry()
    assert queue.flush(WAIT_S)
    assert disk.written == [("a", 2)]


def test_an_old_snapshot_that_fails_never_replaces_a_newer_one(
    queue: SaveQueue, disk: GatedDisk
) -> None:
    disk.refused = {1}
    disk.gate.clear()
    queue.submit(snapshot("a", 1))
    assert disk.entered.wait(WAIT_S)
    queue.submit(snapshot("a", 2))
    disk.gate.set()
    assert queue.flush(WAIT_S)
    assert queue.failed == ()
    disk.refused = set()
    queue.retry()
    assert queue.flush(WAIT_S)
    assert disk.written == [("a", 2)]


def test_a_snapshot_dropped_while_it_is_written_is_not_tried_again(
    queue: SaveQueue, disk: GatedDisk
) -> None:
    disk.full = True
    disk.gate.clear()
    queue.submit(snapshot("a", 1))
    assert disk.entered.wait(WAIT_S)
    queue.drop(snapshot("a", 1).image)
    disk.gate.set()
    assert queue.flush(WAIT_S)
    disk.full = False
    queue.retry()
    assert queue.flush(WAIT_S) and disk.written == []


def test_an_unforeseen_error_does_not_end_the_thread(
    queue: SaveQueue, disk: GatedDisk, results: list[SaveResult]
) -> None:
    disk.broken = True
    queue.submit(snapshot("a", 1))
    assert not queue.flush(WAIT_S)
    assert isinstance(results[0].error, SaveError)
    disk.broken = False
    queue.submit(snapshot("b", 1))
    queue.retry()
    assert queue.flush(WAIT_S)
    assert sorted(disk.written) == [("a", 1), ("b", 1)]


def test_a_listener_that_fails_does_not_end_the_thread(disk: GatedDisk) -> None:
    def angry(_: SaveResult) -> None:
        raise ValueError("no")

    queue = SaveQueue(disk.save, angry)
    queue.submit(snapshot("a", 1))
    assert queue.flush(WAIT_S)
    queue.submit(snapshot("a", 2))
    assert queue.close(WAIT_S)
    assert disk.written == [("a", 1), ("a", 2)]


def test_closing_saves_what_waits_and_then_refuses(queue: SaveQueue, disk: GatedDisk) -> None:
    disk.gate.clear()
    queue.submit(snapshot("a", 1))
    queue.submit(snapshot("b", 1))
    disk.gate.set()
    assert queue.close(WAIT_S)
    assert disk.written == [("a", 1), ("b", 1)]
    with pytest.raises(RuntimeError, match="closed"):
        queue.submit(snapshot("c", 1))


def test_closing_an_idle_queue_starts_nothing() -> None:
    assert SaveQueue(GatedDisk().save).close()


def test_with_a_real_store(tmp_path: Path, results: list[SaveResult]) -> None:
    store = LabelStore(tmp_path / "fall-back")
    queue = SaveQueue(
        lambda s: store.save(s.image, s.labels, s.provenance, s.palette), results.append
    )
    image = tmp_path / "x.png"
    for revision in range(1, 20):
        queue.submit(
            Snapshot(image, *[np.full((3, 4), revision, np.uint8)] * 2, CAMVID.palette(), revision)
        )
    assert queue.close(WAIT_S)
    stored = store.load(image, (3, 4))
    assert stored is not None
    assert (stored.labels == 19).all()
    assert results[-1].path == store.path_for(image)
