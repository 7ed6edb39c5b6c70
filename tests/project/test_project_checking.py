"""Checking a project: every flipped bit is noticed, every kind of trouble has its line."""

import os
import random
import shutil
import sqlite3
import zlib

import numpy as np
import pytest
from project_case import SHAPE, begun_project, first_form, label, make_images, second_form, tree

from pspgui.imaging import encode_labels, labels_from_bytes
from pspgui.labels.classes import CAMVID
from pspgui.project import journal
from pspgui.project.backups import back_up
from pspgui.project.checking import check_project, to_json
from pspgui.project.png_check import pixels_only, png_faults
from pspgui.project.project import open_project
from pspgui.project.statistics import measure_labels


@pytest.fixture
def folder(tmp_path):
    """A project with all that a project has, closed in order."""
    root = tmp_path / "images"
    images, project = begun_project(root)
    for seed, image in enumerate(images[:2]):
        _, file = label(image, seed)
        measure_labels(project.index, image, file, CAMVID)
    project.index.set_status(images[:1], "done")
    project.index.set_note(images[1], "look again")
    home = project.home
    back_up(home, "import", [home / "labels" / "a.png"])
    write_journal(home, journal.frame_bytes(journal.MARK, 1, b"d" * 64))
    project.close()
    return root


def write_journal(home, *frames):
    (home / "strokes").mkdir(exist_ok=True)
    head = journal.header_frame(journal.Header("a.png", *SHAPE, "uint8", "token", "d" * 64, 1))
    path = home / "strokes" / f"a.png{journal.SUFFIX}"
    path.write_bytes(head + b"".join(frames))
    return path


def kinds(folder, **how):
    return [problem.kind for problem in check_project(folder, **how).problems]


def test_a_sound_project_has_no_problems_and_is_left_as_it_is(folder):
    before = tree(folder)
    report = check_project(folder, pixels=True)
    assert report.problems == []
    assert report.notes == []
    assert (report.images, report.label_files) == (3, 2)
    assert tree(folder) == before


def test_of_a_hundred_flipped_bits_each_is_noticed(folder):
    chance = random.Random(21)
    home = folder / ".pspgui"
    files = [path for path in home.rglob("*") if path.is_file() and path.stat().st_size]
    assert {path.parent.name for path in files} >= {
        ".pspgui", "labels", "provenance", "classes", "strokes",
    }  # fmt: skip
    unnoticed = []
    for number in range(100):
        path = files[number % len(files)]  # small files as often as large ones
        whole = path.read_bytes()
        bit = chance.randrange(len(whole) * 8)
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        if not check_project(folder).problems:
            unnoticed.append(f"{path.relative_to(home)} bit {bit}")
        path.write_bytes(whole)
    assert unnoticed == []
    assert kinds(folder) == []


def test_every_bit_of_a_label_file_counts():
    labels = np.arange(48, dtype=np.uint8).reshape(SHAPE)
    content = encode_labels(labels, CAMVID.palette(), {"Image": "a.png"})
    assert png_faults(content) == []
    for bit in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        assert png_faults(bytes(damaged)), f"bit {bit}"


def test_a_png_whose_pixels_are_sound_is_told_from_one_whose_pixels_are_not():
    labels = np.arange(48, dtype=np.uint8).reshape(SHAPE)
    content = encode_labels(labels, CAMVID.palette(), {"Image": "a.png"})
    for part, spared in ((b"PLTE", True), (b"tEXt", True), (b"IDAT", False), (b"IHDR", False)):
        damaged = bytearray(content)
        damaged[content.index(part) + 6] ^= 4
        assert png_faults(bytes(damaged)), part
        bare = pixels_only(bytes(damaged))
        assert (bare is not None) == spared, part
        if bare is not None:
            assert np.array_equal(labels_from_bytes("a.png", bare).labels, labels)
    assert pixels_only(content[:-20]) is None
    assert pixels_only(b"") is None


def test_labels_of_another_size_than_the_image_are_a_misfit(folder):
    make_images(folder, ("a.png",))  # as it was ...
    from PIL import Image

    Image.new("RGB", (9, 9)).save(folder / "a.png")  # ... and as somebody made it
    assert kinds(folder) == ["misfit"]


def test_labels_that_no_class_has_are_named(folder):
    file = folder / ".pspgui" / "labels" / "a.png"
    labels = np.zeros(SHAPE, np.uint8)
    labels[1, 1] = 77
    file.write_bytes(encode_labels(labels, CAMVID.palette(), {"Image": "a.png"}))
    report = check_project(folder)
    assert {problem.kind for problem in report.problems} == {"class", "provenance", "index"}
    assert "no class has the label 77" in " ".join(p.line() for p in report.problems)


