"""Dilated FCN, and the checkpoints of torchvision and mmsegmentation that hold one."""

from __future__ import annotations

from functools import cache

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from oracles import IMAGENET, as_input, assert_predicts, picture, settled
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50
from torchvision.models.segmentation import fcn_resnet50

from pspgui.inference.predictor import Predictor
from pspgui.labels.classes import CAMVID
from pspgui.models.architectures import build_network
from pspgui.models.checkpoints import CheckpointError, load_checkpoint
from pspgui.models.dilated_fcn import DilatedFCNSpec


def resized(scores: Tensor, images: Tensor) -> Tensor:
    return F.interpolate(scores, images.shape[-2:], mode="bilinear", align_corners=False)


@pytest.fixture(scope="module")
def torchvisions():
    torch.manual_seed(1)
    net = fcn_resnet50(weights=None, weights_backbone=None, num_classes=5, aux_loss=True)
    return settled(net)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_torchvisions_own_network_gives_the_same_logits(tmp_path, torchvisions, prefix):
    path = tmp_path / "fcn.pth"
    state = {prefix + key: tensor for key, tensor in torchvisions.state_dict().items()}
    torch.save({"model": state, "epoch": 3} if prefix else state, path)

    loaded = load_checkpoint(path)

    images = torch.randn(1, 3, 67, 89)
    with torch.inference_mode():
        theirs, ours = torchvisions(images), loaded.model(images)
    assert (loaded.family, loaded.notes) == ("torchvision FCN", ())
    assert (loaded.spec.title, loaded.spec.dilation) == ("Dilated FCN ResNet-50 /8", "contract")
    assert {"align_corners", "dilation", "output_stride", "classes"} <= set(loaded.assumed)
    torch.testing.assert_close(ours.main, theirs["out"], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.auxiliary, theirs["aux"], atol=1e-4, rtol=1e-4)


def test_torchvisions_weights_predict_pictures_as_torchvision_does(tmp_path, torchvisions):
    state = {k: v for k, v in torchvisions.state_dict().items() if not k.startswith("aux_")}
    torch.save(state, tmp_path / "fcn.pth")
    pixels = picture(65, 50)

    predictor = Predictor.load(tmp_path / "fcn.pth", "cpu")

    with torch.inference_mode():
        expected = torchvisions(as_input(pixels, *IMAGENET))["out"][0]
    assert not predictor.spec.auxiliary
    assert_predicts(predictor, pixels, expected)


