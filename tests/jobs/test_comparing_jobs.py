"""Two models on one image: numbering by name, shares, regions, verdicts, and what decided them."""

import numpy as np
import pytest
from small_networks import head_activations, random_features, small_network

from pspgui.evidence import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.inference.activations import Prediction, Stamp
from pspgui.inference.argmax import full_resolution_labels
from pspgui.inference.predictor import Predictor
from pspgui.jobs.class_tables import Translation
from pspgui.jobs.comparing import (
    ModelReading,
    NamedImage,
    NotCompared,
    Truth,
    agreements,
    common_table,
    compare,
    forgiving,
    labels_of,
    let_go,
    marked,
    read_beside,
)
from pspgui.jobs.messages import JobCancelled, Turn
from pspgui.jobs.modelling import ModelRoom
from pspgui.labels.classes import table
from pspgui.labels.provenance import MODEL, PERSON

OWN = table(("Road", (1, 1, 1)), ("Sky", (2, 2, 2)), ("Car", (3, 3, 3)))
FURTHER = table(("car", (9, 9, 9)), ("Boat", (8, 8, 8)), ("Road", (7, 7, 7)))
SHAPE = (24, 32)


def run(job, stopped=False):
    steps = job(Turn(lambda step: None, lambda: stopped))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def said(labels, evidence=None, classes=OWN):
    """A reading whose labels are given."""
    labels = np.asarray(labels, np.uint8)
    scores = np.zeros((len(classes), 1, 1), np.float32)
    found = Prediction(labels, scores, labels.shape, labels.shape, True, Stamp("x", "y"), 0.0)
    return ModelReading(np.zeros((*labels.shape, 3), np.uint8), classes, found, evidence)


def pyramid_reading(seed=0, shape=(33, 41), classes=4, **fields):
    """A reading of a small PSPNet with everything behind it, cut from a padded image."""
    model = small_network(seed, classes=classes, **fields)
    grid = (5, 6)
    activations, head = head_activations(
        model, random_features(model, grid, seed + 1), (33, 41), shape
    )
    labels = full_resolution_labels(activations.scores, (33, 41), shape, activations.align_corners)
    found = Prediction(
        labels, activations.scores, shape, (33, 41), activations.align_corners,
        Stamp("x", "y"), 0.0,
    )  # fmt: skip
    engine = PSPEvidence(activations, head.weights())
    pixels = np.zeros((*shape, 3), np.uint8)
    return ModelReading(pixels, model.spec.classes, found, engine)


# -- numbering ------------------------------------------------------------------------------------


def test_the_common_table_begins_with_the_labels_and_takes_the_rest_by_name():
    common = common_table(OWN, [FURTHER, table(("boat", (0, 0, 0)), ("Tree", (0, 9, 0)))])

    assert common.names == ("Road", "Sky", "Car", "Boat", "Tree")


def test_labels_of_a_reading_leave_out_classes_that_the_labels_do_not_have():
    common = common_table(OWN, [FURTHER])
    reading = said([[0, 1, 2, 3]], classes=common)

    assert labels_of(reading, OWN).tolist() == [[0, 1, 2, OWN.ignore]]
    assert labels_of(reading, common) is reading.labels


@pytest.fixture
def room(tmp_path):
    """The room of a small network whose classes are FURTHER."""
    from pspgui.models.checkpoints import load_checkpoint
    from pspgui.models.checkpoints.native import save_checkpoint

    network = small_network(2, classes=3)
    path = tmp_path / "other.safetensors"
    save_checkpoint(network, path, network.spec.model_copy(update={"classes": FURTHER}))
    room = ModelRoom()
    room.predictor = Predictor.of(load_checkpoint(path), "cpu", backend="torch")
    return room


