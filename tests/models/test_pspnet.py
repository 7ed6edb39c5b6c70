"""The network's shapes, strides, dilation families and orders."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from pspgui.labels.classes import CAMVID
from pspgui.models.backbones import BACKBONES
from pspgui.models.pspnet import PSPNet, PSPNetSpec
from pspgui.models.spec import SizeRule


def spec(**fields: object) -> PSPNetSpec:
    return PSPNetSpec(classes=CAMVID).changed(**fields)


@pytest.mark.parametrize("stride", [8, 16])
@pytest.mark.parametrize("backbone", ["mobilenet_v2", "resnet18", "resnet50"])
def test_the_grid_has_one_cell_a_stride_and_logits_have_the_image_size(backbone, stride):
    net = PSPNet(spec(backbone=backbone, output_stride=stride)).eval()
    images = torch.zeros(1, 3, 65, 97)

    with torch.inference_mode():
        middle, last = net.backbone(images)
        scores = net(images)

    assert last.shape[-2:] == (64 // stride + 1, 96 // stride + 1)
    assert (middle.shape[1], last.shape[1]) == net.backbone.channels[-2:]
    assert scores.main.shape == scores.auxiliary.shape == (1, 11, 65, 97)


# The short-sighted one has a stride and stages of its own.
@pytest.mark.parametrize("backbone", sorted(set(BACKBONES) - {"shortsighted"}))
def test_every_backbone_can_be_built_and_says_its_channels(backbone):
    with torch.device("meta"):
        net = PSPNet(spec(backbone=backbone))

    reduced = net.pyramid.branches[0][1].out_channels
    assert reduced == net.backbone.channels[-1] // 4
    assert net.bottleneck[0].in_channels == net.backbone.channels[-1] + 4 * reduced


@pytest.mark.parametrize(
    ("family", "expected"),
    [("contract", [1, 2, 2, 4]), ("full", [2, 2, 4, 4]), ("unit", [1, 2, 1, 4])],
)
def test_dilation_families_differ_in_the_first_block_of_each_stage(family, expected):
    net = PSPNet(spec(backbone="resnet50", output_stride=8, dilation=family))
    layer3, layer4 = net.backbone.layer3, net.backbone.layer4

    blocks = [layer3[0], layer3[1], layer4[0], layer4[1]]

    assert [b.conv2.dilation[0] for b in blocks] == expected
    assert all(b.conv2.padding == b.conv2.dilation for b in blocks)
    assert all(c.stride == (1, 1) for c in layer4.modules() if isinstance(c, nn.Conv2d))


def test_mobilenet_at_stride_8_dilates_its_last_stage_by_four():
    net = PSPNet(spec(output_stride=8))

    def dilation(index: int) -> int:
        return max(m.dilation[0] for m in net.backbone.features[index].modules()
                   if isinstance(m, nn.Conv2d))  # fmt: skip

    assert [dilation(i) for i in (6, 7, 8, 13, 14, 15, 17)] == [1, 1, 2, 2, 2, 4, 4]


@pytest.mark.parametrize("order", ["features_first", "features_last"])
def test_concat_order_is_where_the_spec_puts_the_features(order):
    net = PSPNet(spec(concat=order, levels=(1, 3))).eval()
    features = torch.full((1, 320, 4, 5), 7.0)

    stacked = net.concatenate(features, [torch.zeros(1, 160, 1, 1), torch.zeros(1, 160, 3, 3)])

    assert stacked.shape == (1, 640, 4, 5)
    part = stacked[:, :320] if order == "features_first" else stacked[:, 320:]
    assert bool((part == 7).all())


def test_local_dropout_changes_training_and_not_use():
    torch.manual_seed(0)
    net = PSPNet(spec(local_dropout=0.5, dropout=0.0, auxiliary=False))
    images = torch.randn(2, 3, 65, 65)
    plain = net.eval()(images).main
    net.spec = net.spec.changed(local_dropout=0.0)

    assert torch.equal(net.eval()(images).main, plain)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    first, second = net.train()(images).main, net.train()(images).main
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("rule", "size", "padded"),
    [((8, 1), 360, 361), ((8, 1), 361, 361), ((16, 1), 362, 369), ((8, 0), 361, 368),
     ((16, 1), 1, 17), ((16, 1), 5, 17)],
)  # fmt: skip
def test_the_size_rule_rounds_up(rule, size, padded):
    assert SizeRule(multiple=rule[0], offset=rule[1]).padded(size) == padded


@pytest.mark.parametrize(
    "fields",
    [{"levels": ()}, {"levels": (2, 2)}, {"levels": (0,)}, {"output_stride": 4},
     {"backbone": "alexnet"}, {"surprise": 1}, {"normalisation": {"std": (0, 1, 1)}}],
)  # fmt: skip
def test_a_spec_that_makes_no_sense_is_refused(fields):
    with pytest.raises(ValidationError):
        spec(**fields)


def test_a_spec_survives_json():
    made = spec(levels=(1, 4), record={"note": "x", "numbers": [1, 2.5]})

    assert PSPNetSpec.model_validate_json(made.model_dump_json()) == made
