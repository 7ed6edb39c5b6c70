"""Jobs that make whole-image maps: what is on offer, and that each shows what it says."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.maps import LevelStack, PyramidShare
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.geometry import Rect
from pspgui.inference.activations import Prediction
from pspgui.inference.argmax import full_resolution_labels
from pspgui.jobs.class_tables import Translation
from pspgui.jobs.maps import (
    MAPS,
    MapChoice,
    MapQuestion,
    MapRoom,
    make_map,
    measure_share,
)
from pspgui.jobs.messages import Turn
from pspgui.jobs.windowed import WindowEvidence
from pspgui.labels.classes import ClassTable, LabelClass

SHAPE, PADDED = (45, 50), (49, 57)
TURN = Turn(lambda step: None, lambda: False)


def predicted(seed=4):
    """Return the evidence and the prediction of a small PSPNet."""
    model = small_network(3, levels=(1, 2, 3))
    features = random_features(model, (6, 7), seed)
    activations, head = head_activations(model, features, PADDED, SHAPE)
    known = activations
    labels = full_resolution_labels(known.scores, PADDED, SHAPE, known.align_corners)
    prediction = Prediction(
        labels, known.scores, SHAPE, PADDED, known.align_corners, known.stamp, 0.0
    )
    return PSPEvidence(activations, head.weights()), prediction, model.spec.classes


def run(job):
    """Run a job to its end and return its result."""
    steps = job(TURN)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def shown(room, name, part="pyramid", target=(None, None), source=None):
    question = MapQuestion(MapChoice(name, part), target, source)
    answered, asked, found = run(make_map(room, question))
    assert answered is room and asked is question
    return found


@pytest.fixture
def room():
    return MapRoom(*predicted())


def test_a_pyramid_offers_every_map_and_others_what_their_logits_say(room):
    _, prediction, table = predicted()
    assert all(room.offers(kind.needs) for kind in MAPS)
    assert room.levels == (1, 2, 3)

    other = MapRoom(None, prediction, table)
    assert [kind.name for kind in MAPS if other.offers(kind.needs)] == [
        "confidence", "margin", "entropy"
    ]  # fmt: skip
    assert other.levels == ()
    assert run(measure_share(other)) == (other, None)
    with pytest.raises(KeyError):
        run(make_map(other, MapQuestion(MapChoice("context"))))

    nothing = MapRoom(None, None, table)
    assert not any(nothing.offers(kind.needs) for kind in MAPS)


def test_evidence_by_source_adds_up_to_the_logit_on_comparable_scales(room):
    parts = {
        part: shown(room, "evidence", part, (3, 1))
        for part in ("local", "constant", "pyramid", "level-1", "level-2", "level-3", "all")
    }
    values = {part: found.values for part, found in parts.items()}
    total = values["local"] + values["constant"] + values["pyramid"]

    assert np.allclose(total, values["all"], atol=1e-4)
    levels = values["level-1"] + values["level-2"] + values["level-3"]
    assert np.allclose(levels, values["pyramid"], atol=1e-5)
    assert parts["level-2"].limits == parts["pyramid"].limits
    assert parts["local"].limits == parts["all"].limits
    for found in parts.values():
        assert found.kind == "signed" and found.unit == "logits"
        assert -found.limits[0] == found.limits[1] >= max(map(abs, found.span))
        assert found.title.endswith(": class 3 over class 1")


def test_a_value_under_the_pointer_is_the_pixel_s_own_evidence(room):
    evidence, _, _ = predicted()
    found = shown(room, "evidence", "level-2", (3, 1))
    for pixel in ((0, 0), (44, 49), (17, 23)):
        own = evidence.at(pixel, Target(3, 1)).level_sums[2]
        assert found.value_at(*pixel) == pytest.approx(own, abs=1e-4)


def test_the_strongest_source_is_named_with_its_share(room):
    found = shown(room, "strongest", target=(2, None))
    maps = LevelStack(predicted()[0]).maps(Target(2))
    assert [part.name for part in found.parts] == ["Local features", "1×1", "2×2", "3×3"]
    assert np.array_equal(found.values, maps.strongest())
    assert found.shares.sum() == pytest.approx(1)


def test_maps_of_a_bin_need_one(room):
    evidence, _, _ = predicted()
    reach = shown(room, "reach", source=(3, 1, 2))
    assert np.array_equal(reach.values, evidence.reach_map(3, 1, 2))
    adds = shown(room, "bin", target=(1, None), source=(3, 1, 2))
    assert adds.value_at(20, 40) == pytest.approx(
        evidence.at((20, 40), Target(1)).grid(3)[1, 2], abs=1e-5
    )
    with pytest.raises(KeyError):
        run(make_map(room, MapQuestion(MapChoice("bin"))))


def test_confidence_is_that_of_every_pixel(room):
    _, prediction, _ = predicted()
    found = shown(room, "confidence")
    assert found.lattice is None and found.values.shape == SHAPE
    for pixel in ((0, 0), (44, 49), (17, 23)):
        best = prediction.probability_at(*pixel).max()
        assert found.value_at(*pixel) == pytest.approx(best, abs=1e-5)


def test_how_much_the_pyramid_matters_is_measured_once_and_told_plainly(room):
    answered, share = run(measure_share(room))
    assert answered is room and 0 < share.evidence < 1
    assert run(measure_share(room))[1] is share
    assert shown(room, "context").meaning == share.sentence()
    text = PyramidShare(0.141, 0.0199).sentence()
    assert "carries 14 %" in text and "change 2.0 %" in text
    assert "less than 0.1 %" in PyramidShare(0.0, 0.0004).sentence()


def test_an_fcn_shows_its_score_maps():
    from every_kind import predictor
    from fakes import fake_image

    from pspgui.evidence import evidence_of
    from pspgui.labels.classes import table

    network = predictor("fcn")
    activations = network.set_image(fake_image(41, 53), "picture")
    evidence, said = evidence_of(activations, network.weights), network.predict(activations)
    room = MapRoom(evidence, said, table(*((f"class {i}", (i, i, i)) for i in range(4))))
    assert [kind.name for kind in MAPS if room.offers(kind.needs)] == [
        "strongest", "evidence", "confidence", "margin", "entropy"
    ]  # fmt: skip
    assert [name for name, _ in room.parts] == ["map-0", "map-1", "map-2", "constant", "all"]
    maps = [shown(room, "evidence", name, (2, None)) for name, _ in room.parts]
    assert np.allclose(sum(m.values for m in maps[:4]), maps[4].values, atol=1e-4)
    assert len({m.limits for m in maps}) == 1 and maps[0].title == "Fc7 score: class 2"
    source = evidence.at((17, 23), Target(2)).sources[1]
    title = dict(room.parts)["map-1"]
    assert source.title.capitalize() == title
    assert maps[1].value_at(17, 23) == pytest.approx(source.value, abs=1e-4)
    found = shown(room, "strongest")
    assert [part.name for part in found.parts] == ["Fc7 score", "Pool4 score", "Pool3 score"]


def test_targets_and_names_are_those_of_the_labels():
    evidence, prediction, table = predicted()
    # The labels number the same classes backwards, and know one that the model does not.
    names = [*reversed(table.names), "elsewhere"]
    labels = ClassTable(tuple(LabelClass(i, n, (i, i, i)) for i, n in enumerate(names)))
    translation = Translation(table, labels)
    room = MapRoom(
        translation.evidence(evidence), translation.prediction(prediction), translation.reading
    )
    found = shown(room, "evidence", "local", (0, None))  # class 4 of the model
    assert found.title == "Local features: class 4"
    assert np.allclose(found.values, LevelStack(evidence).maps(Target(4)).local)
    unknown = shown(room, "evidence", "local", (5, None))
    assert unknown.title == "Local features: winner over runner-up"
    # A rival that it does not know is left out, as in what the panel says of a pixel.
    rival = shown(room, "evidence", "local", (0, 5))
    assert rival.title == "Local features: class 4"
    told = translation.evidence(evidence).at((17, 23), Target(0, 5))
    assert told.target == Target(0)
    assert rival.value_at(17, 23) == pytest.approx(told.local, abs=1e-4)

    # A class that the model does not know takes no part in the doubt.
    own = MapRoom(evidence, prediction, table)
    for name in ("confidence", "margin", "entropy"):
        assert np.allclose(shown(room, name).values, shown(own, name).values, atol=1e-6)


def test_of_an_image_read_through_windows_there_are_confidence_and_the_window_s_evidence():
    evidence, _, table = predicted()
    told = np.full((90, 100), 0.5, np.float32)
    prediction = SimpleNamespace(windows=object(), confidence=told)
    bare = MapRoom(None, prediction, table)
    assert [kind.name for kind in MAPS if bare.offers(kind.needs)] == ["confidence"]
    assert shown(bare, "confidence").values is told

    frame = Rect(30, 40, 75, 90)
    room = MapRoom(WindowEvidence(evidence, frame), prediction, table)
    found = shown(room, "context")
    assert found.meaning.startswith("In this window the pyramid carries")
    assert found.value_at(30, 40) == pytest.approx(LevelStack(evidence).maps().context_share[0, 0])
    assert found.value_at(29, 40) is None


def test_there_is_no_map_of_another_name():
    with pytest.raises(KeyError):
        _ = MapChoice("nothing").kind
