"""Layers merged into convolutions against the same layers one after another."""

from __future__ import annotations

import copy
import gc
import os
import subprocess
import sys
import threading
import weakref

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from small_networks import small_network
from torch import nn

from pspgui.inference.fusing import lowered
from pspgui.inference.heads import build_head
from pspgui.inference.packing import PackedConvolution, can_pack
from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.models.architectures import architecture
from pspgui.models.segmenter import Segmenter

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


class ReadBeforeItChanges(nn.Module):
    """A convolution over a map that another layer then rectifies in place."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.rectified, self.last = nn.ReLU(inplace=True), nn.ReLU()

    def forward(self, images):
        maps = self.first(images)
        found = self.second(maps)
        return self.rectified(maps) + self.last(found)


def test_a_convolution_reads_its_map_before_another_layer_changes_it():
    assert_same(ReadBeforeItChanges())


class OneChannelToMany(nn.Module):
    """A convolution to one channel, added to every channel of a map of the same size."""

    def __init__(self, one: int, many: int):
        super().__init__()
        self.one, self.many = nn.Conv2d(3, one, 1), nn.Conv2d(3, many, 3, padding=1)
        self.rectified = nn.ReLU()

    def forward(self, images):
        maps = self.rectified(self.many(images))
        return F.relu(self.one(images) + maps)


@pytest.mark.parametrize("channels", [(1, 4), (4, 1)])
def test_one_channel_is_spread_over_those_it_is_added_to(channels):
    assert_same(OneChannelToMany(*channels))


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


NETWORKS = {
    "pspnet": {"backbone": "resnet18", "level_channels": 4, "bottleneck_channels": 8},
    "pspnet bare": {"backbone": "resnet18", "reduction": "none", "pool": "max", "levels": (1, 2),
                    "bottleneck_kernel": 1, "bottleneck_channels": 8, "classifier_kernel": 3},
    "psp_upsample": {"backbone": "resnet18", "bottleneck_channels": 8,
                     "stage_channels": (8, 8, 8)},
    "deeplabv3": {"backbone": "resnet18", "aspp_channels": 8},
    "deeplabv3 pads": {"backbone": "mobilenet_v2", "mobilenet": "pads_input", "aspp_channels": 8},
    "deeplabv3 v3": {"backbone": "mobilenet_v3_large", "aspp_channels": 8},
    "deeplabv3 cascade": {"backbone": "resnet18", "cascade": 2, "separable": True,
                          "decoder": "separable", "aspp_channels": 8},
    "deeplabv3 deep": {"backbone": "resnet18", "stem": "deep128", "ceil_pool": True,
                       "project_kernel": 3, "image_pool": "first", "aspp_channels": 8},
    "fcn": {"hidden_channels": 8},
    "fcn_stages": {"backbone": "resnet18", "norm": "after_sum", "skips": 2},
    "dilated_fcn": {"backbone": "resnet18", "convolutions": 2, "concat_input": True,
                    "head_channels": 8},
}  # fmt: skip


def random_network(name: str) -> Segmenter:
    """Return a network none of whose batch norms or biases does nothing."""
    torch.manual_seed(0)
    table = ClassTable(tuple(LabelClass(i, f"class {i}", (i, i, i)) for i in range(5)))
    kind = architecture(name.split()[0])
    model = kind.network(kind.spec.model_validate({"classes": table, **NETWORKS[name]}))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
        elif isinstance(module, nn.Conv2d) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.1)  # FCN's scores, which begin at zero
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_traced_and_gives_its_own_logits(name):
    model = random_network(name)
    rule = model.spec.size_rule
    size = rule.padded(41), rule.padded(57)
    images = torch.randn((1, 3, *size), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = model.cells(model.backbone(images, model.keep), size).scores
    head = build_head(model)
    network = lowered(head.trunk, torch.float32, pack=True)

    found = head.scores(tuple(outputs(network, images)))

    assert isinstance(network, torch.fx.GraphModule), "it would run slowly, layer by layer"
    assert torch.allclose(found, wanted[0], atol=1e-5 * float(wanted.abs().max()))


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


def test_a_processor_without_bf16_runs_the_plain_layers():
    code = (
        "import torch\n"
        "from torch import nn\n"
        "from pspgui.inference.fusing import lowered\n"
        "trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)).eval()\n"
        "images = torch.ones(1, 3, 9, 9)\n"
        "with torch.inference_mode():\n"
        "    wanted = trunk(images)\n"
        "    found = lowered(trunk, torch.bfloat16, pack=True)(images.bfloat16())\n"
        "print(found.dtype, torch.allclose(found.float(), wanted, atol=0.05))\n"
    )
    env = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.split() == ["torch.bfloat16", "True"], done.stderr[-2000:]


@pytest.mark.parametrize("pack", [False, pytest.param(True, marks=needs_packing)])
def test_what_is_let_go_is_freed_at_once(pack):
    """Not by the collector, which runs seldom and only on the window's thread."""
    assert not gc.isenabled()
    trunk = Adding(JOINS["relu"]).eval().requires_grad_(False)
    before = weakref.ref(trunk.first.weight)
    network = lowered(trunk, torch.float32, pack=pack)
    network(torch.zeros(1, 3, 8, 8))
    within = [weakref.ref(module) for module in network.modules()]

    del trunk
    assert (before() is None) == pack  # packed weights are copies
    del network
    assert before() is None and all(ref() is None for ref in within)


def test_networks_of_other_threads_run_on_while_one_is_traced():
    """fx stands between every module and its caller meanwhile, whichever thread calls."""
    running, over, wrong = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(30))), [], []
    images = torch.ones(1, 3, 2, 2)
    wanted = outputs(running, images)[0]
    call, getattribute = nn.Module.__call__, nn.Module.__getattr__

    def run():
        try:
            while not over:
                if not torch.equal(outputs(running, images)[0], wanted):
                    wrong.append("another answer")
        except Exception as error:
            wrong.append(error)

    trunk = build_head(small_network(backbone="resnet18")).trunk

    def trace():
        try:
            for _ in range(3):
                lowered(copy.deepcopy(trunk), torch.float32, pack=False)
        except Exception as error:
            wrong.append(error)

    runner = threading.Thread(target=run)
    runner.start()
    tracers = [threading.Thread(target=trace) for _ in range(3)]
    for thread in tracers:
        thread.start()
    for thread in tracers:
        thread.join(100)
    over.append(True)
    runner.join(100)
    assert not wrong
    assert (nn.Module.__call__, nn.Module.__getattr__) == (call, getattribute)
