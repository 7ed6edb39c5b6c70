"""Readings of a pixel agree with the network's own answers: path integrals, reruns, coalitions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.psp import LevelMeans, PSPEvidence, mean_bins
from pspgui.evidence.readings import Target, level_source
from pspgui.evidence.shapley import group_shapley, sampled_shapley
from pspgui.labels.classes import table

PLACES = ((0, 0), (48, 56), (0, 56), (21, 30), (48, 3))
PADDED = (49, 57)
TABLE = table(*((f"class {i}", (0, 0, i)) for i in range(9)))


class Case:
    """A small network, one image's features, and the network's answers to altered parts."""

    def __init__(self, align_corners=True, levels=(1, 2, 3), seed=0, image=None, classifier=1):
        self.model = small_network(
            seed, levels=levels, align_corners=align_corners, classifier_kernel=classifier
        ).double()
        self.features = random_features(self.model, (6, 7), seed + 1)
        self.activations, self.head = head_activations(
            self.model, self.features, PADDED, image or PADDED
        )
        self.evidence = PSPEvidence(self.activations, self.head.weights())
        self.priors = self.model.pyramid(self.features)

    def logit(self, local, priors, place, target):
        """Return what the network's own modules say of altered local features and priors."""
        hidden = self.model.bottleneck(self.model.concatenate(local, priors))
        logits = self.model.upsample(self.model.classifier(hidden), PADDED)[0]
        y, x = place
        found = logits[target.class_id, y, x]
        return found if target.versus is None else found - logits[target.versus, y, x]

    def scaled(self, by, place, target):
        return self.logit(self.features * by, [p * by for p in self.priors], place, target)


@pytest.fixture(
    params=[(True, 1), (False, 1), (True, 3), (False, 3)],
    ids=["aligned", "unaligned", "aligned 3x3 classifier", "unaligned 3x3 classifier"],
)
def case(request):
    return Case(request.param[0], classifier=request.param[1])


@pytest.mark.parametrize("target", [Target(1), Target(3, 0)])
def test_ig_is_the_integral_along_the_way_from_silence(case, target):
    steps = 100
    for place in PLACES[:3]:
        local = case.features.clone().requires_grad_(True)
        priors = [p.clone().requires_grad_(True) for p in case.priors]
        total = 0.0
        for t in ((np.arange(steps) + 0.5) / steps).tolist():
            scaled = case.logit(local * t, [p * t for p in priors], place, target)
            total = total + scaled / (t * steps)
        total.backward()
        found = case.evidence.at(place, target, "ig")

        assert abs(float((local.grad * local.detach()).sum()) - found.local) < 2e-2
        for level, prior in zip((1, 2, 3), priors, strict=True):
            expected = (prior.grad * prior).sum(dim=1)[0].detach().numpy()
            assert np.allclose(found.grid(level), expected, atol=2e-2)


@pytest.mark.parametrize("reading", ["split", "ig"])
def test_sources_add_up_to_the_logit_in_every_reading_and_baseline(case, reading):
    means = mean_bins([case.activations], "the mean bin of 1 image")
    for place in PLACES:
        for baseline in (None, means):
            found = case.evidence.at(place, Target(2, 4), reading, baseline)

            assert abs(found.total - found.logit) < 1e-10
            assert abs(found.constant + sum(s.value for s in found.sources) - found.logit) < 1e-10
            assert found.reading == reading
            assert found.baseline == ("zero" if baseline is None else means.name)


def test_the_constant_of_ig_is_the_networks_answer_to_silence(case):
    for place in PLACES:
        found = case.evidence.at(place, Target(1), "ig")
        assert abs(found.constant - float(case.scaled(0.0, place, Target(1)))) < 1e-10


def test_ablation_of_every_bin_is_the_networks_answer_without_it(case):
    for place in PLACES[:3]:
        found = case.evidence.at(place, Target(3, 0), "ablate")
        before = float(case.logit(case.features, case.priors, place, Target(3, 0)))
        for index, level in enumerate((1, 2, 3)):
            for row, column in np.ndindex(level, level):
                priors = [p.clone() for p in case.priors]
                priors[index][:, :, row, column] = 0
                after = float(case.logit(case.features, priors, place, Target(3, 0)))
                assert abs(found.grid(level)[row, column] - (before - after)) < 1e-10
        local = case.logit(torch.zeros_like(case.features), case.priors, place, Target(3, 0))
        assert abs(found.local - (before - float(local))) < 1e-10
        assert abs(found.total + found.interaction - found.logit) < 1e-10


GATED = ((0, 24), (0, 32), (5, 30), (48, 56), (21, 30))
"""Pixels among which are some where silenced bins of a level turn gates of the network below."""


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize(("align_corners", "classifier"), [(True, 1), (False, 1), (True, 3)])
def test_a_level_falls_by_what_the_network_loses_without_all_of_it(align_corners, classifier, mean):
    case = Case(align_corners, seed=1, classifier=classifier)
    own = [p.mean(dim=(2, 3), keepdim=True) * mean for p in case.priors]
    baseline = mean_bins([case.activations], "mean") if mean else None
    for place in GATED:
        found = case.evidence.at(place, Target(3, 0), "ablate", baseline)
        before = float(case.logit(case.features, case.priors, place, Target(3, 0)))
        for index, level in enumerate((1, 2, 3)):
            priors = list(case.priors)
            priors[index] = priors[index] * 0 + own[index]
            after = float(case.logit(case.features, priors, place, Target(3, 0)))
            assert abs(found.level_sums[level] - (before - after)) < 1e-10
            source = level_source(found, level)
            assert source.value == found.level_sums[level]
            if not mean:
                alone = case.evidence.ablate(place, source, Target(3, 0))
                assert abs(alone - (before - after)) < 1e-10
        assert abs(found.level_sums[1] - found.grid(1)[0, 0]) < 1e-10
        parts = found.constant + found.local + sum(found.level_sums.values())
        assert abs(parts + found.interaction - found.logit) < 1e-10