class ConvModule(nn.Module):
    """A convolution with its norm, named as in mmcv."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(maps)))


class FCNHead(nn.Module):
    """mmsegmentation's head."""

    def __init__(self, inputs: int, channels: int, count: int, concat: bool, classes: int) -> None:
        super().__init__()
        widths = [inputs] + [channels] * count
        self.convs = nn.Sequential(*(ConvModule(widths[i], channels) for i in range(count)))
        if concat:
            self.conv_cat = ConvModule(inputs + channels, channels)
        self.conv_seg = nn.Conv2d(channels, classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.convs(features)
        if hasattr(self, "conv_cat"):
            hidden = self.conv_cat(torch.cat([features, hidden], 1))
        return self.conv_seg(hidden)


class DeepStemResNet(nn.Module):
    """mmsegmentation's ResNet: torchvision's blocks, with a deep stem for V1c."""

    def __init__(self, net: nn.Module, deep: bool) -> None:
        super().__init__()
        if deep:
            layers = []
            for inputs, outputs, stride in ((3, 32, 2), (32, 32, 1), (32, 64, 1)):
                conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
                layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
            self.stem = nn.Sequential(*layers)
        else:
            self.conv1, self.bn1 = net.conv1, net.bn1
        self.layer1, self.layer2, self.layer3 = net.layer1, net.layer2, net.layer3
        self.layer4 = net.layer4

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if hasattr(self, "stem"):
            maps = self.stem(images)
        else:
            maps = torch.relu(self.bn1(self.conv1(images)))
        maps = F.max_pool2d(maps, 3, stride=2, padding=1)
        middle = self.layer3(self.layer2(self.layer1(maps)))
        return middle, self.layer4(middle)


class EncoderDecoder(nn.Module):
    """mmsegmentation's container of backbone and heads."""

    def __init__(self, net: nn.Module, *, deep: bool, count: int, concat: bool) -> None:
        super().__init__()
        wide = net.fc.in_features
        self.backbone = DeepStemResNet(net, deep)
        self.decode_head = FCNHead(wide, 24, count, concat, 4)
        self.auxiliary_head = FCNHead(wide // 2, 12, 1, False, 4)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        middle, last = self.backbone(images)
        return resized(self.decode_head(last), images), resized(self.auxiliary_head(middle), images)


def dilated_resnet18() -> nn.Module:
    """mmsegmentation's ResNet-18 at stride 8, where a block's second 3x3 is never dilated."""
    net = resnet18(weights=None)
    for layer, before, after in ((net.layer3, 1, 2), (net.layer4, 2, 4)):
        for index, block in enumerate(layer):
            reach = before if index == 0 else after
            conv = block.conv1
            conv.stride, conv.dilation, conv.padding = (1, 1), (reach, reach), (reach, reach)
        layer[0].downsample[0].stride = (1, 1)
    return net


@cache
def mmsegmentations(deep: bool) -> nn.Module:
    torch.manual_seed(2)
    if deep:
        net = resnet50(weights=None, replace_stride_with_dilation=[False, True, True])
        return settled(EncoderDecoder(net, deep=True, count=2, concat=True))
    return settled(EncoderDecoder(dilated_resnet18(), deep=False, count=1, concat=False))


@pytest.mark.parametrize(("deep", "stem"), [(True, "deep64"), (False, "7x7")])
def test_mmsegmentations_weights_give_the_same_logits(tmp_path, deep, stem):
    net = mmsegmentations(deep)
    path = tmp_path / "iter_80000.pth"
    meta = {"CLASSES": ("road", "sky", "tree", "car"), "PALETTE": [[1, 2, 3]] * 4, "iter": 80000}
    torch.save({"meta": meta, "state_dict": net.state_dict()}, path)

    loaded = load_checkpoint(path)

    images = torch.randn(1, 3, 65, 79)
    with torch.inference_mode():
        (main, auxiliary), ours = net(images), loaded.model(images)
    spec = loaded.spec
    assert (loaded.family, loaded.notes, spec.stem) == ("mmsegmentation FCN", (), stem)
    assert (spec.convolutions, spec.concat_input) == ((2, True) if deep else (1, False))
    assert [c.name for c in spec.classes.classes] == ["road", "sky", "tree", "car"]
    assert "classes" not in loaded.assumed
    torch.testing.assert_close(ours.main, main, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.auxiliary, auxiliary, atol=1e-4, rtol=1e-4)

    pixels = picture(51, 66)
    with torch.inference_mode():
        expected = net(as_input(pixels, *IMAGENET))[0][0]
    assert_predicts(Predictor.load(path, "cpu"), pixels, expected)


def test_a_head_that_only_begins_alike_is_not_taken_for_this_one(tmp_path):
    more = {"decode_head.gc_block.conv_mask.weight": torch.zeros(1, 2, 1, 1)}
    torch.save({"state_dict": {**mmsegmentations(False).state_dict(), **more}}, tmp_path / "gc.pth")

    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "gc.pth")


def test_a_longer_auxiliary_head_is_reported(tmp_path):
    more = {"auxiliary_head.convs.1.conv.weight": torch.zeros(1, 2, 1, 1)}
    torch.save({"state_dict": {**mmsegmentations(False).state_dict(), **more}}, tmp_path / "a.pth")

    (note,) = load_checkpoint(tmp_path / "a.pth").notes

    assert note == f"1 tensors of the file are not used: {next(iter(more))}"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("backbone.layer", "backbone.stage", "neither a ResNet nor MobileNetV2"),
     ("layer1.0.conv2.weight", "layer1.0.conv9.weight", "is missing")],
)  # fmt: skip
def test_another_backbone_under_the_same_head_is_named_as_the_reason(tmp_path, old, new, reason):
    state = mmsegmentations(False).state_dict()
    state = {key.replace(old, new): tensor for key, tensor in state.items()}
    torch.save({"state_dict": state}, tmp_path / "other.pth")

    with pytest.raises(CheckpointError, match=reason):
        load_checkpoint(tmp_path / "other.pth")


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "resnet18"])
@pytest.mark.parametrize("concat", [True, False])
def test_logits_have_the_size_of_any_image(backbone, concat):
    spec = DilatedFCNSpec(
        backbone=backbone, classes=CAMVID, concat_input=concat, convolutions=2, head_channels=8
    )
    net = build_network(spec).eval()

    with torch.inference_mode():
        scores = net(torch.zeros(1, 3, 33, 46))

    assert spec.size_rule.padded(46) == 46
    assert scores.main.shape == scores.auxiliary.shape == (1, 11, 33, 46)
