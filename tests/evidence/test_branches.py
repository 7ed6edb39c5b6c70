"""Evidence of DeepLabV3 and of the dilated FCN adds up to the network's logit, like gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_branches import (
    GRID,
    IMAGE,
    PADDED,
    PLACES,
    deeplab,
    evidence_of,
    fcn,
    features_of,
    logits,
)

from pspgui.evidence.readings import Target

DEEPLABS = (
    {}, {"align_corners": True}, {"decoder": "none"}, {"project_kernel": 3},
    {"separable": True, "decoder": "separable"}, {"image_pool": "first"}, {"image_pool": "none"},
    {"rates": (2, 5)},
)  # fmt: skip
FCNS = ({}, {"convolutions": 2}, {"head_kernel": 1}, {"align_corners": True})
JOINT = ({"concat_input": True}, {"concat_input": True, "convolutions": 2, "align_corners": True})


@pytest.mark.parametrize(
    "model", [*(("deeplab", f) for f in DEEPLABS), *(("fcn", f) for f in (*FCNS, *JOINT))], ids=str
)
def test_sources_and_their_cells_add_up_and_are_gradient_times_input(model):
    name, fields = model
    model = {"deeplab": deeplab, "fcn": fcn}[name](**fields)
    features = features_of(model)
    evidence = evidence_of(model, features)
    plain = logits(model, features)
    for y, x in PLACES:
        for target in (Target(1), Target(3, 0), None):
            found = evidence.at((y, x), target)
            c, versus = found.target
            logit = plain[c, y, x] - (0 if versus is None else plain[versus, y, x])

            assert abs(found.logit - float(logit)) < 1e-10
            assert abs(found.total - float(logit)) < 1e-10
        leaf = features.clone().requires_grad_(True)
        out = logits(model, leaf)
        (out[3, y, x] - out[0, y, x]).backward()
        expected = (leaf.grad * features).sum(dim=1)[0].numpy()
        sources = evidence.at((y, x), Target(3, 0)).sources
        opened = [evidence.open((y, x), source, Target(3, 0)) for source in sources]

        assert np.allclose(sum(o.values for o in opened), expected, atol=1e-10)
        for source, cells in zip(sources, opened, strict=True):
            assert abs(cells.total - source.value) < 1e-10
            assert source.reachable or not cells.values.any()


def test_branches_are_named_and_say_how_much_falls_into_the_padding():
    model = deeplab(rates=(2, 8))
    evidence = evidence_of(model, features_of(model))
    sources = {s.title: s for s in evidence.at((22, 31)).sources}
    assert list(sources) == ["ASPP 1×1", "ASPP rate 2", "ASPP rate 8", "Image pool"]
    assert sources["ASPP 1×1"].weight == 1
    # In a grid of 6 x 9, a rate of 8 reaches over either edge: the middle tap alone is left,
    # but for columns at the very ends.
    assert sources["ASPP rate 8"].weight < 0.2
    assert sources["Image pool"].region == (0, 0, *IMAGE)


def test_a_constellation_is_where_the_cells_are_that_a_branch_reads():
    model = deeplab(decoder="none", rates=(2, 4))
    evidence = evidence_of(model, features_of(model))
    pixel = (22, 31)
    source = next(s for s in evidence.at(pixel).sources if s.title == "ASPP rate 4")
    inside, outside = evidence.constellation(pixel, source)
    leaf = features_of(model).requires_grad_(True)
    joint = dict(model.aspp(leaf))["ASPP rate 4"]
    mixed = model.upsample(joint, PADDED)[0, :, pixel[0], pixel[1]]
    mixed.square().sum().backward()
    read = np.argwhere((leaf.grad != 0).any(dim=1)[0].numpy())
    assert {tuple(p) for p in read.tolist()} <= {tuple(p) for p in inside.tolist()}
    assert len(outside)
    assert ((outside < 0) | (outside >= GRID)).any(axis=1).all()


@pytest.mark.parametrize("fields", DEEPLABS, ids=str)
def test_a_silent_branch_is_the_networks_own_answer(fields):
    model = deeplab(**fields)
    features = features_of(model)
    evidence, plain = evidence_of(model, features), logits(model, features)
    without = []
    for branch in model.aspp.branches:
        hook = branch.register_forward_hook(lambda module, inputs, output: output * 0)
        without.append(logits(model, features))
        hook.remove()
    for y, x in PLACES:
        found = evidence.at((y, x), Target(3, 0), "ablate")
        for source, quiet in zip(found.sources, without, strict=True):
            drop = (plain - quiet)[3, y, x] - (plain - quiet)[0, y, x]
            assert abs(source.value - float(drop)) < 1e-10
            assert evidence.ablate((y, x), source, Target(3, 0)) == source.value
        assert abs(found.total + found.interaction - found.logit) < 1e-10


@pytest.mark.parametrize("fields", FCNS, ids=str)
def test_a_silent_tap_is_the_networks_own_answer(fields):
    model = fcn(**fields)
    features = features_of(model)
    evidence, plain = evidence_of(model, features), logits(model, features)
    weight, without = model.convolutions[0][0].weight, []
    for tap in np.ndindex(*weight.shape[2:]):
        kept = weight.data[:, :, *tap].clone()
        weight.data[:, :, *tap] = 0
        without.append(logits(model, features))
        weight.data[:, :, *tap] = kept
    for y, x in PLACES:
        found = evidence.at((y, x), Target(1), "ablate")
        for source, quiet in zip(found.sources, without, strict=True):
            assert abs(source.value - float(plain[1, y, x] - quiet[1, y, x])) < 1e-10
            assert source.reachable or source.value == 0


@pytest.mark.parametrize("fields", JOINT, ids=str)
def test_a_silent_way_to_the_joint_is_the_networks_own_answer(fields):
    model = fcn(**fields)
    features = features_of(model)
    evidence, plain = evidence_of(model, features), logits(model, features)
    width, joint, without = features.shape[1], model.joint[0], []
    for channels in (slice(0, width), slice(width, None)):
        kept = joint.weight.data[:, channels].clone()
        joint.weight.data[:, channels] = 0
        without.append(logits(model, features))
        joint.weight.data[:, channels] = kept
    for y, x in PLACES:
        found = evidence.at((y, x), Target(1), "ablate")
        for source, quiet in zip(found.sources, without, strict=True):
            assert abs(source.value - float(plain[1, y, x] - quiet[1, y, x])) < 1e-10


STEPS = (np.arange(80) + 0.5) / 80


@pytest.mark.parametrize(
    ("name", "fields"), [("deeplab", {"decoder": "none"}), ("fcn", JOINT[0])], ids=str
)
def test_ig_is_the_integral_along_the_way_from_silence(name, fields):
    model = {"deeplab": deeplab, "fcn": fcn}[name](**fields)
    features = features_of(model)
    evidence, plain = evidence_of(model, features), logits(model, features)
    if name == "deeplab":
        maps = [m.expand(-1, -1, *GRID) for m in model.aspp(features).values()]
    else:
        maps = [features, model.convolutions(features)]
    leaves = [m.clone().requires_grad_(True) for m in maps]

    def scaled(by):
        joint = torch.cat([m * by for m in leaves], dim=1)
        hidden = model.project(joint) if name == "deeplab" else model.joint(joint)
        return model.upsample(model.classifier(hidden), PADDED)[0]

    for y, x in PLACES[:2]:
        found = evidence.at((y, x), Target(1), "ig")
        whole = sum(scaled(t)[1, y, x] / t for t in STEPS.tolist()) / len(STEPS)
        gradients = torch.autograd.grad(whole, leaves)
        expected = [float((g * m).sum()) for g, m in zip(gradients, maps, strict=True)]

        assert np.allclose([s.value for s in found.sources], expected, atol=2e-2)
        assert abs(found.constant - float(scaled(0.0)[1, y, x].detach())) < 1e-10
        assert abs(found.total - float(plain[1, y, x])) < 1e-10


def test_ig_of_taps_is_the_integral_along_the_way_from_silence():
    model = fcn()
    features = features_of(model)
    evidence, plain = evidence_of(model, features), logits(model, features)
    weight = model.convolutions[0][0].weight.requires_grad_(True)
    for y, x in PLACES[:2]:
        found = evidence.at((y, x), Target(1), "ig")
        # Scaling the features is scaling all taps, and a tap's part is its weights' part.
        whole = sum(logits(model, features * t)[1, y, x] / t for t in STEPS.tolist()) / len(STEPS)
        (gradient,) = torch.autograd.grad(whole, weight)
        expected = (gradient * weight).sum(dim=(0, 1)).detach().numpy()

        assert np.allclose(found.grids[3].values, expected, atol=2e-2)
        silence = logits(model, features * 0)[1, y, x].detach()
        assert abs(found.constant - float(silence)) < 1e-10
        assert abs(found.total - float(plain[1, y, x])) < 1e-10


def test_other_readings_are_refused():
    model = fcn(convolutions=2)
    with pytest.raises(ValueError, match="split"):
        evidence_of(model, features_of(model)).at((0, 0), None, "ig")


def test_what_another_thread_asks_meanwhile_is_not_mixed_up():
    model = fcn()
    features = features_of(model)
    evidence, plain = evidence_of(model, features), evidence_of(model, features)
    plain.at((0, 0))
    theirs = plain._last

    class Meddled(type(evidence)):
        """Somebody else's taps are kept the moment ours were."""

        @property
        def _last(self):
            return theirs

        @_last.setter
        def _last(self, kept):
            assert kept is None or kept[0] != theirs[0]

    meddled = Meddled(evidence.activations, evidence.weights)
    pixel = IMAGE[0] - 1, IMAGE[1] - 1
    mine, own = meddled.at(pixel), evidence.at(pixel)
    assert [s.value for s in mine.sources] == [s.value for s in own.sources]
