"""Batches: what is read, passed over and kept; stopping, going on, and giving way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fakes import fake_image, fake_prediction

from pspgui.durable import SaveError, write_durably
from pspgui.imaging import encode_png
from pspgui.jobs.batch import StartingLabels, predict_images
from pspgui.jobs.class_tables import read_classes
from pspgui.jobs.mailbox import Mailbox
from pspgui.jobs.messages import (
    Cancelled,
    Done,
    JobCancelled,
    Progress,
    Request,
    Step,
    Turn,
    Urgency,
)
from pspgui.jobs.modelling import ModelRoom
from pspgui.jobs.scheduler import Scheduler
from pspgui.labels.classes import CAMVID, table
from pspgui.labels.provenance import MODEL
from pspgui.project import LabelStore

SHAPE = (12, 16)
QUIET = Turn(lambda step: None, lambda: False)


class FakeSpec:
    title = "Fake"


class FakePredictor:
    """Labels every image with one class; `during` is called while it reads."""

    classes = CAMVID

    spec = FakeSpec()

    def __init__(self, digest="one", label=3):
        self.digest, self.label = digest, label
        self.seen = 0
        self.during = lambda: None

    def set_image(self, pixels, image_id="", progress=None, cancelled=None):
        from pspgui.inference.errors import Cancelled as Stopped

        self.seen += 1
        self.during()
        if cancelled is not None and cancelled():
            raise Stopped
        return pixels

    def predict(self, activations, cancelled=None):
        return fake_prediction(np.full(activations.shape[:2], self.label, np.uint8))


class Notebook:
    """A ledger in memory."""

    def __init__(self):
        self.rows = {}

    def read_by(self, digest):
        return {image for image, row in self.rows.items() if row[2] == digest}

    def record(self, image, doubt, size, digest):
        self.rows[image] = (doubt, size, digest)


@pytest.fixture
def images(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "abcd"]
    for seed, path in enumerate(paths):
        write_durably(path, encode_png(fake_image(*SHAPE, seed)))
    return paths


@pytest.fixture
def room():
    room = ModelRoom()
    room.predictor = FakePredictor()
    return room


def finish(job, turn=QUIET, most=10_000):
    steps = job(turn)
    for _ in range(most):
        try:
            next(steps)
        except StopIteration as end:
            return end.value
    steps.close()
    return None


def starting(store, taken=(), classes=lambda image: None, kept=lambda kept: None):
    return StartingLabels(store, lambda image: image in taken, classes, kept)


def test_every_image_is_read_once_and_a_second_batch_goes_on(room, images):
    book = Notebook()
    assert finish(predict_images(room, images, book), most=4) is None  # stopped after two
    assert list(book.rows) == images[:2]
    report = finish(predict_images(room, images, book))
    assert (report.read, report.passed_over, report.kept) == (2, 2, 0)
    assert room.predictor.seen == 4 and all(row[1] == SHAPE for row in book.rows.values())
    assert finish(predict_images(room, images, book)).read == 0
    assert finish(predict_images(room, images, book, again=True)).read == 4
    assert not (images[0].parent / ".pspgui").exists()

    room.predictor = FakePredictor("two")
    assert finish(predict_images(room, images, book)).read == 4


def test_images_that_wait_for_the_model_before_are_none_that_failed(room, images):
    def another():
        room.predictor = FakePredictor("two")

    room.predictor.during = another
    report = finish(predict_images(room, images, Notebook()))
    assert (report.read, report.waiting, report.failed) == (1, 3, [])
    assert report.text() == (
        "The model has read 1 image. 3 images wait: another model was loaded meanwhile."
    )


def test_labels_are_kept_only_where_there_are_none(room, images):
    store, book, told = LabelStore(), Notebook(), []
    own = np.full(SHAPE, 7, np.uint8)
    store.save(images[1], own, np.ones(SHAPE, np.uint8), CAMVID.palette())
    job = predict_images(room, images, book, starting(store, {images[2]}, kept=told.append))
    report = finish(job)
    assert (report.read, report.kept) == (4, 2)
    assert [kept.image for kept in told] == [images[0], images[3]]
    loaded = store.load(images[0])
    assert (loaded.labels == 3).all() and (loaded.provenance == MODEL).all()
    assert read_classes(store.path_for(images[0])) == CAMVID
    assert (store.load(images[1]).labels == 7).all()
    assert store.load(images[2]) is None
    # Read before, but without labels: only those are looked at again.
    again = finish(predict_images(room, images, book, starting(store)))
    assert (again.read, again.passed_over, again.kept) == (1, 3, 1)


def test_a_person_who_begins_while_the_model_reads_keeps_the_image(room, images):
    taken = set()
    room.predictor.during = lambda: taken.update(images)
    report = finish(predict_images(room, images, Notebook(), starting(LabelStore(), taken)))
    assert (report.read, report.kept) == (4, 0)


def test_labels_are_kept_in_the_classes_of_the_folder(room, images):
    wanted = table(("sky", (1, 2, 3)), (CAMVID.names[3], (4, 5, 6)))
    store = LabelStore()
    finish(predict_images(room, images[:1], Notebook(), starting(store, classes=lambda i: wanted)))
    stored = store.load(images[0])
    assert (stored.labels == 1).all()
    assert dict(stored.models) == {0: "Fake one"}
    assert read_classes(store.path_for(images[0])) == wanted


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(room, images):
    images[1].write_bytes(b"no image")
    report = finish(predict_images(room, images, Notebook()))
    assert report.read == 3 and len(report.failed) == 1
    assert "b.png" in report.text() and "1 image could not be read" in report.text()


def test_a_full_disk_ends_the_batch_and_says_how_far_it_came(room, images):
    class FullStore(LabelStore):
        def save(self, image, *rest):
            raise SaveError("the disk is full.")

    with pytest.raises(SaveError, match=r"disk is full\. 1 image had been read"):
        finish(predict_images(room, images, Notebook(), starting(FullStore())))


def test_other_weights_end_the_batch(room, images):
    book = Notebook()

    def load_another():
        room.predictor = FakePredictor("two")

    room.predictor.during = load_another
    report = finish(predict_images(room, images, book))
    assert report.read == 1 and "3 images wait" in report.text()


def test_cancelling_stops_within_an_image(room, images):
    book = Notebook()
    wish = []
    room.predictor.during = lambda: wish.append(1)
    with pytest.raises(JobCancelled):
        finish(predict_images(room, images, book), Turn(lambda s: None, lambda: bool(wish)))
    assert not book.rows


def test_a_person_s_request_goes_first_and_the_image_is_begun_anew(room, images):
    order, replies = [], []
    mailbox = Mailbox()
    scheduler = Scheduler(mailbox, replies.append)
    book = Notebook()
    record = book.record

    def look(turn):
        order.append("look")
        yield Step("looking")

    def interrupt():
        if room.predictor.seen == 2:
            mailbox.put(Request(2, "predict", look, Urgency.PREDICT))

    def note(image, *rest):
        order.append(image.name)
        record(image, *rest)

    book.record = note
    room.predictor.during = interrupt
    job = predict_images(room, images, book)
    mailbox.put(Request(1, "batch", job, Urgency.BACKGROUND))
    scheduler.run_until_idle()
    assert order == ["a.png", "look", "b.png", "c.png", "d.png"]
    assert room.predictor.seen == 5
    assert isinstance(replies[-1], Done) and replies[-1].result.read == 4
    shares = [r.step.fraction for r in replies if isinstance(r, Progress) and r.ticket == 1]
    assert [s for s in shares if s is not None] == [0.0, 0.25, 0.25, 0.5, 0.75]
    assert not any(isinstance(r, Cancelled) for r in replies)


def test_a_real_network_through_windows(images):
    from small_networks import small_network

    from pspgui.inference.predictor import Predictor
    from pspgui.inference.protocols import protocol
    from pspgui.models.checkpoints import LoadedModel

    network = small_network(1, backbone="resnet18", output_stride=32)
    room, book = ModelRoom(), Notebook()
    room.predictor = Predictor.of(
        LoadedModel(network, network.spec, "native", Path("x"), "digest", ()), "cpu"
    )
    assert finish(predict_images(room, images[:1], book)).read == 1
    room.mode = protocol("whole", crop=(33, 33))
    assert finish(predict_images(room, images[1:2], book)).read == 1
    for doubt, size, digest in book.rows.values():
        assert 0 <= doubt.margin <= 1 and 0 <= doubt.entropy <= 1
        assert size == SHAPE and digest == "digest"


def test_the_report_is_short():
    from pspgui.jobs.batch import BatchReport

    report = BatchReport(read=9, passed_over=2, kept=3, failed=[f"{i}.png: bad." for i in range(9)])
    assert report.text() == (
        "The model has read 9 images, kept its labels of 3 and passed over 2 it had read before. "
        "9 images could not be read: 0.png: bad; 1.png: bad; 2.png: bad; and 6 more."
    )
    assert BatchReport(read=1).text() == "The model has read 1 image."
