"""Every network beside PSPNet learns a few steps, is kept, and predicts; image-level labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from oracles import picture

from pspgui.inference.predictor import Predictor
from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.models.architectures import build_network
from pspgui.models.dilated_fcn import DilatedFCNSpec
from pspgui.models.fcn import FCNSpec
from pspgui.models.fcn_stages import FCNStagesSpec
from pspgui.models.pspnet_upsample import PSPUpsampleSpec
from pspgui.models.segmenter import Scores
from pspgui.training.datasets import LabelledImage
from pspgui.training.loop import LAST, Trainer, TrainingSet, classes_held
from pspgui.training.recipe import Recipe

TWO = ClassTable((LabelClass(0, "dark", (0, 0, 0)), LabelClass(1, "bright", (255, 255, 255))))
SPECS = {
    "dilated_fcn": DilatedFCNSpec(classes=TWO, backbone="mobilenet_v2", head_channels=8),
    "fcn": FCNSpec(classes=TWO, hidden_channels=8),
    "fcn_stages": FCNStagesSpec(classes=TWO, backbone="mobilenet_v2"),
    "psp_upsample": PSPUpsampleSpec(
        classes=TWO, backbone="mobilenet_v2", bottleneck_channels=16, stage_channels=(8, 8, 8)
    ),
}


class Halves:
    """Six pictures, bright on the right."""

    def __len__(self) -> int:
        return 6

    def read(self, index: int) -> LabelledImage:
        labels = np.zeros((41, 37), np.uint8)
        labels[:, 10 + index :] = 1
        noise = np.random.default_rng(index).integers(0, 60, (*labels.shape, 3))
        return LabelledImage((labels[..., None] * 180 + noise).astype(np.uint8), labels)


def trainer(name: str, folder, **recipe: object) -> Trainer:
    torch.manual_seed(7)
    samples = TrainingSet(Halves(), None, None, (41, 37), "halves")
    chosen = Recipe.model_validate({"epochs": 1, "batch": 2, "learning_rate": 0.001} | recipe)
    return Trainer(build_network(SPECS[name]), chosen, samples, folder)


@pytest.fixture
def narrow_vgg(monkeypatch):
    """VGG16 of the same geometry with few channels, since FCN pads any picture to some 240."""
    groups = ((2, 4), (2, 8), (3, 8), (3, 16), (3, 16))
    monkeypatch.setattr("pspgui.models.backbones.vgg._GROUPS", groups)


@pytest.mark.parametrize("name", SPECS)
def test_a_network_learns_three_steps_is_kept_and_predicts(tmp_path, narrow_vgg, name):
    run = trainer(name, tmp_path)
    before = {k: v.clone() for k, v in run.model.state_dict().items()}
    losses = []

    run.fit(lambda progress: losses.append(progress.loss))

    after = run.model.state_dict()
    still = {k for k in after if k.endswith("weight") and torch.equal(before[k], after[k])}
    frozen = {f"{k}.weight" for k in ("doubling.0", "doubling.1", "last")}
    assert run.run.step == 3
    assert np.isfinite(losses).all()
    assert still == (frozen if name == "fcn" else set())

    predictor = Predictor.load(tmp_path / LAST, "cpu")
    found = predictor.predict(predictor.set_image(picture(35, 29)))

    assert predictor.spec.architecture == name
    assert found.labels.shape == (35, 29)
    with torch.inference_mode():
        rule = predictor.spec.size_rule
        size = rule.padded(35), rule.padded(29)
        assert run.model.eval()(torch.zeros(1, 3, *size)).main.shape == (1, 2, *size)


def test_the_classes_that_a_label_map_holds_leave_out_what_is_ignored():
    labels = torch.tensor([[[0, 2], [255, 2]], [[255, 255], [255, 255]], [[3, 1], [0, 2]]])

    assert classes_held(labels, 4).tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_the_image_level_loss_is_added_with_its_weight(tmp_path, weight):
    run = trainer("psp_upsample", tmp_path, image_level_weight=weight)
    scores = Scores(torch.randn(2, 2, 4, 5), image_level=torch.randn(2, 2))
    labels = torch.ones(2, 4, 5, dtype=torch.int64)
    labels[1] = 0

    found = run._whole_loss(scores, labels)

    held = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    p = scores.image_level.sigmoid()
    whole = -(held * p.log() + (1 - held) * (1 - p).log()).mean()
    expected = F.cross_entropy(scores.main, labels) + weight * whole
    assert float(found) == pytest.approx(float(expected))


def test_a_recipe_of_before_image_levels_is_the_same_recipe():
    recipe = Recipe()
    old = recipe.model_dump(mode="json")
    del old["image_level_weight"]

    assert Recipe.model_validate(old) == recipe
