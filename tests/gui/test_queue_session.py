"""The queue behind the image list: finding, statuses and their undo, flags, words, the next one."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import Listener, fake_image, fake_prediction
from queue_fakes import Desk

from pspgui.project.errors import ProjectError
from pspgui.project.queries import parse


@pytest.fixture
def desk(qapp, tmp_path):
    (tmp_path / ".pspgui").mkdir()
    desk = Desk(tmp_path)
    desk.open()
    yield desk
    desk.index.close()


def found(desk):
    rows = desk.queue.found.rows
    names = [path.stem for path in desk.images]
    return names if rows is None else [names[row] for row in rows]


def test_the_list_is_filtered_and_ordered_by_the_index(desk):
    desk.read(a=0.9, b=0.2, d=0.5)
    desk.queue.set_query(parse("doubt>0.3"))
    assert found(desk) == ["b", "d"]
    desk.queue.set_query(parse(""))
    desk.queue.set_order("doubt", True)
    assert found(desk) == ["b", "d", "a", "c"]
    desk.queue.set_order("doubt", False)
    assert found(desk) == ["a", "d", "b", "c"]
    desk.queue.set_order("name", False)
    assert desk.queue.found.rows is None


def test_a_list_without_an_index_waits_for_it(qapp, tmp_path):
    (tmp_path / ".pspgui").mkdir()
    desk = Desk(tmp_path, with_index=False)
    desk.open()
    desk.queue.set_query(parse("name:b"))
    heard = Listener(desk.document.message)
    desk.queue.set_status(desk.images[:1], "done")
    assert desk.queue.found is None and "still being read" in heard.heard[0]
    desk.open_index()
    assert found(desk) == ["b"]
    desk.index.close()


def test_a_status_is_shown_at_once_and_written(desk):
    desk.session.held = True
    desk.queue.set_status(desk.images[:1], "done")
    assert desk.queue.status_of(desk.images[0]) == "done"
    assert desk.statuses()[0] == "done"


def test_the_status_of_many_offers_its_undo(desk):
    desk.queue.set_status(desk.images[1:2], "rejected")
    heard = Listener(desk.session.notice)
    desk.queue.set_status(desk.images, "done")
    assert desk.statuses() == ["done"] * 4
    (notice,) = heard.heard
    assert notice.retry == "undo_status" and notice.text == "4 images are marked done."
    desk.queue.undo_status()
    assert desk.statuses() == ["new", "rejected", "new", "new"]
    desk.queue.undo_status()
    assert desk.statuses() == ["new"] * 4
    assert not desk.queue.can_undo_status


def test_undo_knows_statuses_that_were_never_in_sight(desk):
    desk.index.set_status(desk.images[2:3], "accepted")
    desk.queue._known.clear()
    desk.queue.set_status(desk.images, "done")
    desk.queue.undo_status()
    assert desk.statuses() == ["new", "new", "accepted", "new"]


def test_a_flag_gives_back_the_status_it_hid(desk):
    desk.queue.set_status(desk.images[:1], "done")
    desk.queue.toggle_flag(desk.images[:2])
    assert desk.statuses()[:2] == ["flagged", "flagged"]
    desk.queue.toggle_flag(desk.images[:2])
    assert desk.statuses()[:2] == ["done", "new"]


def test_a_flag_of_an_earlier_run_gives_back_what_can_be_told(desk):
    desk.read(a=0.5)
    desk.index.record_labels(desk.images[1], {"Road": 10}, 0, {}, "digest")
    desk.index.set_status(desk.images[:3], "flagged")
    desk.queue.read_anew()
    desk.queue.look_up(desk.images)
    desk.queue.toggle_flag(desk.images[:3])
    assert desk.statuses()[:3] == ["predicted", "in work", "new"]


def test_tags_notes_and_reviews_are_kept(desk):
    desk.queue.set_tags(desk.images[:2], ["Night", "rain"])
    desk.queue.set_note(desk.images[:1], "left side")
    desk.queue.review(desk.images[0], "Ann", "the kerb", "rejected")
    image = desk.index.image_of(desk.images[0])
    assert (image.tags, image.note, image.reviewer) == (("night", "rain"), "left side", "Ann")
    assert image.comment == "the kerb" and image.status == "rejected"
    desk.queue.look_up(desk.images)
    assert desk.queue.known(desk.images[0]) == image
    desk.queue.undo_status()
    assert desk.statuses()[0] == "new"
    desk.queue.learn_words()
    assert desk.queue.words("tag") == ("night", "rain")
    assert desk.queue.words("reviewer") == ("Ann",)
    assert "Road" in desk.queue.words("class")


def test_what_is_refused_is_shown_as_it_is(desk):
    def refuse():
        raise ProjectError("Another window holds this project.")

    desk.index.before_remark = refuse
    heard = Listener(desk.session.notice)
    desk.queue.set_status(desk.images[:1], "done")
    desk.queue.look_up(desk.images)
    assert desk.queue.status_of(desk.images[0]) == "new"
    assert heard.heard[0].text == "Another window holds this project."


def test_the_next_image_is_the_most_doubtful_that_is_not_done(desk):
    desk.read(a=0.9, b=0.2, c=0.4, d=0.6)
    heard = Listener(desk.queue.neighbour_found)
    show(desk, 1)
    desk.queue.set_status(desk.images[2:3], "done")
    desk.queue.go(1)
    assert heard.heard[-1] == desk.images[3]
    show(desk, 3)
    desk.queue.go(-1)
    assert heard.heard[-1] == desk.images[2]
    show(desk, 0)
    said = Listener(desk.document.message)
    desk.queue.go(1)
    assert len(heard) == 2 and "end of the queue" in said.heard[-1]


def test_the_queue_keeps_to_the_filter(desk):
    desk.read(a=0.9, b=0.2, c=0.4, d=0.6)
    desk.queue.set_query(parse("-name:b"))
    heard = Listener(desk.queue.neighbour_found)
    show(desk, 1)
    desk.queue.go(1)
    assert heard.heard == [desk.images[2]]


def test_an_edit_after_the_review_puts_the_image_to_work_again(desk):
    show(desk, 0)
    desk.document.set_prediction(fake_prediction(np.zeros((60, 80), np.uint8)))
    desk.queue.set_status(desk.images[:1], "accepted")
    desk.document.set_active_class(3)
    desk.document.begin_stroke(10, 10, "brush")
    desk.document.finish_stroke()
    assert desk.statuses()[0] == "in work"


def test_many_images_are_quick_to_bring_together(qapp, tmp_path):
    (tmp_path / ".pspgui").mkdir()
    desk = Desk(tmp_path, [f"{i:05}" for i in range(5_000)])
    desk.open()
    assert desk.queue.found.rows is None
    desk.queue.set_query(parse("name:0077*"))
    assert len(desk.queue.found.rows) == 10
    desk.queue.set_status(desk.images, "done")
    assert desk.index.totals().images["done"] == 5_000
    desk.index.close()


def show(desk, row):
    desk.document.set_image(fake_image(), desk.images[row], desk.images[row].name)
