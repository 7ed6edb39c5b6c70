"""Balancing: shifts undo a bias that was put in, and leave a balanced model alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.models.pspnet import PSPNetSpec
from pspgui.models.segmenter import Scores
from pspgui.training.balance import shift_biases, tuned_biases
from pspgui.training.datasets import LabelledImage
from pspgui.training.evaluation import plain_predictor

THREE = ClassTable(tuple(LabelClass(i, f"class {i}", (i, i, i)) for i in range(3)))


class ByColour(nn.Module):
    """Stands for a network: the class of a pixel is its strongest colour."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = PSPNetSpec(classes=THREE)
        self.classifier = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.classifier.weight.copy_(torch.eye(3)[:, :, None, None])
            self.classifier.bias.zero_()
        self.eval()

    def forward(self, images: Tensor) -> Scores:
        return Scores(self.classifier(images), None)


class OwnOpinion:
    """Noise pictures, labelled by what a network itself says of them, two rows unlabelled."""

    def __init__(self, model: nn.Module) -> None:
        self.samples = []
        for seed in range(3):
            pixels = np.random.default_rng(seed).integers(0, 256, (33, 49, 3)).astype(np.uint8)
            labels = plain_predictor(model)(pixels)
            labels[:2] = 255
            self.samples.append(LabelledImage(pixels, labels))

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> LabelledImage:
        return self.samples[index]


def test_a_bias_put_in_is_taken_out_again():
    model = ByColour()
    source = OwnOpinion(model)
    shift_biases(model, np.array([0.75, 0, -0.5], np.float32))

    shifts, before, after = tuned_biases(model, source, stride=1)
    shift_biases(model, shifts)

    predict = plain_predictor(model)
    agree = np.mean([(predict(s.pixels) == s.labels)[2:].mean() for s in source.samples])
    assert before < 0.8
    assert after > before
    assert agree > 0.97


def test_a_model_that_is_right_is_left_alone():
    model = ByColour()

    shifts, before, after = tuned_biases(model, OwnOpinion(model), stride=2)

    assert (before, after) == (1.0, 1.0)
    assert not shifts.any()
