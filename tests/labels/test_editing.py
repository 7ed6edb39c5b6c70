"""Who painted what: provenance, classes under lock, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.labels.areas import ClassAreas
from pspgui.labels.editing import Stroke, accept_prediction, paint
from pspgui.labels.filters import PaintFilter
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.outline import outline_mask
from pspgui.labels.provenance import IGNORED, IMPORTED, MODEL, PERSON
from pspgui.labels.raster import capsules


def predicted() -> tuple[np.ndarray, LabelMap, History]:
    prediction = np.random.default_rng(9).integers(0, 5, (120, 90)).astype(np.uint8)
    label_map = LabelMap(prediction.copy())
    return prediction, label_map, History(label_map)


def test_erasing_a_stroke_gives_back_the_prediction() -> None:
    prediction, label_map, history = predicted()
    for value in (3, prediction):
        stroke = Stroke(label_map, history, "s", 15, value)
        stroke.move(20, 20)
        stroke.move(90, 70)
        stroke.finish()
        if isinstance(value, int):
            assert (label_map.labels[label_map.provenance == PERSON] == 3).all()
    assert np.array_equal(label_map.labels, prediction)
    assert (label_map.provenance == MODEL).all()


def test_only_the_class_under_the_press_is_painted() -> None:
    prediction, label_map, history = predicted()
    stroke = Stroke(label_map, history, "s", 41, 9, PaintFilter().only(2))
    stroke.move(60, 45)
    stroke.finish()
    changed = label_map.labels != prediction
    assert changed.any()
    assert (prediction[changed] == 2).all()


def test_a_mark_of_ones_own_can_be_given() -> None:
    _, label_map, history = predicted()
    stroke = Stroke(label_map, history, "s", 5, 255, provenance=IGNORED)
    stroke.move(10, 10)
    stroke.finish()
    assert (label_map.provenance[label_map.labels == 255] == IGNORED).all()


def test_accepting_never_repaints_what_a_person_set() -> None:
    prediction, label_map, history = predicted()
    stroke = Stroke(label_map, history, "s", 15, 3)
    stroke.move(60, 45)
    stroke.finish()
    label_map.provenance[:5] = IMPORTED
    kept = label_map.provenance != MODEL
    before = label_map.labels.copy()
    other = (prediction + 1) % 5
    edit = accept_prediction(label_map, history, other)
    assert edit is not None
    assert np.array_equal(label_map.labels, np.where(kept, before, other))
    assert (label_map.provenance[~kept] == PERSON).all()
    assert accept_prediction(label_map, history, other) is None


def test_wrong_values_are_refused_and_nothing_stays_open() -> None:
    _, label_map, history = predicted()
    with pytest.raises(ValueError, match="what is copied"):
        accept_prediction(label_map, history, np.zeros((3, 3), np.uint8))
    assert not history.is_open
    history.begin("s")
    rect = label_map.rect
    for label in (-1, 256):
        with pytest.raises(ValueError, match="does not fit"):
            paint(label_map, history, rect, np.ones(label_map.shape, bool), label)
    history.abort()


def test_aborting_puts_everything_back() -> None:
    prediction, label_map, history = predicted()
    stroke = Stroke(label_map, history, "s", 31, 4)
    dirty = stroke.move(60, 45).union(stroke.move(10, 10))
    back = stroke.abort()
    assert back.union(dirty) == back
    assert np.array_equal(label_map.labels, prediction)
    assert history.edits == ()
    assert stroke.finish() is None


def test_a_label_map_refuses_other_arrays() -> None:
    with pytest.raises(ValueError, match="uint8 or uint16"):
        LabelMap(np.zeros((3, 3), np.int64))
    with pytest.raises(ValueError, match="provenance"):
        LabelMap(np.zeros((3, 3), np.uint8), np.zeros((3, 4), np.uint8))
    frozen = np.zeros((3, 3), np.uint8)
    frozen.setflags(write=False)
    assert LabelMap(frozen).labels.flags.writeable


def test_shares_of_areas_add_up() -> None:
    prediction, _, _ = predicted()
    areas = ClassAreas(prediction)
    assert sum(areas.share(label) for label in range(256)) == pytest.approx(1)


def test_outline_is_where_neighbours_differ() -> None:
    labels = np.zeros((6, 7), np.uint8)
    labels[2:4, 3:5] = 1
    edge = outline_mask(labels)
    expected = np.zeros((6, 7), bool)
    expected[2:4, [2, 4]] = True
    expected[[1, 3], 3:5] = True
    assert np.array_equal(edge, expected)
    assert not outline_mask(np.zeros((1, 1), np.uint8)).any()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-60, 260), st.floats(-60, 240)), min_size=2, max_size=6),
    st.integers(96, 180), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
def test_a_large_brush_that_paints_what_a_move_adds_paints_what_it_sweeps(
    path, diameter, square, copies, locked
):
    shape = (200, 180)
    before = np.random.default_rng(1).integers(0, 5, shape).astype(np.uint8)
    value = before[::-1].copy() if copies else 3
    allowed = PaintFilter(locked=frozenset((2,) if locked else ()))
    label_map = LabelMap(before.copy(), np.full(shape, IMPORTED, np.uint8))
    history = History(label_map)
    stroke = Stroke(label_map, history, "s", diameter, value, allowed, square)
    swept = np.zeros(shape, bool)
    for here, there in zip([path[0], *path], path, strict=False):
        dirty = stroke.move(*there)
        for stamp in capsules(here, there, diameter, shape, square):
            swept[stamp.rect.slices] |= stamp.mask
        assert dirty == dirty.intersect(label_map.rect)
    stroke.finish()
    wanted = np.broadcast_to(value, shape)
    changed = swept & allowed.change(before, value)
    assert np.array_equal(label_map.labels, np.where(changed, wanted, before))
    mark = MODEL if copies else PERSON
    assert np.array_equal(label_map.provenance, np.where(changed, mark, IMPORTED))
    history.undo()
    assert np.array_equal(label_map.labels, before)
