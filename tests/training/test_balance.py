"""Balancing: shifts undo a bias that was put in, and leave a balanced model alone."""

from __future__ import annotations

import numpy as np
import torch

from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.models.pspnet import PSPNet
from pspgui.models.spec import ModelSpec, SizeRule
from pspgui.training.balance import shift_biases, tuned_biases
from pspgui.training.datasets import LabelledImage
from pspgui.training.evaluation import plain_predictor

THREE = ClassTable(tuple(LabelClass(i, f"class {i}", (i, i, i)) for i in range(3)))


class OwnOpinion:
    """Noise pictures, labelled by what a network itself says of them."""

    def __init__(self, model: PSPNet) -> None:
        predict = plain_predictor(model)
        self.samples = []
        for seed in range(3):
            pixels = np.random.default_rng(seed).integers(0, 256, (33, 49, 3)).astype(np.uint8)
            labels = predict(pixels)
            labels[:2] = 255
            self.samples.append(LabelledImage(pixels, labels))

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> LabelledImage:
        return self.samples[index]


def network() -> PSPNet:
    """An untrained network whose classes are about equally frequent on noise."""
    torch.manual_seed(5)
    spec = ModelSpec(classes=THREE, bottleneck_channels=8, auxiliary=False,
                     size_rule=SizeRule(multiple=16, offset=1))  # fmt: skip
    model = PSPNet(spec).eval()
    scores = []
    hook = model.classifier.register_forward_hook(lambda m, i, o: scores.append(o))
    plain_predictor(model)(np.random.default_rng(9).integers(0, 256, (33, 49, 3)).astype("u1"))
    hook.remove()
    with torch.no_grad():
        # Logits of mean 0 and deviation 2 in every class.
        scale = 2 / scores[0].std((0, 2, 3))
        offset = scores[0].mean((0, 2, 3)) - model.classifier.bias
        model.classifier.weight.mul_(scale[:, None, None, None])
        model.classifier.bias.copy_(-offset * scale)
    return model


def test_a_bias_put_in_is_taken_out_again():
    model = network()
    source = OwnOpinion(model)
    shift_biases(model, np.array([0.5, 0, 0], np.float32))

    shifts, before, after = tuned_biases(model, source, stride=1)
    shift_biases(model, shifts)

    predict = plain_predictor(model)
    agree = np.mean([(predict(s.pixels) == s.labels)[2:].mean() for s in source.samples])
    assert before < 0.99
    assert after > before
    assert agree > 0.97


def test_a_model_that_is_right_is_left_alone():
    model = network()

    shifts, before, after = tuned_biases(model, OwnOpinion(model), stride=2)

    assert (before, after) == (1.0, 1.0)
    assert not shifts.any()
