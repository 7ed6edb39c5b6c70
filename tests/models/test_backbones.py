"""Backbones: stems, strides, dilation, multi-grid, depth, and torchvision's own networks."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torchvision import models

from pspgui.inference.fusing import fuse_batch_norms
from pspgui.labels.classes import CAMVID
from pspgui.models.backbones import BACKBONES, VGG16, ResNet, build_backbone
from pspgui.models.spec import ModelSpec

PLAIN = {"output_stride": 32, "architecture": "none"}


def spec(backbone: str, **fields: object) -> ModelSpec:
    return ModelSpec.model_validate({"backbone": backbone, "classes": CAMVID, **PLAIN, **fields})


def loaded_from(theirs: nn.Module, made: ModelSpec) -> nn.Module:
    """Return our backbone in evaluation mode with another network's tensors of the same names."""
    ours = build_backbone(made)
    found = {k: v for k, v in theirs.state_dict().items() if k in ours.state_dict()}
    ours.load_state_dict(found)
    return ours.eval()


def features(net: nn.Module, size: tuple[int, int] = (65, 97)) -> list[torch.Tensor]:
    torch.manual_seed(0)
    with torch.inference_mode():
        return list(net.stages(torch.randn(1, 3, *size)))


def dilations(blocks: nn.Module) -> list[int]:
    return [m.dilation[0] for m in blocks.modules()
            if isinstance(m, nn.Conv2d) and m.kernel_size[0] > 1]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "index"),
    [("mobilenet_v2", 17), ("mobilenet_v3_large", 16)],
)
def test_mobilenets_are_torchvisions_features(name, index):
    torch.manual_seed(1)
    theirs = getattr(models, name)(weights=None).eval()
    ours = loaded_from(theirs, spec(name))

    *_, last = features(ours)

    torch.manual_seed(0)
    with torch.inference_mode():
        expected = theirs.features[: index + 1](torch.randn(1, 3, 65, 97))
    assert torch.equal(last, expected)


def test_the_dilated_mobilenet_v3_is_torchvisions():
    torch.manual_seed(1)
    theirs = models.mobilenet_v3_large(weights=None, dilated=True).eval()
    ours = loaded_from(theirs, spec("mobilenet_v3_large", output_stride=16, dilation="full"))

    found = features(ours)

    torch.manual_seed(0)
    with torch.inference_mode():
        images = torch.randn(1, 3, 65, 97)
        assert torch.equal(found[-1], theirs.features(images))
        assert torch.equal(found[2], theirs.features[:5](images))
    assert [f.shape[1] for f in found] == list(ours.channels)
    assert ours.channels[2] == 40


@pytest.mark.parametrize("stride", [8, 16])
def test_dilated_bottlenecks_are_torchvisions(stride):
    torch.manual_seed(1)
    replace = [False, stride == 8, True]
    theirs = models.resnet50(weights=None, replace_stride_with_dilation=replace).eval()
    ours = loaded_from(theirs, spec("resnet50", output_stride=stride))

    stem, *_, last = features(ours, (33, 49))

    torch.manual_seed(0)
    with torch.inference_mode():
        images = torch.randn(1, 3, 33, 49)
        images = theirs.relu(theirs.bn1(theirs.conv1(images)))
        assert torch.equal(stem, images)
        images = theirs.layer2(theirs.layer1(theirs.maxpool(images)))
        assert torch.equal(last, theirs.layer4(theirs.layer3(images)))


@pytest.mark.parametrize(
    ("family", "layer3", "layer4"),
    [
        ("contract", [1, 2, 2, 2], [2, 4, 4, 4]),
        ("full", [2, 2, 2, 2], [4, 4, 4, 4]),
        ("unit", [1, 1, 2, 2], [1, 1, 4, 4]),
        ("contract_single", [1, 1, 2, 1], [2, 1, 4, 1]),
    ],
)
def test_basic_blocks_dilate_as_their_family_does(family, layer3, layer4):
    net = build_backbone(spec("resnet18", output_stride=8, dilation=family))

    assert (dilations(net.layer3), dilations(net.layer4)) == (layer3, layer4)


@pytest.mark.parametrize(
    ("backbone", "grid", "expected"),
    [
        ("resnet50", (1, 2, 4), [4, 8, 16]),
        ("resnet50", (1, 2), [4, 8, 4]),
        ("resnet18", (1, 2, 4), [4, 4, 8, 8]),
        ("mobilenet_v2", (1, 2, 4, 8), [4, 8, 16, 32]),
    ],
)
def test_multi_grid_multiplies_the_last_stages_blocks(backbone, grid, expected):
    net = build_backbone(spec(backbone, output_stride=8, dilation="full", multi_grid=grid))

    last = net.features[14:] if backbone == "mobilenet_v2" else net.layer4
    assert dilations(last) == expected
    assert features(net.eval(), (33, 33))[-1].shape[-2:] == (5, 5)


def test_multi_grid_without_dilation_keeps_the_stride():
    net = build_backbone(spec("resnet50", multi_grid=(1, 2, 1))).eval()

    assert dilations(net.layer4) == [1, 2, 1]
    assert features(net)[-1].shape[-2:] == (3, 4)


