"""A project: made on the first change, one writer, rebuilt when damaged, migrated when old."""

import errno
import json
import os
import sqlite3
import threading
import time
from dataclasses import asdict

import numpy as np
import pytest
from project_case import FORMS, label, make_images, third_form, tree

from pspgui.durable import SaveError
from pspgui.project import lock as locks
from pspgui.project import network, schema
from pspgui.project import project as projects
from pspgui.project.backups import list_backups
from pspgui.project.database import version_in
from pspgui.project.errors import ProjectError
from pspgui.project.open_projects import OpenProjects
from pspgui.project.project import open_project, project_home
from pspgui.project.store import LabelStore


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "images"


@pytest.fixture
def images(folder):
    return make_images(folder)


@pytest.fixture
def opened(no_threads_left):
    """Open projects that are closed at the end of the test."""
    found = []

    def open_(folder):
        found.append(open_project(folder, "pspgui"))
        return found[-1]

    yield open_
    for project in found:
        project.close()


# -- looking and changing -------------------------------------------------------------------------


def test_a_folder_that_is_only_looked_at_stays_as_it_is(folder, images, opened):
    before = tree(folder)
    project = opened(folder)
    project.index.add_images(images)
    project.index.record_prediction(images[0], 0.5, 0.5, 9, (6, 8))
    project.index.add_seconds(images[0], 3)
    project.close()
    assert tree(folder) == before
    assert not (folder / ".pspgui").exists()
    # What a model said is not asked for again.
    assert opened(folder).index.image_of(images[0]).margin == 0.5


def test_the_first_remark_makes_a_project_that_knows_what_was_known(folder, images, opened):
    project = opened(folder)
    project.index.add_images(images)
    project.index.record_prediction(images[0], 0.5, 0.5, 9, (6, 8))
    project.index.add_seconds(images[0], 3)
    index = project.index
    project.index.set_status(images[:1], "flagged")
    assert project.index is index
    assert (folder / ".pspgui" / "project.sqlite").exists()
    found = project.index.image_of(images[0])
    assert (found.status, found.margin, found.seconds) == ("flagged", 0.5, 3)
    project.close()
    again = opened(folder)
    assert again.index.image_of(images[0]) == found
    assert len(again.index) == 3


def test_saving_labels_makes_a_project_too(folder, images):
    room = OpenProjects()
    room.admit(images[0])
    assert (folder / ".pspgui" / "lock").exists()
    assert not room.of(folder).read_only
    room.close_all()
    assert locks.owner_of(folder / ".pspgui" / "lock") is None


def test_a_first_remark_that_was_refused_is_kept_at_the_next_try(
    folder, images, opened, monkeypatch
):
    project = opened(folder)
    project.index.add_images(images)
    with monkeypatch.context() as patch:

        def full(connection, path):
            raise OSError(errno.ENOSPC, "full")

        patch.setattr("pspgui.project.database.copy_database", full)
        for _ in range(2):
            with pytest.raises(ProjectError, match="full"):
                project.index.set_status(images[:1], "done")
    project.index.set_status(images[:1], "flagged")
    assert "flagged" in (folder / ".pspgui" / "remarks.log").read_text()
    project.close()
    assert opened(folder).index.image_of(images[0]).status == "flagged"


# -- one writer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_made", [False, True])
def test_the_second_window_only_reads_and_says_who_writes(folder, images, opened, is_made):
    first = opened(folder)
    first.index.add_images(images)
    if is_made:
        first.index.set_note(images[0], "mine")
    second = opened(folder)
    assert second.read_only
    at = f"{time.strftime('%H:%M', time.localtime(locks.owner_of(first._locks[-1].path).since))}"
    host = locks.processes.host()
    assert second.reason == (
        f"This project is open in pspgui (pid {os.getpid()} on {host}) since {at}; "
        "labels cannot be changed here."
    )
    before = tree(folder)
    second.index.add_images(images)
    second.index.add_seconds(images[0], 9)
    for change in (
        lambda: second.index.set_status(images, "done"),
        lambda: second.index.set_note(images[0], "theirs"),
        lambda: second.index.set_tags(images[0], ["x"]),
        lambda: second.index.set_review(images[0], "Ann", "", "accepted"),
    ):
        with pytest.raises(ProjectError, match="cannot be changed here"):
            change()
    changed = {path for path, content in tree(folder).items() if before.get(path) != content}
    assert changed <= {folder.__class__(".pspgui/lock")}  # the first one's sign of life
    assert second.index.image_of(images[0]).note == ("mine" if is_made else "")


def test_labels_of_a_project_that_another_holds_are_refused_and_kept(folder, images, opened):
    first = opened(folder)
    first.index.set_note(images[0], "mine")
    room = OpenProjects()
    with pytest.raises(SaveError, match=r"a\.png were not saved.*They are kept in this window"):
        room.admit(images[0])
    first.close()
    assert room.of(folder).try_again()
    room.admit(images[0])
    room.close_all()


