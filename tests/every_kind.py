"""One small network of every kind that has evidence, as the predictor runs it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

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
    "deeplab without aspp": DeepLabV3Spec(**SMALL, aspp=False, cascade=1),
    "dilated": DilatedFCNSpec(**SMALL | {"backbone": "mobilenet_v2"}),
    "stages": FCNStagesSpec(**SMALL),
    "fcn": FCNSpec(classes=CLASSES, hidden_channels=8),
}  # fmt: skip


def predictor(name, precision="fp32"):
    """Return a predictor of SPECS[name] with random weights, the same at every call."""
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
