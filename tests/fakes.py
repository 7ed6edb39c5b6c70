"""Stand-ins with the surface of the real thing, for tests that need no network and no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pspgui.evidence.readings import LevelReading, PyramidEvidence, Target
from pspgui.geometry import Pixel, Rect
from pspgui.inference.activations import Prediction, Stamp


def fake_image(height=60, width=80, seed=0):
    """Return (H, W, 3) uint8 noise, read-only as decoded images are."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    pixels.setflags(write=False)
    return pixels


def fake_prediction(labels, classes=11):
    """Return a prediction whose labels are given and whose scores are one cell of zeros."""
    labels = np.ascontiguousarray(labels)
    return Prediction(
        labels=labels, scores=np.zeros((classes, 1, 1), np.float32), shape=labels.shape,
        padded_shape=labels.shape, align_corners=True, stamp=Stamp("fake", "none"), seconds=0.0,
    )  # fmt: skip


@dataclass
class FakeEvidence:
    """An evidence engine that writes down what it was asked, and answers with one 1 x 1 level."""

    asked: list = field(default_factory=list)

    def at(self, pixel, target=None):
        """Answer at once; the amounts add up."""
        self.asked.append((pixel, target))
        one = np.ones((1, 1))
        region = Rect(0, 0, 60, 80)
        level = LevelReading(one, one, one > 0, ((region,),))
        return PyramidEvidence(
            Pixel(*pixel), target or Target(1, 0), 3.0, 0.5, 1.5, region, {1: level}
        )


class Listener:
    """Collects what a signal sends."""

    def __init__(self, signal):
        self.heard = []
        signal.connect(self._hear)

    def _hear(self, *values):
        self.heard.append(values[0] if len(values) == 1 else values)

    def __len__(self):
        return len(self.heard)
