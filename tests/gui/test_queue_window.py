"""The queue in the whole window: a batch, going by doubt, marking, keeping labels to start from."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from fakes import fake_image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox
from workplace import Workplace

from pspgui.geometry import Rect
from pspgui.gui import queue_session
from pspgui.gui.theme import DARK, apply_theme
from pspgui.imaging import encode_png
from pspgui.jobs.messages import Step
from pspgui.jobs.queueing import make_listing
from pspgui.labels.provenance import MODEL, PERSON
from pspgui.labels.raster import Stamp

pytestmark = pytest.mark.usefixtures("no_qthreads_left", "no_threads_left")
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def place(qtbot, qapp, quick_weights, tmp_path):
    """A window on four small images, the first of them shown."""
    apply_theme(qapp, DARK)
    for number in range(4):
        pixels = fake_image(64, 96, seed=number)
        (tmp_path / f"street{number}.png").write_bytes(encode_png(pixels))
    place = Workplace(qtbot, quick_weights)
    qtbot.addWidget(place.window)
    place.open(tmp_path)
    place.wait(lambda: place.window.queue.found is not None)
    place.wait(lambda: 0 not in place.window.queue.listing.ids)
    yield place
    place.close()


def statuses(place):
    index = place.session.project.index
    return [index.image_of(path).status for path in place.window.queue.images]


def finish_batch(place):
    place.wait(lambda: not place.window.batch.running)
    place.session.project.flush()


def test_from_a_batch_to_what_is_done(place, tmp_path):
    window, document = place.window, place.document
    images = window.queue.images
    heard = []
    place.session.notice.connect(lambda notice: heard.append(notice.text))
    window.actions_table["predict_all"].trigger()
    assert window.batch.running and window.actions_table["stop_batch"].isEnabled()
    finish_batch(place)
    assert any("The model has read" in text for text in heard)
    known = [place.session.project.index.image_of(path) for path in images]
    assert all(k.status == "predicted" and k.margin is not None for k in known)
    assert not (tmp_path / ".pspgui" / "labels").exists()  # nobody asked for labels

    # by doubt with Shift+D, most doubtful after the one shown
    order = sorted(images, key=lambda path: known[images.index(path)].margin)
    place.session.show_image(order[0])
    place.wait(lambda: document.image_path == order[0])
    place.key(Qt.Key.Key_D, SHIFT)
    place.wait(lambda: document.image_path == order[1])
    place.key(Qt.Key.Key_A, SHIFT)
    place.wait(lambda: document.image_path == order[0])

    # done and on, flagged, undone
    place.session.show_image(images[0])
    place.wait(lambda: document.image_path == images[0] and place.predicted())
    place.key(Qt.Key.Key_D, CTRL)
    place.wait(lambda: document.image_path == images[1] and place.predicted())
    place.session.project.flush()
    assert statuses(place)[0] == "done"
    place.wait(lambda: images[0] not in place.session.autosave.unsaved)
    stored = place.session.store.load(images[0])  # the prediction, accepted as it was
    assert stored is not None and (stored.provenance == PERSON).all()
    place.key(Qt.Key.Key_F)
    place.session.project.flush()
    assert statuses(place)[:2] == ["done", "flagged"]
    place.key(Qt.Key.Key_F)
    place.session.project.flush()
    assert statuses(place)[:2] == ["done", "predicted"]


def test_the_doubt_of_the_image_shown_follows_how_it_is_read(place):
    index, session = place.session.project.index, place.session
    image = place.document.image_path

    def doubt():
        session.project.flush()
        return index.image_of(image).margin

    place.wait(lambda: doubt() is not None)
    whole = doubt()
    session.apply_choice(replace(session.choice, reading="semseg-ms", crop_px=129))
    place.wait(lambda: doubt() != whole)
    scaled = doubt()
    session.apply_choice(replace(session.choice, reading="whole"))
    place.wait(lambda: doubt() != scaled)
    assert doubt() == pytest.approx(whole)


def test_doubt_is_kept_of_an_image_predicted_before_the_index_knew_it(
    qtbot, qapp, quick_weights, tmp_path, monkeypatch
):
    predicted = threading.Event()

    def slow_listing(index, images):
        def job(turn):
            while not predicted.wait(0.005):
                turn.check()
                yield Step("Waiting")
            return (yield from make_listing(index, images)(turn))

        return job

    monkeypatch.setattr(queue_session, "make_listing", slow_listing)
    (tmp_path / "street.png").write_bytes(encode_png(fake_image(64, 96)))
    place = Workplace(qtbot, quick_weights)
    qtbot.addWidget(place.window)
    try:
        place.open(tmp_path)
        assert place.window.queue.listing is None
        predicted.set()

        def kept():
            place.session.project.flush()
            known = place.session.project.index.image_of(place.document.image_path)
            return known is not None and known.margin is not None

        place.wait(kept)
    finally:
        predicted.set()
        place.close()


def test_labels_to_start_from_are_kept_only_when_asked(place, monkeypatch):
    window, document = place.window, place.document
    images = window.queue.images
    asked = []

    def answer(box):
        asked.append(box.text())
        role = QMessageBox.ButtonRole.RejectRole
        if len(asked) > 1:
            role = QMessageBox.ButtonRole.AcceptRole
        next(b for b in box.buttons() if box.buttonRole(b) == role).click()

    monkeypatch.setattr(QMessageBox, "exec", answer)
    window.actions_table["predict_keep"].trigger()
    assert not window.batch.running
    window.actions_table["predict_keep"].trigger()
    finish_batch(place)
    store = place.session.store
    assert asked == ["Keep the model's labels of 4 images to start from?"] * 2
    assert store.load(images[0]) is None  # it is shown: a person may be at work on it
    for path in images[1:]:
        stored = store.load(path)
        assert stored is not None and (stored.provenance == MODEL).all()
    assert statuses(place) == ["predicted"] * 4
    index = place.session.project.index
    assert index.image_of(images[1]).corrected_px == 0
    assert sum(index.image_of(images[1]).pixels.values()) == 64 * 96
    place.session.show_image(images[1])
    place.wait(lambda: document.image_path == images[1] and place.predicted())
    assert np.array_equal(document.label_map.labels, store.load(images[1]).labels)


def test_images_done_without_labels_are_told_of_and_given_the_models(place, monkeypatch):
    window, document, store = place.window, place.document, place.session.store
    images = window.queue.images
    asked, heard = [], []

    def agree(box):
        asked.append(box.text())
        accept = QMessageBox.ButtonRole.AcceptRole
        next(b for b in box.buttons() if box.buttonRole(b) == accept).click()

    monkeypatch.setattr(QMessageBox, "exec", agree)
    place.session.notice.connect(heard.append)
    document.fill(Stamp(Rect(2, 2, 9, 9), np.ones((7, 7), bool)), "Rectangle", "paint")
    window.queue.set_status(images[:1], "done")  # it has labels, though they are not saved yet
    place.session.show_image(images[1])
    place.wait(lambda: document.image_path == images[1] and place.predicted())
    place.wait(lambda: not place.session.autosave.unsaved)
    window.queue.set_status(images, "done")
    place.wait(lambda: any(notice.about == "unlabelled" for notice in heard))
    told = [notice.text for notice in heard if notice.about == "unlabelled"]
    assert told == ["3 images that are done have no labels yet, so that exports leave them out."]
    assert window.banner.text == told[0]

    window.banner._retry.click()
    place.wait(lambda: all(store.path_for(path).exists() for path in images))
    finish_batch(place)
    assert asked == ["Keep the model's labels of 3 images to start from?"]
    assert (store.load(images[1]).provenance == PERSON).all()  # shown: accepted, as by Ctrl+D
    assert all((store.load(path).provenance == MODEL).all() for path in images[2:])
    assert statuses(place) == ["done"] * 4
    assert not window.actions_table["keep_done"].isEnabled()


def test_a_batch_that_is_stopped_offers_to_go_on(place):
    window = place.window
    heard = []
    place.session.notice.connect(heard.append)
    window.actions_table["predict_all"].trigger()
    window.actions_table["stop_batch"].trigger()
    place.wait(lambda: not window.batch.running)
    assert heard[-1].retry == "predict_all" and "goes on from there" in heard[-1].text
    window.banner.retried.emit("predict_all")
    finish_batch(place)
    assert statuses(place) == ["predicted"] * 4


def test_a_region_goes_to_the_image_below_in_the_list_or_nowhere(place):
    window, document = place.window, place.document
    images = window.queue.images

    def select():
        mask = np.ones((8, 8), bool)
        document.set_active_class(3)
        document.fill(Stamp(Rect(0, 0, 8, 8), mask), "Test")
        document.select(Stamp(Rect(0, 0, 8, 8), mask))

    def show(path):
        place.session.show_image(path)
        place.wait(lambda: document.image_path == path and place.predicted())

    show(images[-1])
    select()
    window.actions_table["copy_to_next"].trigger()
    assert document.image_path == images[-1]  # the last: only copied
    show(images[0])
    place.qtbot.wait(1)
    assert not document.can_undo
    select()
    window.actions_table["copy_to_next"].trigger()
    place.wait(lambda: document.image_path == images[1] and document.can_undo)
    assert document.history.undo_names[0].startswith("Paste region")
