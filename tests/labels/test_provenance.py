"""Shares by source and class, names of model versions, and differences of two maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pspgui.labels import provenance
from pspgui.labels.differences import difference
from pspgui.labels.provenance import FIRST_VERSION, IMPORTED, MODEL, PERSON, REFIT


def test_models_get_values_by_name() -> None:
    models: dict[int, str] = {}
    assert provenance.value_for(models, "one") == MODEL
    assert provenance.value_for(models, "two") == FIRST_VERSION
    assert provenance.value_for(models, "one") == MODEL
    assert provenance.value_for(models, "three") == FIRST_VERSION + 1
    assert provenance.name_of(FIRST_VERSION, models) == "model two"
    assert provenance.name_of(MODEL) == "model"
    assert provenance.name_of(PERSON, models) == "person"
    for number in range(400):
        assert FIRST_VERSION <= provenance.value_for(models, f"v{number}") <= 255


def test_what_a_model_said_is_told_from_a_person() -> None:
    values = np.array([MODEL, PERSON, REFIT, IMPORTED, FIRST_VERSION, 255], np.uint8)
    assert provenance.is_model(values).tolist() == [True, False, True, False, True, True]
    colours = provenance.palette()
    shown = colours[[MODEL, PERSON, 2, IMPORTED, REFIT, FIRST_VERSION]]
    assert len({tuple(colour) for colour in shown.tolist()}) == 6


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.uint16]))
def test_shares_add_up(seed: int, kind: type) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 40, 2))
    labels = rng.integers(0, 5, shape).astype(kind)
    marks = rng.choice(np.array([0, 1, 3, 16], np.uint8), shape)
    found = provenance.shares(marks, {0: "a", 16: "b"})
    assert sum(share.pixels for share in found) == labels.size
    assert sum(share.share for share in found) == pytest.approx(1)
    assert [share.pixels for share in found] == sorted((s.pixels for s in found), reverse=True)
    by_class = provenance.class_shares(labels, marks)
    assert set(by_class) == set(np.unique(labels).tolist())
    for label, parts in by_class.items():
        for part in parts:
            assert part.pixels == np.count_nonzero((labels == label) & (marks == part.value))


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 0, 4]))
def test_a_difference_counts_what_changed(seed: int, ignore: int | None) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 30, 2))
    before, after = (rng.integers(0, 5, shape).astype(np.uint8) for _ in range(2))
    found = difference(before, after.astype(np.uint16), ignore)
    seen = np.ones(shape, bool) if ignore is None else (before != ignore) & (after != ignore)
    assert np.array_equal(found.mask, (before != after) & seen)
    assert found.pixels == np.count_nonzero(found.mask)
    assert found.compared == np.count_nonzero(seen)
    for row in found.classes:
        a, b = (before == row.label) & seen, (after == row.label) & seen
        assert row.both == np.count_nonzero(a & b)
        assert row.lost == np.count_nonzero(a & ~b)
        assert row.won == np.count_nonzero(b & ~a)
        assert row.iou == pytest.approx((a & b).sum() / max(1, (a | b).sum()))
    changed = [row.lost + row.won for row in found.classes]
    assert changed == sorted(changed, reverse=True)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="the other"):
        difference(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
    with pytest.raises(ValueError, match="provenance"):
        provenance.class_shares(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
