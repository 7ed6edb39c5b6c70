"""Folders that segmentation_models.pytorch saved: what its config.json adds to the weights."""

from __future__ import annotations

import json
import os

import pytest
import safetensors.torch
import torch
from oracles import settled
from torch import nn

from pspgui.models.checkpoints import CheckpointError, load_checkpoint

smp = pytest.importorskip("segmentation_models_pytorch")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def steady(net):
    net = settled(net, (96, 96))
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_var.clamp_(min=0.1)
    return net


def assert_same(loaded, net, size=(96, 64)):
    torch.manual_seed(2)
    images = torch.randn(1, 3, *size)
    with torch.inference_mode():
        found, wanted = loaded.model(images).main, net(images)
    assert float(wanted.std()) > 0.05
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("stride", [8, 16])
def test_a_folder_tells_stride_and_rates(tmp_path, stride):
    net = steady(smp.DeepLabV3(
        "resnet18", encoder_weights=None, classes=3, encoder_output_stride=stride,
        decoder_atrous_rates=(2, 4, 7), decoder_channels=16,
    ))  # fmt: skip
    net.save_pretrained(tmp_path)

    for path in (tmp_path, tmp_path / "model.safetensors"):
        loaded = load_checkpoint(path)
        assert (loaded.spec.output_stride, loaded.spec.rates) == (stride, (2, 4, 7))
        assert not {"rates", "output_stride"} & set(loaded.assumed)
        assert_same(loaded, net)


def test_another_config_beside_the_weights_says_nothing(tmp_path):
    net = smp.DeepLabV3("resnet18", encoder_weights=None, classes=3, decoder_channels=16)
    net.save_pretrained(tmp_path)
    good = json.loads((tmp_path / "config.json").read_text())
    good["encoder_output_stride"] = 16
    for text in (
        json.dumps({**good, "_model_class": "Unet"}), "[" * 100_000, "{", "[]", " " * (2 << 20),
        json.dumps({**good, "encoder_output_stride": 5, "decoder_atrous_rates": [1, "x"]}),
    ):  # fmt: skip
        (tmp_path / "config.json").write_text(text)
        loaded = load_checkpoint(tmp_path / "model.safetensors")
        assert (loaded.spec.output_stride, loaded.spec.rates) == (8, (12, 24, 36))
    (tmp_path / "config.json").unlink()
    os.mkfifo(tmp_path / "config.json")
    assert load_checkpoint(tmp_path / "model.safetensors").spec.output_stride == 8


def test_other_weights_beside_a_config_are_not_those_it_is_about(tmp_path):
    net = smp.DeepLabV3(
        "resnet18", encoder_weights=None, classes=3, encoder_output_stride=16, decoder_channels=16
    )
    net.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "best.safetensors")

    assert load_checkpoint(tmp_path / "best.safetensors").spec.output_stride == 8


def test_a_folder_without_weights_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(CheckpointError, match="can't be used as a model"):
        load_checkpoint(tmp_path)


def test_upsampling_that_stops_short_is_told(tmp_path):
    net = smp.PSPNet("resnet18", encoder_weights=None, encoder_depth=4, classes=2, psp_dropout=0.4)
    net.save_pretrained(tmp_path)
    loaded = load_checkpoint(tmp_path)

    assert loaded.spec.dropout == 0.4
    assert any("upsampling of 8 does not reach" in note for note in loaded.notes)


def test_mobilenet_to_1280_channels_in_a_pspnet(tmp_path):
    net = steady(smp.PSPNet(
        "mobilenet_v2", encoder_weights=None, encoder_depth=5, classes=3, upsampling=32
    ))  # fmt: skip
    net.save_pretrained(tmp_path)
    loaded = load_checkpoint(tmp_path)

    assert (loaded.spec.mobilenet, loaded.spec.output_stride) == ("to_1280", 32)
    assert loaded.unused == ()
    assert_same(loaded, net)


@pytest.mark.parametrize("name", ["resnet50", "resnet101", "resnet152"])
def test_deeper_resnets(tmp_path, name):
    net = steady(smp.PSPNet(name, encoder_weights=None, classes=2))
    torch.save(net.state_dict(), tmp_path / "a.pth")
    loaded = load_checkpoint(tmp_path / "a.pth")

    assert loaded.spec.backbone == name
    assert_same(loaded, net, (64, 96))


@pytest.mark.parametrize(
    ("name", "title"),
    [("efficientnet-b0", "an EfficientNet"), ("vgg11_bn", "a VGG"), ("densenet121", "a DenseNet"),
     ("resnext50_32x4d", "a ResNeXt"), ("se_resnet50", "an SENet"),
     ("timm-mobilenetv3_small_100", "a network of timm"), ("mit_b0", "a Mix Vision Transformer")],
)  # fmt: skip
def test_other_encoders_are_named_in_one_sentence(tmp_path, name, title):
    net = smp.PSPNet(name, encoder_weights=None, classes=2)
    torch.save(net.state_dict(), tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=f"its encoder is {title}, and ResNet-18 to 152"):
        load_checkpoint(tmp_path / "a.pth")

    # With the folder's config the sentence has the very name.
    state = {k: v.contiguous() for k, v in net.state_dict().items()}
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    config = {"_model_class": "PSPNet", "encoder_name": name}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=f"its encoder is {name}, and"):
        load_checkpoint(tmp_path)


def test_rates_stay_with_this_family_when_the_stride_is_assumed(tmp_path):
    net = steady(smp.DeepLabV3(
        "resnet18", encoder_weights=None, classes=3, encoder_output_stride=16, decoder_channels=16
    ))  # fmt: skip
    torch.save(net.state_dict(), tmp_path / "a.pth")
    loaded = load_checkpoint(tmp_path / "a.pth", {"output_stride": "16"})

    assert loaded.spec.rates == (12, 24, 36)
    assert_same(loaded, net)
