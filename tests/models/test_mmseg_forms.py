"""mmsegmentation's other backbones, and what its checkpoints' own configs say."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from oracles import settled
from torch import Tensor, nn
from torchvision.models import mobilenet_v2, resnet18, resnet50

from pspgui.inference.predictor import Predictor
from pspgui.models.checkpoints import load_checkpoint
from pspgui.models.checkpoints.mmseg_config import parsed

SIZE = (67, 50)  # odd everywhere: averages beside strides then end in half windows


class ConvModule(nn.Module):
    """mmcv's convolution, norm and activation, by its names."""

    def __init__(self, inputs, outputs, kernel, stride=1, rate=1, groups=1, act=F.relu):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, rate * (kernel // 2), rate, groups,
                              bias=False)  # fmt: skip
        self.bn = nn.BatchNorm2d(outputs)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


class AveragedResNet(nn.Module):
    """V1d: a deep stem, and averages before the 1x1 beside the first block of every layer.

    reaches: the dilation of every block's 3x3 in layer3 and layer4.
    """

    def __init__(self, depth: int, reaches: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
        super().__init__()
        net = resnet18(weights=None) if depth == 18 else resnet50(weights=None)
        layers: list[nn.Module] = []
        for inputs, outputs, stride in ((3, 32, 2), (32, 32, 1), (32, 64, 1)):
            conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.stem = nn.Sequential(*layers)
        for number, rates in ((3, reaches[0]), (4, reaches[1])):
            for block, rate in zip(getattr(net, f"layer{number}"), rates, strict=True):
                spatial = block.conv1 if depth == 18 else block.conv2
                spatial.stride, spatial.dilation = (1, 1), (rate, rate)
                spatial.padding = (rate, rate)
        for number in (1, 2, 3, 4):
            layer = getattr(net, f"layer{number}")
            if layer[0].downsample is not None:
                conv, norm = layer[0].downsample
                stride = 2 if number == 2 else 1
                conv.stride = (1, 1)
                pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
                layer[0].downsample = nn.Sequential(pool, conv, norm)
            setattr(self, f"layer{number}", layer)
        self.wide = net.fc.in_features

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.stem(x), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, rate, widen):
        super().__init__()
        hidden = inputs * widen
        parts = [ConvModule(inputs, hidden, 1, act=F.relu6)] if widen > 1 else []
        parts += [ConvModule(hidden, hidden, 3, stride, rate, hidden, F.relu6),
                  ConvModule(hidden, outputs, 1, act=nn.Identity())]  # fmt: skip
        self.conv = nn.Sequential(*parts)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileLayers(nn.Module):
    """MobileNetV2 in seven layers at output stride 8; the first block of each is dilated."""

    wide = 320

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvModule(3, 32, 3, 2, act=F.relu6)
        inputs = 32
        plan = ((1, 16, 1, 1, 1), (6, 24, 2, 2, 1), (6, 32, 3, 2, 1), (6, 64, 4, 1, 2),
                (6, 96, 3, 1, 2), (6, 160, 3, 1, 4), (6, 320, 1, 1, 4))  # fmt: skip
        for number, (widen, outputs, count, stride, rate) in enumerate(plan, 1):
            blocks = []
            for index in range(count):
                first = index == 0
                blocks.append(Inverted(inputs, outputs, stride if first else 1,
                                       rate if first else 1, widen))  # fmt: skip
                inputs = outputs
            setattr(self, f"layer{number}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        for number in range(1, 8):
            x = getattr(self, f"layer{number}")(x)
        return x


def resized(maps: Tensor, like: Tensor, aligned: bool) -> Tensor:
    return F.interpolate(maps, like.shape[-2:], mode="bilinear", align_corners=aligned)


class PSP(nn.Module):
    def __init__(self, wide: int, levels=(1, 2, 3, 6), aligned=False) -> None:
        super().__init__()
        self.psp_modules = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(n), ConvModule(wide, 16, 1)) for n in levels
        )
        self.bottleneck = ConvModule(wide + 16 * len(levels), 24, 3)
        self.conv_seg = nn.Conv2d(24, 3, 1)
        self.aligned = aligned

    def forward(self, x: Tensor) -> Tensor:
        maps = [resized(level(x), x, self.aligned) for level in self.psp_modules]
        return self.conv_seg(self.bottleneck(torch.cat([x, *maps], 1)))


