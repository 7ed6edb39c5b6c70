"""A journal gives back what was written, whatever became of its end or of a bit in it."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from workbench import SHAPE, Workbench, bench_at

from pspgui import durable
from pspgui.labels.editing import Stroke
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import PERSON
from pspgui.project import LabelStore, StrokeJournals, journaling
from pspgui.project.journal import (
    EDIT,
    KEPT,
    UNDO,
    JournalError,
    frame_bytes,
    header_frame,
    kept_frames,
    read_journal,
)
from pspgui.project.journal_file import JournalFile, is_saved, thin
from pspgui.project.recovery import Known, Opened, journal_path, look_up, set_aside_paths


def file_of(folder: Path) -> Path:
    return journal_path(folder / ".pspgui", folder / "x.jpg")


def painted(folder: Path, strokes: int, seed: int = 2):
    """Return a bench with strokes that are in its journal, some of them taken back."""
    bench = bench_at(folder)
    rng = np.random.default_rng(seed)
    for number in range(strokes):
        bench.stroke(rng)
        if number % 3 == 2:
            bench.history.undo()
    assert bench.journals.close(60)
    return bench


def test_history_comes_back_after_closing(tmp_path: Path) -> None:
    bench = painted(tmp_path, 7)
    bench.journals = StrokeJournals(bench.store.homes)  # closed by `painted`
    bench.journals.follow(bench.image, SHAPE, np.dtype(np.uint8), None)
    bench = bench_at(tmp_path)
    bench.recover()
    bench.stroke(np.random.default_rng(1))
    bench.stroke(np.random.default_rng(2))
    bench.history.undo()
    bench.save()
    bench.journals.close(60)
    again = bench_at(tmp_path)
    assert again.found.lost is None
    assert again.found.note == ""
    assert again.state() == bench.state()
    assert again.history.undo_names == bench.history.undo_names
    assert again.history.redo_names == bench.history.redo_names
    again.walk_history()
    assert again.history.redo() is not None
    again.journals.close(60)
    third = bench_at(tmp_path)
    third.recover()
    assert third.state() == again.state()


def test_strokes_in_no_file_are_offered_and_nothing_is_written_by_looking(tmp_path: Path) -> None:
    bench = painted(tmp_path, 5)
    before = file_of(tmp_path).read_bytes()
    again = bench_at(tmp_path)
    lost = again.found.lost
    assert lost is not None and lost.strokes == len(bench.history.edits) == 4
    assert lost.started <= lost.ended
    again.recover()
    assert again.state() == bench.state()
    assert file_of(tmp_path).read_bytes() == before


def test_a_journal_behind_the_labels_in_memory_offers_nothing(tmp_path: Path) -> None:
    bench = bench_at(tmp_path)
    bench.stroke(np.random.default_rng(1))
    bench.journals.close(60)
    labels, marks = bench.map.labels.copy(), bench.map.provenance
    labels[marks == PERSON] += 1  # a second stroke over it, which no journal took
    known = Known(read_journal(file_of(tmp_path)).header.token, 2)
    opened = Opened(bench.image, SHAPE, labels, marks, "", known)
    found = look_up(opened, bench.store.homes(bench.image), 1 << 20)
    assert found.lost is None and found.done == ()


def test_a_journal_that_nothing_was_written_to_is_not_that_of_the_labels_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it holds are strokes of an earlier run, numbered as those that wait are."""
    first = painted(tmp_path, 2)
    bench = bench_at(tmp_path)
    monkeypatch.setattr(journaling.StrokeJournals, "_try", lambda *_: "no disk")
    token = bench.journals.token_of(bench.image)
    bench.stroke(np.random.default_rng(9))
    assert token and not bench.journals.token_of(bench.image)
    known = Known(bench.journals.token_of(bench.image), bench.operation)
    labels, marks = bench.map.labels, bench.map.provenance
    opened = Opened(bench.image, SHAPE, labels, marks, "", known)
    lost = look_up(opened, bench.store.homes(bench.image), 1 << 20).lost
    assert lost is not None and lost.strokes == len(first.history.edits)
    bench.journals.close(0.1)


