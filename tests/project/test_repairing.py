"""Repairing a project: what can be put right without loss is, and what was there is kept."""

import hashlib
import json
import os
import sqlite3

import numpy as np
import pytest
from project_case import SHAPE, begun_project, label, tree

from pspgui.geometry import Pixel
from pspgui.labels.classes import CAMVID
from pspgui.labels.provenance import IMPORTED, PERSON
from pspgui.project import journal
from pspgui.project.backups import back_up
from pspgui.project.checking import check_project
from pspgui.project.errors import ProjectError
from pspgui.project.pins import KeptPin, read_pins, write_pins
from pspgui.project.project import open_project
from pspgui.project.repairing import repair_project
from pspgui.project.statistics import measure_labels
from pspgui.project.store import LabelStore


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "images"
    images, project = begun_project(root)
    for seed, image in enumerate(images[:2]):
        _, file = label(image, seed)
        measure_labels(project.index, image, file, CAMVID)
    project.index.set_status(images[:1], "done")
    project.index.set_note(images[1], "look again")
    project.close()
    return root


def flip(path, at, bit=0):
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)
    return bytes(content)


def in_backups(home, content):
    return any(path.read_bytes() == content for path in (home / "backups").rglob("*")
               if path.is_file())  # fmt: skip


def mended(folder):
    """Repair, and make sure that nothing is left and nothing more would be done."""
    report = repair_project(folder)
    assert check_project(folder).problems == []
    assert report.left == []
    again = repair_project(folder)
    assert (again.done, again.left) == ([], [])
    return report.done


def test_a_sound_project_is_not_touched(folder):
    before = tree(folder)
    report = repair_project(folder)
    assert (report.done, report.left) == ([], [])
    assert tree(folder) == before


def test_damaged_labels_come_back_from_the_newest_sound_backup(folder):
    home, image = folder / ".pspgui", folder / "a.png"
    file = home / "labels" / "a.png"
    files = [file, home / "provenance" / "a.png", home / "classes" / "a.json"]
    back_up(home, "import", files)
    labels, _ = label(image, seed=7)
    good = back_up(home, "relabel", files)
    label(image, seed=8)
    worse = back_up(home, "batch-apply", files)
    flip(worse.stored(file), 120)
    damaged = flip(file, -20)
    done = repair_project(folder).done
    assert [problem.kind for problem in check_project(folder).problems] == ["backup"]
    assert any(f"restored from the backup {good.name}" in line for line in done)
    stored = LabelStore().load(image)
    assert np.array_equal(stored.labels, labels)
    assert (stored.provenance == PERSON).all()
    assert in_backups(home, damaged)


def test_damaged_labels_without_a_backup_are_set_aside(folder):
    home = folder / ".pspgui"
    damaged = flip(home / "labels" / "a.png", -20)
    done = mended(folder)
    assert any("there is no backup of it" in line for line in done)
    assert LabelStore().load(folder / "a.png") is None
    assert in_backups(home, damaged)
    assert not list((home / "provenance").glob("a*"))


@pytest.mark.parametrize("part", [b"PLTE", b"tEXt"])
def test_labels_whose_pixels_are_sound_lose_nothing(folder, part):
    file = folder / ".pspgui" / "labels" / "a.png"
    before = LabelStore().load(folder / "a.png")
    flip(file, file.read_bytes().index(part) + 8, bit=2)
    mended(folder)
    after = LabelStore().load(folder / "a.png")
    assert np.array_equal(after.labels, before.labels)
    assert np.array_equal(after.provenance, before.provenance)


def test_provenance_of_other_labels_is_set_aside_and_the_labels_stay(folder):
    home = folder / ".pspgui"
    labels = LabelStore().load(folder / "a.png").labels
    path = home / "provenance" / "a.png"
    other = path.with_name("b.png").read_bytes()
    path.write_bytes(other)
    mended(folder)
    after = LabelStore().load(folder / "a.png")
    assert np.array_equal(after.labels, labels)
    assert (after.provenance == IMPORTED).all()
    assert in_backups(home, other)


def test_an_index_is_made_again_with_labels_and_remarks(folder):
    home = folder / ".pspgui"
    damaged = flip(home / "project.sqlite", 9000)
    mended(folder)
    assert in_backups(home, damaged)
    project = open_project(folder)
    found = project.index.image_of(folder / "a.png")
    project.close()
    assert found.status == "done"
    assert sum(found.pixels.values()) == SHAPE[0] * SHAPE[1]
    assert found.pixels[""] == 2
    digest = hashlib.sha256((home / "labels" / "a.png").read_bytes()).hexdigest()
    assert found.labels_digest == digest


