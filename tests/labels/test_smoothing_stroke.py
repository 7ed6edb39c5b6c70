"""A stroke of the smoothing brush lets through what its operation does to the whole map."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import example, given, settings
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
@example([(0.0, 0.0), (1.0, 129.0)], "grow", 1, False)
@example([(0.0, 0.0), (129.0, -1.0)], "smooth", 1, False)
@given(POINTS, st.sampled_from(OPERATIONS), st.integers(1, 40), st.booleans())
def test_the_stroke_shows_the_operation_where_it_swept(path, kind, diameter, locked):
    before = a_map()
    label_map = LabelMap(before.copy(), np.full(SHAPE, IMPORTED, np.uint8))
    history = History(label_map)
    op = Operation(kind, 4, 1)
    allowed = PaintFilter(locked=frozenset((2,) if locked else ()))
    stroke = SmoothingStroke(label_map, history, "Smooth", diameter, op, allowed)
    # A long move is swept in pieces, whose middle may be a pixel off the straight line: within a
    # pixel of the edge of a move either is right.
    square, shape = np.ones((3, 3), np.uint8), (SHAPE[0] + 2, SHAPE[1] + 2)
    near, within = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for here, there in zip([path[0], *path], path, strict=False):
        stroke.move(*there)
        stamp = capsule(*((y + 1, x + 1) for y, x in (here, there)), diameter, shape)
        swept = np.zeros(shape, np.uint8)
        swept[stamp.rect.slices] = stamp.mask
        near |= cv2.dilate(swept, square)
        within |= cv2.erode(swept, square)
    edit = stroke.finish()
    after = transformed(before, Rect(0, 0, *SHAPE), op)
    becomes = np.where((after != before) & allowed.change(before, after), after, before)
    labels = label_map.labels
    beyond, inside = near[1:-1, 1:-1] == 0, within[1:-1, 1:-1] == 1
    assert np.array_equal(labels[beyond], before[beyond])
    assert np.array_equal(labels[inside], becomes[inside])
    assert ((labels == before) | (labels == becomes)).all()
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
