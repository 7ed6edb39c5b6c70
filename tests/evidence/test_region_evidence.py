"""The evidence of a region is the mean of its pixels', whatever the region and the network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import picture
from small_networks import head_activations, random_features, small_network
from test_every_network import SPECS, predictor

from pspgui.evidence import evidence_of
from pspgui.evidence.psp import PSPEvidence, mean_bins
from pspgui.evidence.readings import Target
from pspgui.evidence.regions import middle_of, region_evidence, region_of, region_target
from pspgui.geometry import Pixel, Rect
from pspgui.inference.argmax import full_resolution_labels
from pspgui.labels.raster import Stamp

PADDED = (49, 57)
KINDS = [(True, 1), (False, 1), (True, 3), (False, 3)]


def pyramid(align_corners, classifier, image=(47, 52)):
    model = small_network(
        0, levels=(1, 2, 3), align_corners=align_corners, classifier_kernel=classifier
    ).double()
    activations, head = head_activations(model, random_features(model, (6, 7), 1), PADDED, image)
    return PSPEvidence(activations, head.weights())


PYRAMIDS = {kind: pyramid(*kind) for kind in KINDS}


def pixels_of(region):
    ys, xs = np.nonzero(region.mask)
    return list(zip((ys + region.rect.y0).tolist(), (xs + region.rect.x0).tolist(), strict=True))


def the_mean(evidence, region, target, *ways):
    """Return what asking every pixel gives: logit, constant and sources, each the mean."""
    found = [evidence.at(pixel, target, *ways) for pixel in pixels_of(region)]
    sources = np.array([[source.value for source in one.sources] for one in found])
    reached = np.array([[source.reachable for source in one.sources] for one in found])
    weights = np.array([[source.weight for source in one.sources] for one in found])
    return (
        np.mean([one.logit for one in found]), np.mean([one.constant for one in found]),
        sources.mean(axis=0), reached.any(axis=0), weights.mean(axis=0),
    )  # fmt: skip


def agrees(evidence, region, target, *ways, tolerance=1e-9):
    found = region_evidence(evidence, region, target, *ways)
    logit, constant, sources, reached, weights = the_mean(evidence, region, target, *ways)
    assert found.logit == pytest.approx(logit, abs=tolerance)
    assert found.constant == pytest.approx(constant, abs=tolerance)
    assert np.allclose([s.value for s in found.sources], sources, atol=tolerance, rtol=0)
    assert [s.reachable for s in found.sources] == reached.tolist()
    if getattr(found, "level_falls", None) is not None:
        ones = [evidence.at(pixel, target, *ways).level_sums for pixel in pixels_of(region)]
        for level, fall in found.level_sums.items():
            assert fall == pytest.approx(np.mean([one[level] for one in ones]), abs=tolerance)
    return found, weights


@st.composite
def regions(draw, shape=(47, 52)):
    """Return a region anywhere in the image, often at its edges, with holes and loose pixels."""
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    top = draw(st.sampled_from([0, shape[0] - height, draw(st.integers(0, shape[0] - height))]))
    left = draw(st.sampled_from([0, shape[1] - width, draw(st.integers(0, shape[1] - width))]))
    seed, share = draw(st.integers(0, 99)), draw(st.sampled_from([0.05, 0.5, 1.0]))
    mask = np.random.default_rng(seed).random((height, width)) < share
    mask[0, -1] = True
    return Stamp(Rect(top, left, top + height, left + width), mask)


@settings(max_examples=16, deadline=None)
@given(
    region=regions(), kind=st.sampled_from(KINDS),
    reading=st.sampled_from(["split", "ig", "ablate", "shapley"]),
    target=st.sampled_from([Target(1), Target(3, 0)]),
)  # fmt: skip
def test_a_region_is_the_mean_of_its_pixels(region, kind, reading, target):
    found, weights = agrees(PYRAMIDS[kind], region, target, reading)
    assert np.allclose([s.weight for s in found.sources], weights, atol=1e-9)
    if reading != "ablate":
        assert abs(found.residual) < 1e-9
    assert found.pixels == len(pixels_of(region)) and found.rect == region.rect


@pytest.mark.parametrize("kind", KINDS)
def test_all_corners_at_once_are_their_mean(kind):
    corners = region_of([(0, 0), (0, 51), (46, 0), (46, 51)])
    agrees(PYRAMIDS[kind], corners, Target(2))


@pytest.mark.parametrize("reading", ["split", "ig", "ablate", "shapley"])
def test_the_mean_holds_against_the_mean_bin_too(reading):
    evidence = PYRAMIDS[True, 3]
    baseline = mean_bins([evidence.activations], "the mean bin of 1 image")
    region = Stamp(Rect(30, 40, 47, 52), np.random.default_rng(1).random((17, 12)) < 0.4)
    found = region_evidence(evidence, region, Target(1), reading, baseline)
    ones = [evidence.at(pixel, Target(1), reading, baseline) for pixel in pixels_of(region)]
    means = np.mean([[s.value for s in one.sources] for one in ones], axis=0)
    assert np.allclose([s.value for s in found.sources], means, atol=1e-9)
    assert found.constant == pytest.approx(np.mean([one.constant for one in ones]))
    levels = np.mean([list(one.level_sums.values()) for one in ones], axis=0)
    assert np.allclose(list(found.level_sums.values()), levels, atol=1e-9)
    assert found.baseline == baseline.name


def test_one_pixel_is_a_region_of_its_own():
    evidence = PYRAMIDS[False, 1]
    one, same = evidence.at((11, 13)), region_evidence(evidence, region_of([(11, 13)]))
    assert same.target == one.target and same.pixel == one.pixel
    assert same.local_region == one.local_region
    assert np.allclose([s.value for s in one.sources], [s.value for s in same.sources])


def test_a_regions_margin_is_of_the_class_of_most_of_its_pixels():
    evidence = PYRAMIDS[True, 1]
    known = evidence.activations
    labels = full_resolution_labels(known.scores, PADDED, known.image_shape, True)
    region = Stamp(Rect(5, 5, 40, 45), np.ones((35, 40), bool))
    goal = region_target(known, region)
    inside = labels[region.rect.slices]
    assert goal.class_id == np.bincount(inside.ravel()).argmax()
    means = [region_evidence(evidence, region, Target(c)).logit for c in range(len(known.scores))]
    means[goal.class_id] = -np.inf
    assert goal.versus == int(np.argmax(means))
    assert region_evidence(evidence, region).target == goal


@pytest.mark.parametrize("name", SPECS)
def test_every_networks_region_is_the_mean_of_its_pixels(name):
    found = predictor(name)
    evidence = evidence_of(found.set_image(picture(45, 70)), found.weights)
    mask = np.random.default_rng(0).random((22, 30)) < 0.02
    mask[-1, -1] = True
    region = Stamp(Rect(23, 40, 45, 70), mask)
    for reading in evidence.readings:
        scale = max(1.0, *(abs(s.value) for s in evidence.at((44, 69), Target(1)).sources))
        told, _ = agrees(evidence, region, Target(1), reading, tolerance=1e-5 * scale)
        falls = getattr(told, "level_falls", None)
        assert (falls is not None) == (reading == "ablate" and hasattr(told, "level_sums"))


def test_a_region_lies_in_the_image_and_is_not_empty():
    evidence = PYRAMIDS[True, 1]
    outside = Stamp(Rect(40, 40, 48, 45), np.ones((8, 5), bool))
    with pytest.raises(IndexError, match="outside"):
        region_evidence(evidence, outside, Target(0))
    with pytest.raises(IndexError, match="at least one"):
        region_evidence(evidence, Stamp(Rect(0, 0, 2, 2), np.zeros((2, 2), bool)), Target(0))
    with pytest.raises(IndexError, match="no class"):
        region_evidence(evidence, region_of([(1, 1)]), Target(99))
    with pytest.raises(ValueError, match="itself"):
        region_evidence(evidence, region_of([(1, 1)]), Target(1, 1))


def test_the_pixel_that_stands_for_a_region_is_in_it():
    ring = np.ones((9, 9), bool)
    ring[1:8, 1:8] = False
    place = middle_of(Stamp(Rect(10, 20, 19, 29), ring))
    assert ring[place.y - 10, place.x - 20]
    assert middle_of(Stamp(Rect(10, 20, 13, 23), np.ones((3, 3), bool))) == Pixel(11, 21)


def test_between_pieces_of_work_it_can_be_stopped():
    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    evidence = PYRAMIDS[True, 1]
    with pytest.raises(StoppedError):
        region_evidence(evidence, region_of([(9, 9)]), Target(0), "ablate", check=stop)
