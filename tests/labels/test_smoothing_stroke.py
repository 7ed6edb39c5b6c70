"""A stroke of the smoothing brush lets through what its operation does to the whole map."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.geometry import Rect
from pspgui.labels.filters import PaintFilter
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.morphology import OPERATIONS, Operation, transformed
from pspgui.labels.provenance import IMPORTED, PERSON
from pspgui.labels.raster import capsule
from pspgui.labels.smoothing_stroke import SmoothingStroke

SHAPE = (150, 170)
POINTS = st.lists(st.tuples(st.floats(-5, 155), st.floats(-5, 175)), min_size=1, max_size=5)


def a_map() -> np.ndarray:
    random = np.random.default_rng(4)
    labels = np.kron(random.integers(0, 4, (15, 17)), np.ones((10, 10), int))
    specks = random.random(labels.shape) < 0.05
    labels[specks] = random.integers(0, 4, int(specks.sum()))
    return labels.astype(np.uint8)


@settings(deadline=None, max_examples=25)
@given(POINTS, st.sampled_from(OPERATIONS), st.integers(1, 40), st.booleans())
def test_the_stroke_shows_the_operation_where_it_swept(path, kind, diameter, locked):
    before = a_map()
    label_map = LabelMap(before.copy(), np.full(SHAPE, IMPORTED, np.uint8))
    history = History(label_map)
    op = Operation(kind, 4, 1)
    allowed = PaintFilter(locked=frozenset((2,) if locked else ()))
    stroke = SmoothingStroke(label_map, history, "Smooth", diameter, op, allowed)
    swept = np.zeros(SHAPE, bool)
    for here, there in zip([path[0], *path], path, strict=False):
        stroke.move(*there)
        stamp = capsule(here, there, diameter, SHAPE)
        swept[stamp.rect.slices] |= stamp.mask
    edit = stroke.finish()
    after = transformed(before, Rect(0, 0, *SHAPE), op)
    changed = swept & (after != before) & allowed.change(before, after)
    expected = np.where(changed, after, before)
    differs = label_map.labels != expected
    # A long move is swept in pieces, whose middle may be a pixel off the straight line.
    assert differs.sum() <= 0.02 * swept.sum() + 2
    touched = label_map.labels != before
    assert np.array_equal(label_map.provenance, np.where(touched, PERSON, IMPORTED))
    assert (edit is None) == (not touched.any())
    history.undo()
    assert np.array_equal(label_map.labels, before)


def test_rubbing_a_place_twice_changes_no_more():
    label_map = LabelMap(a_map())
    history = History(label_map)
    stroke = SmoothingStroke(label_map, history, "Grow", 30, Operation("grow", 3, 1))
    stroke.move(70, 70)
    once = label_map.labels.copy()
    for _ in range(3):
        stroke.move(70, 70)
    assert np.array_equal(label_map.labels, once)
