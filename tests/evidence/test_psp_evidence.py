"""Evidence adds up to the plain network's logit, and agrees with autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import head_activations, plain_scores, random_features, small_network

from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Source, Target
from pspgui.geometry import Rect


def corners_and_some(shape: tuple[int, int], count: int, seed: int = 0) -> list[tuple[int, int]]:
    """Return the four corners, the edges' middles and random pixels of an image."""
    height, width = shape
    ys, xs = (0, height // 2, height - 1), (0, width // 2, width - 1)
    rng = np.random.default_rng(seed)
    random = zip(rng.integers(0, height, count), rng.integers(0, width, count), strict=True)
    return [(y, x) for y in ys for x in xs] + [(int(y), int(x)) for y, x in random]


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize(
    ("levels", "classifier"), [((1, 2, 3, 6), 1), ((2, 5), 1), ((4,), 1), ((1, 3), 3), ((2,), 3)]
)
@pytest.mark.parametrize("grid", [(7, 10), (6, 6), (1, 1), (2, 5)])
def test_split_sums_to_plain_logit_in_float64(levels, classifier, grid, align_corners):
    model = small_network(
        levels=levels, align_corners=align_corners, classifier_kernel=classifier
    ).double()
    features = random_features(model, grid)
    padded = (grid[0] * 8 + 3, grid[1] * 16 - 2)
    image = (padded[0] - 5, padded[1] - 7)
    activations, head = head_activations(model, features, padded, image)
    plain = model.upsample(plain_scores(model, features), padded)[0].numpy()
    evidence = PSPEvidence(activations, head.weights())

    for y, x in corners_and_some(image, 12):
        for target in (Target(1), Target(3, 0), None):
            found = evidence.at((y, x), target)
            c, r = found.target
            logit = plain[c, y, x] - (0 if r is None else plain[r, y, x])

            assert abs(found.total - logit) < 1e-10
            assert abs(found.logit - logit) < 1e-10
            assert abs(found.constant + sum(s.value for s in found.sources) - logit) < 1e-10


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    grid=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    levels=st.lists(st.integers(1, 7), min_size=1, max_size=4, unique=True),
    concat=st.sampled_from(["features_first", "features_last"]),
    align_corners=st.booleans(),
    padding=st.tuples(st.integers(0, 7), st.integers(0, 7)),
)
def test_split_sums_to_plain_logit_in_float32(seed, grid, levels, concat, align_corners, padding):
    model = small_network(seed, levels=tuple(levels), concat=concat, align_corners=align_corners)
    features = random_features(model, grid, seed)
    padded = (8 * grid[0] + 1, 8 * grid[1] + 1)
    image = (padded[0] - padding[0], padded[1] - padding[1])
    activations, head = head_activations(model, features, padded, image)
    plain = model.upsample(plain_scores(model, features), padded)[0].numpy()
    evidence = PSPEvidence(activations, head.weights())

    for y, x in corners_and_some(image, 4, seed):
        found = evidence.at((y, x))
        best, rival = np.argsort(plain[:, y, x])[[-1, -2]]

        assert abs(found.total - (plain[best, y, x] - plain[rival, y, x])) < 1e-4
        assert found.logit >= 0


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("grid", [(9, 13), (5, 4)])
@pytest.mark.parametrize("classifier", [1, 3])
@pytest.mark.parametrize("bottleneck", [1, 3])
def test_split_is_gradient_times_input(bottleneck, classifier, grid, align_corners):
    model = small_network(
        levels=(1, 2, 3, 6), align_corners=align_corners,
        bottleneck_kernel=bottleneck, classifier_kernel=classifier,
    ).double()  # fmt: skip
    features = random_features(model, grid)
    padded = (8 * grid[0] + 1, 8 * grid[1] + 1)
    activations, head = head_activations(model, features, padded)
    evidence = PSPEvidence(activations, head.weights())

    for y, x in corners_and_some(padded, 5):
        local = features.clone().requires_grad_(True)
        priors = [p.detach().requires_grad_(True) for p in model.pyramid(features)]
        stacked = model.concatenate(local, priors)
        logits = model.upsample(model.classifier(model.bottleneck(stacked)), padded)
        found = evidence.at((y, x), Target(2, 4))
        (logits[0, 2, y, x] - logits[0, 4, y, x]).backward()

        assert abs(float((local.grad * local.detach()).sum()) - found.local) < 1e-10
        for level, prior in zip((1, 2, 3, 6), priors, strict=True):
            expected = (prior.grad * prior).sum(dim=1)[0].detach().numpy()
            assert np.allclose(found.grid(level), expected, atol=1e-10)
            # A gradient may vanish through closed gates, but never appear where nothing reaches.
            touched = (prior.grad != 0).any(dim=1)[0].numpy()
            assert not (touched & ~found.reach(level)).any()


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("classifier", [1, 3])
def test_ablation_is_the_networks_own_answer_without_the_source(classifier, align_corners):
    model = small_network(
        levels=(2, 3), align_corners=align_corners, classifier_kernel=classifier
    ).double()
    features = random_features(model, (6, 7))
    padded = (49, 57)
    activations, head = head_activations(model, features, padded)
    evidence = PSPEvidence(activations, head.weights())
    priors = model.pyramid(features)

    def logit(local: torch.Tensor, levels: list[torch.Tensor], y: int, x: int) -> float:
        hidden = model.bottleneck(model.concatenate(local, levels))
        return float(model.upsample(model.classifier(hidden), padded)[0, 1, y, x])

    for y, x in ((0, 0), (48, 56), (21, 30)):
        before = logit(features, priors, y, x)
        for source in evidence.at((y, x), Target(1)).sources:
            levels = [p.clone() for p in priors]
            local = features
            if source.kind == "bin":
                levels[(2, 3).index(source.level)][:, :, source.row, source.col] = 0
            else:
                local = torch.zeros_like(features)
            expected = before - logit(local, levels, y, x)

            assert abs(evidence.ablate((y, x), source, Target(1)) - expected) < 1e-10
            assert source.reachable or expected == 0


