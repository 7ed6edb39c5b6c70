"""Relabelling images on disk is an edit in each stroke journal, whatever interrupts it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import shutil

import numpy as np
import pytest
from disks import FAULTS, FailingDisk
from hypothesis import settings
from PIL import Image
from workbench import PALETTE, SHAPE, Workbench

from pspgui import durable
from pspgui.jobs.messages import Turn
from pspgui.jobs.relabelling import relabel_images
from pspgui.jobs.restoring import put_back
from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.labels.provenance import MODEL, PERSON
from pspgui.project import LabelStore, StrokeJournals
from pspgui.project.backups import list_backups
from pspgui.project.journal import EDIT, read_journal
from pspgui.project.journal_file import is_saved
from pspgui.project.pending import is_under_way, roll_back
from pspgui.project.recovery import journal_path

TABLE = ClassTable(tuple(LabelClass(i, f"class {i}", (i, i, 9)) for i in range(9)))
SOURCE, TARGET = 3, 5
NAME = "Relabel class 3 to class 5 in all images"


def open_bench(image, store=None):
    store = store or LabelStore(image.parent / "elsewhere")
    return Workbench(image, store, StrokeJournals(store.homes))


def painted(image, seed, strokes=3):
    """Paint on an image, saving after each stroke; return the states passed through."""
    Image.fromarray(np.zeros((*SHAPE, 3), np.uint8)).save(image)
    bench, rng = open_bench(image), np.random.default_rng(seed)
    states = [bench.state()]
    for _ in range(strokes):
        assert bench.stroke(rng)
        bench.save()
        states.append(bench.state())
    assert bench.journals.close(20)
    return states


def relabel(folder, journals=None, store=None, into=(SOURCE, TARGET)):
    store = store or LabelStore(folder / "elsewhere")
    images = sorted(folder.glob("*.png"))
    one, other = (f"class {label}" for label in into)
    job = relabel_images(images, store, TABLE, one, other, lambda: True, journals)
    steps = job(Turn(lambda step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def relabelled(state):
    """Return the state that labels have once they are relabelled."""
    labels, marks = (np.frombuffer(part, np.uint8).copy() for part in state)
    hit = labels == SOURCE
    labels[hit], marks[hit] = TARGET, PERSON
    return labels.tobytes(), marks.tobytes()


def journal_of(image):
    return journal_path(image.parent / ".pspgui", image)


def checked(bench, states):
    """Undo and redo a whole history, which passes through the last states; return its length."""
    bench.history.listener = None
    standing = len(bench.history.edits)
    assert bench.state() == states[-1]
    for number in range(standing):
        bench.history.undo()
        assert bench.state() == states[-2 - number]
    for number in range(standing):
        bench.history.redo()
        assert bench.state() == states[len(states) - standing + number]
    return standing


@pytest.fixture
def three(tmp_path):
    folder = tmp_path / "three"
    folder.mkdir()
    return folder, {folder / f"{n}.png": painted(folder / f"{n}.png", i)
                    for i, n in enumerate("abc")}  # fmt: skip


def test_each_image_takes_it_back_and_strokes_before_it(three):
    folder, states = three
    result = relabel(folder)
    assert (result.images, result.anew, result.error) == (3, 0, "")
    assert "Undo takes it back in each image" in result.sentence
    for image, passed in states.items():
        bench = open_bench(image)
        title = bench.history.undo_names[0]
        changed = int((np.frombuffer(passed[-1][0], np.uint8) == SOURCE).sum())
        assert title == NAME + f", {changed:_} px".replace("_", "\u2009")
        assert bench.found.lost is None and bench.found.note == ""
        assert checked(bench, [*passed, relabelled(passed[-1])]) == 4


def test_undo_in_the_image_is_kept_and_painting_goes_on(three):
    folder, states = three
    relabel(folder)
    image, passed = next(iter(states.items()))
    bench = open_bench(image)
    bench.history.undo()
    bench.history.undo()
    assert bench.state() == passed[-2]
    bench.save()
    bench.journals.close(20)
    bench = open_bench(image)
    assert bench.state() == passed[-2] and bench.found.lost is None
    assert bench.history.redo_names[1].startswith(NAME)
    bench.history.redo()
    bench.history.redo()
    assert bench.state() == relabelled(passed[-1])
    assert bench.stroke(np.random.default_rng(9))
    now = bench.state()
    bench.save()
    bench.journals.close(20)
    bench = open_bench(image)
    assert bench.found.lost is None
    assert checked(bench, [*passed, relabelled(passed[-1]), now]) == 5


def test_strokes_after_it_that_were_not_saved_are_offered_alone(three):
    folder, states = three
    relabel(folder)
    image, passed = next(iter(states.items()))
    bench = open_bench(image)
    assert bench.stroke(np.random.default_rng(9))
    now = bench.state()
    bench.journals.close(20)
    bench = open_bench(image)
    assert bench.state() == relabelled(passed[-1]) and bench.found.lost.strokes == 1
    bench.before = 0
    bench.recover()
    assert bench.state() == now


def test_an_image_without_a_journal_gets_one_with_this_edit(tmp_path):
    image = tmp_path / "a.png"
    passed = painted(image, 1)
    journal_of(image).unlink()
    assert relabel(tmp_path).anew == 0
    assert is_saved(read_journal(journal_of(image)))
    bench = open_bench(image)
    assert checked(bench, [passed[-1], relabelled(passed[-1])]) == 1
    (backup,) = list_backups(tmp_path / ".pspgui")
    put_back(backup)  # the labels before it, beside a journal that begins with it
    bench = open_bench(image)
    assert bench.state() == passed[-1] and bench.found.lost is None and not bench.found.done


def test_a_backup_puts_the_history_back_with_the_labels(three):
    folder, states = three
    relabel(folder)
    image = next(iter(states))
    bench = open_bench(image)
    bench.stroke(np.random.default_rng(9))
    bench.save()
    bench.journals.close(20)
    (backup,) = list_backups(folder / ".pspgui")
    put_back(backup)
    for one, before in states.items():
        bench = open_bench(one)
        assert bench.found.lost is None
        assert checked(bench, before) == 3


def test_a_journal_that_was_put_back_and_gone_on_with_is_not_cut(three):
    """As many operations as the window has written, but others."""
    folder, states = three
    store = LabelStore(folder / "elsewhere")
    journals = StrokeJournals(store.homes)
    relabel(folder, journals, store)
    image = next(iter(states))
    bench = Workbench(image, store, journals)
    assert bench.stroke(np.random.default_rng(9))
    bench.save()
    put_back(list_backups(folder / ".pspgui")[0])
    relabel(folder, journals, store)
    relabel(folder, journals, store, (TARGET, SOURCE))
    bench = Workbench(image, store, journals)
    assert bench.operation == 5 and len(bench.history.edits) == 5
    assert bench.stroke(np.random.default_rng(8))
    bench.save()
    assert journals.close(20)
    again = open_bench(image)
    assert not read_journal(journal_of(image)).damaged
    assert again.state() == bench.state() and len(again.history.edits) == 6


def damaged(image):
    journal_of(image).write_bytes(b"no journal at all")


def of_other_labels(image):
    store = LabelStore(image.parent / "elsewhere")
    labels = np.full(SHAPE, SOURCE, np.uint8)
    store.save(image, labels, np.full(SHAPE, MODEL, np.uint8), PALETTE)


def torn_in_the_middle(image):
    content = bytearray(journal_of(image).read_bytes())
    content[read_journal(journal_of(image)).frames[0].start] ^= 1
    journal_of(image).write_bytes(content)


@pytest.mark.parametrize("spoil", [damaged, of_other_labels, torn_in_the_middle])
def test_a_journal_that_does_not_fit_is_left_alone(tmp_path, spoil):
    image = tmp_path / "a.png"
    painted(image, 1)
    spoil(image)
    before = journal_of(image).read_bytes()
    labels = LabelStore(tmp_path / "elsewhere").load(image).labels
    result = relabel(tmp_path)
    assert (result.images, result.anew) == (1, 1) and "undo begins anew" in result.sentence
    assert journal_of(image).read_bytes() == before
    bench = open_bench(image)
    assert np.array_equal(bench.map.labels, np.where(labels == SOURCE, TARGET, labels))
    assert bench.found.lost is None and not bench.found.done
    (backup,) = list_backups(tmp_path / ".pspgui")
    assert backup.stored(tmp_path / ".pspgui" / "labels" / "a.png") is not None


def test_strokes_that_a_crash_left_are_still_offered(tmp_path):
    image = tmp_path / "a.png"
    painted(image, 1)
    bench = open_bench(image)
    bench.stroke(np.random.default_rng(7))
    bench.journals.close(20)
    before = journal_of(image).read_bytes()
    assert relabel(tmp_path).anew == 1
    assert journal_of(image).read_bytes() == before
    assert open_bench(image).found.lost.strokes == 1


def test_a_journal_is_shortened_to_its_budget(three, monkeypatch):
    folder, states = three
    monkeypatch.setattr("pspgui.project.journal_file.MIB", 0)
    store = LabelStore(folder / "elsewhere")
    journals = StrokeJournals(store.homes, budget_bytes=10)
    assert relabel(folder, journals, store).anew == 0
    for image, passed in states.items():
        assert checked(open_bench(image), [*passed, relabelled(passed[-1])]) == 1
    shortest = StrokeJournals(store.homes, total_bytes=1)
    relabel(folder, shortest, store, (TARGET, SOURCE))
    assert not any(journal_of(image).exists() for image in states)


def test_a_window_that_painted_goes_on_behind_it(three):
    folder, states = three
    image, passed = next(iter(states.items()))
    store = LabelStore(folder / "elsewhere")
    journals = StrokeJournals(store.homes)
    bench = Workbench(image, store, journals)
    bench.stroke(np.random.default_rng(5))
    bench.save()
    before = bench.state()
    relabel(folder, journals, store)
    bench = Workbench(image, store, journals)  # as the window reads it anew
    assert bench.found.done[-1].name == NAME
    bench.stroke(np.random.default_rng(6))
    now = bench.state()
    bench.save()
    journals.close(20)
    bench = open_bench(image)
    assert checked(bench, [*passed, before, relabelled(before), now]) == 6


class Killed(BaseException):
    """The program is no more."""


class KilledDisk(FailingDisk):
    """Does nothing any more from a call on."""

    def _fails(self):
        if super()._fails():
            raise Killed
        return False


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """One image with strokes and one whose journal is gone."""
    folder = tmp_path_factory.mktemp("two")
    states = {name: painted(folder / name, i) for i, name in enumerate(("a.png", "b.png"))}
    journal_of(folder / "b.png").unlink()
    return folder, states


def judged(folder, states):
    """Prove what each image is now; return for each whether it is relabelled."""
    is_new = []
    for name, passed in states.items():
        bench = open_bench(folder / name)
        assert bench.found.lost is None
        new = relabelled(passed[-1])
        is_new.append(bench.state() == new)
        checked(bench, [*passed, new] if is_new[-1] else passed)
    return is_new


def interrupted(two, tmp_path, monkeypatch, make, first, step):
    """Relabel copies with the disk that `make(number of the call)` gives.

    From the `first` one on in steps of `step`; PSPGUI_PROFILE=nightly tries every one.
    """
    source, states = two
    is_nightly = settings.get_current_profile_name() == "nightly"
    for at in itertools.count(1) if is_nightly else itertools.count(first, step):
        folder = tmp_path / f"{at}"
        shutil.copytree(source, folder)
        disk, result = make(at), None
        with monkeypatch.context() as patch:
            patch.setattr(durable, "disk", disk)
            with contextlib.suppress(Killed):
                result = relabel(folder)
        if not disk.was_reached:
            assert at > 30
            return
        yield folder, states, result
        shutil.rmtree(folder)


def test_killed_at_any_call_it_is_whole_or_not_at_all(two, tmp_path, monkeypatch):
    for folder, states, result in interrupted(
        two, tmp_path, monkeypatch, lambda at: KilledDisk(at, 5, lasting=True), 1, 4
    ):
        judged(folder, states)  # before the project is opened
        roll_back(folder / ".pspgui")
        was_told = result is not None and not result.error
        is_new = judged(folder, states)
        assert is_new in ([True, True], [False, False])
        assert is_new[0] or not was_told  # killed at the very end it is done, and nobody told
        if not is_new[0]:
            assert len(open_bench(folder / "a.png").found.done) == 3  # and the history with it
            assert not journal_of(folder / "b.png").exists()


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_failing_disk_leaves_the_old_labels_or_the_new(two, tmp_path, monkeypatch, number):
    code, lasting = FAULTS[number]
    for folder, states, result in interrupted(
        two, tmp_path, monkeypatch, lambda at: FailingDisk(at, code, lasting), 2 * number + 1, 13
    ):
        is_new, home = judged(folder, states), folder / ".pspgui"
        if "all labels are as before" in result.error:
            assert is_new == [False, False] and not is_under_way(home)
        roll_back(home)
        if result.error:
            assert judged(folder, states) == [False, False]
            assert len(open_bench(folder / "a.png").found.done) == 3
        else:
            assert judged(folder, states) == [True, True]
            whole = [len(open_bench(folder / name).found.done) for name in states]
            assert sum(count == 0 for count in whole) <= result.anew


class _KeepsItsMark(durable.Disk):
    """Refuses once to remove what says that a change is under way."""

    def __init__(self):
        self.times = 1

    def remove(self, path):
        if path.name == "pending-change.json" and self.times:
            self.times -= 1
            raise OSError(errno.EIO, "no")
        super().remove(path)


def test_what_cannot_be_finished_is_taken_back_at_once(three, monkeypatch):
    """Else it would be when the folder is opened next, with all that was painted since."""
    folder, states = three
    monkeypatch.setattr(durable, "disk", _KeepsItsMark())
    assert "all labels are as before" in relabel(folder).error
    assert not is_under_way(folder / ".pspgui")
    for image, passed in states.items():
        assert checked(open_bench(image), passed) == 3
    assert relabel(folder).error == ""
    assert roll_back(folder / ".pspgui") == ""


def test_an_edit_without_its_mark_is_no_lost_stroke(three):
    """A power cut may keep the first frames of what was appended and not the last."""
    folder, states = three
    label_files = {image: folder / ".pspgui" / "labels" / image.name for image in states}
    before = {image: file.read_bytes() for image, file in label_files.items()}
    relabel(folder)
    for image, passed in states.items():
        journal = read_journal(journal_of(image))
        last = [frame for frame in journal.frames if frame.kind == EDIT][-1]
        content = journal_of(image).read_bytes()
        journal_of(image).write_bytes(content[: last.start + last.length])
        bench = open_bench(image)  # with the labels after it
        assert bench.found.lost is None and not bench.found.done
        assert bench.state() == relabelled(passed[-1])
        label_files[image].write_bytes(before[image])
        assert open_bench(image).found.lost is None
        assert len(open_bench(image).found.done) == 3
