"""FCN-32s, 16s and 8s, their geometry, torchfcn's checkpoints, and the form with learnt stages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from oracles import as_input, assert_predicts, picture, settled
from pydantic import ValidationError
from torch import Tensor, nn
from torchvision.models import resnet18

from pspgui.inference.predictor import Predictor
from pspgui.labels.classes import CAMVID
from pspgui.models.architectures import build_network
from pspgui.models.checkpoints import CheckpointError, load_checkpoint
from pspgui.models.fcn import CAFFE_MEAN, FCN, FCNSpec, bilinear_kernel, bilinear_upsampling
from pspgui.models.fcn_stages import FCNStagesSpec

GROUPS = {1: (2, 64), 2: (2, 128), 3: (3, 256), 4: (3, 512), 5: (3, 512)}
# Name of the layer -> (kernel, stride) of the transposed convolutions of each network.
UPSAMPLING = {
    32: {"upscore": (64, 32)},
    16: {"upscore2": (4, 2), "upscore16": (32, 16)},
    8: {"upscore2": (4, 2), "upscore_pool4": (4, 2), "upscore8": (16, 8)},
}


class Theirs(nn.Module):
    """torchfcn's networks by their own names, with narrow fully connected layers."""

    def __init__(self, finest: int, classes: int, hidden: int, at_once: bool = False) -> None:
        super().__init__()
        self.finest, self.at_once = finest, at_once
        inputs = 3
        for group, (count, width) in GROUPS.items():
            for index in range(1, count + 1):
                padding = 100 if (group, index) == (1, 1) else 1
                conv = nn.Conv2d(inputs, width, 3, padding=padding)
                self.add_module(f"conv{group}_{index}", conv)
                inputs = width
        self.fc6, self.fc7 = nn.Conv2d(512, hidden, 7), nn.Conv2d(hidden, hidden, 1)
        self.score_fr = nn.Conv2d(hidden, classes, 1)
        if finest <= 16:
            self.score_pool4 = nn.Conv2d(512, classes, 1)
        if finest == 8:
            self.score_pool3 = nn.Conv2d(256, classes, 1)
        for name, (kernel, stride) in UPSAMPLING[finest].items():
            layer = nn.ConvTranspose2d(classes, classes, kernel, stride, bias=False)
            self.add_module(name, layer)
        self._spread_logits()

    def _spread_logits(self) -> None:
        """Let logits be about one, and every score count for as much, `at_once` or not."""
        for layer in self.children():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.3)
            else:
                nn.init.kaiming_normal_(layer.weight)
                nn.init.normal_(layer.bias, std=0.1)
        # Pictures go in unscaled; the first layer brings them to the size that the others expect.
        self.conv1_1.weight.data *= 0.01
        if self.at_once:
            self.score_pool4.weight.data *= 1e2
            self.score_pool3.weight.data *= 1e4

    def forward(self, images: Tensor) -> Tensor:
        pools, maps = {}, images
        for group, (count, _) in GROUPS.items():
            for index in range(1, count + 1):
                maps = torch.relu(self.get_submodule(f"conv{group}_{index}")(maps))
            maps = pools[group] = F.max_pool2d(maps, 2, 2, ceil_mode=True)
        scores = self.score_fr(torch.relu(self.fc7(torch.relu(self.fc6(maps)))))
        height, width = images.shape[-2:]
        if self.finest == 32:
            return self.upscore(scores)[:, :, 19 : 19 + height, 19 : 19 + width]
        scores = self.upscore2(scores)
        side = self.score_pool4(pools[4] * (0.01 if self.at_once else 1))
        scores = scores + side[:, :, 5 : 5 + scores.shape[2], 5 : 5 + scores.shape[3]]
        if self.finest == 16:
            return self.upscore16(scores)[:, :, 27 : 27 + height, 27 : 27 + width]
        scores = self.upscore_pool4(scores)
        side = self.score_pool3(pools[3] * (0.0001 if self.at_once else 1))
        scores = scores + side[:, :, 9 : 9 + scores.shape[2], 9 : 9 + scores.shape[3]]
        return self.upscore8(scores)[:, :, 31 : 31 + height, 31 : 31 + width]


def caffe_input(pixels: np.ndarray) -> Tensor:
    """BGR in 0..255 less the mean, as torchfcn's data sets give it."""
    mean = np.array([104.00698793, 116.66876762, 122.67891434])
    return torch.tensor((pixels[:, :, ::-1] - mean).transpose(2, 0, 1)[None]).float()