def test_what_belongs_to_no_image_is_an_orphan(folder):
    home = folder / ".pspgui"
    (folder / "b.png").unlink()
    (home / "provenance" / "x.png").write_bytes((home / "provenance" / "a.png").read_bytes())
    (home / "classes" / "x.json").write_bytes((home / "classes" / "a.json").read_bytes())
    assert kinds(folder) == ["orphan"] * 3


def test_what_a_killed_process_left_is_named(folder):
    home = folder / ".pspgui"
    (home / "labels" / ".saving-abc.part").write_bytes(b"x")
    (home / "backups" / ".making-abc.part").mkdir()
    (home / "pending-change.json").write_text("{}")
    assert kinds(folder) == ["part", "part", "pending"]


def test_an_index_out_of_step_with_labels_or_remarks_is_named(folder):
    label(folder / "a.png", seed=9)  # as another program would
    path = folder / ".pspgui" / "project.sqlite"
    with sqlite3.connect(path) as c:
        c.execute("UPDATE images SET note = 'another' WHERE name = 'b.png'")
    c.close()
    (folder / ".pspgui" / "project.sqlite.digest").unlink()
    lines = [problem.line() for problem in check_project(folder).problems]
    assert len(lines) == 2
    assert "a.png: its labels are not those that were counted" in lines[0]
    assert "b.png: its note is not that of the remarks" in lines[1]


def test_a_torn_and_a_broken_journal_are_told_apart(folder):
    path = write_journal(folder / ".pspgui", b"half a frame")
    assert kinds(folder) == ["torn"]
    path.write_bytes(b"no journal")
    assert kinds(folder) == ["journal"]


def test_unreadable_images_and_twins(folder):
    (folder / "d.png").write_bytes(b"no picture")
    make_images(folder, ("cafe\u0301.png", "caf\u00e9.png"))
    report = check_project(folder)
    assert [problem.kind for problem in report.problems] == ["image"]
    assert any("one name on other systems" in note for note in report.notes)


def test_an_image_with_a_damaged_middle_is_found(folder):
    rng = np.random.default_rng(0)
    from PIL import Image

    Image.fromarray(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)).save(folder / "n.png")
    content = bytearray((folder / "n.png").read_bytes())
    content[4000:4100] = zlib.compress(b"x" * 99)[:20] * 5
    (folder / "n.png").write_bytes(content)
    assert kinds(folder, pixels=True) == ["image"]


@pytest.mark.parametrize("form", [first_form, second_form])
def test_projects_of_earlier_forms_are_sound(tmp_path, form):
    form(tmp_path / "old")
    assert kinds(tmp_path / "old") == []


def test_a_plain_folder_is_no_problem(tmp_path):
    make_images(tmp_path)
    report = check_project(tmp_path)
    assert report.problems == []
    assert "no project in this folder yet" in report.notes[0]


def test_the_report_for_programs_has_all_of_it(folder):
    (folder / ".pspgui" / "labels" / "a.png").write_bytes(b"x")
    told = to_json(check_project(folder))
    assert told["images"] == 3
    assert told["problems"][0] == {
        "kind": "labels", "file": str(folder / ".pspgui" / "labels" / "a.png"),
        "problem": "it does not begin as a PNG file does", "repairable": True,
    }  # fmt: skip


SPECIAL = (
    "labels/a.png", "provenance/a.png", "classes/a.json", "classes.json", "lock", "remarks.log",
    "project.sqlite", "project.sqlite.digest", "strokes/a.png.strokes", "pending-change.json",
)  # fmt: skip

TOLD_OF = (
    "provenance/a.png", "classes/a.json", "classes.json", "remarks.log", "project.sqlite",
    "pending-change.json",
)  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_special_files_keep_nobody_waiting(folder, kind, tmp_path):
    make = {"pipe": os.mkfifo, "folder": os.mkdir, "loop": lambda path: path.symlink_to(path)}
    for number, name in enumerate(SPECIAL):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(folder, copy)
        path = copy / ".pspgui" / name
        path.unlink(missing_ok=True)
        make[kind](path)
        report = check_project(copy)
        if kind != "loop" and name in TOLD_OF:
            assert any(problem.path == path for problem in report.problems), name
        open_project(copy).close()
