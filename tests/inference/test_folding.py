"""The folded head is the plain head, borders included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import head_activations, plain_scores, random_features, small_network
from torch import nn

from pspgui.inference.heads.folding import FoldedHead
from pspgui.inference.resampling import tap_matrix

GRIDS = [(6, 6), (7, 10), (1, 1), (1, 5), (2, 3), (13, 4)]


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("concat", ["features_first", "features_last"])
@pytest.mark.parametrize("levels", [(1, 2, 3, 6), (2, 5), (4,)])
def test_folded_head_equals_plain_head_in_float64(levels, concat, align_corners):
    model = small_network(levels=levels, concat=concat, align_corners=align_corners).double()
    head = FoldedHead.fold(model, dtype=torch.float64)

    for grid in GRIDS:
        features = random_features(model, grid)
        difference = (head.run(features).scores - plain_scores(model, features)[0]).abs()

        assert difference.max() < 1e-10, grid


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    grid=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    levels=st.lists(st.integers(1, 7), min_size=1, max_size=4, unique=True),
    concat=st.sampled_from(["features_first", "features_last"]),
    align_corners=st.booleans(),
)
def test_folded_head_equals_plain_head_in_float32(seed, grid, levels, concat, align_corners):
    model = small_network(seed, levels=tuple(levels), concat=concat, align_corners=align_corners)
    features = random_features(model, grid, seed)

    folded, plain = FoldedHead.fold(model).run(features).scores, plain_scores(model, features)[0]

    assert torch.allclose(folded, plain, atol=1e-4, rtol=1e-5)


REDUCTIONS = ["conv_bn_relu", "conv_bn_relu_bare_1", "conv", "none"]


@pytest.mark.parametrize("pool", ["average", "max"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("bottleneck", "classifier"), [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_every_form_of_the_head_folds_exactly(pool, reduction, bottleneck, classifier):
    model = small_network(
        levels=(1, 2, 3), pool=pool, reduction=reduction, concat="features_last",
        bottleneck_kernel=bottleneck, classifier_kernel=classifier,
    ).double()  # fmt: skip
    nn.init.normal_(model.classifier.bias)
    for branch in model.pyramid.branches:
        for module in branch.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.normal_(module.bias)
    head = FoldedHead.fold(model, dtype=torch.float64)

    for grid in [(6, 7), (1, 4)]:
        # Signed, for a ReLU after pooled features would else change nothing.
        features = random_features(model, grid) - 0.5
        expected = plain_scores(model, features)[0]

        assert (head.run(features).scores - expected).abs().max() < 1e-9


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    grid=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    fields=st.fixed_dictionaries(
        {
            "reduction": st.sampled_from(REDUCTIONS),
            "pool": st.sampled_from(["average", "max"]),
            "bottleneck_kernel": st.sampled_from([1, 3]),
            "classifier_kernel": st.sampled_from([1, 3]),
            "align_corners": st.booleans(),
            "concat": st.sampled_from(["features_first", "features_last"]),
        }
    ),
)
def test_any_form_of_the_head_folds_in_float32(seed, grid, fields):
    model = small_network(seed, levels=(1, 4), **fields)
    features = random_features(model, grid, seed) - 0.3

    folded, plain = FoldedHead.fold(model).run(features).scores, plain_scores(model, features)[0]

    assert torch.allclose(folded, plain, atol=1e-3, rtol=1e-4)


def test_general_bottleneck_kernels_fold_too():
    for kernel in (1, 5):
        model = small_network(levels=(1, 3)).double()
        old = model.bottleneck[0]
        model.bottleneck[0] = nn.Conv2d(
            old.in_channels, old.out_channels, kernel, padding=kernel // 2, bias=True
        ).double()
        features = random_features(model, (5, 7))
        head = FoldedHead.fold(model.requires_grad_(False), dtype=torch.float64)

        assert torch.allclose(head.run(features).scores, plain_scores(model, features)[0])


def test_priors_are_the_branches_outputs():
    model = small_network(levels=(1, 2, 3, 6)).double()
    features = random_features(model, (7, 11))

    activations, _ = head_activations(model, features, (97, 161))

    for prior, plain in zip(activations.level_priors, model.pyramid(features), strict=True):
        assert np.allclose(prior, plain[0].numpy(), atol=1e-12)


def test_whole_network_equals_folded_head_at_both_strides():
    for stride, size in ((8, (65, 81)), (16, (65, 49))):
        model = small_network(output_stride=stride).double()
        images = torch.rand((1, 3, *size), dtype=torch.float64)
        _, features = model.backbone(images)
        folded = FoldedHead.fold(model, dtype=torch.float64).run(features).scores[None]

        assert torch.allclose(model.upsample(folded, size), model(images).main, atol=1e-10)


def test_taps_outside_the_map_read_nothing():
    matrix = tap_matrix(4, 2, 3, True)

    assert not matrix[0, 0].any()
    assert not matrix[-1, -1].any()
    assert np.allclose(matrix[1:-1].sum(axis=2), 1)


def test_more_than_one_image_is_refused():
    model = small_network()
    with pytest.raises(ValueError, match="one image"):
        FoldedHead.fold(model).run(torch.zeros((2, 320, 3, 3)))
