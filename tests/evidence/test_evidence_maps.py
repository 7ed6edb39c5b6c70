"""Whole-image maps are the split of every cell; how much a pyramid matters is what reruns say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_networks import head_activations, random_features, small_network

from pspgui.evidence.maps import (
    LevelStack,
    confidence,
    entropy,
    margin,
    pyramid_share,
    read_pixels,
)
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.inference.activations import CellScores

LEVELS = (1, 2, 3)
PADDED, SHAPE = (49, 57), (45, 50)


def case(seed=4, padded=PADDED, shape=SHAPE, **fields):
    model = small_network(3, levels=LEVELS, **fields).double()
    features = random_features(model, (6, 7), seed)
    activations, head = head_activations(model, features, padded, shape)
    return model, features, PSPEvidence(activations, head.weights())


@pytest.mark.parametrize("target", [Target(1), Target(3, 0), None])
@pytest.mark.parametrize("classifier", [1, 3])
def test_all_maps_add_up_to_the_logit(target, classifier):
    _, _, evidence = case(classifier_kernel=classifier)
    maps = LevelStack(evidence).maps(target)

    assert np.allclose(maps.constant + maps.local + maps.pyramid, maps.logit, atol=1e-10)
    outer, inner = np.abs(maps.pyramid), np.abs(maps.local)
    assert np.allclose(maps.context_share * (outer + inner), outer, atol=1e-10)
    assert np.allclose(maps.context_share, evidence.context_share(target), atol=1e-6)
    parts = [maps.local, *maps.levels.values()]
    assert np.array_equal(maps.strongest(), np.argmax(parts, axis=0))


@pytest.mark.parametrize("target", [Target(2), None])
@pytest.mark.parametrize("classifier", [1, 3])
def test_the_maps_of_a_level_s_bins_add_up_to_the_level(target, classifier):
    _, _, evidence = case(classifier_kernel=classifier)
    stack = LevelStack(evidence)
    for level in LEVELS:
        bins = [stack.bin(level, r, c, target) for r in range(level) for c in range(level)]
        assert np.allclose(np.sum(bins, axis=0), stack.maps(target).levels[level], atol=1e-10)


def test_a_bin_s_map_is_what_pixels_read_of_it_and_nothing_out_of_reach():
    _, _, evidence = case(padded=(6, 7), shape=(6, 7))  # one pixel a cell
    found = LevelStack(evidence).bin(3, 1, 2, Target(1))
    for y in range(6):
        for x in range(7):
            assert abs(found[y, x] - evidence.at((y, x), Target(1)).grid(3)[1, 2]) < 1e-10
    assert not found[evidence.reach_map(3, 1, 2) == 0].any()


@pytest.mark.parametrize("target", [Target(1, 4), None])
def test_a_stack_too_large_to_keep_answers_the_same(target):
    _, _, evidence = case()
    kept, anew = LevelStack(evidence), LevelStack(evidence, most_bytes=0)
    for one, other in zip(kept.maps(target), anew.maps(target), strict=True):
        if isinstance(one, dict):
            assert all(np.array_equal(one[b], other[b]) for b in LEVELS)
        else:
            assert np.array_equal(one, other)
    assert np.array_equal(kept.bin(2, 0, 1, target), anew.bin(2, 0, 1, target))


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda s: s.maps(Target(9)), IndexError), (lambda s: s.maps(Target(0, 9)), IndexError),
        (lambda s: s.bin(5, 0, 0), KeyError), (lambda s: s.bin(2, 0, 2), IndexError),
    ],
)  # fmt: skip
def test_what_there_is_not_is_refused(ask, error):
    _, _, evidence = case()
    with pytest.raises(error):
        ask(LevelStack(evidence))


def test_making_a_stack_can_be_stopped():
    class Enough(Exception):  # noqa: N818 - not an error
        pass

    def stop():
        raise Enough

    _, _, evidence = case()
    with pytest.raises(Enough):
        LevelStack(evidence, stop=stop)


@pytest.mark.parametrize("align_corners", [True, False])
def test_the_pyramids_share_is_that_of_reruns_without_it(align_corners):
    model, features, evidence = case(align_corners=align_corners)
    found = pyramid_share(LevelStack(evidence))

    def labels(priors):
        stacked = model.concatenate(features, priors)
        scores = model.classifier(model.bottleneck(stacked))
        return model.upsample(scores, PADDED)[0].argmax(dim=0).numpy()[: SHAPE[0], : SHAPE[1]]

    priors = model.pyramid(features)
    changed = labels(priors) != labels([torch.zeros_like(p) for p in priors])
    assert found.changed == pytest.approx(changed.mean(), abs=1e-9)

    # The cells whose middle lies in the image, by hand: 6 x 7 cells over 49 x 57 pixels.
    rows = [i * 48 / 5 if align_corners else (i + 0.5) * 49 / 6 - 0.5 for i in range(6)]
    columns = [i * 56 / 6 if align_corners else (i + 0.5) * 57 / 7 - 0.5 for i in range(7)]
    inside = np.ix_([r <= 44.5 for r in rows], [c <= 49.5 for c in columns])
    maps = LevelStack(evidence).maps()
    outer = sum(level[inside] for level in maps.levels.values())
    inner = np.abs(maps.local[inside]).sum()
    assert found.evidence == pytest.approx(np.abs(outer).sum() / (np.abs(outer).sum() + inner))


def test_a_pyramid_of_zeros_matters_nothing():
    model, features, _ = case()
    silent = small_network(3, levels=LEVELS).double()
    with torch.no_grad():
        for parameter in silent.pyramid.parameters():
            parameter.zero_()
        for module in silent.pyramid.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.zero_()
    activations, head = head_activations(silent, features, PADDED, SHAPE)
    assert pyramid_share(LevelStack(PSPEvidence(activations, head.weights()))) == (0, 0)
    assert model is not silent


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("read", [confidence, margin, entropy])
def test_pixels_are_read_from_their_own_logits(read, align_corners):
    scores = np.random.default_rng(2).normal(0, 3, (4, 6, 7)).astype(np.float32)
    found, step = read_pixels(CellScores(scores, PADDED, SHAPE, align_corners), read)
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(scores)[None], PADDED, mode="bilinear", align_corners=align_corners
    )[0, :, : SHAPE[0], : SHAPE[1]].numpy()

    assert step == 1
    assert found.shape == SHAPE
    assert np.allclose(found, read(whole), atol=1e-4)


def test_of_very_many_logits_the_middles_of_squares_are_read():
    scores = np.random.default_rng(2).normal(0, 3, (4, 6, 7)).astype(np.float32)
    known = CellScores(scores, (48, 56), (48, 56), False)
    found, step = read_pixels(known, margin, most_values=4 * 48 * 56 // 9 + 1)
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(scores)[None], (48, 56), mode="bilinear", align_corners=False
    )[0].numpy()

    assert step == 3
    assert found.shape == (16, 19)
    # The middle of three pixels is a pixel.
    assert np.allclose(found, margin(whole)[1::3, 1::3], atol=1e-4)