@pytest.mark.parametrize(
    ("finest", "arch", "name"),
    [(32, None, "FCN-32s"), (16, None, "FCN-16s"), (8, "FCN8s", "FCN-8s"),
     (8, "FCN8sAtOnce", "FCN-8s at once")],
)  # fmt: skip
def test_torchfcns_weights_give_the_same_logits(tmp_path, finest, arch, name):
    torch.manual_seed(finest)
    net = Theirs(finest, 3, 16, at_once=name.endswith("once")).eval().requires_grad_(False)
    path = tmp_path / "model_best.pth.tar"
    state = net.state_dict()
    outer = {"arch": arch, "epoch": 1, "model_state_dict": state, "best_mean_iu": 0.6}
    torch.save(outer if arch else state, path)
    pixels = picture(33, 40)

    predictor = Predictor.load(path, "cpu")

    spec = predictor.spec
    assert (predictor.family, spec.name, predictor.loaded.notes) == ("torchfcn", name, ())
    assert spec.hidden_channels == 16
    with torch.inference_mode():
        expected = net(caffe_input(pixels))[0]
    assert 0.1 < expected.std() < 10
    assert_predicts(predictor, pixels, expected)


def test_what_the_container_does_not_say_is_assumed(tmp_path):
    torch.save(Theirs(8, 3, 4).state_dict(), tmp_path / "fcn8s_from_caffe.pth")

    loaded = load_checkpoint(tmp_path / "fcn8s_from_caffe.pth")

    assert loaded.assumed == ("at_once", "normalisation", "classes")
    assert not loaded.spec.at_once


def test_a_missing_layer_is_named(tmp_path):
    state = Theirs(16, 3, 4).state_dict()
    del state["fc7.weight"]
    torch.save(state, tmp_path / "fcn.pth")

    with pytest.raises(CheckpointError, match=r"fc7\.weight"):
        load_checkpoint(tmp_path / "fcn.pth")


def test_the_caffe_mean_is_that_of_the_published_networks_in_red_green_blue():
    assert np.allclose(np.array(CAFFE_MEAN) * 255, [122.67891434, 116.66876762, 104.00698793])
    assert torch.allclose(
        as_input(picture(5, 6), CAFFE_MEAN, (1 / 255,) * 3).flip(1), caffe_input(picture(5, 6)),
        atol=1e-4,
    )  # fmt: skip


@pytest.mark.parametrize("stride", [2, 8, 16, 32])
def test_bilinear_upsampling_is_torchs_interpolation_inside(stride):
    layer = bilinear_upsampling(2, stride)
    maps = torch.randn(1, 2, 5, 6)

    with torch.inference_mode():
        found = layer(maps)
    edge = stride // 2
    inside = found[:, :, edge:-edge, edge:-edge]

    expected = F.interpolate(maps, scale_factor=stride, mode="bilinear", align_corners=False)
    assert inside.shape == expected.shape
    deep = slice(edge, -edge)
    torch.testing.assert_close(inside[:, :, deep, deep], expected[:, :, deep, deep])
    assert not layer.weight.requires_grad
    assert float(bilinear_kernel(stride).sum()) == pytest.approx(stride**2)


def plain_fcn(skips: int, **fields: object) -> FCN:
    torch.manual_seed(3)
    spec = FCNSpec(classes=CAMVID, skips=skips, hidden_channels=4, **fields)
    return build_network(spec).eval().requires_grad_(False)


@pytest.mark.parametrize("skips", [0, 1, 2])
@pytest.mark.parametrize("size", [(1, 1), (17, 32), (161, 130)])
def test_scores_lie_where_the_cells_are_centred(skips, size):
    """A score map that says where its cells are must say of every pixel where that pixel is."""
    net = plain_fcn(skips)
    stages = pools_of(net, size)
    # What the paddings and strides make of cell i: 32 i + 12.5 after fc6, and as below for pools.
    rows, columns = stages[-1].shape[2] - 6, stages[-1].shape[3] - 6
    ramp = 32.0 * torch.arange(rows)[:, None] + 12.5 + 0 * torch.arange(columns)
    net.fully, net.score = nn.Identity(), nn.Identity()
    zeros = torch.zeros(1, 11, rows, columns)
    zeros[0, 0] = ramp
    given = [torch.zeros(1, 11, *s.shape[2:]) for s in stages[:-1]]
    for maps, (scale, offset) in zip(reversed(given), ((16, -91.5), (8, -95.5)), strict=False):
        maps[0, 1] = scale * torch.arange(maps.shape[2])[:, None] + offset
    net.skip_scores = nn.ModuleList(nn.Identity() for _ in range(skips))

    scores = net.cells((*given, zeros), size).scores

    assert scores.shape == (1, 11, *size)
    expected = torch.arange(size[0])[:, None].expand(size).float()
    for channel in range(1 + (skips > 0)):
        found = scores[0, channel] / (skips if channel else 1)
        # Near the edges the kernels reach beyond the maps.
        off = (found - expected)[32:-32, 32:-32].abs()
        assert off.numel() == 0 or off.max() < 1e-3


