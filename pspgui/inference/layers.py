"""The last layers of a network as plain arrays, for evidence that follows a logit: no torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Layer(NamedTuple):
    """A convolution at unchanged size with its batch norm folded in.

    weight (O, I, k, k), where I is 1 for a depthwise one; bias (O,); float arrays of numpy. In
    memory every tap's (O, I) matrix lies in one piece.
    """

    weight: np.ndarray
    bias: np.ndarray
    dilation: int = 1

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel is convolved by itself."""
        return bool(self.weight.shape[1] == 1 and self.weight.shape[0] > 1)


class Transposed(NamedTuple):
    """A transposed convolution, of whose output the first rows and columns are cut off.

    weight (I, O, k, k), or (C, k, k) where every channel is by itself; bias (O,); `cut` is how
    many rows and columns, a convolution's own padding among them. Output y reads input i through
    tap y + cut - stride i.
    """

    weight: np.ndarray
    bias: np.ndarray
    stride: int
    cut: int


class Resize(NamedTuple):
    """Bilinear interpolation."""

    align_corners: bool


class Rectifier(NamedTuple):
    """A ReLU, or one that lets what is below zero through times `slope` (1,) or (C,)."""

    slope: np.ndarray


class Scale(NamedTuple):
    """A batch norm that no convolution takes in: values times `factor` plus `offset`, both (C,)."""

    factor: np.ndarray
    offset: np.ndarray


Step = Layer | Transposed | Resize | Rectifier | Scale
RELU = Rectifier(np.zeros(1, np.float32))
