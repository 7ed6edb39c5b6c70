"""Labels that follow the model: found where another prediction differs, and written only there."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pspgui.geometry import Rect
from pspgui.jobs.following import compare, follow
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import MODEL, PERSON

labels = arrays(np.uint8, (9, 13), elements=st.integers(0, 2))


@given(labels, labels)
def test_outside_the_rect_nothing_differs_and_it_is_no_larger_than_it_must_be(mine, models):
    found = compare(LabelMap(mine.copy()), models)
    down, across = np.nonzero(mine != models)
    if not down.size:
        assert found.rect.is_empty
        return
    assert found.rect == Rect(down.min(), across.min(), down.max() + 1, across.max() + 1)


@given(labels, labels, arrays(bool, (9, 13)))
def test_what_the_model_set_becomes_the_prediction_and_a_persons_pixels_stay(mine, models, painted):
    label_map = LabelMap(mine.copy(), np.where(painted, PERSON, MODEL).astype(np.uint8))
    follow(label_map, models, compare(label_map, models).rect)
    assert np.array_equal(label_map.labels, np.where(painted, mine, models))


def test_what_was_found_of_an_older_revision_or_of_another_map_is_not_about_this_one():
    label_map, models = LabelMap(np.zeros((4, 5), np.uint8)), np.ones((4, 5), np.uint8)
    found = compare(label_map, models)
    assert found.is_about(label_map)
    assert not found.is_about(LabelMap(np.zeros((4, 5), np.uint8)))
    assert not found.is_about(None)
    follow(label_map, models, found.rect)
    assert not found.is_about(label_map)
    again = compare(label_map, models)
    follow(label_map, models, again.rect)
    assert again.is_about(label_map)  # nothing differed, so nothing was written


def test_large_maps_are_compared_strip_by_strip():
    models = np.zeros((700, 900), np.uint8)
    label_map = LabelMap(models.copy())
    models[3, 800] = models[650, 20] = 1
    assert compare(label_map, models).rect == Rect(3, 20, 651, 801)