def pools_of(net: FCN, size: tuple[int, int]) -> tuple[Tensor, ...]:
    """Shapes alone: VGG16 on the meta device."""
    height, width = (s + 198 for s in size)
    shapes = []
    for channels in net.backbone.channels:
        height, width = -(-height // 2), -(-width // 2)
        shapes.append((1, channels, height, width))
    return tuple(torch.empty(s, device="meta") for s in shapes[-net.keep :])


@pytest.mark.parametrize("at_once", [False, True])
def test_the_logits_are_the_sum_of_the_upsampled_score_maps(at_once):
    net = plain_fcn(2, at_once=at_once)
    for layer in (net.score, *net.skip_scores):
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    size = (41, 52)
    stages = tuple(torch.rand(s.shape) for s in pools_of(net, size))

    found = net.cells(stages, size)

    assert list(found.maps) == ["fc7 score", "pool4 score", "pool3 score"]
    fc7, pool4, pool3 = found.maps.values()
    double, again = net.doubling
    joint = net.last(again(double(fc7))) + net.last(again(pool4)) + net.last(pool3)
    torch.testing.assert_close(found.scores, joint[:, :, 31:72, 31:83], atol=1e-4, rtol=1e-4)


def test_new_scores_are_zero_and_upsampling_is_not_trained():
    net = build_network(FCNSpec(classes=CAMVID, hidden_channels=4))
    still = [name for name, p in net.named_parameters() if not p.requires_grad]

    assert still == ["doubling.0.weight", "doubling.1.weight", "last.weight"]
    assert all(not p.any() for p in (*net.score.parameters(), *net.skip_scores.parameters()))
    assert net.fully[0].weight.any()


@pytest.mark.parametrize(
    "fields",
    [{"backbone": "resnet18"}, {"ceil_pool": False}, {"output_stride": 16}, {"skips": 3},
     {"auxiliary": True}],
)  # fmt: skip
def test_an_fcn_whose_cuts_would_not_fit_is_refused(fields):
    with pytest.raises(ValidationError):
        FCNSpec(classes=CAMVID).changed(**fields)


class TheirStages(nn.Module):
    """pochih's networks on a ResNet-18, with the batch norm where each of them has it."""

    def __init__(self, skips: int, after: bool) -> None:
        super().__init__()
        self.net, self.skips, self.after = resnet18(weights=None), skips, after
        widths = (512, 256, 128, 64, 64, 32)
        self.deconv = nn.ModuleList(
            nn.ConvTranspose2d(widths[i], widths[i + 1], 3, 2, 1, output_padding=1)
            for i in range(5)
        )
        self.bn = nn.ModuleList(nn.BatchNorm2d(w) for w in widths[1:])
        self.classifier = nn.Conv2d(32, 11, 1)

    def forward(self, images: Tensor) -> Tensor:
        net = self.net
        x1 = torch.relu(net.bn1(net.conv1(images)))
        x2 = net.layer1(net.maxpool(x1))
        x3 = net.layer2(x2)
        x4 = net.layer3(x3)
        score = net.layer4(x4)
        for i, side in enumerate((x4, x3, x2, x1, None)):
            score = torch.relu(self.deconv[i](score))
            if i < self.skips and self.after:
                score = self.bn[i](score + side)
            elif i < self.skips:
                score = self.bn[i](score) + side
            else:
                score = self.bn[i](score)
        return self.classifier(score)


@pytest.mark.parametrize(
    ("skips", "norm"), [(0, "before_sum"), (2, "after_sum"), (4, "before_sum")]
)
def test_learnt_stages_sum_features_on_the_way_up(skips, norm):
    torch.manual_seed(skips)
    theirs = settled(TheirStages(skips, norm == "after_sum"))
    spec = FCNStagesSpec(classes=CAMVID, backbone="resnet18", skips=skips, norm=norm)
    ours = build_network(spec).eval()
    state = {}
    for key, tensor in theirs.state_dict().items():
        name = key.replace("net.", "backbone.").replace("bn.", "norms.", key.startswith("bn."))
        parts = name.split(".")
        state[f"upsampling.{parts[1]}.0.{parts[2]}" if parts[0] == "deconv" else name] = tensor
    wanted = set(ours.state_dict())
    ours.load_state_dict({k: v for k, v in state.items() if k in wanted})
    images = torch.randn(1, 3, 64, 96)

    with torch.inference_mode():
        torch.testing.assert_close(ours(images).main, theirs(images), atol=1e-4, rtol=1e-4)
    assert spec.name == f"FCN-{32 >> skips}s (learnt upsampling)"
    assert (spec.size_rule.padded(33), spec.size_rule.padded(64)) == (64, 64)


def test_learnt_stages_refuse_a_backbone_of_six():
    with pytest.raises(ValueError, match="five stages"):
        FCNStagesSpec(classes=CAMVID, backbone="mobilenet_v3_large")


def test_learnt_stages_stand_on_vgg16_too():
    with torch.device("meta"):
        net = build_network(FCNStagesSpec(classes=CAMVID))
        scores = net.eval()(torch.zeros(1, 3, 64, 96)).main

    assert scores.shape == (1, 11, 64, 96)
    assert [m[0].out_channels for m in net.upsampling] == [512, 256, 128, 64, 32]