@pytest.mark.parametrize(("stem", "width"), [("deep64", 64), ("deep128", 128)])
@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_deep_stems_feed_the_first_layer(stem, width, backbone):
    net = build_backbone(spec(backbone, stem=stem)).eval()

    found = features(net, (33, 33))

    assert [f.shape[1] for f in found] == list(net.channels)
    assert net.stem[6].out_channels == net.channels[0] == width
    assert net.layer1[0].conv1.in_channels == width
    assert not hasattr(net, "conv1")


def test_the_stride_can_be_in_the_first_1x1():
    net = build_backbone(spec("resnet50", stride_in="1x1", output_stride=16))

    assert (net.layer2[0].conv1.stride, net.layer2[0].conv2.stride) == ((2, 2), (1, 1))
    assert net.layer4[0].conv1.stride == (1, 1)
    assert net.layer2[0].downsample[0].stride == (2, 2)


def test_pooling_can_round_sizes_up():
    sizes = [
        features(build_backbone(spec("resnet18", ceil_pool=up)).eval(), (64, 64))[1].shape[-1]
        for up in (False, True)
    ]

    assert sizes == [16, 17]


@pytest.mark.parametrize(
    ("backbone", "channels"),
    [("resnet18", (64, 64, 128)), ("mobilenet_v2", (16, 24, 32)),
     ("mobilenet_v3_large", (16, 24, 40, 40)), ("vgg16", (64, 128, 256))],
)  # fmt: skip
def test_later_stages_need_not_be_built(backbone, channels):
    net = build_backbone(spec(backbone, stages=2, output_stride=8)).eval()

    found = features(net, (64, 64))

    assert tuple(f.shape[1] for f in found) == net.channels == channels
    assert found[-1].shape[-2:] == (8, 8)
    assert not hasattr(net, "layer3")


# The short-sighted one has a stride and stages of its own.
@pytest.mark.parametrize("backbone", sorted(set(BACKBONES) - {"shortsighted"}))
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_every_backbone_keeps_the_output_stride(backbone, stride):
    net = build_backbone(spec("resnet18" if backbone in ("resnet101", "resnet152") else backbone,
                              output_stride=stride)).eval()  # fmt: skip

    found = features(net, (64, 64))

    assert found[-1].shape[-2:] == (64 // stride, 64 // stride)
    assert tuple(f.shape[1] for f in found) == net.channels


def test_vgg_is_torchvisions():
    torch.manual_seed(1)
    ours = VGG16(spec("vgg16")).eval()
    theirs = models.vgg.make_layers(models.vgg.cfgs["D"]).eval()
    theirs.load_state_dict({k.removeprefix("features."): v for k, v in ours.state_dict().items()})

    found = features(ours, (64, 64))

    torch.manual_seed(0)
    with torch.inference_mode():
        assert torch.equal(found[-1], theirs(torch.randn(1, 3, 64, 64)))
    assert [f.shape[-1] for f in found] == [32, 16, 8, 4, 2]


def test_vgg_can_pad_its_first_convolution_and_round_up():
    net = VGG16(spec("vgg16", ceil_pool=True), first_padding=100).eval()

    assert [f.shape[-1] for f in features(net, (33, 33))] == [116, 58, 29, 15, 8]


def test_a_cascade_doubles_the_dilation_and_stays_in_the_last_stage():
    net = ResNet(spec("resnet50", output_stride=16, multi_grid=(1, 2, 1)), cascade=2).eval()

    found = features(net, (33, 33))

    assert len(found) == 5
    assert found[-1].shape[1:] == (2048, 3, 3)
    assert [dilations(layer) for layer in (net.layer4, net.layer5, net.layer6)] == [
        [1, 4, 2], [2, 8, 4], [4, 16, 8]]  # fmt: skip
    with torch.inference_mode():
        expected = net.layer6(net.layer5(net.layer4(found[-2])))
    assert torch.equal(found[-1], expected)


@pytest.mark.parametrize(
    ("backbone", "fields", "sentence"),
    [
        ("mobilenet_v2", {"stem": "deep64"}, "MobileNetV2 has no deep stem"),
        ("vgg16", {"stem": "deep128"}, "VGG16 has no deep stem"),
        ("resnet34", {"stride_in": "1x1"}, "ResNet-34 has no 1x1"),
        ("mobilenet_v3_large", {"ceil_pool": True}, "MobileNetV3-L has no pooling"),
        ("vgg16", {"multi_grid": (1, 2)}, "VGG16 has no residual blocks"),
        ("resnet50", {"stages": 3}, "3 stages reach stride 16, not 32"),
    ],
)
def test_what_cannot_be_built_is_refused(backbone, fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        build_backbone(spec(backbone, **fields))


@pytest.mark.parametrize(
    ("backbone", "fields"),
    [("resnet18", {"stem": "deep128"}), ("mobilenet_v3_large", {}), ("mobilenet_v2", {})],
)
def test_batch_norms_fold_into_the_convolutions_before_them(backbone, fields):
    torch.manual_seed(2)
    net = build_backbone(spec(backbone, **fields)).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    fused = copy.deepcopy(net)

    fuse_batch_norms(fused)

    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
    for ours, plain in zip(features(fused), features(net), strict=True):
        assert torch.allclose(ours, plain, rtol=1e-3, atol=1e-4)
