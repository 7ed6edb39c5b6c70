"""Channels add up to the source that their map stands for, and agree with autograd."""

from __future__ import annotations

import numpy as np
import pytest
from every_kind import SMALL, SPECS, predictor
from oracles import picture
from small_networks import head_activations, random_features, small_network

from pspgui.evidence import evidence_of
from pspgui.evidence.channels import channel_shares, lattice
from pspgui.evidence.maps import LevelStack
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import Target
from pspgui.evidence.regions import region_evidence
from pspgui.geometry import Rect
from pspgui.inference.activations import ClassifierWeights
from pspgui.inference.channels import channel_names
from pspgui.inference.shown_map import Lattice
from pspgui.labels.raster import Stamp
from pspgui.models.dilated_fcn import DilatedFCNSpec

TARGETS = (None, Target(2), Target(1, 3))


def psp(classifier=1, align_corners=True, levels=(1, 2, 3), **fields):
    """Return a small PSPNet, its features, padded size and evidence, in float64."""
    model = small_network(
        levels=levels, align_corners=align_corners, classifier_kernel=classifier, **fields
    ).double()
    features, padded = random_features(model, (7, 6)), (57, 41)
    activations, head = head_activations(model, features, padded, (50, 38))
    return model, features, padded, PSPEvidence(activations, head.weights())


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("classifier", [1, 3])
def test_channels_at_a_pixel_add_up_to_their_source(classifier, align_corners):
    *_, evidence = psp(classifier, align_corners)
    for pixel in ((0, 0), (49, 37), (21, 30), (8, 8)):
        for target in TARGETS:
            found = evidence.at(pixel, target)
            local = channel_shares(evidence, "features", "reduced", pixel, target)
            fused = channel_shares(evidence, "fused", "reduced", pixel, target)

            assert local.total == pytest.approx(found.local, abs=1e-10)
            assert fused.total == pytest.approx(found.logit, abs=1e-10)
            for level, sum_ in found.level_sums.items():
                for form in ("pooled", "reduced", "upsampled"):
                    own = channel_shares(evidence, f"level-{level}", form, pixel, target)
                    assert own.total == pytest.approx(sum_, abs=1e-10)
                    assert own.constant == 0 or form == "pooled"


@pytest.mark.parametrize("fields", [
    {"pool": "max"}, {"reduction": "conv_bn_relu_bare_1"}, {"concat": "features_last"},
    {"bottleneck_kernel": 1},
])  # fmt: skip
def test_every_form_of_the_head_adds_up(fields):
    *_, evidence = psp(**fields)
    found = evidence.at((20, 17), Target(4))
    for level, sum_ in found.level_sums.items():
        own = channel_shares(evidence, f"level-{level}", "pooled", (20, 17), Target(4))
        assert own.total == pytest.approx(sum_, abs=1e-10)
    assert channel_shares(evidence, "features", place=(20, 17), target=Target(4)).total == (
        pytest.approx(found.local, abs=1e-10)
    )


@pytest.mark.parametrize("classifier", [1, 3])
def test_channels_are_gradient_times_value(classifier):
    model, features, padded, evidence = psp(classifier)
    for y, x in ((0, 0), (30, 21)):
        local = features.clone().requires_grad_(True)
        priors = [p.detach().requires_grad_(True) for p in model.pyramid(features)]
        hidden = model.bottleneck(model.concatenate(local, priors))
        hidden.retain_grad()
        logits = model.upsample(model.classifier(hidden), padded)
        (logits[0, 2, y, x] - logits[0, 4, y, x]).backward()
        target = Target(2, 4)

        shares = channel_shares(evidence, "features", "reduced", (y, x), target).values
        expected = (local.grad * local.detach()).sum(dim=(0, 2, 3))
        assert np.allclose(shares, expected, atol=1e-10)
        shares = channel_shares(evidence, "fused", "reduced", (y, x), target).values
        assert np.allclose(shares, (hidden.grad * hidden).detach().sum(dim=(0, 2, 3)), atol=1e-10)
        for level, prior in zip((1, 2, 3), priors, strict=True):
            shares = channel_shares(evidence, f"level-{level}", "reduced", (y, x), target).values
            assert np.allclose(shares, (prior.grad * prior).detach().sum(dim=(0, 2, 3)))


