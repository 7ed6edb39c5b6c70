"""DeepLabV3: its options, its maps, what it refuses, and a few steps of training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles import settled
from pydantic import ValidationError
from torch import nn

from pspgui.inference.heads import build_head
from pspgui.labels.classes import CAMVID
from pspgui.models.architectures import build_network, parse_spec
from pspgui.models.checkpoints import load_checkpoint
from pspgui.models.deeplabv3 import DeepLabV3, DeepLabV3Spec, usual_rates
from pspgui.models.spec import SizeRule
from pspgui.training.datasets import LabelledImage
from pspgui.training.frozen_norms import freeze_norms
from pspgui.training.loop import LAST, Trainer, TrainingSet
from pspgui.training.recipe import Recipe


def spec(**fields: object) -> DeepLabV3Spec:
    small = {"backbone": "resnet18", "aspp_channels": 8, "output_stride": 16, "classes": CAMVID}
    return DeepLabV3Spec.model_validate({**small, **fields})


def logits(net: DeepLabV3, size: tuple[int, int] = (33, 49)) -> torch.Tensor:
    torch.manual_seed(0)
    with torch.inference_mode():
        return net(torch.randn(1, 3, *size)).main


@pytest.mark.parametrize(
    ("stride", "rates"), [(8, (12, 24, 36)), (16, (6, 12, 18)), (32, (3, 6, 9))]
)
def test_rates_follow_the_output_stride_unless_given(stride, rates):
    assert spec(output_stride=stride).rates == usual_rates(stride) == rates
    assert spec(output_stride=stride, rates=(2, 4)).rates == (2, 4)
    assert spec(output_stride=16).changed(output_stride=8).rates == (6, 12, 18)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"image_pool": "first", "project_kernel": 3, "decoder": "none", "stem": "deep64"},
        {"image_pool": "none", "rates": (3,), "separable": True, "decoder": "separable"},
        {"rates": (), "auxiliary": False},
        {"cascade": 3, "aspp": False, "multi_grid": (1, 2)},
        {"backbone": "mobilenet_v2", "mobilenet": "pads_input"},
        {"backbone": "mobilenet_v2", "mobilenet": "to_1280"},
        {"backbone": "mobilenet_v3_large", "auxiliary_stage": -4},
        {"stages": 2, "output_stride": 8},
    ],
)
def test_every_option_gives_logits_of_the_images_size_and_survives_json(fields):
    made = spec(**fields)
    net = settled(build_network(made))

    with torch.inference_mode():
        scores = net(torch.randn(1, 3, 33, 49))

    assert scores.main.shape == (1, 11, 33, 49)
    assert (scores.auxiliary is None) != made.auxiliary
    if made.auxiliary:
        assert scores.auxiliary.shape == (1, 11, 33, 49)
    assert parse_spec(made.model_dump_json()) == made


def test_the_maps_are_the_branches_and_their_projection():
    net = settled(DeepLabV3(spec(rates=(2, 4))))
    with torch.inference_mode():
        stages = net.backbone(torch.randn(1, 3, 33, 49), 1)
        maps = net.cells(stages, (33, 49)).maps

    branches = ["ASPP 1×1", "ASPP rate 2", "ASPP rate 4", "Image pool"]
    assert list(maps) == [*branches, "Project", "Decoder"]
    assert maps["Image pool"].shape == (1, 8, 1, 1)
    assert {m.shape[-2:] for t, m in maps.items() if t != "Image pool"} == {(3, 4)}


@pytest.mark.parametrize(("place", "at"), [("first", 0), ("last", 3)])
def test_the_pooled_image_is_concatenated_where_the_spec_says(place, at):
    net = settled(DeepLabV3(spec(rates=(2, 4), image_pool=place)))
    with torch.inference_mode():
        net.project[0].weight.zero_()
        net.project[0].weight[:, 8 * at : 8 * at + 8] = 1.0
        features = net.backbone(torch.randn(1, 3, 33, 49), 1)
        projected = net.cells(features, (33, 49)).maps["Project"]

    assert torch.equal(projected, projected[..., :1, :1].expand_as(projected))


def test_a_separable_branch_has_far_fewer_weights():
    plain, separable = (DeepLabV3(spec(separable=s)).aspp.branches[1] for s in (False, True))

    assert plain[0].weight.shape == (8, 512, 3, 3)
    assert [tuple(separable[n].weight.shape) for n in (0, 1)] == [(512, 1, 3, 3), (8, 512, 1, 1)]
    assert separable[0].dilation == plain[0].dilation == (6, 6)


def test_the_head_for_inference_gives_the_same_scores():
    net = settled(DeepLabV3(spec(separable=True, decoder="separable")))
    head = build_head(net, "cpu")
    torch.manual_seed(0)
    images = torch.randn(1, 3, 33, 49)

    with torch.inference_mode():
        found = head.scores(head.trunk(images))
        expected = net.cells(net.backbone(images, 2), (33, 49)).scores[0]

    assert not any(isinstance(m, nn.BatchNorm2d) for m in head.trunk.modules())
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_corners_matter_to_the_logits():
    net = settled(DeepLabV3(spec()))
    aligned = settled(DeepLabV3(spec(align_corners=True)))
    aligned.load_state_dict(net.state_dict())

    assert not torch.allclose(logits(net), logits(aligned))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"rates": (6, 6)}, "rates must differ"),
        ({"rates": (1, 2)}, "greater than or equal to 2"),
        ({"backbone": "mobilenet_v2", "cascade": 1}, "last layer of a ResNet"),
        ({"mobilenet": "to_1280"}, "MobileNetV2"),
        ({"backbone": "mobilenet_v2", "stem": "deep64"}, "no deep stem"),
        ({"stages": 3, "output_stride": 32}, "3 stages reach stride 16"),
    ],
)
def test_a_spec_that_cannot_be_built_is_refused(fields, sentence):
    with pytest.raises(ValidationError, match=sentence):
        spec(**fields)


class Halves:
    """A source of pictures that are dark on the left and bright on the right."""

    def __len__(self) -> int:
        return 6

    def read(self, index: int) -> LabelledImage:
        labels = np.zeros((33, 33), np.uint8)
        labels[:, 16:] = 1
        noise = np.random.default_rng(index).integers(0, 60, (33, 33, 3))
        return LabelledImage((labels[..., None] * 180 + noise).astype(np.uint8), labels)


def test_three_steps_train_the_heads_at_ten_times_the_backbones_rate(tmp_path):
    torch.manual_seed(0)
    net = DeepLabV3(spec(size_rule=SizeRule(multiple=16, offset=1)))
    before = {k: v.clone() for k, v in net.named_parameters()}
    samples = TrainingSet(Halves(), None, None, (33, 33), "halves")
    trainer = Trainer(net, Recipe(epochs=1, batch=2, learning_rate=0.01), samples, tmp_path)
    reports = []

    trainer.fit(reports.append)

    backbone, heads = trainer.optimizer.param_groups
    assert (backbone["base"], heads["base"]) == (0.01, 0.1)
    assert {id(p) for p in heads["params"]} == {
        id(p) for part in (net.aspp, net.project, net.decoder, net.classifier, net.auxiliary)
        for p in part.parameters()
    }  # fmt: skip
    assert trainer.run.step == 3
    assert all(np.isfinite(report.loss) for report in reports)
    assert all(not torch.equal(v, before[k]) for k, v in net.named_parameters())
    loaded = load_checkpoint(tmp_path / LAST)
    assert (loaded.family, loaded.spec.architecture) == ("pspgui", "deeplabv3")


def test_frozen_norms_keep_statistics_and_weights_while_the_rest_learns():
    torch.manual_seed(0)
    net = DeepLabV3(spec()).train()
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [(n.running_mean.clone(), n.weight.clone()) for n in norms]
    freeze_norms(net)
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)

    net(torch.randn(1, 3, 33, 33)).main.square().mean().backward()
    optimizer.step()

    assert net.training
    for norm, (mean, weight) in zip(norms, before, strict=True):
        assert torch.equal(norm.running_mean, mean)
        assert torch.equal(norm.weight, weight)
    assert net.classifier.weight.grad is not None


def test_labels_of_a_picture_are_predicted_at_its_size():
    net = settled(DeepLabV3(spec()))

    labels = logits(net, (40, 70)).argmax(1).numpy()

    assert labels.shape == (1, 40, 70)
    assert np.unique(labels).size > 1
