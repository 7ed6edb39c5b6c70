"""What the model lane keeps between jobs belongs to one image and one model."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import fake_image

from pspgui.imaging import scratch
from pspgui.inference import argmax
from pspgui.inference.errors import ImageTooLargeError
from pspgui.jobs.messages import JobCancelled, Turn
from pspgui.jobs.modelling import ModelRoom, Shown, predict, redraw_views, retell
from pspgui.labels.provenance import MODEL

TURN = Turn(lambda step: None, lambda: False)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    from small_networks import small_network

    from pspgui.inference.predictor import Predictor
    from pspgui.models.checkpoints.native import save_checkpoint

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_checkpoint(small_network(1, backbone="resnet18", output_stride=32), path)
    return Predictor.load(path, "cpu")


@pytest.fixture
def room(predictor):
    room = ModelRoom()
    room.predictor = predictor
    return room


def shown(seed):
    return Shown(fake_image(33, 40, seed), "same name", 2)


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_nothing_of_the_image_before_is_told_in_the_name_of_the_next(room):
    first, second = shown(1), shown(2)
    found = finish(predict(room, first)(TURN))
    assert found.score_class == 2
    assert finish(redraw_views(room, first)(TURN))

    for ask in (redraw_views, retell):
        with pytest.raises(JobCancelled):
            finish(ask(room, second)(TURN))
    next(predict(room, second)(TURN))
    with pytest.raises(JobCancelled):
        finish(redraw_views(room, first)(TURN))


def test_weights_loaded_while_predicting_leave_nothing_of_the_older_ones(room, predictor):
    from dataclasses import replace

    steps = predict(room, shown(1))(TURN)
    for step in steps:
        if step.text.startswith("Labelling"):
            room.predictor = replace(predictor)
            room.forget()
            break
    with pytest.raises(JobCancelled):
        finish(steps)
    assert room.raw is None and room.activations is None


def test_an_image_without_labels_gets_a_map_of_its_own(room):
    from dataclasses import replace

    bare = replace(shown(1), bare=True)
    found = finish(predict(room, bare)(TURN))

    assert np.array_equal(found.fresh.labels, found.prediction.labels)
    assert (found.fresh.provenance == MODEL).all()
    assert not np.shares_memory(found.fresh.labels, found.prediction.labels)
    again = finish(retell(room, bare)(TURN))  # each answer has its own, or one could be taken twice
    assert not np.shares_memory(again.fresh.labels, found.fresh.labels)
    assert finish(predict(room, shown(1))(TURN)).fresh is None


def test_a_disk_without_room_for_a_large_prediction_is_told_in_a_sentence(room, monkeypatch):
    def full(shape, dtype):
        raise scratch.ScratchError(28, "it needs 0.9 GB of disk space in /cache while it is open")

    monkeypatch.setattr(argmax, "LARGE_BYTES", 1)
    monkeypatch.setattr(argmax, "room_for", full)
    with pytest.raises(ImageTooLargeError, match=r"no room for the prediction .* needs 0.9 GB"):
        finish(predict(room, shown(1))(TURN))
