"""What a person says of a checkpoint, files that do not fit, and weights to start from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from outside import as_mmseg, save_mmseg, small_psp

from pspgui.labels.palettes import palette
from pspgui.models.checkpoints import CheckpointError, load_checkpoint
from pspgui.models.checkpoints.overrides import AssumptionError, choices, override, phrase
from pspgui.models.checkpoints.starting import starting_tensors
from pspgui.models.light_torchvision import models
from pspgui.models.pspnet import PSPNet, PSPNetSpec


@pytest.fixture(scope="module")
def outside(tmp_path_factory) -> Path:
    return save_mmseg(tmp_path_factory.mktemp("outside") / "iter_1.pth", small_psp(19))


def test_without_a_word_the_family_and_the_number_of_outputs_decide(outside):
    loaded = load_checkpoint(outside)

    assert loaded.spec.classes == palette("cityscapes19")
    assert {"align_corners", "levels", "classes", "normalisation"} <= set(loaded.assumed)
    assert loaded.chosen == ()
    assert any("cityscapes19" in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [("align_corners", "true", True), ("output_stride", "16", 16),
     ("levels", "1,2,4,8", (1, 2, 4, 8)), ("dilation", "full", "full"),
     ("dropout", "0.5", 0.5), ("multi_grid", "1,2,4", (1, 2, 4))],
)  # fmt: skip
def test_text_sets_a_field(outside, key, text, value):
    loaded = load_checkpoint(outside, {key: text})

    assert getattr(loaded.spec, key) == value
    assert key not in loaded.assumed
    assert loaded.chosen == (key,)
    assert phrase(loaded.spec, key) == text


def test_rules_have_names_and_the_size_rule_follows_the_stride():
    spec = small_psp(5).spec.changed(size_rule={"multiple": 8, "offset": 1})

    assert override(spec, {"normalisation": "unit"}).normalisation.std == (1.0, 1.0, 1.0)
    assert override(spec, {"size_rule": "16n+1"}).size_rule.multiple == 16
    assert override(spec, {"size_rule": "any"}).size_rule.padded(37) == 37
    assert override(spec, {"output_stride": "32"}).size_rule.model_dump() == {
        "multiple": 32, "offset": 1
    }  # fmt: skip
    assert choices(spec, "align_corners") == (True, False)
    assert set(choices(spec, "output_stride")) == {8, 16, 32}


def test_classes_come_from_a_palette_or_a_file_and_must_fit(outside, tmp_path):
    names = {"classes": [{"id": i, "name": f"n{i}", "colour": [i, 0, 0]} for i in range(19)]}
    (tmp_path / "classes.json").write_text(json.dumps(names))

    loaded = load_checkpoint(outside, {"classes": str(tmp_path / "classes.json")})

    assert loaded.spec.classes.names[:2] == ("n0", "n1")
    with pytest.raises(CheckpointError, match="tells 19 apart and this table 21"):
        load_checkpoint(outside, {"classes": "voc2012"})


def test_variances_below_zero_are_refused(tmp_path):
    network = small_psp(19)
    network.bottleneck[1].running_var[0] = -1
    with pytest.raises(CheckpointError, match=r"bottleneck\.1\.running_var holds variances below"):
        load_checkpoint(save_mmseg(tmp_path / "x.pth", network))


@pytest.mark.parametrize(
    ("assume", "reason"),
    [({"aligned": "yes"}, "aligned is no field"), ({"architecture": "fcn"}, "no field"),
     ({"align_corners": "maybe"}, "align_corners: "), ({"output_stride": "12"}, "output_stride: "),
     ({"levels": "1,1"}, "levels"), ({"classes": "nothing.json"}, "classes: "),
     ({"classes": "/etc/passwd"}, "classes: "), ({"classes": "/dev/zero"}, "is not a file"),
     ({"classes": "x" * 999}, "classes: "),
     ({"levels": ""}, "levels: levels must be one or more"), ({"size_rule": "8m"}, "size_rule: "),
     ({"dropout": "[" * 9999}, "dropout: "),
     ({"normalisation": '{"std": [NaN, 1, 1]}'}, "normalisation: "),
     ({"normalisation": '{"std": [1e-300, 1, 1]}'}, "normalisation: "),
     ({"normalisation": '{"mean": [0, Infinity, 0]}'}, "normalisation: ")],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(outside, assume, reason):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(outside, assume)

    message = str(caught.value)
    assert reason in message
    assert "\n" not in message
    assert message.endswith("Change or leave out that assumption.")
    with pytest.raises(AssumptionError):
        override(small_psp(19).spec, assume)


@pytest.mark.parametrize(
    ("assume", "reason"),
    [({"stem": "7x7"}, "deep-stem (32, 32, 64) weights for a 7x7 stem"),
     ({"backbone": "resnet34"}, "is missing"), ({"backbone": "vgg16"}, "no deep stem"),
     ({"levels": "1,2,3"}, "has the shape"), ({"level_channels": "7"}, "has the shape")],
)  # fmt: skip
def test_a_misfit_says_what_it_is(outside, assume, reason):
    with pytest.raises(CheckpointError, match=re.escape(reason)) as caught:
        load_checkpoint(outside, assume)
    assert str(caught.value).endswith("Change or leave out that assumption.")


@pytest.mark.parametrize(
    ("state", "reason"),
    [(lambda: models.resnet18(weights=None).state_dict(), "a bare ResNet-18 backbone"),
     (lambda: models.mobilenet_v2(weights=None).state_dict(), "a bare MobileNetV2 backbone"),
     (lambda: deep_resnet(), "a bare deep-stem ResNet-18 backbone")],
)  # fmt: skip
def test_a_backbone_alone_is_named_and_where_it_is_of_use(tmp_path, state, reason):
    torch.save(state(), tmp_path / "w.pth")

    with pytest.raises(CheckpointError, match=reason + ".*train --init"):
        load_checkpoint(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("key", "reason"),
    [("decode_head.fuse.weight", "mmsegmentation"), ("segmentation_head.0.weight", "smp|models"),
     ("roi_heads.a", "a detector"), ("blocks.0.attn.qkv.weight", "transformer")],
)  # fmt: skip
def test_networks_of_other_kinds_are_named(tmp_path, key, reason):
    torch.save({key: torch.zeros(2)}, tmp_path / "w.pth")

    with pytest.raises(CheckpointError, match=reason):
        load_checkpoint(tmp_path / "w.pth")


def deep_resnet() -> dict[str, torch.Tensor]:
    """A bare ResNet-18 with semseg's stem, in its names."""
    backbone = PSPNet(PSPNetSpec(backbone="resnet18", stem="deep128", classes=palette("camvid")))
    names = {"stem.0": "conv1", "stem.1": "bn1", "stem.3": "conv2", "stem.4": "bn2",
             "stem.6": "conv3", "stem.7": "bn3"}  # fmt: skip
    found = {}
    for key, tensor in backbone.backbone.state_dict().items():
        start = next((n for n in names if key.startswith(f"{n}.")), None)
        found[key if start is None else key.replace(start, names[start], 1)] = tensor
    return found