def test_who_waits_gets_the_project_as_the_other_left_it(folder, images, opened):
    first, second = opened(folder), opened(folder)
    index = second.index
    first.index.add_images(images)
    first.index.set_note(images[0], "mine")
    assert not second.try_again()
    first.close()
    assert second.try_again()
    assert not second.read_only
    assert second.index is index
    assert second.index.image_of(images[0]).note == "mine"
    second.index.set_note(images[0], "ours")


def test_who_asks_in_vain_never_looks_as_if_it_might_change_labels(
    folder, images, opened, monkeypatch
):
    first = opened(folder)
    first.index.set_note(images[0], "mine")
    second = opened(folder)
    seen = []
    take = locks.Lock.acquire

    def acquire(lock):
        seen.append((second.read_only, second.reason))
        return take(lock)

    monkeypatch.setattr(locks.Lock, "acquire", acquire)
    reason = second.reason
    assert not second.try_again()
    assert set(seen) == {(True, reason)}
    first.close()
    assert second.try_again() and not second.reason


def test_a_project_changes_hands_before_a_remark_or_after_it(folder, images, opened, monkeypatch):
    """In between it would go into an index that nobody keeps, and into no log."""
    project = opened(folder)
    project.index.set_note(images[0], "first")
    free = []
    append = project.index.log.append

    def appending(*said):
        ask = threading.Thread(target=lambda: free.append(project._turn.acquire(blocking=False)))
        ask.start()
        ask.join()
        return append(*said)

    monkeypatch.setattr(project.index.log, "append", appending)
    project.index.set_note(images[0], "second")
    assert free == [False]


def test_who_lost_the_lock_stops_at_once(folder, images, opened, monkeypatch):
    project = opened(folder)
    project.index.set_note(images[0], "mine")
    taker = locks.Owner("pspgui", 7, "other", "elsewhere", "", 0.0, "theirs")
    with locks._turn(folder / ".pspgui" / "lock") as handle:
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps(asdict(taker)).encode())
    project._locks[-1].held = False
    project._on_lost(taker)
    assert project.read_only
    assert "taken over by pspgui (pid 7 on other)" in project.reason
    with pytest.raises(ProjectError, match="taken over"):
        project.index.set_note(images[0], "x")
    assert not project.try_again()
    assert "is open in pspgui (pid 7 on other)" in project.reason
    project.index.record_prediction(images[0], 0.1, 0.1, 1)
    with sqlite3.connect(folder / ".pspgui" / "project.sqlite") as c:
        assert c.execute("SELECT note, margin FROM images").fetchall() == [("mine", None)]
    c.close()


# -- folders that resist --------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_has_its_project_elsewhere(
    folder, images, opened, monkeypatch
):
    monkeypatch.setattr(projects, "is_writable", lambda path: not path.is_relative_to(folder))
    project = opened(folder)
    assert not project.read_only
    assert "cannot be written; labels and remarks are kept in" in project.notes[0]
    project.index.set_note(images[0], "x")
    assert not (folder / ".pspgui").exists()
    assert project.home == project_home(folder)
    # It is where the label store keeps labels in that case.
    assert project.home in LabelStore().homes(images[0])


def test_where_nothing_at_all_can_be_written_one_can_still_look(
    folder, images, opened, monkeypatch, tmp_path
):
    (folder / ".pspgui").mkdir()
    (folder / ".pspgui" / "lock").mkdir()  # opening it as a file fails
    project = opened(folder)
    assert project.read_only
    assert "cannot be written" in project.reason
    project.index.add_images(images)
    assert len(project.index) == 3


def test_on_a_network_sqlite_does_without_shared_memory(folder, images, opened, monkeypatch):
    monkeypatch.setattr(projects, "is_remote", lambda path: True)
    monkeypatch.setattr(locks, "_SETTLE_S", 0.01)
    project = opened(folder)
    project.index.set_note(images[0], "x")
    assert "lies on another machine" in project.notes[0]
    with project.index.database.reading() as c:
        assert c.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert c.execute("PRAGMA mmap_size").fetchone() in ((0,), None)
    assert not list((folder / ".pspgui").glob("*-wal"))
    assert network.is_remote(folder) is False


# -- damage ---------------------------------------------------------------------------------------


def remark_all(project, images):
    project.index.add_images(images)
    project.index.set_status(images[:2], "done")
    project.index.set_review(images[1], "Ann", "fine", "accepted")
    project.index.set_tags(images[2], ["night"])
    project.index.set_note(images[2], "look\nagain")
    project.index.add_seconds(images[0], 12.5)


def said(project, images):
    found = [project.index.image_of(image) for image in images]
    return [(i.status, i.note, i.tags, i.reviewer, i.comment, i.seconds) for i in found]


