"""Explaining pins in a job: within windows, in the labels' numbers, by one target, how probable."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeEvidence
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.geometry import Pixel, Rect
from pspgui.inference.activations import Prediction, Stamp
from pspgui.inference.resampling import sample
from pspgui.jobs.class_tables import Translation
from pspgui.jobs.local_taps import local_taps
from pspgui.jobs.messages import JobCancelled, Turn
from pspgui.jobs.opening_sources import open_source_of
from pspgui.jobs.pins import PinPlace, PinQuestion, explain_pins, sureness
from pspgui.jobs.windowed import WindowEvidence
from pspgui.labels.class_edits import ClassDraft
from pspgui.labels.classes import table
from pspgui.labels.raster import Stamp as Region

PADDED, IMAGE = (41, 57), (40, 50)
OWN = PinQuestion(None, None, "split", None)
CLASSES = table(*((f"class {i}", (i, i, i)) for i in range(5)))
TURNED = table(*((f"class {i}", (i, i, i)) for i in (4, 3, 2, 1, 0)))
MASK = np.random.default_rng(0).random((9, 12)) < 0.5


@pytest.fixture(scope="module")
def engine():
    model = small_network(0, levels=(1, 2), align_corners=False)
    activations, head = head_activations(model, random_features(model, (6, 8), 1), PADDED, IMAGE)
    return PSPEvidence(activations, head.weights())


def prediction_of(engine):
    known = engine.activations
    return Prediction(
        np.zeros(IMAGE, np.uint8), known.scores, IMAGE, PADDED, False, Stamp("i", "m"), 0.0
    )


def place_of(top, left):
    return PinPlace(Pixel(top + 4, left + 6), Region(Rect(top, left, top + 9, left + 12), MASK))


def run(job):
    steps = job(Turn(lambda _step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def answers(engine, prediction, places, question=OWN, cancelled=False):
    steps = explain_pins(engine, prediction, places, question)(
        Turn(lambda _step: None, lambda: cancelled)
    )
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_every_pin_has_its_own_winner_or_one_target_for_all(engine):
    places = [PinPlace(Pixel(3, 4), None), place_of(20, 30)]
    one, region = answers(engine, prediction_of(engine), places)
    assert one.own.target == engine.at((3, 4)).target and one.compared is one.own
    assert region.own.pixels == MASK.sum() and region.own.rect == places[1].region.rect
    common = PinQuestion(None, Target(1, 3), "ig", None)
    for mine, its in zip(answers(engine, None, places, common), (one, region), strict=True):
        assert mine.own.target == its.own.target and mine.own.reading == "ig"
        assert mine.compared.target == Target(1, 3) and mine.sureness is None


def test_targets_are_numbered_like_the_labels(engine):
    told = Translation(CLASSES, TURNED).evidence(engine)
    question = PinQuestion(Target(0, 1), None, "split", None)
    (mine,) = answers(told, None, [place_of(20, 30)], question)
    (its,) = answers(engine, None, [place_of(20, 30)],
                     PinQuestion(Target(4, 3), None, "split", None))  # fmt: skip
    assert mine.own.target == Target(0, 1) and mine.own.logit == its.own.logit
    (own,) = answers(told, None, [place_of(20, 30)])
    (plain,) = answers(engine, None, [place_of(20, 30)])
    assert own.own.target.class_id == 4 - plain.own.target.class_id


def test_classes_that_became_one_are_never_compared_with_each_other(engine):
    own = ClassDraft.of(CLASSES)
    for label in (3, 2, 1):
        own = own.merged(label, 0)
    translation = Translation(CLASSES, own.table())
    told = translation.evidence(engine)
    assert translation.merges and translation.reading.names == ("class 0", "class 4")
    for row, column in np.ndindex(5, 6):
        pixel = (row * 8, column * 9)
        known = engine.activations
        logits = sample(known.scores, *pixel, PADDED, known.align_corners)
        best = [max(logits[:4]), logits[4]]
        found = told.at(pixel)
        assert found.target in (Target(0, 1), Target(1, 0))
        # A class scores what the best of those that it was made of does, as in the prediction.
        one, other = found.target
        assert found.logit == pytest.approx(best[one] - best[other], abs=1e-5)
        again = told.at(pixel, found.target)
        assert again.logit == found.logit and again.target == found.target
        opened = told.open_source(pixel, found.sources[0], found.target)
        assert opened.target == found.target
        assert opened.total == pytest.approx(found.sources[0].value, abs=1e-5)
    (region,) = answers(told, None, [place_of(20, 30)])
    again = PinQuestion(region.own.target, None, "split", None)
    assert region.own.target in (Target(0, 1), Target(1, 0))
    assert answers(told, None, [place_of(20, 30)], again)[0].own.logit == region.own.logit


@pytest.mark.parametrize("reading", ["split", "shapley"])
def test_a_region_within_the_window_is_explained_in_pixels_of_the_image(engine, reading):
    window = WindowEvidence(engine, Rect(100, 200, 140, 250))
    question = PinQuestion(Target(2), None, reading, None)
    inside, outside, single = answers(
        window, None, [place_of(120, 230), place_of(95, 230), PinPlace(Pixel(140, 210), None)],
        question,
    )  # fmt: skip
    (plain,) = answers(engine, None, [place_of(20, 30)], question)
    assert outside.own is None and single.own is None
    assert inside.own.logit == plain.own.logit
    assert inside.own.rect == Rect(120, 230, 129, 242)
    y, x = plain.own.pixel
    assert inside.own.pixel == (y + 100, x + 200)
    assert inside.own.local_region == plain.own.local_region.moved(100, 200)


def test_the_probability_of_a_region_is_the_mean_over_its_pixels(engine):
    prediction, place = prediction_of(engine), place_of(31, 38)
    ys, xs = np.nonzero(MASK)
    each = [prediction.probability_at(31 + y, 38 + x)[2] for y, x in zip(ys, xs, strict=True)]
    assert sureness(prediction, place, 2) == pytest.approx(np.mean(each), abs=1e-6)
    single = sureness(prediction, PinPlace(Pixel(5, 6), None), 2)
    assert single == pytest.approx(prediction.probability_at(5, 6)[2], abs=1e-6)


def test_of_a_region_beyond_the_window_the_pixels_within_are_explained(engine):
    window = WindowEvidence(engine, Rect(100, 200, 140, 250))
    beyond = PinPlace(Pixel(138, 248), Region(Rect(134, 242, 143, 254), MASK))
    question = PinQuestion(Target(2), None, "split", None)
    (found,) = answers(window, None, [beyond], question)
    within = PinPlace(Pixel(38, 48), Region(Rect(34, 42, 40, 50), MASK[:6, :8]))
    (plain,) = answers(engine, None, [within], question)
    assert found.own.logit == plain.own.logit and found.own.local == plain.own.local
    assert found.own.pixels == MASK[:6, :8].sum() == MASK.sum() - found.own.left_out
    assert found.own.rect == Rect(134, 242, 140, 250)
    assert window.frame.contains(*found.own.pixel)

    source = found.own.sources[0]
    opened = window.open_source(beyond.region, source, Target(2))
    assert opened.source is source and opened.region.y0 <= 100
    assert opened.total == pytest.approx(source.value, abs=1e-5)
    taps = run(local_taps(window, found.own, None, beyond.region))
    assert sum(tap.value for tap in taps) == pytest.approx(source.value, abs=1e-5)
    assert taps[4].region.intersect(source.region) == taps[4].region

    elsewhere = beyond._replace(pixel=Pixel(141, 253))  # its middle is what another window explains
    assert answers(window, None, [elsewhere], question)[0].own is None


def test_a_regions_sources_are_opened_in_the_labels_numbers(engine):
    own = ClassDraft.of(CLASSES).merged(3, 0).merged(2, 0)
    translation = Translation(CLASSES, own.table())
    told, place = translation.evidence(engine), place_of(20, 30)
    (found,) = answers(told, None, [place])
    for source in found.own.sources:
        place_opened, opened = run(open_source_of(told, place.region, source, found.own.target))
        assert place_opened is place.region and opened.target == found.own.target
        assert opened.total == pytest.approx(source.value, abs=1e-5)


def test_an_engine_without_regions_and_none_at_all_say_nothing(engine):
    (found,) = answers(FakeEvidence(), None, [place_of(20, 30)])
    assert found.own is None
    (found,) = answers(None, None, [place_of(20, 30)])
    assert found == (None, None, None)


def test_a_job_that_is_not_wanted_any_more_stops_within_a_region(engine):
    question = PinQuestion(None, None, "ablate", None)
    with pytest.raises(JobCancelled):
        answers(engine, None, [place_of(20, 30)], question, cancelled=True)
