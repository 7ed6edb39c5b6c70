"""An FCN's score maps and their cells add up to its logits, like gradients, and when silenced."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pspgui.evidence import evidence_of
from pspgui.evidence.readings import READINGS, Target
from pspgui.evidence.scores import ScoreEvidence
from pspgui.inference.activations import Activations, FeatureMap, Stamp
from pspgui.inference.heads import build_head
from pspgui.labels.classes import table
from pspgui.models.fcn import FCN, FCNSpec

PLACES = ((0, 0), (44, 65), (0, 65), (22, 31), (44, 3), (7, 64))
IMAGE = (45, 66)
CUTS = (0, 5, 9)
CLASSES = table(*((f"class {i}", (i, i, i)) for i in range(4)))


def network(dense=False, **fields):
    torch.manual_seed(2)
    spec = {"classes": CLASSES, "hidden_channels": 6} | fields
    model = FCN(FCNSpec.model_validate(spec))
    for layer in (model.score, *model.skip_scores):
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    if dense:  # as after training the upsampling, too
        for layer in (*model.doubling, model.last):
            nn.init.normal_(layer.weight)
    return model.eval().requires_grad_(False).double()


def stages_of(model, size=IMAGE):
    """Return random pools of the sizes that VGG16 gives with its wide first padding."""
    generator = torch.Generator().manual_seed(7)
    sides, found = [side + 198 for side in size], []
    for channels in model.backbone.channels:
        sides = [-(-side // 2) for side in sides]
        found.append(torch.rand((1, channels, *sides), generator=generator, dtype=torch.float64))
    return tuple(found[-model.keep :])


def case(model, stages, size=IMAGE):
    cells = model.cells(stages, size)
    activations = Activations(
        image_id="random", image_shape=size, padded_shape=size, grid=size, align_corners=False,
        features=stages[-1][0].numpy(), scores=cells.scores[0].numpy(),
        maps=tuple(FeatureMap(title, m[0].numpy()) for title, m in cells.maps.items()),
        stamp=Stamp("random", "none"),
    )  # fmt: skip
    evidence = evidence_of(activations, build_head(model).weights())
    assert isinstance(evidence, ScoreEvidence)
    return cells.scores[0], evidence


@pytest.mark.parametrize(
    "fields",
    [{"skips": 0}, {"skips": 1}, {"skips": 2}, {"at_once": True}, {"dense": True}],
    ids=str,
)
def test_score_maps_and_their_cells_add_up_and_are_gradient_times_input(fields):
    model = network(**fields)
    stages = stages_of(model)
    logits, evidence = case(model, stages)
    for y, x in PLACES:
        for target in (Target(1), Target(3, 0), None):
            found = evidence.at((y, x), target)
            c, versus = found.target
            logit = logits[c, y, x] - (0 if versus is None else logits[versus, y, x])

            assert abs(found.logit - float(logit)) < 1e-10
            assert abs(found.total - float(logit)) < 1e-10
            assert [s.title for s in found.sources] == list(model.titles)
    pixel, target = (22, 31), Target(3, 0)
    leaves = [stage.clone().requires_grad_(True) for stage in stages]
    out = model.cells(tuple(leaves), IMAGE).scores[0]
    (out[3, *pixel] - out[0, *pixel]).backward()
    for source in evidence.at(pixel, target).sources:
        opened = evidence.open(pixel, source, target)
        assert abs(opened.total - source.value) < 1e-10
        if source.level:  # of fc7, autograd would go on to what is before fc6
            leaf, cut = leaves[-1 - source.level], CUTS[source.level]
            expected = (leaf.grad * leaf).sum(dim=1)[0].detach().numpy()
            height, width = opened.values.shape
            inside = expected[cut : cut + height, cut : cut + width]
            assert np.allclose(opened.values, inside, atol=1e-10)
            assert np.isclose(inside.sum(), expected.sum())


@pytest.mark.parametrize("reading", READINGS)
def test_a_silent_map_takes_its_value_with_it_in_every_reading(reading):
    model = network()
    stages = stages_of(model)
    logits, evidence = case(model, stages)
    for y, x in PLACES:
        found = evidence.at((y, x), Target(2), reading)
        for source in found.sources:
            quiet = [s * (i != len(stages) - 1 - source.level) for i, s in enumerate(stages)]
            hook = None
            if not source.level:
                quiet = list(stages)
                hook = model.fully.register_forward_hook(lambda m, i, o: o * 0)
            without = model.cells(tuple(quiet), IMAGE).scores[0]
            if hook:
                hook.remove()
            expected = float(logits[2, y, x] - without[2, y, x])
            assert abs(source.value - expected) < 1e-10
            assert abs(evidence.ablate((y, x), source, Target(2)) - expected) < 1e-10
        assert found.reading == reading


@pytest.mark.parametrize("size", [(33, 47), (64, 41), (1, 1)])
def test_odd_sizes_add_up(size):
    model = network(at_once=True)
    logits, evidence = case(model, stages_of(model, size), size)
    for place in {(0, 0), (size[0] - 1, size[1] - 1), (size[0] // 2, size[1] // 3)}:
        found = evidence.at(place, Target(1))
        assert abs(found.total - float(logits[1][place])) < 1e-10


def test_a_map_lies_over_the_image_where_its_cells_are_read():
    model = network()
    _, evidence = case(model, stages_of(model))
    pixel = (22, 31)
    for source in evidence.at(pixel).sources:
        opened = evidence.open(pixel, source)
        (y0, x0, y1, x1), (height, width) = opened.region, opened.values.shape
        assert (y1 - y0) / height == (x1 - x0) / width == (32, 16, 8)[source.level]
        weight = np.abs(opened.values) / np.abs(opened.values).sum()
        # The cells that matter surround the pixel, no further away than a cell or two.
        rows = y0 + (np.arange(height) + 0.5) * (y1 - y0) / height
        assert abs((weight.sum(axis=1) * rows).sum() - 22.5) < (y1 - y0) / height
        assert source.region.contains(*pixel)