@pytest.mark.parametrize("classifier", [1, 3])
def test_silenced_levels_are_the_networks_own_answer(classifier):
    model = small_network(levels=(1, 3), classifier_kernel=classifier).double()
    features = random_features(model, (5, 8))
    activations, head = head_activations(model, features, (33, 57))
    evidence = PSPEvidence(activations, head.weights())
    one, three = model.pyramid(features)

    for silent, levels in (
        (None, [one * 0, three * 0]), ((3,), [one, three * 0]), ((), [one, three])
    ):  # fmt: skip
        expected = model.classifier(model.bottleneck(model.concatenate(features, levels)))[0]
        assert np.allclose(evidence.scores_without(silent), expected.numpy(), atol=1e-10)


def test_unreachable_bins_are_marked_and_weigh_nothing():
    model = small_network(levels=(1, 2, 3, 6), align_corners=True)
    activations, head = head_activations(model, random_features(model, (30, 30)), (233, 233))
    evidence = PSPEvidence(activations, head.weights())

    found = evidence.at((0, 0))
    bins = [s for s in found.sources if s.kind == "bin"]

    assert sum(s.reachable for s in bins) < 20
    assert all(s.value == 0 and s.weight == 0 for s in bins if not s.reachable)
    assert all(0 < s.weight <= 1 for s in bins if s.reachable)
    middle = evidence.at((116, 116))
    for level in (1, 2, 3, 6):
        assert np.isclose(middle.weights(level).sum(), 1)
        # At the corner five of the nine taps read the padding.
        assert np.isclose(found.weights(level).sum(), 4 / 9)


def test_regions_stay_inside_an_image_smaller_than_its_padding():
    model = small_network(levels=(1, 4))
    activations, head = head_activations(model, random_features(model, (4, 4)), (33, 33), (5, 3))

    found = PSPEvidence(activations, head.weights()).at((4, 2))

    assert found.sources[1].region == Rect(0, 0, 5, 3)
    assert found.sources[-1].region == Rect(5, 3, 5, 3)


def test_regions_are_adaptive_bins_in_image_pixels():
    model = small_network(levels=(3,))
    activations, head = head_activations(model, random_features(model, (7, 7)), (56, 56), (50, 52))
    found = PSPEvidence(activations, head.weights()).at((10, 10))

    regions = [s.region for s in found.sources]
    # Seven cells in three bins: 0..3, 2..5, 4..7, overlapping; padding is cut off.
    assert regions[1] == Rect(0, 0, 24, 24)
    assert regions[5] == Rect(16, 16, 40, 40)
    assert regions[9] == Rect(32, 32, 50, 52)
    assert regions[0].contains(10, 10)


