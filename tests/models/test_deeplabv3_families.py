"""DeepLabV3 as others keep it: each family opens with the right spec and the authors' logits."""

from __future__ import annotations

import deeplabv3_oracles as theirs
import pytest
import safetensors.torch
import torch
from oracles import IMAGENET, as_input, assert_predicts, picture
from oracles import settled as settled_by_batch
from torch import nn
from torchvision.models import mobilenet_v2, resnet50
from torchvision.models.segmentation import (
    deeplabv3_mobilenet_v3_large,
    deeplabv3_resnet50,
)

from pspgui.imaging import decode_image
from pspgui.inference.predictor import Predictor
from pspgui.models.checkpoints import CheckpointError, LoadedModel, load_checkpoint

SIZES = ((65, 81),)


def settled(net: nn.Module, size: tuple[int, int] = (64, 64)) -> nn.Module:
    """Return the network settled, without the tiny variances that two pooled images have."""
    net = settled_by_batch(net, size)
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_var.clamp_(min=0.1)
    return net


def saved(net: nn.Module, path, wrap=lambda state: state) -> LoadedModel:
    """Write a network's tensors in its family's container and open the file."""
    torch.save(wrap(net.state_dict()), path)
    return load_checkpoint(path)


def assert_same_logits(loaded: LoadedModel, expected, sizes=SIZES) -> None:
    """Fail unless the opened network and the authors' give the same logits, and not flat ones."""
    for size in sizes:
        torch.manual_seed(1)
        images = torch.randn(1, 3, *size)
        with torch.inference_mode():
            wanted, found = expected(images), loaded.model(images).main
        assert 0.05 < float(wanted.std()) < 100
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_torchvisions_resnet_with_its_auxiliary_head(tmp_path):
    net = settled(deeplabv3_resnet50(weights=None, weights_backbone=None, aux_loss=True))
    loaded = saved(net, tmp_path / "a.pth", lambda s: {"model": s, "epoch": 3, "optimizer": {}})

    spec = loaded.spec
    assert (loaded.family, loaded.unused) == ("torchvision DeepLabV3", ())
    assert (spec.backbone, spec.output_stride, spec.dilation) == ("resnet50", 8, "contract")
    assert (spec.rates, spec.align_corners, len(spec.classes)) == ((12, 24, 36), False, 21)
    assert {"rates", "align_corners", "normalisation"} <= set(loaded.assumed)
    assert_same_logits(loaded, lambda x: net(x)["out"])
    images = torch.randn(1, 3, 65, 65)
    with torch.inference_mode():
        found, wanted = loaded.model(images).auxiliary, net(images)["aux"]
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)

    pixels = picture(63, 90)
    with torch.inference_mode():
        logits = net(as_input(pixels, *IMAGENET))["out"][0]
    assert_predicts(Predictor.of(loaded, "cpu"), pixels, logits)