def test_a_model_beside_the_first_answers_in_the_common_numbers(room):
    pixels = np.random.default_rng(3).integers(0, 255, (40, 56, 3), np.uint8)
    common = common_table(OWN, [FURTHER])
    image = NamedImage(pixels, "a")
    reading = run(read_beside(room, image, common, OWN))
    own = room.raw(Translation(FURTHER, FURTHER)).labels

    names = np.array(common.names)[reading.labels]
    assert np.array_equal(reading.as_labels, labels_of(reading, OWN))
    assert reading.labels.shape == (40, 56) and reading.pixels is pixels
    assert np.array_equal(np.char.lower(names), np.char.lower(np.array(FURTHER.names)[own]))
    answer = reading.evidence.at((7, 9))
    assert common.name_of(answer.target.class_id) in ("Car", "Boat", "Road")

    before = room.activations
    wider = common_table(common, [table(("Tree", (0, 9, 0)))])
    again = run(read_beside(room, image, wider))
    assert room.activations is before, "what the room holds is only told anew"
    assert np.array_equal(again.labels, reading.labels) and len(again.table) == 5
    run(let_go([room]))
    assert room.predictor is None and room.activations is None


def test_what_goes_wrong_is_handed_back_with_the_model_it_belongs_to(room):
    room.predictor = None
    image = NamedImage(np.zeros((8, 8, 3), np.uint8), "a")
    mark, failed = run(marked("b", forgiving(read_beside(room, image, OWN))))

    assert mark == "b" and isinstance(failed, NotCompared) and "open weights" in str(failed.error)


# -- comparing ------------------------------------------------------------------------------------


def test_shares_of_pixels_alike():
    first = said(np.zeros(SHAPE))
    half = np.zeros(SHAPE)
    half[:, :16] = 1

    assert run(agreements(first, [said(half), first])) == (0.5, 1.0)


def two_regions():
    one, other = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    one[2:8, 2:12] = 2
    other[12:20, 20:30] = 1
    return one, other


@pytest.mark.parametrize(
    ("person", "verdict"), [(2, "fixed"), (0, "broke"), (1, "neither"), (None, "unknown")]
)
def test_the_persons_label_says_who_is_right(person, verdict):
    one, other = two_regions()
    labels = np.full(SHAPE, 0, np.uint8)
    provenance = np.full(SHAPE, MODEL, np.uint8)
    if person is not None:
        labels[3:6, 2:12] = person
        provenance[3:6, 2:12] = PERSON
    truth = Truth(labels, provenance, OWN.ignore, len(OWN))
    found = run(compare(said(one), said(other), truth))

    region = next(r for r in found.judged if r.found.one == 2)
    assert region.verdict == verdict and region.person == person
    assert region.labelled == (0.5 if person is not None else 0)
    assert next(r for r in found.judged if r.found.one == 0).verdict == "unknown"


def test_ignored_pixels_of_a_person_say_nothing():
    one, other = two_regions()
    ignored = np.full(SHAPE, OWN.ignore, np.uint8)
    truth = Truth(ignored, np.full(SHAPE, PERSON, np.uint8), OWN.ignore, len(OWN))

    assert {r.verdict for r in run(compare(said(one), said(other), truth)).judged} == {"unknown"}


def test_judging_anew_keeps_regions_and_what_decided():
    one, other = two_regions()
    first, second = said(one), said(other)
    before = run(compare(first, second, None, 10))
    truth = Truth(one, np.full(SHAPE, PERSON, np.uint8), OWN.ignore, len(OWN))
    after = run(compare(first, second, truth, 10, before))

    assert after.regions is before.regions and {r.verdict for r in after.judged} == {"fixed"}
    assert after.agreement == pytest.approx(1 - (60 + 80) / (24 * 32))
    assert np.array_equal(after.differs, one != other)


def test_readings_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="one map is"):
        run(compare(said(np.zeros((4, 4))), said(np.zeros((5, 4)))))


def test_a_job_that_nobody_waits_for_stops():
    one, other = two_regions()
    with pytest.raises(JobCancelled):
        run(compare(said(one), said(other)), stopped=True)


