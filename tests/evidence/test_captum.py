"""The split and the ablation of a PSPNet are what captum finds through the network's modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_networks import head_activations, random_features, small_network
from torch import nn

from pspgui.evidence.psp import PSPEvidence

captum = pytest.importorskip("captum.attr", reason="captum is for development")

GRID, PADDED = (9, 13), (65, 97)


class Copy(nn.Module):
    """A layer of its own for the features, so that the pyramid's part does not count as theirs."""

    def forward(self, features):
        return features.clone()


class Head(nn.Module):
    """From features to a margin at one pixel."""

    def __init__(self, model, pixel, target):
        super().__init__()
        self.model, self.local = model, Copy()
        self.pixel, self.target = pixel, target

    def forward(self, features):
        model = self.model
        joint = model.concatenate(self.local(features), model.pyramid(features))
        full = model.upsample(model.classifier(model.bottleneck(joint)), PADDED)
        found = full[:, :, self.pixel[0], self.pixel[1]]
        return found[:, self.target.class_id] - found[:, self.target.versus]


@pytest.fixture(params=[True, False], ids=["aligned", "not aligned"])
def asked(request):
    model = small_network(4, align_corners=request.param).double()
    features = random_features(model, GRID)
    activations, head = head_activations(model, features, PADDED)
    return model, features, PSPEvidence(activations, head.weights())


@pytest.mark.parametrize("pixel", [(0, 0), (31, 50), (64, 96)])
def test_gradient_times_activation(asked, pixel):
    model, features, evidence = asked
    found = evidence.at(pixel)
    head = Head(model, pixel, found.target)
    layers = [*model.pyramid.branches, head.local]

    given = captum.LayerGradientXActivation(head, layers).attribute(
        features.clone().requires_grad_()
    )

    *levels, local = (g[0] if isinstance(g, tuple) else g for g in given)
    assert float(local.detach().sum()) == pytest.approx(found.local, abs=1e-9)
    for bins, level in zip(model.spec.levels, levels, strict=True):
        np.testing.assert_allclose(
            level.detach().sum(dim=1)[0].numpy(), found.grid(bins), atol=1e-9
        )


def test_ablation(asked):
    model, features, evidence = asked
    pixel, bins = (31, 50), 3
    found = evidence.at(pixel, None, "ablate")
    head = Head(model, pixel, found.target)
    branch = model.pyramid.branches[model.spec.levels.index(bins)]
    channels = model.spec.level_channels
    mask = torch.arange(bins * bins).view(1, 1, bins, bins).expand(1, channels, bins, bins)

    with torch.no_grad():
        given = captum.LayerFeatureAblation(head, branch).attribute(features, layer_mask=mask)

    fall = (given[0] if isinstance(given, tuple) else given)[0, 0].numpy()
    np.testing.assert_allclose(fall, found.grid(bins), atol=1e-9)
