"""PSPNets with small heads and random batch-norm statistics, and ways to run them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pspgui.inference.activations import PSPActivations, Stamp
from pspgui.inference.heads.folding import FoldedHead
from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.models.pspnet import PSPNet, PSPNetSpec


def small_network(seed: int = 0, *, classes: int = 5, **fields: object) -> PSPNet:
    """Return a PSPNet in evaluation mode; the head has 5 channels a level and 8 hidden ones."""
    torch.manual_seed(seed)
    table = ClassTable(tuple(LabelClass(i, f"class {i}", (i, i, i)) for i in range(classes)))
    spec = PSPNetSpec.model_validate(
        {"classes": table, "auxiliary": False, "level_channels": 5, "bottleneck_channels": 8}
        | fields
    )
    model = PSPNet(spec)
    for head in (model.pyramid, model.bottleneck):
        for module in head.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_mean, -0.5, 0.5)
                nn.init.uniform_(module.running_var, 0.1, 2.0)
                nn.init.uniform_(module.weight, -0.5, 1.5)
                nn.init.uniform_(module.bias, -0.3, 0.7)
    nn.init.normal_(model.classifier.weight)
    return model.eval().requires_grad_(False)


def random_features(model: PSPNet, grid: tuple[int, int], seed: int = 1) -> Tensor:
    """Return (1, C, h, w) features in 0..1 in the model's dtype."""
    generator = torch.Generator().manual_seed(seed)
    channels = model.backbone.channels[-1]
    return torch.rand((1, channels, *grid), generator=generator, dtype=torch.float64).to(
        model.classifier.weight.dtype
    )


def plain_scores(model: PSPNet, features: Tensor) -> Tensor:
    """Return the cell logits (1, N, h, w) by the network's own modules."""
    stacked = model.concatenate(features, model.pyramid(features))
    return model.classifier(model.bottleneck(stacked))


def head_activations(
    model: PSPNet,
    features: Tensor,
    padded_shape: tuple[int, int],
    image_shape: tuple[int, int] | None = None,
) -> tuple[PSPActivations, FoldedHead]:
    """Return the activations of given features, in the model's dtype, and the folded head."""
    head = FoldedHead.fold(model, dtype=features.dtype)
    outputs = head.run(features)
    activations = PSPActivations(
        image_id="random",
        image_shape=image_shape or padded_shape,
        padded_shape=padded_shape,
        grid=(features.shape[2], features.shape[3]),
        levels=model.spec.levels,
        align_corners=model.spec.align_corners,
        features=features[0].numpy(),
        level_priors=tuple(p.numpy() for p in outputs.level_priors),
        level_taps=tuple(t.numpy() for t in outputs.level_taps),
        local_cells=outputs.local_cells.numpy(),
        fused_cells=outputs.fused_cells.numpy(),
        scores=outputs.scores.numpy(),
        stamp=Stamp("random", "none"),
    )
    return activations, head