def test_torchvisions_mobilenet_v3_with_its_auxiliary_head(tmp_path):
    net = settled(
        deeplabv3_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=5, aux_loss=True
        )
    )
    loaded = saved(net, tmp_path / "a.pth")

    spec = loaded.spec
    assert (loaded.family, loaded.unused) == ("torchvision DeepLabV3", ())
    assert (spec.backbone, spec.output_stride, spec.dilation) == ("mobilenet_v3_large", 16, "full")
    assert (spec.rates, spec.auxiliary_stage, len(spec.classes)) == ((12, 24, 36), -4, 5)
    assert_same_logits(loaded, lambda x: net(x)["out"])
    images = torch.randn(1, 3, 65, 97)
    with torch.inference_mode():
        found, wanted = loaded.model(images).auxiliary, net(images)["aux"]
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("backbone", ["resnet50", "mobilenet_v2", "separable"])
def test_vainf(tmp_path, backbone):
    separable = backbone == "separable"
    trunk = theirs.vainf_mobilenet() if backbone != "resnet50" else theirs.layers_of(
        resnet50(weights=None, replace_stride_with_dilation=[False, False, True])
    )  # fmt: skip
    channels = 2048 if backbone == "resnet50" else 320
    net = settled(theirs.VainF(trunk, channels, 7, separable=separable), (65, 65))
    loaded = saved(net, tmp_path / "a.pth", lambda s: {"cur_itrs": 9, "model_state": s})

    spec = loaded.spec
    assert (loaded.family, loaded.unused) == ("VainF DeepLabV3", ())
    assert spec.backbone == ("resnet50" if backbone == "resnet50" else "mobilenet_v2")
    assert (spec.output_stride, spec.rates, spec.separable) == (16, (6, 12, 18), separable)
    assert_same_logits(loaded, net)


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"encoder_name": "resnet18"}, {"backbone": "resnet18", "stages": 4}),
        (
            {"encoder_name": "resnet34", "encoder_depth": 4, "decoder_aspp_separable": True},
            {"backbone": "resnet34", "stages": 3, "separable": True},
        ),
        ({"encoder_name": "resnet18", "encoder_depth": 3}, {"stages": 2}),
        ({"encoder_name": "mobilenet_v2"}, {"mobilenet": "to_1280"}),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_segmentation_models(tmp_path, options, fields):
    smp = pytest.importorskip("segmentation_models_pytorch")
    net = settled(smp.DeepLabV3(encoder_weights=None, classes=4, **options))
    loaded = saved(net, tmp_path / "a.pth")

    assert loaded.family == "segmentation_models.pytorch DeepLabV3"
    assert {name: getattr(loaded.spec, name) for name in fields} == fields
    assert (loaded.spec.align_corners, loaded.spec.dilation) == (True, "full")
    assert all(key.startswith(("backbone.layer3.", "backbone.layer4.")) for key in loaded.unused)
    assert_same_logits(loaded, net, sizes=((64, 96),))

    pixels = picture(61, 90)
    with torch.inference_mode():
        logits = net(as_input(pixels, *IMAGENET, multiple=8))[0]
    assert_predicts(Predictor.of(loaded, "cpu"), pixels, logits)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_file_of_segmentation_models_with_one_output_has_two_classes(tmp_path):
    smp = pytest.importorskip("segmentation_models_pytorch")
    net = settled(smp.DeepLabV3("resnet18", encoder_weights=None, classes=1))
    old = {
        k.replace("decoder.aspp.", "decoder.0.").replace("decoder.conv.", "decoder.1.")
        .replace("decoder.bn.", "decoder.2."): v for k, v in net.state_dict().items()
    }  # fmt: skip
    torch.save({"state_dict": old}, tmp_path / "a.pth")
    loaded = load_checkpoint(tmp_path / "a.pth")
    images = torch.randn(1, 3, 64, 64)

    with torch.inference_mode():
        found, wanted = loaded.model(images).main, net(images)

    assert loaded.spec.classes.names == ("background", "object")
    assert "probability of one half" in loaded.notes[0]
    torch.testing.assert_close(found[:, 1:], wanted, atol=1e-4, rtol=1e-4)
    assert torch.equal(found.argmax(1) == 1, (wanted.sigmoid() > 0.5)[:, 0])


@pytest.mark.parametrize(("depth", "stem"), [(18, "deep64"), (50, "7x7")])
def test_mmsegmentation(tmp_path, depth, stem):
    net = settled(theirs.MMSegmentation(depth, deep=stem == "deep64", channels=24, classes=6))
    loaded = saved(net, tmp_path / "a.pth", lambda s: {"meta": {"epoch": 1}, "state_dict": s})

    spec = loaded.spec
    assert (loaded.family, loaded.unused) == ("mmsegmentation DeepLabV3", ())
    assert (spec.backbone, spec.stem, spec.output_stride) == (f"resnet{depth}", stem, 8)
    assert (spec.image_pool, spec.project_kernel, spec.decoder) == ("first", 3, "none")
    assert (spec.aspp_channels, spec.auxiliary_channels) == (24, 12)
    assert_same_logits(loaded, net)
    images = torch.randn(1, 3, 65, 65)
    with torch.inference_mode():
        found, wanted = loaded.model(images).auxiliary, net.auxiliary(images)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_kazuto1011(tmp_path):
    net = settled(theirs.Kazuto1011((3, 4, 6, 3), 7))
    loaded = saved(net, tmp_path / "a.pth")

    spec = loaded.spec
    assert (loaded.family, loaded.unused) == ("kazuto1011 DeepLabV3", ())
    assert (spec.backbone, spec.stride_in, spec.ceil_pool) == ("resnet50", "1x1", True)
    assert (spec.multi_grid, spec.rates, spec.dilation) == ((1, 2, 4), (6, 12, 18), "full")
    assert_same_logits(loaded, net)

    net.layer1.conv1.bn.running_var *= 60**2  # as wide as pixels in 0..255
    loaded = saved(net, tmp_path / "b.pth")
    pixels = picture(66, 91)
    mean = torch.tensor([104.008, 116.669, 122.675])
    blue_first = torch.tensor(pixels[..., ::-1].copy()).float() - mean
    with torch.inference_mode():
        logits = net(blue_first.permute(2, 0, 1)[None])[0]
    assert_predicts(Predictor.of(loaded, "cpu"), pixels, logits)


