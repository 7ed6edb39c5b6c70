"""Evidence of every network, as the predictor runs it, adds up to the logit that it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from oracles import picture
from torch import nn

from pspgui.evidence import evidence_of, opened, residual
from pspgui.evidence.readings import Target
from pspgui.inference.predictor import Predictor
from pspgui.labels.classes import table
from pspgui.models.architectures import build_network
from pspgui.models.checkpoints import LoadedModel
from pspgui.models.deeplabv3 import DeepLabV3Spec
from pspgui.models.dilated_fcn import DilatedFCNSpec
from pspgui.models.fcn import FCNSpec
from pspgui.models.fcn_stages import FCNStagesSpec
from pspgui.models.pspnet import PSPNetSpec
from pspgui.models.pspnet_upsample import PSPUpsampleSpec

CLASSES = table(*((f"class {i}", (i, i, i)) for i in range(4)))
SMALL = {"classes": CLASSES, "backbone": "resnet18", "auxiliary": False}
SPECS = {
    "pspnet": PSPNetSpec(**SMALL),
    "pspnet 3x3": PSPNetSpec(
        **SMALL, classifier_kernel=3, bottleneck_kernel=1, concat="features_last",
        reduction="conv_bn_relu_bare_1",
    ),
    "upsample": PSPUpsampleSpec(**SMALL, bottleneck_channels=16, stage_channels=(8, 8, 8)),
    "deeplab": DeepLabV3Spec(**SMALL | {"backbone": "mobilenet_v2"}, aspp_channels=8),
    "dilated": DilatedFCNSpec(**SMALL | {"backbone": "mobilenet_v2"}),
    "stages": FCNStagesSpec(**SMALL),
    "fcn": FCNSpec(classes=CLASSES, hidden_channels=8),
}  # fmt: skip


def predictor(name, precision="fp32"):
    torch.manual_seed(3)
    model = build_network(SPECS[name]).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.weight, 0.5, 1.5)
        if isinstance(module, nn.Conv2d) and module.out_channels == len(CLASSES):
            nn.init.normal_(module.weight, std=0.1)
    loaded = LoadedModel(model, model.spec, "random", Path(), "digest", ())
    return Predictor.of(loaded, "cpu", precision, backend="torch")


@pytest.mark.parametrize("name", SPECS)
def test_sources_add_up_to_the_logit_that_is_shown_and_cells_to_sources(name):
    found = predictor(name)
    pixels = picture(45, 70)
    activations = found.set_image(pixels)
    evidence, shown = evidence_of(activations, found.weights), found.predict(activations)
    for y, x in ((0, 0), (44, 69), (20, 33)):
        for class_id in (0, 3):
            parts = evidence.at((y, x), Target(class_id))
            scale = 1e-5 * max(1.0, *(abs(s.value) for s in parts.sources))

            assert abs(parts.logit - shown.logits_at(y, x)[class_id]) < scale
            assert abs(parts.residual) < scale
            assert residual(evidence, (y, x), Target(class_id)) == parts.residual
            for source in parts.sources[:5]:
                cells = opened(evidence, (y, x), source, Target(class_id))
                assert abs(cells.total - source.value) < scale
        drops = evidence.at((y, x), Target(0), "ablate")
        assert drops.residual is None
        assert len(drops.sources) == len(parts.sources)
    assert found.weights is found.weights or name.startswith("pspnet")


@pytest.mark.parametrize("name", ["upsample", "deeplab", "stages"])
def test_what_few_bits_lose_is_the_residual(name):
    found = predictor(name, "bf16")
    evidence = evidence_of(found.set_image(picture(45, 70)), found.weights)
    parts = evidence.at((20, 33), Target(1))
    size = max(abs(s.value) for s in parts.sources)

    total = parts.constant + sum(source.value for source in parts.sources)
    assert parts.residual == pytest.approx(parts.logit - total, abs=1e-6 * size)
    # Rounded maps are still those that the logit was made of.
    assert abs(parts.residual) < 0.05 * max(size, abs(parts.logit))