def test_an_index_out_of_step_follows_files_and_remarks(folder):
    home = folder / ".pspgui"
    label(folder / "a.png", seed=9)
    with sqlite3.connect(home / "project.sqlite") as c:
        c.execute("UPDATE images SET note = 'another' WHERE name = 'b.png'")
    c.close()
    (home / "project.sqlite.digest").unlink()
    mended(folder)
    project = open_project(folder)
    assert project.index.image_of(folder / "b.png").note == "look again"
    project.close()


def test_a_torn_journal_loses_its_torn_end_only(folder):
    home = folder / ".pspgui"
    (home / "strokes").mkdir(exist_ok=True)
    path = home / "strokes" / "a.png.strokes"
    head = journal.header_frame(journal.Header("a.png", *SHAPE, "uint8", "t", "d" * 64, 1))
    whole = head + journal.frame_bytes(journal.MARK, 1, b"d" * 64)
    path.write_bytes(whole + whole[-9:])
    mended(folder)
    assert path.read_bytes() == whole
    path.write_bytes(b"nonsense")
    mended(folder)
    assert not path.exists()
    assert in_backups(home, b"nonsense")


def test_damaged_remarks_lose_nothing_that_the_index_knows(folder):
    path = folder / ".pspgui" / "remarks.log"
    damaged = flip(path, 40)
    mended(folder)
    assert in_backups(folder / ".pspgui", damaged)
    (folder / ".pspgui" / "project.sqlite").unlink()  # now the log is all there is
    project = open_project(folder)
    assert project.index.image_of(folder / "a.png").status == "done"
    assert project.index.image_of(folder / "b.png").note == "look again"
    project.close()


def test_what_killed_processes_left_is_removed(folder):
    home = folder / ".pspgui"
    (home / "labels" / ".saving-abc.part").write_bytes(b"x")
    (home / "backups" / ".making-abc.part" / "files").mkdir(parents=True)
    mended(folder)
    assert not list(home.rglob("*.part"))


def test_damaged_classes_come_back_from_a_backup_or_are_left_to_a_person(folder):
    home = folder / ".pspgui"
    path = home / "classes" / "a.json"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"Pavement", b"Favement"))
    report = repair_project(folder)
    assert "look at the names in the class editor" in report.left[0]
    path.write_bytes(b"{")
    (left,) = repair_project(folder).left
    assert left.count(str(path)) == 1 and "Expecting" not in left
    assert "damaged, or no JSON (line 1)" in left and "open its image" in left
    path.write_bytes(before)
    back_up(home, "class-delete", [path])
    path.write_bytes(before[:50])
    mended(folder)
    assert path.read_bytes() == before


def test_damaged_pins_and_notes_are_set_aside_and_sound_ones_stay(folder):
    home = folder / ".pspgui"
    write_pins(home / "labels" / "a.png", [KeptPin(1, Pixel(2, 3), None, "kerb")])
    (home / "what_if").mkdir()
    sound = home / "what_if" / "a.json"
    sound.write_text(json.dumps({"image": "a.png", "notes": [{"of": "a later version"}]}))
    newer = home / "pins" / "c.json"
    newer.write_text(json.dumps({"version": 2, "marks": []}))
    assert check_project(folder).problems == []

    broken = [home / "pins" / "b.json", home / "what_if" / "b.json"]
    contents = [b'{"version": 1, "pins": [{"number": 1}]}', b"[]"]
    for path, content in zip(broken, contents, strict=True):
        path.write_bytes(content)
    (home / "pins" / ".saving-abc.part").write_bytes(b"x")
    kinds = sorted(problem.kind for problem in check_project(folder).problems)
    assert kinds == ["notes", "part", "pins"]
    mended(folder)
    assert not any(path.exists() for path in broken)
    assert all(in_backups(home, content) for content in contents)
    assert read_pins(home / "labels" / "a.png")[0].name == "kerb"
    assert sound.exists() and newer.exists()


def test_what_needs_a_person_is_left_alone_and_named(folder):
    (folder / "b.png").unlink()
    before = tree(folder / ".pspgui" / "labels")
    report = repair_project(folder)
    assert len(report.left) == 1
    assert "labels of an image that is not there" in report.left[0]
    assert tree(folder / ".pspgui" / "labels") == before


def test_a_dry_run_says_it_all_and_changes_nothing(folder):
    home = folder / ".pspgui"
    flip(home / "labels" / "a.png", -20)
    flip(home / "project.sqlite", 9000)
    (home / "labels" / ".saving-abc.part").write_bytes(b"x")
    before = tree(folder)
    report = repair_project(folder, dry_run=True)
    assert len(report.done) == 3
    assert tree(folder) == before


def test_a_project_in_use_is_not_repaired(folder):
    (folder / ".pspgui" / "labels" / ".saving-abc.part").write_bytes(b"x")
    project = open_project(folder)
    with pytest.raises(ProjectError, match=f"Nothing was repaired.*pid {os.getpid()}"):
        repair_project(folder)
    project.close()
    assert (folder / ".pspgui" / "labels" / ".saving-abc.part").exists()
