"""Coalitions of sources are the network's own answers; curves of them begin and end where due."""

from __future__ import annotations

import numpy as np
import pytest
from every_kind import SPECS, predictor
from oracles import picture

from pspgui.evidence import evidence_of
from pspgui.evidence.coalitions import (
    STEPS,
    correlation,
    curves,
    rank_correlation,
    ranks,
    worth,
)


@pytest.fixture(scope="module", params=SPECS)
def explained(request):
    found = predictor(request.param)
    return evidence_of(found.set_image(picture(45, 70)), found.weights)


@pytest.mark.parametrize("pixel", [(0, 0), (44, 69), (20, 33)])
def test_all_sources_give_the_logit_and_one_missing_its_ablation(explained, pixel):
    target = explained.margin_target(pixel)
    drops = [s for s in explained.at(pixel, target, "ablate").sources if s.reachable]
    count = len(drops)
    kept = np.concatenate([np.ones((1, count), bool), ~np.eye(count, dtype=bool)])

    found = worth(explained, pixel, target, kept)

    scale = 1e-5 * max(1.0, *(abs(s.value) for s in drops))
    assert found[0] == pytest.approx(explained.at(pixel, target).logit, abs=scale)
    np.testing.assert_allclose(found[0] - found[1:], [s.value for s in drops], atol=scale)


def test_nothing_but_biases_is_the_constant_of_ablation(explained):
    target = explained.margin_target((20, 33))
    found = explained.at((20, 33), target, "ablate")
    count = sum(s.reachable for s in found.sources)

    silent = worth(explained, (20, 33), target, np.zeros((1, count), bool))

    assert silent[0] == pytest.approx(found.constant, abs=1e-4)


def test_curves_share_their_ends(explained):
    found = curves(explained, [(3, 4), (20, 33)], np.random.default_rng(0))

    assert found.deleted.shape == (STEPS,)
    for one, other in (
        (found.deleted[0], found.deleted_at_random[0]), (found.deleted[0], found.inserted[-1]),
        (found.deleted[-1], found.inserted[0]), (found.deleted[-1], found.deleted_at_random[-1]),
    ):  # fmt: skip
        assert one == pytest.approx(other, abs=1e-3)
    assert len(found.areas()) == 4


@pytest.mark.parametrize("shape", [(1, 1), (9, 17)])
def test_a_few_cells_under_many_bins_do_not_read_all_between_the_outer_ones(shape):
    network = predictor("pspnet")
    evidence = evidence_of(network.set_image(picture(*shape)), network.weights)
    target = evidence.margin_target((0, 0))
    found = evidence.at((0, 0), target, "ablate")
    reached = [(s.level, s.row, s.col) for s in found.sources[1:] if s.reachable]

    assert list(evidence.terms((0, 0)).bins) == reached
    assert not any(s.value for s in found.sources if not s.reachable)
    said = worth(evidence, (0, 0), target, np.ones((1, 1 + len(reached)), bool))
    assert said[0] == pytest.approx(found.logit, abs=1e-4)


def test_correlations_are_those_of_the_textbook():
    assert ranks(np.array([3.0, 1.0, 3.0])).tolist() == [2.5, 1.0, 2.5]
    assert rank_correlation(np.array([1, 2, 9]), np.array([2, 3, 4])) == pytest.approx(1)
    assert correlation(np.array([1.0, 2.0]), np.array([2.0, 1.0])) == pytest.approx(-1)
    assert np.isnan(correlation(np.ones(3), np.arange(3)))