def test_reach_map_is_what_single_pixels_read():
    model = small_network(levels=(2, 3), align_corners=False)
    activations, head = head_activations(model, random_features(model, (6, 5)), (6, 5))
    evidence = PSPEvidence(activations, head.weights())

    reach = evidence.reach_map(3, 1, 2)

    for y in range(6):
        for x in range(5):
            assert np.isclose(reach[y, x], evidence.at((y, x)).weights(3)[1, 2], atol=1e-6)


@pytest.mark.parametrize("classifier", [1, 3])
def test_context_share_is_the_share_of_the_split_at_each_cell(classifier, monkeypatch):
    # One row of cells at a time: bands meet where a 3x3 classifier reads across them.
    monkeypatch.setattr("pspgui.evidence.psp._BAND_VALUES", 1)
    model = small_network(levels=(1, 2), classifier_kernel=classifier).double()
    activations, head = head_activations(model, random_features(model, (5, 6)), (5, 6))
    evidence = PSPEvidence(activations, head.weights())

    for target in (None, Target(2), Target(1, 0)):
        share = evidence.context_share(target)
        for y, x in ((0, 0), (4, 5), (2, 3)):
            found = evidence.at((y, x), target)
            outer, inner = abs(sum(found.level_sums.values())), abs(found.local)
            assert np.isclose(share[y, x], outer / (outer + inner), atol=1e-5)


def test_json_is_the_object_the_command_line_prints():
    model = small_network(levels=(1, 2))
    activations, head = head_activations(model, random_features(model, (4, 4)), (25, 25))
    evidence = PSPEvidence(activations, head.weights())
    table = model.spec.classes

    printed = evidence.at((3, 7), Target(1, 2)).to_json(table)

    assert set(printed) == {
        "class", "target", "logit", "constant", "sources", "reading", "baseline", "residual"
    }  # fmt: skip
    assert abs(printed["residual"]) < 1e-5
    assert printed["class"] == "class 1"
    assert printed["target"] == "margin over class 2"
    assert [s["kind"] for s in printed["sources"]] == ["local"] + ["bin"] * 5
    assert set(printed["sources"][2]) == {
        "kind", "level", "row", "col", "value", "reachable", "region"
    }  # fmt: skip
    assert printed["sources"][0]["level"] is None
    assert printed["sources"][4]["region"] == [0, 12, 12, 25]
    total = printed["constant"] + sum(s["value"] for s in printed["sources"])
    assert abs(total - printed["logit"]) < 1e-4
    assert evidence.at((3, 7), Target(1)).to_json(table)["target"] == "logit"


def test_one_class_has_no_runner_up():
    model = small_network(classes=1, levels=(2,))
    activations, head = head_activations(model, random_features(model, (3, 3)), (17, 17))
    evidence = PSPEvidence(activations, head.weights())

    found = evidence.at((2, 2))

    assert found.target == Target(0, None)
    assert abs(found.total - found.logit) < 1e-4
    assert evidence.context_share().shape == (3, 3)


def test_what_cannot_be_asked_is_refused():
    model = small_network(levels=(2,))
    activations, head = head_activations(model, random_features(model, (3, 3)), (17, 17), (16, 9))
    evidence = PSPEvidence(activations, head.weights())

    for pixel in ((16, 0), (0, 9), (-1, 0)):
        with pytest.raises(IndexError, match="outside"):
            evidence.at(pixel)
    with pytest.raises(IndexError, match="no class 9"):
        evidence.at((0, 0), Target(9))
    with pytest.raises(ValueError, match="itself"):
        evidence.at((0, 0), Target(1, 1))
    with pytest.raises(KeyError, match="no level"):
        evidence.reach_map(3, 0, 0)
    with pytest.raises(IndexError, match="no bin"):
        evidence.reach_map(2, 2, 0)
    with pytest.raises(KeyError, match="no level"):
        evidence.ablate((0, 0), Source("bin", 7, 0, 0, 0.0, 0.0, True, Rect(0, 0, 1, 1)))
