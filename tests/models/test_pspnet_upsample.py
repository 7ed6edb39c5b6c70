"""PSPNet with learnt upsampling, and Lextal's checkpoints of it."""

from __future__ import annotations

from functools import cache

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from oracles import IMAGENET, as_input, assert_predicts, picture, settled
from pydantic import ValidationError
from torch import Tensor, nn

from pspgui.inference.predictor import Predictor
from pspgui.labels.classes import CAMVID
from pspgui.models.checkpoints import CheckpointError, load_checkpoint
from pspgui.models.pspnet_upsample import PSPUpsampleSpec


class Block(nn.Module):
    """A basic or bottleneck block, as plainly as can be."""

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int, deep: bool) -> None:
        super().__init__()
        outputs = planes * 4 if deep else planes

        def three(a: int, b: int, s: int) -> nn.Conv2d:
            return nn.Conv2d(a, b, 3, s, padding=dilation, dilation=dilation, bias=False)

        if deep:
            self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
            self.conv2 = three(planes, planes, stride)
            self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(outputs)
        else:
            self.conv1, self.conv2 = three(inputs, planes, stride), three(planes, planes, 1)
        self.bn1, self.bn2 = nn.BatchNorm2d(planes), nn.BatchNorm2d(planes)
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = self.downsample(maps) if hasattr(self, "downsample") else maps
        found = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(maps)))))
        if hasattr(self, "conv3"):
            found = self.bn3(self.conv3(torch.relu(found)))
        return torch.relu(found + shortcut)


class Extractor(nn.Module):
    """A ResNet whose first block of a stage that keeps its size is not dilated."""

    def __init__(self, counts: tuple[int, ...], deep: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for number, (count, stride, dilation) in enumerate(
            zip(counts, (1, 2, 1, 1), (1, 1, 2, 4), strict=True)
        ):
            planes = 64 * 2**number
            blocks = []
            for index in range(count):
                first = index == 0
                blocks.append(
                    Block(inputs, planes, stride if first else 1, 1 if first else dilation, deep)
                )
                inputs = planes * (4 if deep else 1)
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = F.max_pool2d(torch.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        middle = self.layer3(self.layer2(self.layer1(maps)))
        return self.layer4(middle), middle


def doubled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", align_corners=True)


class Pyramid(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(b), nn.Conv2d(channels, channels, 1, bias=False))
            for b in (1, 2, 3, 6)
        )
        self.bottleneck = nn.Conv2d(5 * channels, 1024, 1)

    def forward(self, maps: Tensor) -> Tensor:
        parts = [doubled(stage(maps), maps.shape[-2:]) for stage in self.stages]
        return torch.relu(self.bottleneck(torch.cat([*parts, maps], 1)))


class Up(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.PReLU(init=0.1)
        )

    def forward(self, maps: Tensor) -> Tensor:
        return self.conv(doubled(maps, (2 * maps.shape[-2], 2 * maps.shape[-1])))


class Theirs(nn.Module):
    """The network of that repository: log-probabilities of pixels, logits of whole images."""

    def __init__(self, counts: tuple[int, ...], deep: bool, classes: int) -> None:
        super().__init__()
        channels = 2048 if deep else 512
        self.feats = Extractor(counts, deep)
        self.psp = Pyramid(channels)
        self.up_1, self.up_2, self.up_3 = Up(1024, 256), Up(256, 64), Up(64, 64)
        self.final = nn.Sequential(nn.Conv2d(64, classes, 1), nn.LogSoftmax(1))
        self.classifier = nn.Sequential(
            nn.Linear(channels // 2, 256), nn.ReLU(), nn.Linear(256, classes)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps, middle = self.feats(images)
        pixels = self.final(self.up_3(self.up_2(self.up_1(self.psp(maps)))))
        return pixels, self.classifier(middle.amax((2, 3)))


DEPTHS = {"resnet18": ((2, 2, 2, 2), False), "resnet50": ((3, 4, 6, 3), True)}


@cache
def theirs(backbone: str) -> Theirs:
    torch.manual_seed(5)
    return settled(Theirs(*DEPTHS[backbone], classes=4))


@pytest.mark.parametrize("backbone", DEPTHS)
def test_lextals_weights_give_the_same_probabilities(tmp_path, backbone):
    net = theirs(backbone)
    path = tmp_path / "PSPNet_20"
    torch.save({f"module.{key}": tensor for key, tensor in net.state_dict().items()}, path)

    loaded = load_checkpoint(path)

    images = torch.randn(1, 3, 72, 56)
    with torch.inference_mode():
        (pixels, whole), ours = net(images), loaded.model(images)
    assert (loaded.family, loaded.notes, loaded.spec.backbone) == ("Lextal", (), backbone)
    assert {"align_corners", "levels", "normalisation"} <= set(loaded.assumed)
    torch.testing.assert_close(ours.main.log_softmax(1), pixels, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.image_level, whole, atol=1e-4, rtol=1e-4)
    assert ours.auxiliary is None


def test_a_picture_of_an_odd_size_is_predicted_as_there(tmp_path):
    net = theirs("resnet18")
    torch.save(net.state_dict(), tmp_path / "PSPNet_1")
    scores_only = nn.Sequential(net.feats, nn.Identity())
    pixels = picture(43, 61)

    predictor = Predictor.load(tmp_path / "PSPNet_1", "cpu")

    padded = as_input(pixels, *IMAGENET, multiple=8)
    with torch.inference_mode():
        maps, _ = scores_only(padded)
        expected = net.final[0](net.up_3(net.up_2(net.up_1(net.psp(maps)))))[0]
    assert padded.shape[-2:] == (48, 64)
    assert_predicts(predictor, pixels, expected)
    titles = [m.title for m in predictor.set_image(pixels).maps]
    assert titles == [
        "level 1×1", "level 2×2", "level 3×3", "level 6×6", "bottleneck",
        "upsampling 1", "upsampling 2",
    ]  # fmt: skip


def test_a_backbone_that_is_not_built_here_is_named_as_the_reason(tmp_path):
    state = theirs("resnet18").state_dict().items()
    state = {key.replace("feats.layer", "feats.denseblock"): tensor for key, tensor in state}
    torch.save(state, tmp_path / "PSPNet_1")

    with pytest.raises(CheckpointError, match="not a ResNet"):
        load_checkpoint(tmp_path / "PSPNet_1")


@pytest.mark.parametrize(
    "fields", [{"levels": ()}, {"levels": (2, 2)}, {"size_rule": {"multiple": 8, "offset": 1}}]
)
def test_a_spec_that_makes_no_sense_is_refused(fields):
    with pytest.raises(ValidationError):
        PSPUpsampleSpec(classes=CAMVID).changed(**fields)
