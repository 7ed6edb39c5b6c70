"""Bringing a list and the index together, finding in it, and the numbers of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from pspgui.jobs.messages import Turn
from pspgui.jobs.queueing import (
    Before,
    Order,
    commented,
    find,
    listing_of,
    neighbour,
    statistics,
    words_in_use,
)
from pspgui.project.index import ProjectIndex
from pspgui.project.queries import EVERYTHING, parse


def finish(job):
    steps = job(Turn(lambda step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.fixture
def images(tmp_path):
    return tuple(tmp_path / f"{name}.png" for name in ("x2", "x10", "y"))


@pytest.fixture
def index(tmp_path, images):
    (tmp_path / ".pspgui").mkdir()
    index = ProjectIndex(tmp_path / ".pspgui" / "project.sqlite", tmp_path)
    index.add_images(images)
    yield index
    index.close()


def test_a_listing_knows_every_image_both_ways(index, images):
    listing = listing_of(index, images)
    assert 0 not in listing.ids
    for place, image in enumerate(images):
        assert listing.id_of(image) == listing.ids[place]
        assert listing.place_of_id[listing.id_of(image)] == place
    assert listing.id_of(Path("/elsewhere.png")) == 0


def test_images_that_the_index_lacks_are_not_kept_back(index, images, tmp_path):
    more = (*images, tmp_path / "new.png")
    listing = listing_of(index, more)
    assert list(finish(find(index, listing, EVERYTHING, Order())).rows) == [0, 1, 2, 3]
    assert list(finish(find(index, listing, parse("name:x*"), Order())).rows) == [0, 1]


def test_images_of_the_index_that_are_not_listed_are_left_out(index, images):
    listing = listing_of(index, images[:2])
    assert list(finish(find(index, listing, parse("-name:x2"), Order())).rows) == [1]


def test_a_plain_list_is_told_without_copying_it(index, images):
    found = finish(find(index, listing_of(index, images), EVERYTHING, Order()))
    assert found.rows is None
    turned = finish(find(index, listing_of(index, images), EVERYTHING, Order("name", True)))
    assert list(turned.rows) == [2, 1, 0]


def test_a_neighbour_of_nothing_is_the_most_doubtful(index, images):
    index.record_prediction(images[1], 0.1, 0.9, 5)
    listing = listing_of(index, images)
    assert finish(neighbour(index, listing, EVERYTHING, None, 1)) == images[1]
    assert finish(neighbour(index, listing, EVERYTHING, images[1], -1)) is None


def test_statuses_before_a_change_come_back(index, images):
    index.set_status(images[:1], "accepted")
    before = Before(listing_of(index, images), images, {})
    before.fill(index)
    index.set_status(images, "rejected")
    before.restore(index)
    assert [index.image_of(i).status for i in images] == ["accepted", "new", "new"]


def test_numbers_of_a_project(index, images):
    index.record_labels(
        images[0], {"car": 30, "": 70}, 10, {("road", "car"): 10, ("car", "car"): 20}, "d",
        size=(10, 10),
    )  # fmt: skip
    index.set_status(images[:2], "accepted")
    index.set_status(images[2:], "done")
    index.set_review(images[0], "Ann", "good", "accepted")
    index.set_tags(images[1], ["night"])
    found = finish(statistics(index))
    assert found.totals.images["accepted"] == 2 and found.totals.pixels == {"car": 30, "": 70}
    assert found.totals.confusion[("road", "car")] == 10
    # By day, and midnight may pass between two changes.
    assert sum(found.accepted.values()) == 2 and sum(found.finished.values()) == 3
    said = finish(commented(index))
    assert [i.comment for i in said.images] == ["good"] and said.counts["done"] == 1
    assert finish(words_in_use(index)) == {
        "class": ("car",), "tag": ("night",), "reviewer": ("Ann",)
    }  # fmt: skip


def test_queries_of_every_field_are_understood_by_the_index(index, images):
    index.record_labels(images[0], {"car": 30, "": 70}, 10, {}, "d", size=(10, 10))
    index.record_prediction(images[0], 0.5, 0.2, 7)
    index.set_tags(images[0], ["night"])
    listing = listing_of(index, images)
    for text in (
        "class:car", "class:CAR>29%", "unlabelled>69%", "corrected=10%", "corrected=10px",
        "doubt=0.5", "entropy<0.3", "boundary>=7", "tag:night", "changed<1h", "width=10",
        "height=10px", 'status:"in work"', "is:labelled", "is:read", "is:tagged", "x2",
    ):  # fmt: skip
        assert list(finish(find(index, listing, parse(text), Order())).rows) == [0], text