def test_bins_silenced_one_by_one_are_not_their_level_silenced():
    case, gaps = Case(seed=1), []
    for place in GATED:
        found = case.evidence.at(place, Target(3, 0), "ablate")
        gaps.append(abs(found.level_sums[3] - found.grid(3).sum()))
        split = case.evidence.at(place, Target(3, 0))
        assert split.level_falls is None
        assert split.level_sums[3] == pytest.approx(split.grid(3).sum())
    assert max(gaps) > 1e-3


def test_ablation_to_the_mean_bin_is_the_networks_answer_with_it(case):
    mean = [p.mean(dim=(2, 3), keepdim=True) for p in case.priors]
    means = mean_bins([case.activations], "mean")
    place, target = (21, 30), Target(1)
    found = case.evidence.at(place, target, "ablate", means)
    before = float(case.logit(case.features, case.priors, place, target))
    for index, level in enumerate((1, 2, 3)):
        priors = [p.clone() for p in case.priors]
        priors[index][:, :, 0, 0] = mean[index][:, :, 0, 0]
        after = float(case.logit(case.features, priors, place, target))
        assert abs(found.grid(level)[0, 0] - (before - after)) < 1e-10


def test_mean_bins_average_over_images():
    cases = [Case(seed=0), Case(seed=0)]
    cases[1].features = random_features(cases[1].model, (6, 7), 9)
    cases[1].activations, _ = head_activations(cases[1].model, cases[1].features, PADDED)
    both = mean_bins([c.activations for c in cases], "two")
    one, other = (mean_bins([c.activations], "one") for c in cases)
    assert isinstance(both, LevelMeans)
    for a, b, c in zip(both.taps, one.taps, other.taps, strict=True):
        assert np.allclose(a, (b + c) / 2)


def test_group_shapley_is_the_mean_over_all_orders_of_the_networks_answers(case):
    place, target = (21, 30), Target(1, 3)
    found = group_shapley(case.evidence, place, target)
    silent = [torch.zeros_like(case.features), *(torch.zeros_like(p) for p in case.priors)]
    parts = [case.features, *case.priors]
    gains = np.zeros(4)
    orders = list(permutations(range(4)))
    for order in orders:
        now = list(silent)
        before = float(case.logit(now[0], now[1:], place, target))
        for part in order:
            now[part] = parts[part]
            after = float(case.logit(now[0], now[1:], place, target))
            gains[part] += (after - before) / len(orders)
            before = after
    assert np.allclose([found.local, *found.levels.values()], gains, atol=1e-10)
    assert abs(found.constant + found.local + sum(found.levels.values()) - found.logit) < 1e-10


def test_shapley_is_a_reading_with_local_and_levels_for_sources(case):
    means = mean_bins([case.activations], "the mean bin of 1 image")
    for place in PLACES:
        for baseline in (None, means):
            found = case.evidence.at(place, Target(2, 4), "shapley", baseline)
            assert found.reading == "shapley" and not found.grids
            assert [s.kind for s in found.sources] == ["local", "level", "level", "level"]
            assert abs(found.total - found.logit) < 1e-10
            assert found.baseline == ("zero" if baseline is None else means.name)


def test_means_of_another_network_are_not_taken(case):
    means = mean_bins([case.activations], "mean")
    assert case.evidence.takes(means)
    assert not case.evidence.takes(LevelMeans(means.taps, "mean", "another digest"))
    assert not case.evidence.takes(LevelMeans(means.taps[:2], "mean"))


def test_coalitions_too_large_to_hold_at_once_are_the_same(case, monkeypatch):
    at_once = group_shapley(case.evidence, (21, 30), Target(1))
    monkeypatch.setattr("pspgui.evidence.shapley._AT_ONCE", 0)
    one_by_one = group_shapley(case.evidence, (21, 30), Target(1))
    assert abs(at_once.local - one_by_one.local) < 1e-12
    assert np.allclose(list(at_once.levels.values()), list(one_by_one.levels.values()))


def test_sampled_shapley_adds_up_and_nears_the_exact_values_of_groups(case):
    place, target = (21, 30), Target(1, 3)
    values = sampled_shapley(case.evidence, place, target, 600)
    exact = group_shapley(case.evidence, place, target)
    assert abs(values.sum() + exact.constant - exact.logit) < 1e-9
    assert abs(values[0] - exact.local) < 0.1 * max(1.0, abs(exact.local))


def test_unknown_groups_are_refused():
    case = Case(levels=tuple(range(1, 14)))
    with pytest.raises(ValueError, match="13 levels"):
        group_shapley(case.evidence, (0, 0))


@pytest.mark.parametrize("mean", [False, True])
def test_readings_asked_together_are_those_asked_alone(case, mean):
    baseline = mean_bins([case.activations], "this image's own mean") if mean else None
    readings = ("ablate", "split", "shapley", "ig")
    for place in PLACES:
        together = case.evidence.at_all(place, None, readings, baseline)
        assert [found.reading for found in together] == list(readings)
        for found in together:
            alone = case.evidence.at(place, None, found.reading, baseline)
            assert found.to_json(TABLE) == alone.to_json(TABLE)
    assert len({found.target for found in together}) == 1
