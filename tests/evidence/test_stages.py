"""The backbone's stages in an FCN that learns to upsample: sums, gradients, silence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pspgui.evidence import evidence_of
from pspgui.evidence.readings import Target
from pspgui.evidence.stages import StageEvidence
from pspgui.inference.activations import Activations, FeatureMap, Stamp
from pspgui.inference.heads import build_head
from pspgui.labels.classes import table
from pspgui.models.fcn_stages import FCNStages, FCNStagesSpec

SIZE, IMAGE = (64, 96), (60, 91)
PLACES = ((0, 0), (59, 90), (0, 90), (22, 31), (59, 3), (33, 64))
CLASSES = table(*((f"class {i}", (i, i, i)) for i in range(4)))
FORMS = [
    {"skips": skips, "norm": norm}
    for skips in (0, 2, 4)
    for norm in ("before_sum", "after_sum")
    if skips or norm == "before_sum"
]


def network(**fields):
    torch.manual_seed(6)
    spec = {"classes": CLASSES, "backbone": "mobilenet_v2", "last_channels": 6} | fields
    model = FCNStages(FCNStagesSpec.model_validate(spec))
    for module in model.norms:
        nn.init.uniform_(module.running_mean, -0.3, 0.3)
        nn.init.uniform_(module.running_var, 0.05, 0.5)
        nn.init.uniform_(module.weight, -0.5, 1.5)
        nn.init.uniform_(module.bias, -0.3, 0.6)
    nn.init.normal_(model.classifier.weight)
    return model.eval().requires_grad_(False).double()


def case(model):
    """Return random stages of the backbone and the evidence of what the network makes of them."""
    generator = torch.Generator().manual_seed(7)
    stages = tuple(
        torch.rand((1, channels, *(side >> (i + 1) for side in SIZE)), generator=generator,
                   dtype=torch.float64)
        for i, channels in enumerate(model.backbone.channels)
    )[-model.keep :]  # fmt: skip
    cells = model.cells(stages, SIZE)
    activations = Activations(
        image_id="random", image_shape=IMAGE, padded_shape=SIZE, grid=SIZE, align_corners=False,
        features=stages[-1][0].numpy(), scores=cells.scores[0].numpy(),
        maps=tuple(FeatureMap(title, m[0].numpy()) for title, m in cells.maps.items()),
        stamp=Stamp("random", "none"),
    )  # fmt: skip
    evidence = evidence_of(activations, build_head(model).weights())
    assert isinstance(evidence, StageEvidence)
    return stages, cells.scores[0], evidence


@pytest.mark.parametrize("fields", FORMS, ids=str)
def test_stages_and_their_cells_add_up_and_are_gradient_times_input(fields):
    model = network(**fields)
    stages, logits, evidence = case(model)
    leaves = [stage.clone().requires_grad_(True) for stage in stages]
    out = model.cells(tuple(leaves), SIZE).scores[0]
    for y, x in PLACES:
        for target in (Target(1), Target(3, 0), None):
            found = evidence.at((y, x), target)
            c, versus = found.target
            logit = logits[c, y, x] - (0 if versus is None else logits[versus, y, x])

            assert abs(found.logit - float(logit)) < 1e-10
            assert abs(found.total - float(logit)) < 1e-10
        parts = torch.autograd.grad(out[3, y, x] - out[0, y, x], leaves, retain_graph=True)
        sources = evidence.at((y, x), Target(3, 0)).sources
        assert len(sources) == 1 + fields["skips"]
        for source, stage, part in zip(sources, stages[::-1], parts[::-1], strict=True):
            opened = evidence.open((y, x), source, Target(3, 0))
            expected = (stage * part).sum(dim=1)[0].numpy()
            assert np.allclose(opened.values, expected, atol=1e-10)
            assert abs(opened.total - source.value) < 1e-10


@pytest.mark.parametrize("fields", FORMS, ids=str)
def test_a_silent_stage_is_the_networks_own_answer(fields):
    model = network(**fields)
    stages, logits, evidence = case(model)
    silent = model.cells(tuple(stage * 0 for stage in stages), SIZE).scores[0]
    for y, x in PLACES:
        found = evidence.at((y, x), Target(2), "ablate")
        for source in found.sources:
            without = list(stages)
            without[-1 - source.level] = without[-1 - source.level] * 0
            answer = model.cells(tuple(without), SIZE).scores[0]
            assert abs(source.value - float(logits[2, y, x] - answer[2, y, x])) < 1e-10
        assert abs(found.constant - float(silent[2, y, x])) < 1e-10