def test_kazuto1011_within_its_multi_scale_wrapper(tmp_path):
    net = settled(theirs.Kazuto1011((3, 4, 6, 3), 7))
    wrap = lambda state: {f"module.base.{k}": v for k, v in state.items()}  # noqa: E731
    loaded = saved(net, tmp_path / "a.pth", wrap)

    assert (loaded.family, loaded.unused) == ("kazuto1011 DeepLabV3", ())
    assert any("one scale is read" in note for note in loaded.notes)
    assert_same_logits(loaded, net)


def test_rates_follow_an_assumed_output_stride(tmp_path):
    trunk = theirs.layers_of(resnet50(weights=None))
    net = theirs.VainF(trunk, 2048, 7, separable=False)
    path = tmp_path / "a.pth"
    torch.save({"model_state": net.state_dict()}, path)

    assert load_checkpoint(path).spec.rates == (6, 12, 18)
    wide = load_checkpoint(path, {"output_stride": "8"})
    assert (wide.spec.rates, "rates" in wide.assumed) == ((12, 24, 36), True)
    own = load_checkpoint(path, {"output_stride": "8", "rates": "5,10,15"})
    assert (own.spec.rates, "rates" in own.assumed) == ((5, 10, 15), False)


def test_rates_that_are_a_familys_own_do_not_follow(tmp_path):
    torch.save(theirs.Kazuto1011((3, 4, 6, 3), 7).state_dict(), tmp_path / "a.pth")

    assert load_checkpoint(tmp_path / "a.pth", {"output_stride": "16"}).spec.rates == (6, 12, 18)


def test_googles_graph(tmp_path):
    net = settled(theirs.Google(9), (65, 65))
    loaded = saved(net, tmp_path / "a.pth")

    spec = loaded.spec
    assert (loaded.family, loaded.unused) == ("Google DeepLabV3", ())
    assert (spec.rates, spec.image_pool, spec.output_stride) == ((), "first", 16)
    assert "classes" in loaded.assumed
    assert_same_logits(loaded, net, sizes=((65, 97), (49, 33)))


