"""Networks of a few lines, for tests of how pictures are shown to a network."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it

from pspgui.inference.errors import ImageTooLargeError
from pspgui.inference.modes import CellScores
from pspgui.labels.classes import ClassTable, LabelClass
from pspgui.models.spec import SizeRule

MEAN = (0.485, 0.456, 0.406)


def class_table(classes):
    """Return a table of so many classes."""
    return ClassTable(tuple(LabelClass(i, f"class {i}", (0, i // 256, i % 256))
                            for i in range(classes)), ignore=65535)  # fmt: skip


class FakeScorer:
    """What every scorer here has; writes down the shapes it was shown."""

    device = "cpu"

    def __init__(self, classes=4, stride=8, offset=1, align_corners=True):
        self.classes = class_table(classes)
        self.spec = SimpleNamespace(
            normalisation=SimpleNamespace(mean=MEAN),
            size_rule=SizeRule(multiple=stride, offset=offset),
            output_stride=stride,
            align_corners=align_corners,
        )
        self.shown = []

    def _padded(self, pixels):
        self.shown.append(pixels.shape[:2])
        height, width = pixels.shape[:2]
        rule = self.spec.size_rule
        seen = rule.padded(height), rule.padded(width)
        whole = np.empty((*seen, 3), np.float32)
        whole[:] = np.asarray(MEAN, np.float32) * 255
        whole[:height, :width] = pixels
        return whole


class ConvolutionScorer(FakeScorer):
    """A seeded network: a strided convolution, the global mean, a 3x3; context and all."""

    def __init__(self, classes=4, stride=8, offset=1, align_corners=True):
        super().__init__(classes, stride, offset, align_corners)
        random = torch.Generator().manual_seed(3)
        self._first = torch.randn((6, 3, stride, stride), generator=random) / stride
        self._last = torch.randn((classes, 12, 3, 3), generator=random) / 2

    def scores(self, normalised):
        """Return (1, N, h, w) logits of a (1, 3, H, W) float32 input; the sizes obey the rule."""
        stride = self.spec.output_stride
        missing = (-normalised.shape[3]) % stride, (-normalised.shape[2]) % stride
        hidden = F.conv2d(F.pad(normalised, (0, missing[0], 0, missing[1])), self._first,
                          stride=stride).tanh()  # fmt: skip
        context = hidden.mean(dim=(2, 3), keepdim=True).expand_as(hidden)
        return F.conv2d(torch.cat([hidden, context], 1), self._last, padding=1)

    def cell_scores(self, pixels, cancelled=None):
        """One pass."""
        whole = self._padded(pixels)
        normalised = (torch.from_numpy(whole) / 255 - torch.tensor(MEAN)) / 0.25
        scores = self.scores(normalised.permute(2, 0, 1)[None])[0].numpy()
        return CellScores(scores, whole.shape[:2], pixels.shape[:2], self.spec.align_corners)


class CentreScorer(FakeScorer):
    """Scores are an exact function of the pixel at the cell's centre: its channels, and their sum.

    Where a centre lies between pixels, of the mean of the two or four around it.
    """

    def __init__(self, stride=8, offset=1, align_corners=True):
        super().__init__(4, stride, offset, align_corners)

    def cell_scores(self, pixels, cancelled=None):
        """One pass."""
        whole = self._padded(pixels)
        places = []
        for size in whole.shape[:2]:
            cells = -(-size // self.spec.output_stride)
            i = np.arange(cells)
            places.append(i * ((size - 1) / max(1, cells - 1)) if self.spec.align_corners
                          else (i + 0.5) * size / cells - 0.5)  # fmt: skip
        ys, xs = ((np.floor(p).astype(int), np.ceil(p).astype(int)) for p in places)
        at = sum(whole[np.ix_(y, x)] for y in ys for x in xs) / 4
        return CellScores(self.function(at), whole.shape[:2], pixels.shape[:2],
                          self.spec.align_corners)  # fmt: skip

    @staticmethod
    def function(pixels):
        """Return (4, H, W) scores of pixels (H, W, 3)."""
        channels = np.moveaxis(np.asarray(pixels, np.float32), -1, 0)
        return np.concatenate([channels, channels.sum(axis=0, keepdims=True) / 2])


class NoiseScorer(FakeScorer):
    """Random scores of the right shape, quickly, for measuring all but the network."""

    def __init__(self, classes=150, stride=8, largest=None):
        super().__init__(classes, stride)
        self._random = np.random.default_rng(0)
        self._largest = largest

    def cell_scores(self, pixels, cancelled=None):
        """One pass; refuses pictures above the largest side, as a full memory would."""
        self.shown.append(pixels.shape[:2])
        if self._largest is not None and max(pixels.shape[:2]) > self._largest:
            raise ImageTooLargeError("The memory ran out.")
        rule, stride = self.spec.size_rule, self.spec.output_stride
        seen = rule.padded(pixels.shape[0]), rule.padded(pixels.shape[1])
        grid = -(-seen[0] // stride), -(-seen[1] // stride)
        scores = self._random.random((len(self.classes), *grid), np.float32)
        return CellScores(scores, seen, pixels.shape[:2], True)


def picture(height, width, seed=0):
    """Return (H, W, 3) uint8: a smooth scene with noise over it."""
    random = np.random.default_rng(seed)
    coarse = torch.from_numpy(random.random((1, 3, 5, 6), np.float32) * 200)
    smooth = F.interpolate(coarse, (height, width), mode="bicubic")[0].permute(1, 2, 0).numpy()
    noise = random.integers(0, 50, (height, width, 3))
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)