@pytest.mark.parametrize("how", ["flipped", "cut", "nonsense", "gone"])
def test_a_damaged_index_is_set_aside_and_made_again_with_all_remarks(folder, images, opened, how):
    label(images[0])
    project = opened(folder)
    remark_all(project, images)
    expected = said(project, images)
    project.close()
    path = folder / ".pspgui" / "project.sqlite"
    content = bytearray(path.read_bytes())
    if how == "flipped":
        content[5000] ^= 1
    elif how == "cut":
        del content[3000:]
    elif how == "nonsense":
        content[:] = b"x" * 5000
    path.unlink() if how == "gone" else path.write_bytes(content)
    labels_before = tree(folder / ".pspgui" / "labels")
    again = opened(folder)
    assert not again.read_only
    again.index.add_images(images)
    assert said(again, images) == expected
    assert tree(folder / ".pspgui" / "labels") == labels_before
    if how != "gone":
        assert any("made again from labels and remarks" in note for note in again.notes)
        aside = list((folder / ".pspgui" / "backups").glob("damaged-index-*/project.sqlite"))
        assert [file.read_bytes() for file in aside] == [bytes(content)]


def test_an_index_that_lost_its_last_changes_learns_them_from_the_log(folder, images, opened):
    project = opened(folder)
    remark_all(project, images)
    project.index.database.copy_to(folder / "earlier.sqlite")
    project.index.set_status(images[:1], "rejected")
    expected = said(project, images)
    project.close()
    home = folder / ".pspgui"
    (home / "project.sqlite.digest").unlink()  # as a crash leaves it
    (folder / "earlier.sqlite").replace(home / "project.sqlite")
    assert said(opened(folder), images) == expected


def test_remarks_come_back_when_their_log_is_gone(folder, images, opened):
    project = opened(folder)
    remark_all(project, images)
    expected = said(project, images)
    project.close()
    (folder / ".pspgui" / "remarks.log").unlink()
    project = opened(folder)
    assert said(project, images) == expected
    project.close()
    (folder / ".pspgui" / "project.sqlite").unlink()
    assert said(opened(folder), images) == expected


# -- versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_project_of_every_earlier_form_opens(folder, opened, form):
    labels = FORMS[form](folder)
    before = tree(folder / ".pspgui")
    project = opened(folder)
    assert not project.read_only
    assert np.array_equal(LabelStore().load(folder / "a.png").labels, labels)
    project.index.add_images([folder / "a.png"])
    if form == "version 1":
        assert project.index.image_of(folder / "a.png").note == "of old"
    after = tree(folder / ".pspgui")
    kept = {path: content for path, content in before.items() if path.suffix != ".sqlite"}
    assert {path: after[path] for path in kept} == kept


def add_column(connection):
    connection.execute("ALTER TABLE images ADD COLUMN further TEXT NOT NULL DEFAULT 'x'")


def test_a_step_to_a_newer_version_keeps_the_original(folder, opened, monkeypatch):
    third_form(folder)
    path = folder / ".pspgui" / "project.sqlite"
    before = path.read_bytes()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_column))
    project = opened(folder)
    assert not project.read_only
    assert any("brought up to date" in note for note in project.notes)
    assert project.index.image_of(folder / "a.png").note == "of old"
    with project.index.database.reading() as c:
        assert c.execute("SELECT further FROM images").fetchall() == [("x",)]
    project.close()
    assert version_in(path) == schema.version()
    [kept] = list_backups(folder / ".pspgui")
    assert kept.reason == "migration"
    assert kept.stored(path).read_bytes() == before


def test_a_step_that_fails_changes_nothing(folder, opened, monkeypatch):
    third_form(folder)
    path = folder / ".pspgui" / "project.sqlite"

    def broken(connection):
        add_column(connection)
        connection.execute("INSERT INTO nowhere VALUES (1)")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    project = opened(folder)
    assert project.read_only
    assert "labels cannot be changed here" in project.reason
    with sqlite3.connect(path) as c:
        assert c.execute("PRAGMA user_version").fetchone() == (1,)
        assert "further" not in [row[1] for row in c.execute("PRAGMA table_info(images)")]
    c.close()


def test_a_project_of_a_newer_program_is_looked_at_only(folder, opened):
    third_form(folder)
    path = folder / ".pspgui" / "project.sqlite"
    with sqlite3.connect(path) as c:
        c.execute(f"PRAGMA user_version = {schema.version() + 1}")
    c.close()
    before = path.read_bytes()
    project = opened(folder)
    assert project.read_only
    assert "was written by a newer pspgui: labels cannot be changed" in project.reason
    assert ". " not in project.reason
    project.index.add_images([folder / "a.png"])
    with pytest.raises(ProjectError, match="newer"):
        project.index.set_note(folder / "a.png", "x")
    project.close()
    assert path.read_bytes() == before
    assert not path.with_name("project.sqlite-wal").exists()