def test_a_journal_that_was_written_late_goes_on_with_the_labels_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    bench = bench_at(tmp_path)
    bench.stroke(rng)
    assert bench.journals.drain(None, 60)
    bench.history.restore((), ())  # as an image that was opened again while it could not be
    bench.operation = bench.journals.follow(bench.image, SHAPE, np.dtype(np.uint8), None)
    bench.stroke(rng)
    bench.journals.drain(None, 60)
    killed = bench_at(tmp_path)
    killed.recover()
    assert killed.state() == bench.state()
    bench.save()
    bench.journals.close(60)
    again = bench_at(tmp_path)
    assert again.state() == bench.state() and again.found.lost is None
    assert not set_aside_paths(tmp_path / ".pspgui", bench.image)
    again.walk_history()
    assert len(again.history.edits) == 1


def test_strokes_left_for_later_outlive_new_ones(tmp_path: Path) -> None:
    first = painted(tmp_path, 2)
    first_lost = first.state()
    later = bench_at(tmp_path)  # not now, says the person, and paints
    later.stroke(np.random.default_rng(50))
    later.save()
    later.journals.close(60)
    assert set_aside_paths(tmp_path / ".pspgui", later.image)
    again = bench_at(tmp_path)
    assert again.found.lost is not None and again.found.lost.strokes == 2
    assert len(again.found.done) == 1
    again.recover()
    changed = np.frombuffer(first_lost[1], np.uint8).reshape(SHAPE) == PERSON
    wanted = np.frombuffer(first_lost[0], np.uint8).reshape(SHAPE)
    assert np.array_equal(again.map.labels[changed], wanted[changed])
    again.save()
    again.journals.close(60)
    assert not set_aside_paths(tmp_path / ".pspgui", again.image)
    assert list((tmp_path / ".pspgui" / "backups").iterdir())  # kept even so
    assert bench_at(tmp_path).found.lost is None


def test_strokes_whose_first_save_was_cut_short_outlive_new_ones(tmp_path: Path) -> None:
    first = bench_at(tmp_path)
    first.stroke(np.random.default_rng(1))
    first.journals.mark(first.image, "of a label file that never came", first.operation)
    first.journals.close(60)
    later = bench_at(tmp_path)
    assert later.found.lost is not None
    later.stroke(np.random.default_rng(50))
    later.save()
    later.journals.close(60)
    again = bench_at(tmp_path)
    assert again.found.lost is not None and again.found.lost.strokes == 1
    again.recover()
    painted_first = np.frombuffer(first.state()[1], np.uint8).reshape(SHAPE) == PERSON
    assert np.array_equal(again.map.labels[painted_first], first.map.labels[painted_first])


def test_a_first_stroke_on_labels_without_a_journal_outlives_a_failed_save(tmp_path: Path) -> None:
    """The mark of a save that failed is there, but not the label file."""
    bench = bench_at(tmp_path)
    bench.save()  # as an import does: labels, and no journal
    assert not file_of(tmp_path).exists()
    bench = bench_at(tmp_path)
    bench.stroke(np.random.default_rng(1))
    bench.journals.mark(bench.image, "of a label file that never came", bench.operation)
    bench.journals.close(60)
    again = bench_at(tmp_path)
    assert again.found.lost is not None and again.found.note == ""
    again.recover()
    assert again.state() == bench.state()


def test_labels_changed_by_others_begin_a_new_history(tmp_path: Path) -> None:
    bench = painted(tmp_path, 3)
    bench = bench_at(tmp_path)
    bench.recover()
    bench.save()
    bench.journals.close(60)
    other = LabelStore(tmp_path / "elsewhere")
    other.save(bench.image, np.ones(SHAPE, np.uint8), np.ones(SHAPE, np.uint8),
               np.zeros((256, 3), np.uint8))  # fmt: skip
    again = bench_at(tmp_path)
    assert again.found.done == () and again.found.lost is None
    assert "begins anew" in again.found.note
    assert again.stroke(np.random.default_rng(7))
    again.save()
    again.journals.close(60)
    third = bench_at(tmp_path)
    assert len(third.found.done) == 1 and third.found.note == ""
    third.walk_history()


