"""What-if answers are the network's own with its parts altered; maps are splits at every cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_networks import head_activations, plain_scores, random_features, small_network

from pspgui.evidence.maps import LevelStack, confidence, disagreement, entropy, margin
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.evidence.whatif import WhatIf, answer_if, scores_if
from pspgui.inference.activations import Prediction

PADDED = (49, 57)
LEVELS = (1, 2, 3)


def case(seed=4, **fields):
    model = small_network(3, levels=LEVELS, **fields).double()
    features = random_features(model, (6, 7), seed)
    activations, head = head_activations(model, features, PADDED, (45, 50))
    return model, features, PSPEvidence(activations, head.weights())


def run(model, features, priors):
    return model.classifier(model.bottleneck(model.concatenate(features, priors)))[0].numpy()


def test_nothing_altered_is_the_networks_answer():
    model, features, evidence = case()
    assert WhatIf().is_plain
    assert np.allclose(scores_if(evidence, WhatIf()), plain_scores(model, features)[0], atol=1e-10)


@pytest.mark.parametrize("classifier", [1, 3])
def test_muted_scaled_and_local_parts_are_the_networks_own_answer(classifier):
    model, features, evidence = case(classifier_kernel=classifier)
    what = WhatIf(local=0.5).with_level(3, 0.25).with_bin((3, 1, 2), 2.0).with_bin((2, 0, 1), 0.0)
    priors = model.pyramid(features)
    priors[2] = priors[2] * 0.25
    priors[2][:, :, 1, 2] *= 2
    priors[1][:, :, 0, 1] = 0

    assert np.allclose(scores_if(evidence, what), run(model, features * 0.5, priors), atol=1e-10)


def test_a_borrowed_bin_is_that_of_the_other_image():
    model, features, evidence = case()
    _, others, lender = case(seed=9)
    priors, theirs = model.pyramid(features), model.pyramid(others)
    priors[1][:, :, 1, 0] = theirs[1][:, :, 1, 0]
    what = WhatIf().with_loan((2, 1, 0), lender.activations)

    assert np.allclose(scores_if(evidence, what), run(model, features, priors), atol=1e-10)
    assert what.with_loan((2, 1, 0), None).is_plain


def test_changed_pixels_are_counted_by_class():
    model, features, evidence = case()
    before = answer_if(evidence, np.zeros((45, 50), np.uint8), WhatIf()).labels
    priors = [torch.zeros_like(p) for p in model.pyramid(features)]
    scores = torch.from_numpy(run(model, features, priors))[None]
    after = model.upsample(scores, PADDED)[0].argmax(dim=0).numpy()[:45, :50]
    found = answer_if(evidence, before, WhatIf(levels=dict.fromkeys(LEVELS, 0.0)))

    assert np.array_equal(found.labels, after)
    assert np.array_equal(found.changed, before != after)
    assert found.changed_px == int((before != after).sum())
    count = np.bincount(after.ravel(), minlength=5) - np.bincount(before.ravel(), minlength=5)
    assert np.array_equal(found.change_by_class, count)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (WhatIf(levels={5: 0.0}), KeyError), (WhatIf(bins={(2, 2, 0): 0.0}), IndexError),
        (WhatIf(bins={(7, 0, 0): 0.0}), KeyError),
    ],
)  # fmt: skip
def test_parts_that_there_are_not_are_refused(what, error):
    _, _, evidence = case()
    with pytest.raises(error):
        scores_if(evidence, what)


def test_bins_of_another_network_are_not_borrowed():
    _, _, evidence = case()
    other = small_network(1, levels=(1, 2))
    stranger, _ = head_activations(other, random_features(other, (6, 7)), PADDED)
    with pytest.raises(ValueError, match="borrowed"):
        scores_if(evidence, WhatIf().with_loan((1, 0, 0), stranger))


def test_factors_are_told_in_json():
    what = WhatIf(note="no sky").with_level(1, 0.0).with_bin((6, 0, 5), 0.5)
    assert what.to_json() == {
        "note": "no sky", "local": 1.0, "levels": {"1": 0.0}, "bins": [[6, 0, 5, 0.5]],
        "borrowed": [],
    }  # fmt: skip


@pytest.mark.parametrize("target", [Target(1), Target(3, 0), None])
@pytest.mark.parametrize("classifier", [1, 3])
def test_maps_are_the_split_of_every_cell(classifier, target, monkeypatch):
    monkeypatch.setattr("pspgui.evidence.maps._BAND_VALUES", 1)  # bands of one row each
    model = small_network(3, levels=LEVELS, classifier_kernel=classifier).double()
    features = random_features(model, (6, 7), 4)
    padded = (6, 7)  # one pixel a cell, so that pixels are cells
    activations, head = head_activations(model, features, padded)
    evidence = PSPEvidence(activations, head.weights())
    maps = LevelStack(evidence).maps(target)
    whole = maps.constant + maps.local + sum(maps.levels.values())

    assert np.allclose(whole, maps.logit, atol=1e-10)
    for y, x in ((0, 0), (5, 6), (2, 3)):
        found = evidence.at((y, x), target)
        assert abs(maps.logit[y, x] - found.logit) < 1e-10
        assert abs(maps.local[y, x] - found.local) < 1e-10
        for level, total in found.level_sums.items():
            assert abs(maps.levels[level][y, x] - total) < 1e-10
        parts = [found.local, *found.level_sums.values()]
        assert maps.strongest()[y, x] == int(np.argmax(parts))


def test_doubt_is_that_of_the_softmax():
    scores = np.random.default_rng(0).normal(0, 3, (5, 4, 3)).astype(np.float32)
    odds = torch.softmax(torch.from_numpy(scores), 0)
    assert np.allclose(confidence(scores), odds.amax(0), atol=1e-6)
    told = -(odds * odds.log()).sum(0) / np.log(5)
    assert np.allclose(entropy(scores), told, atol=1e-5)
    top = np.sort(scores, axis=0)
    assert np.allclose(margin(scores), top[-1] - top[-2])
    assert not margin(scores[:1]).any()
    assert not entropy(scores[:1]).any()


def test_predictions_disagree_where_no_class_of_one_means_that_of_the_other():
    def said(labels):
        array = np.array(labels, np.uint8)
        return Prediction(array, np.zeros((3, 1, 1)), array.shape, array.shape, True, None, 0.0)

    same = np.zeros((3, 3), bool)
    same[0, 1] = same[1, 0] = True
    found = disagreement(said([[0, 1, 2]]), said([[1, 1, 2]]), same)
    assert found.tolist() == [[False, True, True]]
    with pytest.raises(ValueError, match="sizes"):
        disagreement(said([[0]]), said([[0, 1]]), same)
