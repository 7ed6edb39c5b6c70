"""PSPNets of other projects, as those write them, give the logits of plain forwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
import torchvision
from oracles import IMAGENET, as_input, assert_predicts, picture, settled
from torch import Tensor, nn

from pspgui.inference.predictor import Predictor
from pspgui.models.checkpoints import CheckpointError, LoadedModel, load_checkpoint

LEVELS = (1, 2, 3, 6)


def conv_bn(inputs: int, outputs: int, kernel: int, **options: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, **options)
    return [conv, nn.BatchNorm2d(outputs)]


def resize(maps: Tensor, like: Tensor, aligned: bool) -> Tensor:
    return F.interpolate(maps, like.shape[-2:], mode="bilinear", align_corners=aligned)


class Layers(nn.Module):
    """A torchvision ResNet's layers, its stem's names and dilations written by the subclass."""

    def __init__(self, name: str, first_width: int) -> None:
        super().__init__()
        net = getattr(torchvision.models, name)(weights=None)
        if first_width != 64:
            block = net.layer1[0]
            block.conv1 = nn.Conv2d(first_width, 64, block.conv1.kernel_size, 1,
                                    block.conv1.padding, bias=False)  # fmt: skip
            outputs = 64 * block.expansion
            block.downsample = nn.Sequential(*conv_bn(first_width, outputs, 1))
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            net.layer1, net.layer2, net.layer3, net.layer4
        )  # fmt: skip
        self.wide = net.fc.in_features

    def layers(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.max_pool2d(x, 3, 2, 1)
        third = self.layer3(self.layer2(self.layer1(x)))
        return third, self.layer4(third)


def dilate(conv: nn.Conv2d, by: int) -> None:
    conv.stride = (1, 1)
    if conv.kernel_size == (3, 3):
        conv.dilation = conv.padding = (by, by)


def convolutions(layer: nn.Module) -> list[nn.Conv2d]:
    return [m for m in layer.modules() if isinstance(m, nn.Conv2d)]


class SemsegNet(Layers):
    def __init__(self, classes: int, auxiliary: bool = True) -> None:
        super().__init__("resnet50", 128)
        del self.wide
        stem = [*conv_bn(3, 64, 3, stride=2), nn.ReLU(), *conv_bn(64, 64, 3), nn.ReLU(),
                *conv_bn(64, 128, 3), nn.ReLU()]  # fmt: skip
        self.layer0 = nn.Sequential(*stem)
        for layer, by in ((self.layer3, 2), (self.layer4, 4)):
            for conv in convolutions(layer):
                dilate(conv, by)
        self.ppm = nn.Module()
        self.ppm.features = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(n), *conv_bn(2048, 512, 1), nn.ReLU())
            for n in LEVELS
        )
        self.cls = nn.Sequential(*conv_bn(4096, 512, 3), nn.ReLU(), nn.Dropout2d(0.1),
                                 nn.Conv2d(512, classes, 1))  # fmt: skip
        if auxiliary:
            self.aux = nn.Sequential(*conv_bn(1024, 256, 3), nn.ReLU(), nn.Dropout2d(0.1),
                                     nn.Conv2d(256, classes, 1))  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        _, x = self.layers(self.layer0(images))
        levels = [resize(level(x), x, True) for level in self.ppm.features]
        return resize(self.cls(torch.cat([x, *levels], 1)), images, True)


def opened(path: Path, content: object) -> LoadedModel:
    torch.save(content, path)
    return load_checkpoint(path)


def wrapped(net: nn.Module) -> dict[str, Tensor]:
    return {f"module.{key}": tensor for key, tensor in net.state_dict().items()}


def test_semseg_with_optimizer_and_odd_sizes(tmp_path):
    net = settled(SemsegNet(21))
    loaded = opened(
        tmp_path / "train_epoch_50.pth",
        {"epoch": 50, "state_dict": wrapped(net), "optimizer": {"state": {}, "param_groups": [1]}},
    )

    spec = loaded.spec
    assert (loaded.family, spec.backbone, spec.stem) == ("semseg", "resnet50", "deep128")
    assert (spec.dilation, spec.align_corners, spec.concat) == ("full", True, "features_first")
    assert "dilation" in loaded.assumed
    assert any("optimizer" in note for note in loaded.notes)
    assert any("voc2012" in note for note in loaded.notes)
    images = torch.randn(1, 3, 65, 81)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(images).main, net(images), atol=1e-4, rtol=1e-4)
    pixels = picture(57, 65)
    expected = net(as_input(pixels, *IMAGENET))[0]
    assert_predicts(Predictor.of(loaded, "cpu", "fp32"), pixels, expected)


class ConvModule(nn.Module):
    """mmcv's convolution, norm and ReLU, by its names."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv, self.bn = conv_bn(inputs, outputs, kernel)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class MMSegBackbone(Layers):
    def __init__(self, name: str, deep: bool) -> None:
        super().__init__(name, 64)
        self.deep = deep
        if deep:
            self.stem = nn.Sequential(*conv_bn(3, 32, 3, stride=2), nn.ReLU(), *conv_bn(32, 32, 3),
                                      nn.ReLU(), *conv_bn(32, 64, 3), nn.ReLU())  # fmt: skip
        else:
            self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
        for layer, by in ((self.layer3, 2), (self.layer4, 4)):
            for number, block in enumerate(layer):
                # conv1 of a basic block, conv2 of a bottleneck; contracted in the first block.
                spread = block.conv2 if hasattr(block, "conv3") else block.conv1
                dilate(spread, by // 2 if number == 0 else by)
            dilate(layer[0].downsample[0], 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.layers(self.stem(x) if self.deep else F.relu(self.bn1(self.conv1(x))))


class MMSegNet(nn.Module):
    def __init__(self, name: str, deep: bool, classes: int, channels: int) -> None:
        super().__init__()
        self.backbone = MMSegBackbone(name, deep)
        wide = self.backbone.wide
        self.decode_head, self.auxiliary_head = nn.Module(), nn.Module()
        self.decode_head.psp_modules = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(n), ConvModule(wide, channels, 1)) for n in LEVELS
        )
        self.decode_head.bottleneck = ConvModule(wide + 4 * channels, channels, 3)
        self.decode_head.conv_seg = nn.Conv2d(channels, classes, 1)
        self.auxiliary_head.convs = nn.Sequential(ConvModule(wide // 2, channels // 2, 3))
        self.auxiliary_head.conv_seg = nn.Conv2d(channels // 2, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        _, x = self.backbone(images)
        head = self.decode_head
        levels = [resize(level(x), x, False) for level in head.psp_modules]
        return resize(head.conv_seg(head.bottleneck(torch.cat([x, *levels], 1))), images, False)


@pytest.mark.parametrize(
    ("name", "deep", "stem", "dilation"),
    [("resnet18", True, "deep64", "contract_single"), ("resnet18", False, "7x7", "contract_single"),
     ("resnet50", True, "deep64", "contract")],
)  # fmt: skip
def test_mmsegmentation_names_its_classes_and_takes_any_size(tmp_path, name, deep, stem, dilation):
    net = settled(MMSegNet(name, deep, classes=3, channels=32))
    loaded = opened(
        tmp_path / "iter_80000.pth",
        {"meta": {"CLASSES": ("road", "sky", "cat"), "PALETTE": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
                  "iter": 80000}, "state_dict": net.state_dict()},
    )  # fmt: skip

    spec = loaded.spec
    assert loaded.family == "mmsegmentation PSPNet"
    assert (spec.backbone, spec.stem, spec.dilation) == (name, stem, dilation)
    assert spec.classes.names == ("road", "sky", "cat")
    assert spec.classes.classes[1].colour == (4, 5, 6)
    assert "classes" not in loaded.assumed
    images = torch.randn(1, 3, 70, 51)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(images).main, net(images), atol=1e-4, rtol=1e-4)
    pixels = picture(50, 63)
    expected = net(as_input(pixels, *IMAGENET))[0]
    assert_predicts(Predictor.of(loaded, "cpu", "fp32"), pixels, expected)


class DeepResNet(Layers):
    """The encoder of CSAIL and of bubbliiiing: three named pairs of stem layers."""

    def __init__(self, name: str, stride: int) -> None:
        super().__init__(name, 128)
        self.conv1, self.bn1 = conv_bn(3, 64, 3, stride=2)
        self.conv2, self.bn2 = conv_bn(64, 64, 3)
        self.conv3, self.bn3 = conv_bn(64, 128, 3)
        plan = {8: ((self.layer3, 2), (self.layer4, 4)), 16: ((self.layer4, 2),)}[stride]
        for layer, by in plan:
            for conv in convolutions(layer):
                dilate(conv, by // 2 if conv.stride == (2, 2) else by)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = F.relu(norm(conv(x)))
        return self.layers(x)


class FlatMobileNet(nn.Module):
    """MobileNetV2 with flat blocks, dilated as CSAIL and bubbliiiing do."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        features = torchvision.models.mobilenet_v2(weights=None).features[:18]
        for block in features[1:]:
            flat = [m for part in block.conv for m in
                    (part if isinstance(part, nn.Sequential) else [part])]  # fmt: skip
            block.conv = nn.Sequential(*flat)
        self.features = features
        plan = {8: (range(7, 14), range(14, 18)), 16: ((), range(14, 18))}[stride]
        for places, by in zip(plan, (2, 4) if stride == 8 else (0, 2), strict=True):
            for place in places:
                for conv in convolutions(features[place]):
                    dilate(conv, by // 2 if conv.stride == (2, 2) else by)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        third = self.features[:14](x)
        return third, self.features[14:](third)


class CSAILDecoder(nn.Module):
    def __init__(self, wide: int, deep_inputs: int, classes: int) -> None:
        super().__init__()
        self.ppm = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(n), *conv_bn(wide, 512, 1), nn.ReLU())
            for n in LEVELS
        )
        self.cbr_deepsup = nn.Sequential(*conv_bn(deep_inputs, wide // 4, 3), nn.ReLU())
        self.conv_last = nn.Sequential(*conv_bn(wide + 2048, 512, 3), nn.ReLU(),
                                       nn.Dropout2d(0.1), nn.Conv2d(512, classes, 1))  # fmt: skip
        self.conv_last_deepsup = nn.Conv2d(wide // 4, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_last(torch.cat([x, *(resize(p(x), x, False) for p in self.ppm)], 1))


class CSAILNet(nn.Module):
    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, images: Tensor) -> Tensor:
        return resize(self.decoder(self.encoder(images)[1]), images, False)


CSAIL_ENCODERS = {
    "resnet18": (lambda: DeepResNet("resnet18", 8), 512, 256),
    "mobilenet_v2": (lambda: FlatMobileNet(8), 320, 160),
}


@pytest.mark.parametrize("name", CSAIL_ENCODERS)
def test_csail_reads_the_other_file_of_the_pair(tmp_path, name):
    build, wide, deep_inputs = CSAIL_ENCODERS[name]
    net = settled(CSAILNet(build(), CSAILDecoder(wide, deep_inputs, 150)))
    torch.save(net.encoder.state_dict(), tmp_path / "encoder_epoch_20.pth")
    torch.save(net.decoder.state_dict(), tmp_path / "decoder_epoch_20.pth")

    loaded = load_checkpoint(tmp_path / "encoder_epoch_20.pth")
    other = load_checkpoint(tmp_path / "decoder_epoch_20.pth")

    assert (loaded.family, loaded.spec, loaded.digest) == ("CSAIL", other.spec, other.digest)
    assert loaded.spec.backbone == name
    assert loaded.spec.classes.names[0] == "wall"
    assert loaded.spec.auxiliary == (name != "mobilenet_v2")
    images = torch.randn(1, 3, 64, 72)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(images).main, net(images), atol=1e-4, rtol=1e-4)
    pixels = picture(50, 63)
    expected = net(as_input(pixels, *IMAGENET, multiple=8))[0]
    assert_predicts(Predictor.of(loaded, "cpu", "fp32"), pixels, expected)


class C1Decoder(nn.Module):
    """One 3x3 and a classifier, with deep supervision or without."""

    def __init__(self, wide: int, deep_inputs: int, classes: int, deep: bool) -> None:
        super().__init__()
        self.cbr = nn.Sequential(*conv_bn(wide, wide // 4, 3), nn.ReLU())
        self.conv_last = nn.Conv2d(wide // 4, classes, 1)
        if deep:
            self.cbr_deepsup = nn.Sequential(*conv_bn(deep_inputs, wide // 4, 3), nn.ReLU())
            self.conv_last_deepsup = nn.Conv2d(wide // 4, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_last(self.cbr(x))


class PlainPPMDecoder(CSAILDecoder):
    """The pyramid without deep supervision."""

    def __init__(self, wide: int, deep_inputs: int, classes: int) -> None:
        super().__init__(wide, deep_inputs, classes)
        del self.cbr_deepsup, self.conv_last_deepsup


@pytest.mark.parametrize("name", CSAIL_ENCODERS)
@pytest.mark.parametrize("kind", ["c1", "c1_deepsup", "ppm"])
def test_csails_other_decoders(tmp_path, name, kind):
    build, wide, deep_inputs = CSAIL_ENCODERS[name]
    if kind == "ppm":
        decoder = PlainPPMDecoder(wide, deep_inputs, 9)
    else:
        decoder = C1Decoder(wide, deep_inputs, 9, deep=kind == "c1_deepsup")
    net = settled(CSAILNet(build(), decoder))
    torch.save(net.encoder.state_dict(), tmp_path / "encoder_epoch_20.pth")
    torch.save(net.decoder.state_dict(), tmp_path / "decoder_epoch_20.pth")

    loaded = load_checkpoint(tmp_path / "decoder_epoch_20.pth")

    kinds = ("CSAIL", "pspnet" if kind == "ppm" else "dilated_fcn")
    assert (loaded.family, loaded.spec.architecture) == kinds
    assert loaded.spec.auxiliary == (kind == "c1_deepsup" and name == "resnet18")
    assert bool(loaded.unused) == (kind == "c1_deepsup" and name == "mobilenet_v2")
    images = torch.randn(1, 3, 67, 73)
    with torch.inference_mode():
        found, wanted = loaded.model(images), net(images)
        torch.testing.assert_close(found.main, wanted, atol=1e-4, rtol=1e-4)
        if loaded.spec.auxiliary:
            third = net.encoder(images)[0]
            deep = decoder.conv_last_deepsup(decoder.cbr_deepsup(third))
            deep = resize(deep, images, False)
            torch.testing.assert_close(found.auxiliary, deep, atol=1e-4, rtol=1e-4)


def test_csails_upernet_is_named(tmp_path):
    decoder = {"ppm_conv.0.0.weight": torch.zeros(4, 8, 1, 1)}
    torch.save(decoder, tmp_path / "decoder_epoch_3.pth")
    torch.save(DeepResNet("resnet18", 8).state_dict(), tmp_path / "encoder_epoch_3.pth")

    with pytest.raises(CheckpointError, match="its decoder is UPerNet, which is not built here"):
        load_checkpoint(tmp_path / "decoder_epoch_3.pth")


def test_csail_says_which_file_of_the_pair_is_missing(tmp_path):
    decoder = CSAILDecoder(512, 256, 5).state_dict()
    torch.save(decoder, tmp_path / "decoder_epoch_3.pth")
    with pytest.raises(CheckpointError, match=r"the encoder, encoder_epoch_3\.pth, is not beside"):
        load_checkpoint(tmp_path / "decoder_epoch_3.pth")

    torch.save(decoder, tmp_path / "encoder_epoch_3.pth")
    with pytest.raises(CheckpointError, match="not the encoder that belongs"):
        load_checkpoint(tmp_path / "decoder_epoch_3.pth")


class BubbliiiingNet(nn.Module):
    def __init__(self, backbone: nn.Module, wide: int, narrow: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        pyramid = nn.Module()
        pyramid.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(n), *conv_bn(wide, wide // 4, 1), nn.ReLU())
            for n in LEVELS
        )
        pyramid.bottleneck = nn.Sequential(*conv_bn(2 * wide, wide // 4, 3), nn.ReLU(),
                                           nn.Dropout2d(0.1))  # fmt: skip
        self.master_branch = nn.Sequential(pyramid, nn.Conv2d(wide // 4, classes, 1))
        self.auxiliary_branch = nn.Sequential(
            *conv_bn(narrow, wide // 8, 3), nn.ReLU(), nn.Dropout2d(0.1),
            nn.Conv2d(wide // 8, classes, 1),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        _, x = self.backbone(images)
        pyramid, classifier = self.master_branch
        joint = torch.cat([x, *(resize(stage(x), x, True) for stage in pyramid.stages)], 1)
        return resize(classifier(pyramid.bottleneck(joint)), images, True)


@pytest.mark.parametrize(
    ("kind", "stride"), [("mobilenet_v2", 16), ("mobilenet_v2", 8), ("resnet50", 16)]
)
def test_bubbliiiing_at_both_strides_on_both_backbones(tmp_path, kind, stride):
    if kind == "resnet50":
        net = settled(BubbliiiingNet(DeepResNet("resnet50", stride), 2048, 1024, 7))
    else:
        net = settled(BubbliiiingNet(FlatMobileNet(stride), 320, 96, 7))
    path = tmp_path / "best.pth"
    torch.save(net.state_dict(), path)

    loaded = load_checkpoint(path, {} if stride == 16 else {"output_stride": "8"})

    assert (loaded.family, loaded.spec.backbone) == ("bubbliiiing", kind)
    assert loaded.spec.size_rule.multiple == loaded.spec.output_stride == stride
    assert ("output_stride" in loaded.assumed) == (stride == 16)
    images = torch.randn(1, 3, 65, 81)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(images).main, net(images), atol=1e-4, rtol=1e-4)
    pixels = picture(49, 65)
    expected = net(as_input(pixels, (0, 0, 0), (1, 1, 1)))[0]
    assert_predicts(Predictor.of(loaded, "cpu", "fp32"), pixels, expected)


def test_bubbliiiing_takes_its_later_stem_in_one_sequence(tmp_path):
    net = settled(BubbliiiingNet(DeepResNet("resnet18", 16), 512, 256, 2))
    places = {"conv1": "conv1.0", "bn1": "conv1.1", "conv2": "conv1.3", "bn2": "conv1.4",
              "conv3": "conv1.6", "bn3": "bn1"}  # fmt: skip
    state = {}
    for key, tensor in net.state_dict().items():
        part = key.split(".")[1]
        if key.startswith("backbone.") and part in places:
            key = key.replace(part, places[part], 1)
        state[key] = tensor

    loaded = opened(tmp_path / "best.pth", state)

    images = torch.randn(1, 3, 33, 49)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(images).main, net(images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("encoder", "depth", "classes"),
    [("resnet18", 3, 4), ("resnet34", 4, 1), ("resnet18", 5, 3), ("mobilenet_v2", 3, 2)],
)  # fmt: skip
def test_segmentation_models_own_network_is_the_oracle(tmp_path, encoder, depth, classes):
    smp = pytest.importorskip("segmentation_models_pytorch")
    net = settled(smp.PSPNet(encoder, encoder_weights=None, encoder_depth=depth, classes=classes,
                             upsampling=2**depth), (96, 96))  # fmt: skip
    loaded = opened(tmp_path / "smp.pth", {f"model.{k}": v for k, v in net.state_dict().items()})

    spec = loaded.spec
    assert loaded.family == "segmentation_models.pytorch PSPNet"
    assert (spec.stages, spec.output_stride) == (depth - 1, 2**depth)
    unused = {".".join(key.split(".")[:2]) for key in loaded.unused}
    if encoder != "mobilenet_v2":
        assert unused == {f"backbone.layer{n}" for n in range(depth, 5)}
    images = torch.randn(1, 3, 96, 64)
    with torch.inference_mode():
        expected = net(images)
        found = loaded.model(images).main
    if classes == 1:
        found, names = found[:, 1:] - found[:, :1], spec.classes.names
        assert names == ("background", "object")
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    pixels = picture(70, 63)
    expected = net(as_input(pixels, *IMAGENET, multiple=2**depth))[0]
    if classes == 1:
        expected = torch.cat([torch.zeros_like(expected), expected])
    assert_predicts(Predictor.of(loaded, "cpu", "fp32"), pixels, expected)


@pytest.mark.parametrize(
    ("first", "reason"),
    [({"encoder._conv_stem.weight": torch.zeros(1)}, "its encoder is an EfficientNet"),
     ({}, "no batch norm")],
)  # fmt: skip
def test_segmentation_models_that_are_not_built_say_so(tmp_path, first, reason):
    head = {"decoder.psp.blocks.0.pool.1.0.weight": torch.zeros(4, 16, 1, 1),
            "segmentation_head.0.weight": torch.zeros(2, 8, 3, 3)}  # fmt: skip
    norm = {"decoder.conv.1.running_mean": torch.zeros(8)} if first else {}

    with pytest.raises(CheckpointError, match=reason):
        opened(tmp_path / "smp.pth", {**first, **head, **norm})
