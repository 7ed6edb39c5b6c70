"""What may be painted over: the filter against a pixel-by-pixel reading of its rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pspgui.labels.editing import accept_prediction, paint
from pspgui.labels.filters import OPEN, PaintFilter
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import MODEL, PERSON

LABELS = st.integers(0, 11)
SETS = st.frozensets(st.one_of(LABELS, st.just(255)), max_size=10)
FILTERS = st.builds(PaintFilter, st.one_of(st.none(), SETS), st.booleans(), SETS)
MAPS = st.integers(0, 2**31).map(
    lambda seed: np.random.default_rng(seed).choice([*range(12), 255], (9, 7)).astype(np.uint8)
)


def spared(rule: PaintFilter, label: int, press: int) -> bool:
    """The rules in words: locked, not among the chosen, not under the press."""
    if label in rule.locked:
        return True
    if rule.over is not None and label not in rule.over:
        return True
    return rule.under_press and label != press


@given(FILTERS, MAPS, LABELS, st.sampled_from([np.uint8, np.uint16]))
def test_the_mask_is_what_the_rules_say_of_every_pixel(rule, labels, press, dtype):
    mask = rule.mask(labels.astype(dtype), press)
    expected = [[not spared(rule, int(v), press) for v in row] for row in labels]
    assert mask.tolist() == expected
    assert np.array_equal(rule.at(press).mask(labels), mask)


@given(FILTERS, MAPS, LABELS)
def test_changes_are_allowed_from_open_labels_to_open_labels(rule, labels, wanted):
    rule = rule.at(3)
    allowed = np.broadcast_to(rule.change(labels, wanted), labels.shape)
    assert np.array_equal(allowed, rule.mask(labels) & (wanted not in rule.locked))
    towards = labels[::-1]
    every = np.broadcast_to(rule.change(labels, towards), labels.shape)
    for y, x in np.ndindex(*labels.shape):
        fine = not spared(rule, int(labels[y, x]), 3) and int(towards[y, x]) not in rule.locked
        assert every[y, x] == fine


@given(FILTERS, MAPS, MAPS)
def test_painting_changes_no_spared_pixel_and_every_other_one(rule, labels, towards):
    rule = rule.at(5)
    label_map = LabelMap(labels.copy())
    history = History(label_map)
    history.begin("p")
    mask = labels % 2 == 0
    paint(label_map, history, label_map.rect, mask, towards, PERSON, rule)
    history.commit()
    allowed = mask & rule.change(labels, towards)
    assert np.array_equal(label_map.labels, np.where(allowed, towards, labels))


def test_a_press_that_decides_must_be_told():
    with pytest.raises(ValueError, match="under the press"):
        PaintFilter(under_press=True).mask(np.zeros((2, 2), np.uint8))
    assert OPEN.is_open and not PaintFilter(locked=frozenset((1,))).is_open


def test_accepting_confirms_a_locked_class_where_it_stands_and_changes_nothing_of_it():
    labels = np.array([[0, 1, 2], [1, 0, 2]], np.uint8)
    prediction = np.array([[1, 1, 0], [0, 0, 1]], np.uint8)
    label_map = LabelMap(labels.copy())
    accept_prediction(
        label_map, History(label_map), prediction, allowed=PaintFilter(locked=frozenset((1,)))
    )
    assert label_map.labels.tolist() == [[0, 1, 0], [1, 0, 2]]
    assert label_map.provenance.tolist() == [
        [MODEL, PERSON, PERSON], [MODEL, PERSON, MODEL]
    ]  # fmt: skip