def test_training_starts_from_a_foreign_network_with_a_new_classifier(outside):
    model = small_psp(11)

    kept, sentence, _ = starting_tensors(outside, model)

    assert set(model.state_dict()) - set(kept) == {
        "classifier.weight", "classifier.bias", "auxiliary.4.weight", "auxiliary.4.bias"
    }  # fmt: skip
    assert "from a network of the family mmsegmentation PSPNet; new: the classifier" in sentence
    assert "tells 19 classes apart and the data set 11" in sentence


def test_training_starts_from_a_bare_deep_stem_and_refuses_another(tmp_path):
    state = deep_resnet()
    torch.save(state, tmp_path / "w.pth")
    spec = PSPNetSpec(backbone="resnet18", stem="deep128", classes=palette("camvid"))

    kept, sentence, _ = starting_tensors(tmp_path / "w.pth", PSPNet(spec))

    assert len(kept) == len(state)
    assert "a bare deep-stem ResNet-18; new: the pyramid" in sentence
    with pytest.raises(CheckpointError, match="deep-stem weights for a 7x7 stem"):
        starting_tensors(tmp_path / "w.pth", PSPNet(spec.changed(stem="7x7")))


def test_our_own_names_come_back_from_theirs():
    model = small_psp(3)

    assert len(as_mmseg(model)) == len(model.state_dict())