# -- what decided ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "fields"),
    [((33, 41), {}), ((30, 37), {"align_corners": False}), ((33, 41), {"levels": (1, 2)})],
)
def test_a_regions_support_is_the_mean_of_its_pixels_evidence(shape, fields):
    first = pyramid_reading(1, shape, **fields)
    rng = np.random.default_rng(0)
    other = said((first.labels + rng.integers(0, 2, shape)) % 4, classes=first.table)
    found = run(compare(first, other, None, 8))

    assert found.judged
    for region in found.judged[:4]:
        target = Target(region.found.one, region.found.other)
        pixels = np.argwhere(found.regions.parts == region.found.number)
        asked = [first.evidence.at(tuple(p), target) for p in pixels.tolist()]
        support = region.support
        assert support.by == 0
        assert support.margin == pytest.approx(np.mean([e.logit for e in asked]), abs=1e-4)
        assert support.local == pytest.approx(np.mean([e.local for e in asked]), abs=1e-4)
        levels = np.mean([sum(e.level_sums.values()) for e in asked])
        assert support.pyramid == pytest.approx(levels, abs=1e-4)
        whole = support.local + support.pyramid + support.constant
        assert whole == pytest.approx(support.margin, abs=1e-4)
        assert support.pyramid_share == pytest.approx(support.pyramid / support.margin)


def test_the_model_with_a_pyramid_is_asked_when_the_first_has_none():
    reading = pyramid_reading(1)
    first = said((reading.labels + 1) % 4, classes=reading.table)
    found = run(compare(first, reading))

    region = found.judged[0]
    target = Target(region.found.other, region.found.one)
    pixels = np.argwhere(found.regions.parts == region.found.number).tolist()
    margins = [reading.evidence.at(tuple(p), target).logit for p in pixels]
    assert region.support.by == 1
    assert region.support.margin == pytest.approx(np.mean(margins), abs=1e-4)


def test_of_a_class_that_the_model_does_not_know_its_runner_up_takes_the_place():
    reading = pyramid_reading(1)
    common = common_table(reading.table, [table(("Boat", (0, 0, 9)))])
    translation = Translation(reading.table, common)
    first = ModelReading(
        reading.pixels, common, translation.prediction(reading.prediction),
        translation.evidence(reading.evidence),
    )  # fmt: skip
    other = said(np.full(first.labels.shape, 4), classes=common)
    found = run(compare(first, other))

    for region in found.judged[:3]:
        support, own = region.support, region.found.one
        pixels = np.argwhere(found.regions.parts == region.found.number).tolist()
        scores = np.mean([reading.prediction.logits_at(*p) for p in pixels], axis=0)
        rest = np.delete(scores, own)
        assert support.versus != own and scores[support.versus] == rest.max()
        assert support.margin == pytest.approx(scores[own] - rest.max(), abs=1e-4)


def test_networks_without_a_pyramid_tell_their_margin_alone():
    from pspgui.evidence.readings import BranchEvidence
    from pspgui.geometry import Pixel

    reading = pyramid_reading(1)

    class Taps:
        """Evidence with scores at cells and no levels."""

        activations = reading.evidence.activations

        def at(self, pixel, target=None):
            return BranchEvidence(Pixel(*pixel), target, 2.5, 0.5, ())

    first = ModelReading(reading.pixels, reading.table, reading.prediction, Taps())
    other = said((reading.labels + 1) % 4, classes=reading.table)
    exact = run(compare(reading, other)).judged
    found = run(compare(first, other)).judged

    for one, plain in zip(exact, found, strict=True):
        assert plain.support.margin == pytest.approx(one.support.margin, abs=1e-4)
        assert (plain.support.pyramid, plain.support.pyramid_share) == (None, None)


def test_without_evidence_nothing_is_said_of_why():
    one, other = two_regions()

    assert {r.support for r in run(compare(said(one), said(other))).judged} == {None}
