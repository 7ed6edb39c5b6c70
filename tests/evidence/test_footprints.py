"""Where sources are read: weights as the interpolation has them, taps where they lie."""

from __future__ import annotations

import numpy as np
import pytest
from small_branches import GRID, IMAGE, PLACES, deeplab, evidence_of, features_of
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.footprints import footprint, lost_text, middles
from pspgui.evidence.psp import PSPEvidence

PADDED = (49, 57)


@pytest.mark.parametrize("align_corners", [True, False])
def test_a_bin_is_read_where_its_weights_are_above_zero(align_corners):
    model = small_network(3, levels=(1, 2, 3), align_corners=align_corners).double()
    activations, head = head_activations(model, random_features(model, (6, 7)), PADDED)
    evidence = PSPEvidence(activations, head.weights())
    for place in ((0, 0), (48, 56), (21, 30)):
        cells = evidence.cells(place)
        for source in evidence.at(place).sources:
            found = footprint(evidence, place, source)
            if source.kind != "bin":
                assert found is None
                continue
            read = found.weights[np.ix_(cells.rows, cells.columns)]
            assert bool(read.any()) == source.reachable
            mixed = float(read.ravel() @ cells.weights)
            assert mixed == pytest.approx(source.weight, abs=1e-6)


@pytest.mark.parametrize("fields", [{}, {"decoder": "none"}, {"separable": True}], ids=str)
def test_taps_of_branches_lie_in_the_image_or_in_the_padding(fields):
    model = deeplab(**fields)
    evidence = evidence_of(model, features_of(model))
    for place in PLACES:
        for source in evidence.at(place).sources:
            found = footprint(evidence, place, source)
            if source.title == evidence.weights.pool:
                assert found is None
                continue
            assert found.weights is None
            assert found.lost == round(found.reads * (1 - source.weight))
            assert bool(found.lost) == bool(len(found.missed))
            inside, outside = evidence.constellation(place, source)
            assert (len(found.points), len(found.missed)) == (len(inside), len(outside))


def test_the_middle_tap_of_a_pixel_in_the_middle_of_a_cell_is_that_pixel():
    model = deeplab(decoder="none", align_corners=True)
    evidence = evidence_of(model, features_of(model))
    y, x = 16 * 2 // 2, 8
    source = evidence.at((y, x)).sources[1]
    found = footprint(evidence, (y, x), source)
    distance = np.abs(found.points - (y + 0.5, x + 0.5)).max(axis=1)
    assert distance.min() < max(IMAGE) / min(GRID)
    corners = middles(evidence.activations, np.array([(0, 0), (GRID[0] - 1, GRID[1] - 1)]))
    padded = evidence.activations.padded_shape
    assert np.allclose(corners, [(0.5, 0.5), (padded[0] - 0.5, padded[1] - 0.5)])


def test_reads_in_the_padding_are_told_in_words():
    model = deeplab(rates=(2, 5))
    evidence = evidence_of(model, features_of(model))
    found = [footprint(evidence, (0, 0), s) for s in evidence.at((0, 0)).sources]
    wide = next(f for f in found if f is not None and f.lost > f.reads / 2)
    assert f"{wide.lost} of {wide.reads} reads" in lost_text(wide)
    assert ("hardly more" in lost_text(wide)) == (wide.lost > 0.75 * wide.reads)
    none = next(f for f in found if f is not None and not f.lost)
    assert lost_text(none) == ""
