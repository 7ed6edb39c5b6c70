"""Small DeepLabV3s and dilated FCNs with random weights, and what answers for them."""

from __future__ import annotations

import torch
from torch import nn

from pspgui.evidence.branches import ASPPEvidence, JointEvidence, TapEvidence
from pspgui.inference.activations import Activations, FeatureMap, Stamp
from pspgui.inference.heads.aspp import ASPPHead
from pspgui.inference.heads.dilated import DilatedHead
from pspgui.labels.classes import table
from pspgui.models.deeplabv3 import DeepLabV3, DeepLabV3Spec
from pspgui.models.dilated_fcn import DilatedFCN, DilatedFCNSpec

GRID, PADDED, IMAGE = (6, 9), (49, 71), (45, 66)
PLACES = ((0, 0), (44, 65), (0, 65), (22, 31), (44, 3), (7, 64))
CLASSES = table(*((f"class {i}", (i, i, i)) for i in range(4)))


def shaken(model, seed=0):
    """Give batch norms and the classifier values as after training."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.4, 0.4)
            nn.init.uniform_(module.running_var, 0.2, 1.5)
            nn.init.uniform_(module.weight, -0.4, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.6)
    nn.init.normal_(model.classifier.weight)
    return model.eval().requires_grad_(False).double()


def deeplab(**fields):
    spec = {"classes": CLASSES, "backbone": "mobilenet_v2", "auxiliary": False,
            "aspp_channels": 7, "rates": (2, 4)} | fields  # fmt: skip
    return shaken(DeepLabV3(DeepLabV3Spec.model_validate(spec)))


def fcn(**fields):
    spec = {"classes": CLASSES, "backbone": "mobilenet_v2", "auxiliary": False,
            "head_channels": 7} | fields  # fmt: skip
    return shaken(DilatedFCN(DilatedFCNSpec.model_validate(spec)))


def features_of(model):
    generator = torch.Generator().manual_seed(5)
    shape = (1, model.backbone.channels[-1], *GRID)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def known(model, features):
    cells = model.cells((features,), PADDED)
    maps = tuple(FeatureMap(title, m[0].numpy()) for title, m in cells.maps.items())
    return Activations(
        image_id="random", image_shape=IMAGE, padded_shape=PADDED, grid=GRID,
        align_corners=model.spec.align_corners, features=features[0].numpy(), maps=maps,
        scores=cells.scores[0].numpy(), stamp=Stamp("random", "none"),
    )  # fmt: skip


def logits(model, features):
    return model.upsample(model.cells((features,), PADDED).scores, PADDED)[0]


def evidence_of(model, features):
    if isinstance(model, DeepLabV3):
        return ASPPEvidence(known(model, features), ASPPHead(model, "cpu").weights())
    kind = TapEvidence if model.joint is None else JointEvidence
    return kind(known(model, features), DilatedHead(model, "cpu").weights())
