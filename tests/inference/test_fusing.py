"""Layers merged into convolutions against the same layers one after another."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from small_networks import small_network
from torch import nn

from pspgui.inference.fusing import lowered
from pspgui.inference.heads import build_head
from pspgui.inference.packing import PackedConvolution, can_pack

needs_packing = pytest.mark.skipif(not can_pack(), reason="this torch has no oneDNN to pack for")


def outputs(network: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    with torch.inference_mode():
        found = network(images.contiguous(memory_format=torch.channels_last))
    return [t.float() for t in (found if isinstance(found, tuple) else (found,))]


def assert_same(trunk: nn.Module, size: tuple[int, int] = (41, 57)) -> nn.Module:
    """Lower a copy both ways and compare with the trunk; return the packed one."""
    trunk = trunk.eval().requires_grad_(False)
    images = torch.randn((1, 3, *size), generator=torch.Generator().manual_seed(1))
    wanted = outputs(trunk, images)
    for pack in (False, True):
        network = lowered(copy.deepcopy(trunk), torch.float32, pack=pack)
        for one, other in zip(outputs(network, images), wanted, strict=True):
            assert torch.allclose(one, other, atol=1e-5 * float(other.abs().max()))
    return network


class Adding(nn.Module):
    """Two convolutions and what `join` makes of them."""

    def __init__(self, join):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.join = join

    def forward(self, images):
        first = self.first(images)
        return self.join(first, self.second(first))


def added_in_place(first, second):
    second += first
    return F.relu(second)


def added_to_what_is_also_returned(first, second):
    first += second
    return first, first * 2


JOINS = {
    "relu": lambda a, b: F.relu(a + b),
    "bare": lambda a, b: a + b,
    "in place": added_in_place,
    "returned too": added_to_what_is_also_returned,
    "spread over the map": lambda a, b: F.relu(a + F.adaptive_avg_pool2d(b, 1)),
    "map added to a mean": lambda a, b: b.mean((2, 3), True) + a,
    "a number": lambda a, b: b + a.shape[2],
    "relu6": lambda a, b: F.relu6(a + b),
    "sum used twice": lambda a, b: (lambda s: s + F.relu(s))(a + b),
}


@pytest.mark.parametrize("name", JOINS)
def test_sums_are_the_same_in_one_pass(name):
    assert_same(Adding(JOINS[name]))


class PooledFirst(nn.Module):
    """A convolution over one cell, added to a whole map."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)

    def forward(self, images):
        maps = self.wide(images).relu()
        return self.narrow(F.adaptive_avg_pool2d(maps, 1)) + maps


def test_a_single_cell_is_spread_over_the_map_it_is_added_to():
    assert_same(PooledFirst())


@pytest.mark.parametrize("activation", [nn.ReLU6(), nn.Hardswish(), nn.SiLU(), nn.Sigmoid()])
def test_activations_are_the_same_in_the_convolutions_pass(activation):
    layers = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 2, 2), activation, nn.Conv2d(6, 6, 3, groups=6))
    assert_same(layers)


@pytest.mark.parametrize("mode", ["reflect", "circular"])
def test_padding_that_oneDNN_does_not_know_is_left_alone(mode):
    assert_same(nn.Sequential(nn.Conv2d(3, 5, 3, padding=1, padding_mode=mode), nn.ReLU()))


def test_one_layer_used_twice_keeps_its_weights():
    layer = nn.Conv2d(3, 3, 3, padding=1)
    assert_same(nn.Sequential(layer, nn.ReLU(), layer))


def test_code_that_looks_at_values_runs_layer_by_layer():
    class Looking(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 3, 1)

        def forward(self, images):
            return self.layer(images) if float(images.sum()) > 0 else self.layer(-images)

    assert not isinstance(assert_same(Looking()), torch.fx.GraphModule)


@needs_packing
@pytest.mark.parametrize("backbone", ["resnet18", "mobilenet_v2", "mobilenet_v3_large"])
def test_a_trunk_is_packed_whole(backbone):
    head = build_head(small_network(backbone=backbone))
    packed = assert_same(head.trunk)
    kinds = [type(m) for m in packed.modules()]
    assert nn.Conv2d not in kinds and nn.ReLU not in kinds and nn.ReLU6 not in kinds
    assert PackedConvolution in kinds


def test_closing_layers_stay_in_float32():
    trunk = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 4, 1), nn.ConvTranspose2d(4, 4, 2)
    ).eval()
    images = torch.randn((1, 3, 9, 9), generator=torch.Generator().manual_seed(1))
    hidden = trunk[1](trunk[0].to(torch.bfloat16)(images.bfloat16())).float()
    trunk[0].float()
    with torch.inference_mode():
        for pack in (False, True):
            network = lowered(copy.deepcopy(trunk), torch.bfloat16, pack=pack)
            found = network(images.bfloat16())
            assert found.dtype == torch.float32
            assert torch.allclose(found, trunk[2:](hidden), atol=0.02)
            layer = network.get_submodule("3")
            assert layer.weight.dtype == torch.float32
            assert torch.equal(layer.weight, trunk[3].weight)
