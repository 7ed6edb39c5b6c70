"""A source opened into cells adds up to the source, and each cell's part is its gradient's."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.drill import open_source, taps_of_local
from pspgui.evidence.psp import PSPEvidence, mean_bins
from pspgui.evidence.readings import Source, Target, level_source
from pspgui.geometry import Rect

PADDED = (49, 57)
PLACES = ((0, 0), (48, 56), (21, 30), (5, 56))


def case(**fields):
    model = small_network(3, **{"levels": (1, 2, 3), **fields}).double()
    features = random_features(model, (6, 7), 4)
    activations, head = head_activations(model, features, PADDED)
    return model, features, PSPEvidence(activations, head.weights())


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"align_corners": False}, {"pool": "max"}, {"reduction": "none"},
        {"reduction": "conv"}, {"reduction": "conv_bn_relu_bare_1", "concat": "features_last"},
        {"bottleneck_kernel": 1}, {"levels": (2, 5)}, {"classifier_kernel": 3},
        {"classifier_kernel": 3, "bottleneck_kernel": 1, "reduction": "conv_bn_relu_bare_1"},
    ],
    ids=str,
)  # fmt: skip
def test_cells_and_biases_add_up_to_the_source(fields):
    _, _, evidence = case(**fields)
    for place in PLACES:
        for source in evidence.at(place, Target(1, 3)).sources:
            opened = open_source(evidence, place, source, Target(1, 3))

            assert opened.values.shape == evidence.activations.grid
            assert abs(opened.total - source.value) < 1e-10
            assert source.reachable or not opened.values.any()


@pytest.mark.parametrize(("pool", "classifier"), [("average", 1), ("max", 1), ("average", 3)])
def test_all_sources_opened_are_the_gradient_times_the_features(pool, classifier):
    model, features, evidence = case(pool=pool, classifier_kernel=classifier)
    for place in PLACES:
        leaf = features.clone().requires_grad_(True)
        stacked = model.concatenate(leaf, model.pyramid(leaf))
        logits = model.upsample(model.classifier(model.bottleneck(stacked)), PADDED)
        logits[0, 2, place[0], place[1]].backward()
        expected = (leaf.grad * features).sum(dim=1)[0].numpy()
        sources = evidence.at(place, Target(2)).sources
        found = sum(open_source(evidence, place, s, Target(2)).values for s in sources)

        assert np.allclose(found, expected, atol=1e-10)


def test_a_level_that_there_is_not_is_refused():
    _, _, evidence = case()
    nowhere = Source("bin", 4, 0, 0, 0.0, 0.0, False, Rect(0, 0, 0, 0))
    with pytest.raises(KeyError):
        open_source(evidence, (0, 0), nowhere)


@pytest.mark.parametrize("classifier", [1, 3])
def test_a_level_opened_is_all_its_bins_opened(classifier):
    _, _, evidence = case(classifier_kernel=classifier, reduction="conv")
    for place in PLACES:
        found = evidence.at(place, Target(2))
        for level in (1, 2, 3):
            whole = level_source(found, level)
            opened = open_source(evidence, place, whole, Target(2))
            bins = [s for s in found.sources if s.kind == "bin" and s.level == level]
            each = sum(open_source(evidence, place, s, Target(2)).values for s in bins)
            assert abs(opened.total - found.grid(level).sum()) < 1e-10
            assert np.allclose(opened.values, each, atol=1e-12)
            assert all(not s.reachable or whole.region.intersect(s.region) == s.region
                       for s in bins)  # fmt: skip


@pytest.mark.parametrize("classifier", [1, 3])
@pytest.mark.parametrize("reading", ["split", "ig"])
@pytest.mark.parametrize("compared", [False, True])
def test_taps_add_up_to_the_local_source(classifier, reading, compared):
    _, _, evidence = case(classifier_kernel=classifier)
    means = mean_bins([evidence.activations], "mean") if compared else None
    for place in PLACES:
        found = evidence.at(place, Target(1, 3), reading, means)
        taps = taps_of_local(evidence, place, Target(1, 3), reading, means)
        assert len(taps) == 9
        assert abs(sum(tap.value for tap in taps) - found.local) < 1e-10
        for tap in taps:
            assert tap.reachable or tap.value == 0


def test_taps_opened_add_up_to_local_opened_and_lie_where_they_say():
    _, _, evidence = case()
    for place in PLACES:
        local = evidence.at(place, Target(2)).sources[0]
        whole = open_source(evidence, place, local, Target(2)).values
        taps = taps_of_local(evidence, place, Target(2))
        opened = [open_source(evidence, place, tap, Target(2)) for tap in taps]
        assert np.allclose(sum(o.values for o in opened), whole, atol=1e-12)
        for tap, one in zip(taps, opened, strict=True):
            assert abs(one.total - tap.value) < 1e-10


def test_there_are_no_taps_where_they_would_not_add_up():
    _, _, evidence = case()
    assert taps_of_local(evidence, (3, 3), None, "ablate") == ()
    _, _, pointwise = case(bottleneck_kernel=1)
    assert taps_of_local(pointwise, (3, 3)) == ()
