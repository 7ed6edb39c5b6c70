"""The index of a project: what is kept of images, how it is selected, and in which order."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.imaging import natural_key
from pspgui.project.errors import ProjectError
from pspgui.project.index import STATUSES, ProjectIndex, natural_bytes
from pspgui.project.queries import parse
from pspgui.project.query_rows import where_sql


@pytest.fixture
def root(tmp_path):
    return tmp_path / "images"


@pytest.fixture
def index(tmp_path, root):
    found = ProjectIndex(tmp_path / "project.sqlite", root)
    yield found
    found.close()


def some(root, count=5):
    return [root / f"frame_{i}.png" for i in range(count)]


def test_images_are_listed_in_natural_order_whatever_order_they_came_in(index, root):
    names = ["b.png", "a10.png", "a2.png", "A1.png"]
    index.add_images([root / name for name in names])
    found = [path.name for path in index.paths(index.select())]
    assert found == ["A1.png", "a2.png", "a10.png", "b.png"]
    assert len(index) == 4


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1)


@settings(max_examples=100)
@given(st.lists(st.one_of(NAMES, st.from_regex(r"[ab]?[0-9]{1,25}[ab.-]?", fullmatch=True))))
def test_the_natural_key_of_the_index_sorts_as_the_list_of_the_window(names):
    names = [name for name in names if name not in (".", "..")]
    ours = sorted(names, key=lambda name: (natural_bytes(name), name))
    assert ours == [path.name for path in sorted(map(Path, names), key=natural_key)]


def test_what_is_known_of_an_image_outlives_its_absence(index, root):
    images = some(root)
    index.add_images(images)
    index.set_note(images[1], "left side is odd")
    index.add_images(images[2:])
    assert len(index) == 3
    assert images[1] not in index.paths(index.select())
    index.add_images(images)
    assert index.image_of(images[1]).note == "left side is odd"
    assert len(index) == 5


def test_every_remark_comes_back(index, root):
    image = some(root)[0]
    index.add_images([image])
    index.set_status([image], "flagged")
    index.set_tags(image, ["Night", "rain storm", "night"])
    index.set_review(image, "Ann", "kerb is wrong", "rejected")
    index.add_seconds(image, 2.5)
    index.add_seconds(image, 4)
    found = index.image_of(image)
    assert found.status == "rejected"
    assert found.tags == ("night", "rain", "storm")
    assert (found.reviewer, found.comment, found.seconds) == ("Ann", "kerb is wrong", 6.5)
    assert found.changed_at is not None


def test_a_word_that_is_no_status_is_refused_and_named(index, root):
    with pytest.raises(ProjectError, match=r"'finished' is no status"):
        index.set_status(some(root), "finished")
    assert index.image_of(some(root)[0]) is None


def test_measured_labels_replace_those_before_and_move_the_status(index, root):
    image, other = some(root, 2)
    index.add_images([image, other])
    index.record_prediction(image, 0.8, 0.3, 400, (4, 5))
    assert index.image_of(image).status == "predicted"
    index.record_labels(image, {"Car": 5, "": 15}, 3, {("Road", "Car"): 3, ("Car", "Car"): 2}, "d1")
    index.record_labels(image, {"Car": 2, "Sky": 18}, 1, {("Car", "Sky"): 1}, "d2", (4, 5), "s")
    found = index.image_of(image)
    assert found.status == "in work"
    assert found.pixels == {"Car": 2, "Sky": 18}
    assert found.confusion == {("Car", "Sky"): 1}
    assert (found.corrected_px, found.labels_digest) == (1, "d2")
    assert (found.height, found.width, found.margin) == (4, 5, 0.8)
    assert index.labels_stamps() == {image: "s"}
    index.set_status([image], "accepted")
    index.record_labels(image, {"Car": 20}, None, {}, "d3")
    assert index.image_of(image).status == "accepted"  # only a person takes that back


def test_labels_counted_again_without_a_prediction_keep_what_was_compared(index, root):
    image = some(root)[0]
    index.record_labels(image, {"Car": 20}, 3, {("Road", "Car"): 3}, "d1")
    index.record_labels(image, {"Car": 20}, None, {}, "d1")
    assert index.image_of(image).corrected_px == 3
    assert index.image_of(image).confusion == {("Road", "Car"): 3}
    index.record_labels(image, {"Car": 20}, None, {}, "d2")
    assert index.image_of(image).corrected_px is None
    assert index.image_of(image).confusion == {}


def test_totals_leave_out_images_that_are_gone(index, root):
    images = some(root, 3)
    index.add_images(images)
    for image in images:
        index.record_labels(image, {"Car": 5, "": 1}, 2, {("Sky", "Car"): 2}, "d")
        index.add_seconds(image, 10)
    index.forget_labels(images[0])
    index.add_images(images[:2])
    totals = index.totals()
    assert totals.images == dict.fromkeys(STATUSES, 0) | {"in work": 2}
    assert totals.pixels == {"Car": 5, "": 1}
    assert totals.confusion == {("Sky", "Car"): 2}
    assert (totals.seconds, totals.labelled, totals.corrected_px) == (20, 1, 2)


def test_queries_select_by_sql_what_the_filter_says(index, root):
    images = some(root, 4)
    index.add_images(images)
    index.set_tags(images[2], ["night"])
    index.record_labels(images[1], {"Car": 90, "Sky": 10}, None, {}, "d")
    for text, expected in (("tag:night", [2]), ("class:car>50%", [1]), ("name:frame_3", [3])):
        where, values = where_sql(parse(text), 0.0)
        found = index.paths(index.select(where, values))
        assert found == [images[i] for i in expected], text


@pytest.mark.skipif(os.name != "posix", reason="names of bytes are POSIX")
def test_odd_names_are_kept_byte_for_byte(index, root):
    names = [
        b"\xff\xfe raw.png", "caf\u00e9.png".encode(), "cafe\u0301.png".encode(), b"new\nline.png",
        b"n" * 251 + b".png", b"%d' OR 1=1 --.png", "\u202e\U0001f600.png".encode(),
    ]  # fmt: skip
    images = [root / os.fsdecode(name) for name in names]
    index.add_images(images)
    assert sorted(map(os.fsencode, (p.name for p in index.paths(index.select())))) == sorted(names)
    for number, image in enumerate(images):
        index.set_note(image, str(number))
    assert [index.image_of(image).note for image in images] == list("0123456")


def test_a_relative_root_finds_the_same_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    index = ProjectIndex(tmp_path / "project.sqlite", Path("images"))
    index.add_images([Path("images/a.png")])
    assert index.paths(index.select()) == [Path("images/a.png")]
    assert index.image_of(tmp_path / "images" / "a.png").path == Path("images/a.png")
    elsewhere = tmp_path / "elsewhere.png"
    index.set_note(elsewhere, "whole path")
    assert index.image_of(elsewhere).path == elsewhere
    index.close()


def test_many_threads_may_write_and_read_at_once(index, root):
    images = some(root, 200)
    index.add_images(images)
    faults = []

    def work(start):
        try:
            for image in images[start::4]:
                index.set_status([image], "done")
                index.record_labels(image, {"Car": 1}, None, {}, "d")
                assert index.image_of(image).status == "done"
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert index.totals().images["done"] == 200


def test_a_closed_index_says_so(tmp_path):
    index = ProjectIndex(tmp_path / "project.sqlite")
    index.close()
    with pytest.raises(ProjectError, match="closed"):
        len(index)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path):
    (tmp_path / "project.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(ProjectError, match="labels are files of their own"):
        ProjectIndex(tmp_path / "project.sqlite")
