"""What a cleaning would change: found by its job, cut to a region and to what may change."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pspgui.geometry import Rect
from pspgui.jobs.cleaning import Found, Sieve, find_changes
from pspgui.jobs.messages import Step, Turn
from pspgui.labels.filters import OPEN, PaintFilter
from pspgui.labels.morphology import OPERATIONS, Operation, transformed
from pspgui.labels.raster import Stamp
from pspgui.labels.regions import holes, islands

SHAPE = (300, 270)  # more than a tile each way


def speckled(seed: int = 0) -> np.ndarray:
    labels = np.kron(np.random.default_rng(seed).integers(0, 4, (30, 27)), np.ones((10, 10)))
    random = np.random.default_rng(seed + 1)
    specks = random.random(labels.shape) < 0.02
    labels[specks] = random.integers(0, 4, int(specks.sum()))
    return labels.astype(np.uint8)


def found(*asked, **options) -> Found:
    steps = find_changes(*asked, **options)(Turn(lambda step: None, lambda: False))
    while True:
        try:
            assert isinstance(next(steps), Step)
        except StopIteration as end:
            return end.value


def written(labels: np.ndarray, result: Found) -> np.ndarray:
    after = labels.copy()
    for rect, mask, wanted in result.patches:
        np.copyto(after[rect.slices], wanted, where=mask)
    assert (after != labels).sum() == result.pixels
    return after


def test_a_sieve_finds_what_the_regions_say_and_counts_the_pieces():
    labels = np.zeros(SHAPE, np.uint8)
    labels[5, 5] = labels[250:258, 254:260] = labels[20, 20] = 2
    labels[100:150, 100:150] = 2
    labels[120, 120:122] = 1
    small = found(labels, Sieve("islands", 2, 50))
    stamp, wanted = islands(labels, 2, 50)
    expected = labels.copy()
    np.copyto(expected[stamp.rect.slices], wanted, where=stamp.mask)
    assert np.array_equal(written(labels, small), expected)
    assert (small.pixels, small.pieces) == (50, 3)
    hole = found(labels, Sieve("holes", 2, 3))
    assert (hole.pixels, hole.pieces) == (2, 1)
    assert holes(labels, 2, 3).mask.sum() == 2


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 99), st.sampled_from(OPERATIONS), st.booleans(), st.booleans())
def test_an_operation_is_cut_to_region_and_filter(seed, kind, in_region, locked):
    labels, op = speckled(seed), Operation(kind, 3, 1)
    mask = np.random.default_rng(seed).random((200, 100)) < 0.6
    within = Stamp(Rect(50, 100, 250, 200), mask) if in_region else None
    allowed = PaintFilter(locked=frozenset((2,))) if locked else OPEN
    expected = transformed(labels, Rect(0, 0, *SHAPE), op)
    may = np.ones(SHAPE, bool)
    if within is not None:
        may[:] = False
        may[within.rect.slices] = mask
    may &= allowed.change(labels, expected)
    after = written(labels, found(labels, op, within, allowed))
    assert np.array_equal(after, np.where(may, expected, labels))