class ASPP(nn.Module):
    aligned = False

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), ConvModule(wide, 16, 1))
        self.aspp_modules = nn.ModuleList(
            ConvModule(wide, 16, 1 if rate == 1 else 3, rate=rate) for rate in (1, 12, 24, 36)
        )
        self.bottleneck = ConvModule(5 * 16, 16, 3)
        self.conv_seg = nn.Conv2d(16, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.image_pool(x).expand(-1, -1, *x.shape[-2:])
        maps = [module(x) for module in self.aspp_modules]
        return self.conv_seg(self.bottleneck(torch.cat([pooled, *maps], 1)))


class FCN(nn.Module):
    aligned = False

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(ConvModule(wide, 24, 3), ConvModule(24, 24, 3))
        self.conv_cat = ConvModule(wide + 24, 24, 3)
        self.conv_seg = nn.Conv2d(24, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_seg(self.conv_cat(torch.cat([x, self.convs(x)], 1)))


class Whole(nn.Module):
    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.decode_head = backbone, head

    def forward(self, images: Tensor) -> Tensor:
        scores = self.decode_head(self.backbone(images))
        return resized(scores, images, self.decode_head.aligned)


def steady(net: nn.Module) -> nn.Module:
    """Return the network settled, without the tiny variances that two pooled images have."""
    net = settled(net)
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_var.clamp_(min=0.1)
    return net


def opened(tmp_path, net, **meta):
    path = tmp_path / "iter_10.pth"
    torch.save({"meta": meta, "state_dict": net.state_dict()}, path)
    return load_checkpoint(path)


def assert_same(loaded, net):
    torch.manual_seed(3)
    images = torch.randn(1, 3, *SIZE)
    with torch.inference_mode():
        wanted, found = net(images), loaded.model(images).main
        assert float(wanted.std()) > 0.05
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
        # What is run is the same network with its norms folded away.
        predictor = Predictor.of(loaded, "cpu", "fp32")
        scores = predictor.head.scores(predictor.backend.run(images))
    aligned = loaded.spec.align_corners
    torch.testing.assert_close(resized(scores[None], images, aligned), wanted, atol=1e-3, rtol=1e-3)


BASIC, BOTTLENECK = ((1, 2), (2, 4)), ((1, 2, 2, 2, 2, 2), (2, 4, 4))


@pytest.mark.parametrize(
    ("depth", "reaches", "head", "family"),
    [(18, BASIC, PSP, "PSPNet"), (50, BOTTLENECK, ASPP, "DeepLabV3"), (18, BASIC, FCN, "FCN")],
)
def test_v1d_averages_beside_its_blocks(tmp_path, depth, reaches, head, family):
    backbone = AveragedResNet(depth, reaches)
    net = steady(Whole(backbone, head(backbone.wide)))
    loaded = opened(tmp_path, net)

    spec = loaded.spec
    assert (loaded.family, loaded.unused) == (f"mmsegmentation {family}", ())
    assert (spec.backbone, spec.stem) == (f"resnet{depth}", "deep64")
    assert spec.average_shortcut
    assert_same(loaded, net)


@pytest.mark.parametrize("head", [PSP, ASPP, FCN])
def test_mobilenet_dilates_the_first_block_of_each_layer(tmp_path, head):
    net = steady(Whole(MobileLayers(), head(320)))
    loaded = opened(tmp_path, net)

    spec = loaded.spec
    assert (spec.backbone, spec.dilation) == ("mobilenet_v2", "group_first")
    assert (spec.output_stride, loaded.unused) == (8, ())
    assert_same(loaded, net)


def test_the_oracle_of_mobilenet_has_torchvisions_tensors():
    ours = sum(p.numel() for p in MobileLayers().parameters())
    theirs = sum(p.numel() for p in mobilenet_v2(weights=None).features[:18].parameters())
    assert ours == theirs


CONFIG = """
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    pretrained='open-mmlab://resnet50_v1d',
    backbone=dict(
        type='ResNetV1d', depth=50, num_stages=4, out_indices=(0, 1, 2, 3),
        dilations=(1, 1, 2, 4), strides=(1, 2, 1, 1), norm_cfg=norm_cfg,
        norm_eval=False, style='pytorch', contract_dilation={contract}, multi_grid={grid}),
    decode_head=dict(
        type='PSPHead', in_channels=2048, in_index=3, channels=24, pool_scales=(1, 2, 5),
        dropout_ratio=0.3, num_classes=3, norm_cfg=norm_cfg, align_corners=True,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
    test_cfg=dict(mode='whole'))
img_norm_cfg = dict(mean=[10.0, 20.0, 30.0], std=[51.0, 102.0, 255.0], to_rgb={rgb})
data = dict(train=dict(type='RepeatDataset', classes=('road', 'sky', 'cat'),
                       palette=[[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
work_dir = './work_dirs/' + 'x'
"""


@pytest.mark.parametrize("key", ["config", "cfg"])
@pytest.mark.parametrize(
    ("contract", "grid", "reaches"),
    [
        (True, None, BOTTLENECK),
        (False, None, ((2, 2, 2, 2, 2, 2), (4, 4, 4))),
        (True, (1, 2, 4), ((1, 2, 2, 2, 2, 2), (1, 2, 4))),  # in place of 4, not times 4
    ],
)
def test_a_config_says_what_weights_cannot(tmp_path, key, contract, grid, reaches):
    backbone = AveragedResNet(50, reaches)
    net = steady(Whole(backbone, PSP(2048, (1, 2, 5), aligned=True)))
    text = CONFIG.format(contract=contract, grid=grid, rgb=True)
    loaded = opened(tmp_path, net, **{key: text, "iter": 10})

    spec = loaded.spec
    assert (spec.levels, spec.align_corners, spec.dropout) == ((1, 2, 5), True, 0.3)
    assert (spec.output_stride, spec.absolute_grid) == (8, grid is not None)
    assert spec.normalisation.mean == pytest.approx((10 / 255, 20 / 255, 30 / 255))
    assert spec.normalisation.std == pytest.approx((0.2, 0.4, 1.0))
    assert spec.classes.names == ("road", "sky", "cat")
    assert spec.classes.classes[2].colour == (7, 8, 9)
    assert loaded.assumed == () and loaded.notes == ()
    assert_same(loaded, net)


def test_means_of_a_network_that_reads_blue_first_are_told_in_our_order(tmp_path):
    backbone = AveragedResNet(18, BASIC)
    net = Whole(backbone, PSP(512, (1, 2, 5)))
    text = CONFIG.format(contract=True, grid=None, rgb=False)
    norm = opened(tmp_path, net, cfg=text).spec.normalisation

    assert norm.channels == "bgr"
    assert norm.mean == pytest.approx((30 / 255, 20 / 255, 10 / 255))


def test_dilations_that_are_not_built_are_told(tmp_path):
    net = Whole(AveragedResNet(18, BASIC), PSP(512, (1, 2, 5)))
    text = CONFIG.format(contract=True, grid=None, rgb=True).replace("(1, 1, 2, 4)", "(1, 1, 3, 9)")
    loaded = opened(tmp_path, net, cfg=text)

    assert any("1, 1, 3, 9" in n and "1, 1, 2, 4 are used" in n for n in loaded.notes)
    assert "output_stride" in loaded.assumed


def test_a_config_is_never_run_and_nonsense_is_left_aside(tmp_path):
    witness = tmp_path / "ran"
    net = Whole(AveragedResNet(18, BASIC), PSP(512))
    hostile = [
        f"import pathlib\npathlib.Path({str(witness)!r}).touch()",
        f"model = open({str(witness)!r}, 'w')",
        "model = dict(decode_head=dict(align_corners=__import__('os').getpid()))",
        "model = " + "(" * 5000,
        "model = " + "-" * 30000 + "1",
        "model = " + "dict(a=" * 90 + "1" + ")" * 90,
        "x = " + "+".join(["1"] * 20000),
        "model = dict(decode_head=dict(pool_scales=(1, 1, 1, 1)))",
        "model = dict(decode_head=dict(pool_scales=(1, 2)))",
        "\0",
    ]
    for text in hostile:
        loaded = opened(tmp_path, net, config=text)
        assert loaded.spec.levels == (1, 2, 3, 6)
        assert loaded.spec.align_corners is False
    assert not witness.exists()


def test_only_literals_are_understood():
    found = parsed("a = 1\nb = dict(c=a, d=print(1), e={'f': -2.5, 3: 4})\ng = [a, f'x']\nh = b")

    assert found == {"a": 1, "b": {"c": 1, "e": {"f": -2.5}}, "h": {"c": 1, "e": {"f": -2.5}}}
