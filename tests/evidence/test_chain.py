"""A step at a few places is the whole step of torch, forwards and backwards."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pspgui.evidence.chain import Chain, Places
from pspgui.inference.layer_reading import layers_of, rectifier_of, scale_of, transposed_of
from pspgui.inference.layers import Rectifier, Resize


def norm(width):
    layer = nn.BatchNorm2d(width).eval().double()
    for values in (layer.running_mean, layer.weight, layer.bias):
        nn.init.uniform_(values, -1, 1)
    nn.init.uniform_(layer.running_var, 0.1, 2)
    return layer


def check(module, steps, size, seed):
    """Compare steps at random places with a module over the whole map (C, h, w)."""
    rng = np.random.default_rng(seed)
    maps = torch.from_numpy(rng.normal(size=(1, *size))).requires_grad_(True)
    whole = module(maps)
    height, width = whole.shape[2:]
    chosen = rng.choice(height * width, min(5, height * width), replace=False)
    places = Places(chosen // width, chosen % width, (height, width))
    middle = [size[1:]]
    for step in steps[:-1]:  # only a resize or a transposed one, which come first, change sizes
        middle.append(middle[-1] if isinstance(step, Rectifier) else (height, width))
    chain = Chain(steps, middle, places)

    values = chain.start.of(maps[0].detach().numpy())
    outputs, gates = chain.run(np.stack([values, values * 0]))
    assert np.allclose(outputs[0], places.of(whole[0].detach().numpy()), atol=1e-12)
    assert np.allclose(outputs[1], places.of(module(maps * 0)[0].detach().numpy()), atol=1e-12)

    pull = rng.normal(size=outputs[0].shape)
    gradient, biases = chain.back(pull, gates)
    picked = whole[0][:, places.rows, places.columns]
    (picked * torch.from_numpy(pull.T)).sum().backward()
    expected = maps.grad[0].numpy()
    found = np.zeros_like(expected)
    found[:, chain.start.rows, chain.start.columns] = gradient.T
    assert np.allclose(found, expected, atol=1e-12)
    assert abs((gradient * values).sum() + biases - (pull * outputs[0]).sum()) < 1e-9


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999), kernel=st.sampled_from([1, 3, 5]), dilation=st.integers(1, 4),
    alone=st.booleans(), height=st.integers(1, 9), width=st.integers(1, 9),
)  # fmt: skip
def test_convolutions_with_their_norm_and_prelu(seed, kernel, dilation, alone, height, width):
    torch.manual_seed(seed)
    reach, outputs = dilation * (kernel // 2), 3 if alone else 4
    conv = nn.Conv2d(
        3, outputs, kernel, padding=reach, dilation=dilation, groups=3 if alone else 1
    ).double()
    module = nn.Sequential(conv, norm(outputs), nn.PReLU(outputs, 0.3).double())
    steps = [*layers_of([module]), rectifier_of(module[2])]
    check(module, steps, (3, height, width), seed)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999), stride=st.integers(1, 4), more=st.integers(0, 4),
    cut=st.integers(0, 3), alone=st.booleans(), height=st.integers(2, 6), width=st.integers(2, 6),
)  # fmt: skip
def test_transposed_convolutions_that_are_cut(seed, stride, more, cut, alone, height, width):
    torch.manual_seed(seed)
    kernel = stride + more
    if (min(height, width) - 1) * stride + kernel <= cut:
        return
    layer = nn.ConvTranspose2d(3, 3, kernel, stride=stride).double()
    if alone:
        layer.weight.data *= torch.eye(3)[:, :, None, None]
    scale = norm(3)
    step = transposed_of(layer, cut)
    assert step.weight.ndim == (3 if alone else 4)

    def module(maps):
        return scale(layer(maps)[..., cut:, cut:])

    check(module, [step, scale_of(scale)], (3, height, width), seed)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999), align=st.booleans(),
    sizes=st.tuples(*[st.integers(1, 9)] * 4),
)  # fmt: skip
def test_bilinear_interpolation(seed, align, sizes):
    height, width, *size = sizes

    def module(maps):
        return F.interpolate(maps, size, mode="bilinear", align_corners=align)

    check(module, [Resize(align)], (3, height, width), seed)


def test_only_plain_transposed_convolutions_are_read():
    with pytest.raises(TypeError, match="dilated"):
        transposed_of(nn.ConvTranspose2d(2, 2, 3, dilation=2))
    with pytest.raises(TypeError, match="stride further"):
        transposed_of(nn.ConvTranspose2d(2, 2, 2, stride=3))