def test_the_real_file_names_cars_in_a_street(shared):
    loaded = load_checkpoint(shared / "weights" / "deeplabv3_mobilenetv2_voc21.safetensors")
    predictor = Predictor.of(loaded, "cpu")
    frames = sorted((shared / "data" / "camvid" / "images" / "val").glob("*.jpg"))
    pixels = decode_image(frames[len(frames) // 2]).pixels

    labels = predictor.predict(predictor.set_image(pixels)).labels

    assert (loaded.family, loaded.unused) == ("Google DeepLabV3", ())
    assert "classes" not in loaded.assumed
    assert loaded.spec.classes.find("car").id == 7
    assert loaded.spec.classes.find("tvmonitor").colour == (0, 64, 128)
    assert (labels == 7).mean() > 0.005


def test_a_list_of_names_that_is_nested_without_end_is_refused(tmp_path):
    keys = ("aspp0.0.weight", "pool.0.weight", "proj.0.weight", "logits.weight")
    tensors = {key: torch.ones(2, 2, 1, 1) for key in (*keys, "backbone.17.conv.3.weight")}
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(tensors, path, {"classes": "[" * 100_000})
    with pytest.raises(CheckpointError, match=r"can't be used as a model: .*\. Choose"):
        load_checkpoint(path)


MISFITS = {
    "smp on a ResNet of other widths": (
        {"decoder.aspp.convs.0.0.weight": (4, 77, 1, 1), "segmentation_head.0.weight": (2, 4, 1, 1),
         **{f"encoder.layer{layer}.{block}.conv1.weight": (1, 1, 1, 1)
            for layer in (1, 2, 3, 4) for block in (0, 1)}},
        "its encoder is of another kind, and",
    ),
    "VainF's DeepLabV3+": ({"classifier.aspp.convs.0.0.weight": (4, 8, 1, 1)}, "DeepLabV3+"),
    "smp's DeepLabV3+": (
        {"decoder.aspp.0.convs.0.0.weight": (4, 8, 1, 1),
         "segmentation_head.0.weight": (2, 4, 1, 1)},
        "DeepLabV3+",
    ),
    "mmsegmentation's DeepLabV3+": (
        {"decode_head.aspp_modules.0.conv.weight": (4, 8, 1, 1),
         "decode_head.image_pool.1.conv.weight": (4, 8, 1, 1),
         "decode_head.sep_bottleneck.0.depthwise_conv.conv.weight": (4, 1, 3, 3)},
        "DeepLabV3+",
    ),
    "smp on another encoder": (
        {"decoder.aspp.convs.0.0.weight": (4, 8, 1, 1), "segmentation_head.0.weight": (2, 4, 1, 1),
         "encoder.model.conv.weight": (4, 3, 3, 3)},
        "its encoder is a network of timm, and ResNet-18 to 152 and MobileNetV2",
    ),
    "VainF's HRNet": (
        {"classifier.classifier.0.convs.0.0.weight": (4, 8, 1, 1),
         "backbone.layer1.0.conv1.weight": (4, 3, 1, 1)},
        "neither a ResNet nor MobileNetV2",
    ),
    "mmsegmentation on a narrow MobileNetV2": (
        {"decode_head.aspp_modules.0.conv.weight": (4, 8, 1, 1),
         "decode_head.image_pool.1.conv.weight": (4, 8, 1, 1),
         "backbone.layer7.0.conv.0.conv.weight": (480, 80, 1, 1)},
        "of another width",
    ),
    "torchvision without blocks": (
        {"classifier.0.convs.0.0.weight": (4, 8, 1, 1), "classifier.4.weight": (2, 4, 1, 1)},
        "shapes that no such network has",
    ),
    "kazuto1011 with one rate": (
        {"aspp.stages.c0.conv.weight": (4, 8, 1, 1), "fc2.weight": (2, 4, 1, 1)},
        "three atrous branches",
    ),
    "a graph of another backbone": (
        {f"{part}.weight": (4, 8, 1, 1) for part in ("aspp0.0", "pool.0", "proj.0", "logits")},
        "not MobileNetV2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_misfits_are_refused_in_one_sentence(tmp_path, name):
    shapes, reason = MISFITS[name]
    torch.save({k: torch.zeros(shape) for k, shape in shapes.items()}, tmp_path / "odd.pth")

    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "odd.pth")

    message = str(caught.value)
    assert message.startswith("odd.pth can't be used as a model: ")
    assert reason in message


def test_unknown_keys_are_reported(tmp_path):
    net = theirs.Google(3)
    state = {**net.state_dict(), "decoder.extra": torch.zeros(2)}
    torch.save(state, tmp_path / "a.pth")

    loaded = load_checkpoint(tmp_path / "a.pth")

    assert loaded.unused == ("decoder.extra",)
    assert "decoder.extra" in loaded.notes[-1]


def test_the_oracle_of_mobilenet_differs_from_torchvisions():
    """Padding before the first 1x1 is what that family's logits hang on."""
    plain, padded = mobilenet_v2(weights=None).features[3], theirs.vainf_mobilenet()
    block = padded.low_level_features[3]
    nn.init.constant_(block.conv[0][1].bias, 1.0)
    plain.conv.load_state_dict(block.conv.state_dict())
    images = torch.randn(1, 24, 9, 9)

    with torch.inference_mode():
        found, other = block.eval()(images), plain.eval()(images)

    assert torch.allclose(found[..., 1:-1, 1:-1], other[..., 1:-1, 1:-1], atol=1e-5)
    assert not torch.allclose(found, other, atol=1e-3)