def test_every_torn_end_is_cut_off(tmp_path: Path) -> None:
    painted(tmp_path, 4)
    whole = file_of(tmp_path).read_bytes()
    journal = read_journal(file_of(tmp_path))
    ends = [frame.start + frame.length for frame in journal.frames]
    (header,) = {frame.start for frame in journal.frames[:1]}
    for size in range(header, len(whole), 97):
        file_of(tmp_path).write_bytes(whole[:size])
        torn = read_journal(file_of(tmp_path))
        assert torn.end == max((end for end in ends if end <= size), default=torn.end)
        assert len(torn.frames) == sum(end <= size for end in ends)
        assert not torn.damaged
    file_of(tmp_path).write_bytes(whole[:-5])
    bench = bench_at(tmp_path)
    bench.recover()
    bench.save()
    bench.journals.close(60)
    assert not read_journal(file_of(tmp_path)).damaged
    bench_at(tmp_path).walk_history()


def test_a_flipped_bit_is_noticed_and_costs_one_stroke_at_most(tmp_path: Path) -> None:
    painted(tmp_path, 4)
    whole = file_of(tmp_path).read_bytes()
    frames = read_journal(file_of(tmp_path)).frames
    rng = np.random.default_rng(5)
    for _ in range(100):
        bit = int(rng.integers(frames[0].start * 8, len(whole) * 8))
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << (bit % 8)
        file_of(tmp_path).write_bytes(broken)
        found = read_journal(file_of(tmp_path))
        assert len(found.frames) == len(frames) - 1
        assert found.damaged or found.end < len(whole)
        bench = bench_at(tmp_path)  # what is whole is still offered
        assert bench.found.lost is not None
        assert bench.found.done == ()


