"""Five hundred switches of images while the model answers late: no label strays to another."""

from __future__ import annotations

import random

import numpy as np
import pytest
from slow_engine import Desk, labels_of

from pspgui.imaging import decode_image
from pspgui.labels.provenance import PERSON


@pytest.mark.slow
def test_no_answer_and_no_stroke_reaches_another_image(qtbot, qapp, tmp_path):
    chance = random.Random(5)
    desk = Desk(tmp_path, images=12, most_ms=30)
    document = desk.document
    untouched = desk.images[9:]
    expected = {}
    strays = []

    def compare():
        image, label_map = document.image_path, document.label_map
        if label_map is None:
            return
        wanted = expected.get(image)
        if wanted is None:
            wanted = labels_of(document.image)
        if not np.array_equal(label_map.labels, wanted):
            strays.append(image)

    document.image_changed.connect(compare)
    document.prediction_changed.connect(compare)
    desk.open(qtbot)
    for number in range(500):
        target = chance.choice(desk.images)
        desk.session.show_image(target)
        if chance.random() < 0.6:
            qtbot.waitUntil(lambda t=target: document.image_path == t)
        qtbot.wait(chance.randint(0, 6))
        image = document.image_path
        if document.label_map is not None and image not in untouched and chance.random() < 0.5:
            if document.can_undo and chance.random() < 0.3:
                document.undo()
            else:
                desk.stroke(chance.randint(0, 47), chance.randint(0, 63), number % 11)
            expected[image] = document.label_map.labels.copy()
    assert strays == []
    assert len(expected) >= 6  # how many are painted hangs on how fast they open
    assert desk.session.flush(60)
    assert desk.session.autosave.strokes.journals.drain(None, 60)
    assert_files_hold(desk, expected)
    desk.close()
    again = Desk(tmp_path, images=12)
    again.open(qtbot)
    for number in range(9):
        again.show(qtbot, number)
        assert_undo_leads_back(again)
    again.crash()


def assert_files_hold(desk, expected):
    """Each file differs from the prediction where its own image was painted, and there alone."""
    for image in desk.images:
        stored = desk.store.load(image)
        if image not in expected:
            assert stored is None
            continue
        assert np.array_equal(stored.labels, expected[image])
        changed = stored.labels != labels_of(decode_image(image).pixels)
        assert (stored.provenance[changed] == PERSON).all()


def assert_undo_leads_back(desk):
    assert desk.keeping.lost is None
    while desk.document.can_undo:
        desk.document.undo()
    assert np.array_equal(desk.document.label_map.labels, labels_of(desk.document.image))