def test_pooled_channels_are_gradient_times_value():
    model, features, padded, evidence = psp()
    local = features.clone()
    branch = model.pyramid.branches[1]
    pooled = branch[0](features).detach().requires_grad_(True)
    reduced = pooled
    for layer in list(branch)[1:]:
        reduced = layer(reduced)
    priors = list(model.pyramid(features))
    priors[1] = reduced
    hidden = model.bottleneck(model.concatenate(local, priors))
    model.upsample(model.classifier(hidden), padded)[0, 1, 11, 23].backward()

    shares = channel_shares(evidence, "level-2", "pooled", (11, 23), Target(1)).values
    assert np.allclose(shares, (pooled.grad * pooled).detach().sum(dim=(0, 2, 3)), atol=1e-10)


@pytest.mark.parametrize("classifier", [1, 3])
@pytest.mark.parametrize("align_corners", [True, False])
def test_without_a_pixel_it_is_the_mean_over_the_cells_of_the_image(align_corners, classifier):
    *_, evidence = psp(classifier, align_corners)
    known = evidence.activations
    rows, columns = (inside.stop for inside in Lattice.of(known).visible(known.grid))
    assert rows < 7 or columns < 6  # some cells are padding alone
    stack = LevelStack(evidence)
    for target in TARGETS:
        maps = stack.maps(target)
        local = channel_shares(evidence, "features", target=target)
        fused = channel_shares(evidence, "fused", target=target)

        assert local.total == pytest.approx(maps.local[:rows, :columns].mean(), abs=1e-10)
        assert fused.total == pytest.approx(maps.logit[:rows, :columns].mean(), abs=1e-10)
        for level, own in maps.levels.items():
            for form in ("pooled", "reduced"):
                found = channel_shares(evidence, f"level-{level}", form, target=target)
                assert found.total == pytest.approx(own[:rows, :columns].mean(), abs=1e-10)


@pytest.mark.parametrize("name", ["upsample", "deeplab", "dilated", "stages", "fcn"])
def test_maps_of_every_network_add_up(name):
    found = predictor(name)
    activations = found.set_image(picture(45, 70))
    evidence = evidence_of(activations, found.weights)
    for pixel in ((0, 0), (20, 33)):
        parts = evidence.at(pixel, Target(1))
        values = {source.title: source.value for source in parts.sources}
        scale = 1e-5 * max(1.0, *(abs(value) for value in values.values()))
        for index, (title, maps) in enumerate(activations.maps):
            own = channel_shares(evidence, f"map-{index}", "reduced", pixel, Target(1))
            expected = parts.logit
            if title in values:
                expected = values[title]
            elif title.startswith("level"):
                bins = maps.shape[1]
                expected = sum(s.value for s in parts.sources if s.level == bins)
            elif name == "stages":  # what is added further up comes from elsewhere
                expected -= sum(s.value for s in parts.sources if s.level > index + 1)

            assert len(own.values) == len(maps)
            assert own.total == pytest.approx(expected, abs=scale)
        if name != "fcn":
            own = channel_shares(evidence, "features", "reduced", pixel, Target(1))
            local = name in ("upsample", "stages")
            expected = parts.sources[0].value if local else parts.logit - parts.constant
            if name in ("dilated",):
                expected = sum(values.values())
            if name != "deeplab":
                assert own.total == pytest.approx(expected, abs=scale)
            else:  # biases of the branches lie between features and branches
                assert own.total == pytest.approx(sum(values.values()), abs=scale)


