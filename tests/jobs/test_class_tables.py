"""Labels keep their meaning when a model numbers its classes otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pspgui.evidence.readings import PyramidEvidence, Target
from pspgui.geometry import Pixel, Rect
from pspgui.imaging import scratch
from pspgui.inference.activations import Prediction, Stamp
from pspgui.jobs import class_tables
from pspgui.jobs.class_tables import (
    Translation,
    can_hold,
    class_called,
    difference_text,
    extended,
    read_classes,
    renumbered,
    same_classes,
    write_classes,
)
from pspgui.labels.class_edits import ClassDraft
from pspgui.labels.classes import ClassTable, ClassTableError, LabelClass, table

STREET = table(("Sky", (1, 1, 1)), ("Road", (2, 2, 2)), ("Sign Symbol", (3, 3, 3)))
OTHER = table(("road", (9, 9, 9)), ("zebra", (8, 8, 8)), ("sign_symbol", (7, 7, 7)))

names = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)


def made(letters):
    return ClassTable(tuple(LabelClass(i, n, (i, i, i)) for i, n in enumerate(letters)))


def prediction(scores):
    labels = scores.argmax(axis=0).astype(np.uint8)
    return Prediction(labels, scores, labels.shape, labels.shape, True, Stamp("i", "m"), 0.0)


@given(names, names)
def test_names_are_what_is_kept(own, model):
    way = Translation(made(model), made(own))
    ids = np.arange(len(model), dtype=np.uint8)[None]
    told, read = way.to_labels(ids)[0], way.to_reading(ids)[0]

    assert way.reading.names[: len(own)] == tuple(own)
    assert [way.reading.name_of(i) for i in read] == list(model)
    for name, label in zip(model, told.tolist(), strict=True):
        assert way.labels.name_of(label) == (name if name in own else "unlabelled")
    assert way.shared == len(set(own) & set(model))


def test_the_labels_of_large_images_are_translated_over_a_file(monkeypatch):
    way = Translation(STREET, OTHER)
    predicted = np.random.default_rng(2).integers(0, 3, (40, 30), np.uint8)
    plain = way.to_labels(predicted)
    monkeypatch.setattr(class_tables, "LARGE_BYTES", 1)
    monkeypatch.setattr(scratch, "LARGE_BYTES", 1)
    large = way.to_labels(predicted)
    assert scratch.is_mapped(large) and (large == plain).all() and not large.flags.writeable


def test_probabilities_stay_and_unknown_classes_have_none():
    scores = np.random.default_rng(0).normal(size=(3, 5, 6)).astype(np.float32)
    found = prediction(scores)
    told = Translation(OTHER, STREET).prediction(found)
    before, after = found.probability_at(2, 3), told.probability_at(2, 3)

    assert after.tolist() == pytest.approx([0.0, before[0], before[2], before[1]])
    assert Translation(STREET, STREET).prediction(found) is found


@given(names, names)
def test_targets_go_to_the_model_and_back(own, model):
    way = Translation(made(model), made(own))
    one, *rest = range(len(model))
    for target in (Target(one), *(Target(one, other) for other in rest)):
        assert way.to_model(way.from_model(target)) == target
        assert way.reading.name_of(way.from_model(target).class_id) == model[one]
    for label, name in enumerate(own):
        if name not in model:
            assert way.to_model(Target(label)) is None
            assert way.to_model(way.from_model(Target(one))._replace(versus=label)) == Target(one)


def test_case_and_dashes_make_no_other_class_and_the_ignore_label_moves_out_of_the_way():
    assert extended(STREET, OTHER).names == (*STREET.names, "zebra")
    assert same_classes(table(("A b", (0, 0, 0))), table(("a_B", (1, 1, 1))))
    many = made([f"class {i}" for i in range(255)])
    reading = extended(STREET, many)
    assert reading.ignore == 65535
    assert not can_hold(reading, np.zeros((2, 2), np.uint8))
    assert "knows 2 of them and 1 other;" in difference_text(Translation(OTHER, STREET))


class Engine:
    def at(self, pixel, target=None):
        return PyramidEvidence(
            Pixel(*pixel), target or Target(1, 0), 1.0, 0.5, 0.5, Rect(0, 0, 1, 1), {}
        )


def test_evidence_is_asked_and_answers_in_the_numbers_of_the_labels():
    engine = Translation(OTHER, STREET).evidence(Engine())

    assert engine.at((0, 0), Target(1, 2)).target == Target(1, 2)
    assert engine.at((0, 0)).target == Target(3, 1)  # zebra over road
    assert engine.at((0, 0), Target(0)).target == Target(3, 1)  # the model knows no sky


def test_labels_are_renumbered_by_name_or_refused():
    labels = np.array([[1, 2, 255]], np.uint8)
    assert renumbered(labels, STREET, OTHER, "a.png").tolist() == [[0, 2, 255]]
    with pytest.raises(ClassTableError, match=r"a\.png.*Sky"):
        renumbered(np.zeros((1, 1), np.uint8), STREET, OTHER, "a.png")


def test_classes_are_kept_beside_the_labels(tmp_path):
    file = tmp_path / ".pspgui" / "labels" / "x.png"
    assert read_classes(file) is None
    write_classes(file, STREET)
    assert read_classes(file) == STREET
    write_classes(file, OTHER)
    assert read_classes(file) == OTHER


def test_two_classes_that_became_one_are_one_of_the_labels():
    model = made(["a", "b", "c", "d"])
    way = Translation(model, ClassDraft.of(model).deleted(3).merged(0, 1).table())
    assert way.shared == len(way.labels) == 2
    assert "own 2 classes. The model knows 2 of them and 1 other;" in difference_text(way)


def test_a_model_is_understood_by_what_classes_were_called_before():
    model = table(("Sky", (1, 1, 1)), ("Car", (2, 2, 2)), ("Road", (3, 3, 3)))
    own = ClassDraft.of(model).renamed(0, "Heaven").merged(1, 2).table()
    translation = Translation(model, own)
    assert translation.reading.names == ("Heaven", "Road")
    assert translation.to_labels(np.array([[0, 1, 2]], np.uint8)).tolist() == [[0, 1, 1]]
    scores = np.array([1.0, 5.0, 3.0], np.float32).reshape(3, 1, 1)
    said = Prediction(
        np.array([[1]], np.uint8), scores, (1, 1), (1, 1), True, Stamp("image", "model"), 0.0
    )
    assert translation.prediction(said).scores.ravel().tolist() == [1.0, 5.0]
    assert class_called(own, "car") == 1