def test_damage_among_edits_from_before_costs_history_and_no_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    bench = bench_at(tmp_path)
    for _ in range(4):
        bench.stroke(rng)
    bench.history.undo()
    bench.save()
    bench.stroke(rng)
    bench.journals.close(60)
    bench = bench_at(tmp_path)
    bench.journals.follow(bench.image, SHAPE, np.dtype(np.uint8), bench.found.resume)
    bench.journals.put_away(bench.image)  # the journal begins anew with edits from before
    bench.journals.close(60)
    whole = file_of(tmp_path).read_bytes()
    kept = [frame for frame in read_journal(file_of(tmp_path)).frames if frame.kind == KEPT]
    assert len(kept) == 3
    for frame in read_journal(file_of(tmp_path)).frames:
        flipped = bytearray(whole)
        flipped[frame.start + frame.length // 2] ^= 1
        for number, content in enumerate((flipped, whole[: frame.start + frame.length // 2])):
            folder = tmp_path / f"{frame.start}-{number}"
            shutil.copytree(tmp_path / ".pspgui", folder / ".pspgui")
            file_of(folder).write_bytes(content)
            again = bench_at(folder)
            assert again.state() == bench.state() and len(again.history.edits) < 4
            again.walk_history()
            again.stroke(rng)
            again.save()
            again.journals.close(60)
            bench_at(folder).walk_history()


def test_a_damaged_last_stroke_takes_no_other_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    bench = bench_at(tmp_path)
    for _ in range(3):
        bench.stroke(rng)
    bench.save()
    bench.journals.close(60)
    last = [frame for frame in read_journal(file_of(tmp_path)).frames if frame.kind == EDIT][-1]
    content = bytearray(file_of(tmp_path).read_bytes())
    content[last.start + 9] ^= 1
    file_of(tmp_path).write_bytes(content)
    again = bench_at(tmp_path)
    assert again.state() == bench.state() and again.found.lost is None
    again.walk_history()
    assert again.stroke(rng)
    again.save()
    again.journals.close(60)
    third = bench_at(tmp_path)
    third.walk_history()
    assert len(third.history.edits) == 1


def test_what_is_no_journal_is_named_and_kept(tmp_path: Path) -> None:
    painted(tmp_path, 1)
    file_of(tmp_path).write_bytes(b"not a journal")
    with pytest.raises(JournalError, match="does not begin"):
        read_journal(file_of(tmp_path))
    bench = bench_at(tmp_path)
    assert "cannot be read" in bench.found.note
    bench.stroke(np.random.default_rng(1))
    bench.journals.close(60)
    (kept,) = set_aside_paths(tmp_path / ".pspgui", bench.image)
    assert kept.read_bytes() == b"not a journal"


def test_a_frame_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    painted(tmp_path, 1)
    path = file_of(tmp_path)
    header = read_journal(path).header
    for payload in (b"", b"\xff\xff\xff\xff", b"\x02\0\0\0{}", b"\x04\0\0\0null"):
        path.write_bytes(header_frame(header) + frame_bytes(EDIT, 1, payload))
        journal = read_journal(path)
        with pytest.raises(JournalError, match="makes no sense"):
            journal.edit(journal.frames[0])
        assert bench_at(tmp_path).found.lost is None


def test_a_long_journal_is_shortened_to_its_budget(tmp_path: Path) -> None:
    bench = bench_at(tmp_path)
    bench.journals.close()
    bench.journals = StrokeJournals(bench.store.homes, budget_bytes=20_000)
    bench.journals.follow(bench.image, SHAPE, np.dtype(np.uint8), None)
    rng = np.random.default_rng(4)
    sizes = []
    for _ in range(40):
        noise = rng.integers(0, 255, SHAPE).astype(np.uint8)
        bench.before = bench.checksum()
        bench.history.begin("noise")
        bench.history.touch(bench.map.rect)
        bench.map.labels[:] = noise
        bench.history.commit()
        for _ in range(2):
            bench.stroke(rng)
    assert bench.journals.drain(bench.image, 20)
    bench.history.undo()
    for _ in range(3):
        bench.journals.budget_bytes = 20_000
        bench.save()
        bench.journals.drain(bench.image, 20)
        sizes.append(file_of(tmp_path).stat().st_size)
        bench.stroke(rng)
    bench.save()
    bench.journals.close(60)
    journal = read_journal(file_of(tmp_path))
    total = sum(len(part) for part in kept_frames(journal, journal.last, 20_000))
    assert total < 40_000
    again = bench_at(tmp_path)
    assert again.state() == bench.state()
    assert again.found.lost is None
    again.walk_history()


def test_shortening_forgets_no_mark_and_no_stroke_taken_back_since(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("pspgui.project.journal_file.MIB", 0)
    bench = bench_at(tmp_path)
    bench.journals.budget_bytes = 0
    bench.journals.follow(bench.image, SHAPE, np.dtype(np.uint8), None)
    rng = np.random.default_rng(4)
    bench.stroke(rng)
    stroke = Stroke(bench.map, bench.history, "Brush", 20, 7)
    stroke.move(30, 30)
    bench.journals.record_part(bench.image, bench.operation, "Brush", bench.history.touched(99))
    stroke.abort()
    bench.journals.drop_part(bench.image, bench.operation)
    bench.journals.mark(bench.image, "one", bench.operation)
    bench.stroke(rng)
    bench.journals.mark(bench.image, "two", bench.operation)
    bench.journals.confirm(bench.image, "one", 1)
    assert bench.journals.close(60)
    journal = read_journal(file_of(tmp_path))
    assert (journal.header.first, journal.last) == (1, 2)
    assert (journal.matching("one"), journal.matching("two")) == (1, 2)
    assert not journal.unfinished()


class _NoBackups(durable.Disk):
    """Refuses to put anything into the backups so many times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.gave_in = threading.Event()

    def replace(self, part: Path, path: Path) -> None:
        if path.parent.name == "backups":
            if self.left:
                self.left -= 1
                raise OSError(errno.EIO, "no")
            self.gave_in.set()
        super().replace(part, path)


def test_what_is_written_is_written_once_though_a_task_after_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journaling, "_RETRY_S", 0.005)
    rng = np.random.default_rng(1)
    bench = bench_at(tmp_path)
    for _ in range(3):
        bench.stroke(rng)
    bench.save()
    bench.stroke(rng)
    bench.journals.close(60)
    bench = bench_at(tmp_path)
    bench.recover()
    disk = _NoBackups(3)
    monkeypatch.setattr(durable, "disk", disk)
    bench.history.undo()
    bench.history.undo()
    bench.journals.put_away(bench.image)
    assert disk.gave_in.wait(60) and disk.left == 0
    assert bench.journals.close(60)
    frames = read_journal(file_of(tmp_path)).frames
    assert [frame.operation for frame in frames if frame.kind == UNDO] == [5, 6]
    again = bench_at(tmp_path)
    again.recover()
    assert again.state() == bench.state()


def test_a_stroke_under_way_is_recovered_and_one_taken_back_is_not(tmp_path: Path) -> None:
    bench = bench_at(tmp_path)
    stroke = Stroke(bench.map, bench.history, "Brush", 20, 7)
    stroke.move(30, 30)
    bench.journals.record_part(bench.image, bench.operation, "Brush", bench.history.touched(99))
    stroke.move(60, 90)
    bench.journals.record_part(bench.image, bench.operation, "Brush", bench.history.touched(99))
    bench.journals.drain(bench.image, 20)
    again = bench_at(tmp_path)
    assert again.found.lost is not None and again.found.lost.strokes == 1
    again.recover()
    assert np.array_equal(again.map.labels, bench.map.labels)
    stroke.abort()
    bench.journals.drop_part(bench.image, bench.operation)
    bench.journals.close(60)
    assert bench_at(tmp_path).found.lost is None


def test_sixteen_bits_and_another_width_are_kept_apart(tmp_path: Path) -> None:
    image = tmp_path / "y.jpg"
    store = LabelStore(tmp_path / "elsewhere")
    journals = StrokeJournals(store.homes)
    label_map = LabelMap(np.zeros((300, 280), np.uint16))
    history = History(label_map)
    journals.follow(image, label_map.shape, label_map.labels.dtype, None)
    history.listener = lambda change: journals.record(image, 1, change)
    stroke = Stroke(label_map, history, "Brush", 30, 40_000)
    stroke.move(255, 255)
    stroke.finish()
    assert journals.close(60)
    homes = store.homes(image)
    found = look_up(Opened(image, (300, 280), None, None, ""), homes, 1 << 20)
    assert found.lost is not None and (found.lost.labels[found.lost.mask] == 40_000).all()
    narrow = np.zeros((300, 280), np.uint8)
    assert look_up(Opened(image, (300, 280), narrow, narrow, "x"), homes, 1 << 20).lost is None
    other = look_up(Opened(image, (30, 28), None, None, ""), homes, 1 << 20)
    assert other.lost is None and "another size" in other.note


def test_old_journals_of_saved_strokes_are_thinned(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "elsewhere")
    for number in range(4):
        (tmp_path / str(number)).mkdir()
    bench = painted(tmp_path, 6)  # nothing of it is saved
    names = []
    for number in range(4):
        image = tmp_path / f"{number}.jpg"
        image.touch()
        journals = StrokeJournals(store.homes, total_bytes=1)
        other = Workbench(image, store, journals)
        other.stroke(np.random.default_rng(number))
        other.save()
        journals.close(60)
        names.append(journal_path(tmp_path / ".pspgui", image))
    assert file_of(tmp_path).exists()  # its strokes are in no file
    assert [path.exists() for path in names] == [False, False, False, True]
    again = bench_at(tmp_path)
    again.recover()
    assert again.state() == bench.state()


def test_a_mark_alone_saves_no_stroke(tmp_path: Path) -> None:
    """A mark comes before its label file: a journal with one is neither thinned nor replaced."""
    bench = bench_at(tmp_path)
    bench.stroke(np.random.default_rng(1))
    bench.save()
    assert bench.journals.drain(None, 60) and is_saved(read_journal(file_of(tmp_path)))
    bench.stroke(np.random.default_rng(2))
    bench.journals.mark(bench.image, "of a label file that never came", bench.operation)
    bench.journals.close(60)
    thin(tmp_path / ".pspgui", 0, ())
    assert file_of(tmp_path).exists()
    kind = np.dtype(np.uint8)
    anew = JournalFile(bench.image, SHAPE, kind, None, bench.store.homes, 1 << 20)
    anew.append(frame_bytes(UNDO, 1), 0)
    again = bench_at(tmp_path)
    assert again.found.lost is not None and again.found.lost.strokes == 1
    again.recover()
    assert again.state() == bench.state()


def test_a_trouble_is_told_once_though_the_space_left_changes(tmp_path, monkeypatch):
    told, tries = [], []

    def fails(self, line, items):
        tries.append(line)
        return f"No space left on device ({1000 - len(tries)},{len(tries)} MB free)"

    monkeypatch.setattr(journaling.StrokeJournals, "_try", fails)
    monkeypatch.setattr(journaling, "_RETRY_S", 0.01)
    bench = bench_at(tmp_path)
    bench.journals._on_trouble = told.append
    bench.stroke(np.random.default_rng(1))
    end = time.monotonic() + 60
    while len(tries) < 4 and time.monotonic() < end:
        time.sleep(0.01)
    bench.journals.close(0.2)

    assert len(tries) >= 4 and len(told) == 1