def test_a_head_that_reads_the_features_twice_adds_up(monkeypatch):
    spec = DilatedFCNSpec(
        **SMALL | {"backbone": "mobilenet_v2"}, convolutions=2, concat_input=True, head_channels=8
    )
    monkeypatch.setitem(SPECS, "joint", spec)
    found = predictor("joint")
    activations = found.set_image(picture(45, 70))
    evidence = evidence_of(activations, found.weights)
    direct, convolved = evidence.at((20, 33), Target(3)).sources
    scale = 1e-5 * max(1, abs(direct.value), abs(convolved.value))
    for title in ("Hidden 1", "Hidden 2"):
        own = evidence.channels((20, 33), title, Target(3))
        assert own.total == pytest.approx(convolved.value, abs=scale)
    joint = evidence.channels((20, 33), "Joint", Target(3))
    assert joint.total == pytest.approx(evidence.at((20, 33), Target(3)).logit, abs=scale)
    whole = evidence.channels((20, 33), "", Target(3))
    assert whole.total == pytest.approx(direct.value + convolved.value, abs=scale)


def test_over_the_image_other_networks_answer_by_a_lattice_of_pixels():
    found = predictor("dilated")
    activations = found.set_image(picture(45, 70))
    evidence = evidence_of(activations, found.weights)
    places = lattice((45, 70))
    asked = []

    mean = channel_shares(evidence, "map-0", target=Target(1), check=lambda: asked.append(1))

    assert len(places) == len(asked) == 64
    assert len(set(places)) == 64 and all(0 <= y < 45 and 0 <= x < 70 for y, x in places)
    logits = [evidence.at(place, Target(1)).logit for place in places]
    assert mean.total == pytest.approx(np.mean(logits), abs=1e-4)
    assert len(lattice((3, 2))) == 6


@pytest.mark.parametrize("classifier", [1, 3])
def test_channels_of_a_region_add_up_to_its_evidence(classifier):
    *_, evidence = psp(classifier)
    rng = np.random.default_rng(2)
    region = Stamp(Rect(5, 3, 30, 37), rng.random((25, 34)) > 0.4)
    for target in TARGETS:
        found = region_evidence(evidence, region, target)
        local = channel_shares(evidence, "features", "reduced", region, target)
        fused = channel_shares(evidence, "fused", "reduced", region, target)
        assert local.total == pytest.approx(found.local, abs=1e-10)
        assert fused.total == pytest.approx(found.logit, abs=1e-10)
        for level, reading in found.levels.items():
            for form in ("pooled", "upsampled"):
                own = channel_shares(evidence, f"level-{level}", form, region, target)
                assert own.total == pytest.approx(reading.values.sum(), abs=1e-10)


def test_channels_of_a_region_add_up_in_other_networks():
    found = predictor("deeplab")
    activations = found.set_image(picture(45, 70))
    evidence = evidence_of(activations, found.weights)
    region = Stamp(Rect(4, 6, 40, 66), np.ones((36, 60), bool))
    parts = region_evidence(evidence, region, Target(1))
    values = {source.title: source.value for source in parts.sources}
    for index, (title, _) in enumerate(activations.maps):
        own = channel_shares(evidence, f"map-{index}", "reduced", region, Target(1))
        assert own.total == pytest.approx(values.get(title, parts.logit), abs=1e-4)


def test_a_job_that_is_not_wanted_stops():
    *_, evidence = psp()

    def stop():
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        channel_shares(evidence, "features", check=stop)


def test_what_has_no_channels_is_refused():
    *_, evidence = psp()
    for name in ("score", "level-7", "level-x", "map-0"):
        with pytest.raises(KeyError):
            channel_shares(evidence, name, place=(3, 3))
    bare = ClassifierWeights(
        evidence.weights.classifier, evidence.weights.classifier_bias,
        evidence.weights.bottleneck_bias,
    )  # fmt: skip
    alone = PSPEvidence(evidence.activations, bare)
    for name in ("features", "level-2"):
        with pytest.raises(KeyError, match="not known"):
            channel_shares(alone, name, place=(3, 3))
    found = predictor("fcn")
    scores = evidence_of(found.set_image(picture(45, 70)), found.weights)
    with pytest.raises(KeyError, match="before the scores"):
        channel_shares(scores, "features", place=(3, 3))
    with pytest.raises(KeyError):
        channel_shares(scores, "map-9", place=(3, 3))
    assert "map-0" in channel_names(scores.activations)
