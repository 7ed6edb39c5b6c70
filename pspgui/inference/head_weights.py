"""What evidence needs of each kind of last layers, as plain arrays: no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pspgui.inference.activations import HeadWeights
from pspgui.inference.layers import Layer, Rectifier, Scale, Transposed


@dataclass(frozen=True, eq=False)
class ASPPWeights(HeadWeights):
    """The layers between features and logits of a DeepLabV3, batch norms folded in.

    classifier (N, C) and classifier_bias (N,); `branches` by title, in the order of the
    concatenation that the one layer of `project` reads; `decoder` is empty where there is none.
    After every branch, `project` and `decoder` comes a ReLU. `pool` is the title of the branch
    that reads the pooled image, "" for none.
    """

    classifier: np.ndarray
    classifier_bias: np.ndarray
    branches: dict[str, tuple[Layer, ...]]
    project: tuple[Layer, ...]
    decoder: tuple[Layer, ...]
    pool: str


@dataclass(frozen=True, eq=False)
class ConvolutionWeights(HeadWeights):
    """Convolutions between features and logits, each followed by a ReLU, batch norms folded in.

    classifier (N, C) and classifier_bias (N,). The map after each of `layers` is among the
    activations' maps, under the title in `titles`.
    """

    classifier: np.ndarray
    classifier_bias: np.ndarray
    layers: tuple[Layer, ...]
    titles: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class JointWeights(ConvolutionWeights):
    """The same where one more convolution, `joint`, reads the features beside the last map.

    Features come first; a ReLU follows.
    """

    joint: Layer


@dataclass(frozen=True, eq=False)
class DirectWeights(HeadWeights):
    """The one 1x1 convolution from features to logits: classifier (N, C), classifier_bias (N,)."""

    classifier: np.ndarray
    classifier_bias: np.ndarray


@dataclass(frozen=True, eq=False)
class ScoreWeights(HeadWeights):
    """How the score maps of an FCN become logits.

    biases (N,) by the map's title, coarsest map first: what each holds besides its features'
    part. `doubling` brings the sum so far to the next map's size, `last` to the image's.
    """

    biases: dict[str, np.ndarray]
    doubling: tuple[Transposed, ...]
    last: Transposed


class Doubling(NamedTuple):
    """One stage: a transposed convolution, a ReLU, and a batch norm."""

    layer: Transposed
    norm: Scale


@dataclass(frozen=True, eq=False)
class StageWeights(HeadWeights):
    """The layers between features and logits.

    classifier (N, C) and classifier_bias (N,). After each of the first `skips` of `stages` one of
    the backbone's stages is added, through the norm or behind it: either way a stage's map less
    what the norm gives of the ReLU's output alone is what was added. `titles` name the maps of
    all stages but the last.
    """

    classifier: np.ndarray
    classifier_bias: np.ndarray
    stages: tuple[Doubling, ...]
    titles: tuple[str, ...]
    skips: int


class LinearLevel(NamedTuple):
    """One level: bins a side, its map's title, and its two products, with no gate between.

    weight (C, C) follows the pooling; joint (K, C) is the part of the bottleneck that reads it.
    """

    bins: int
    title: str
    weight: np.ndarray
    joint: np.ndarray


class Stage(NamedTuple):
    """What follows one interpolation to twice the size."""

    layer: Layer
    rectifier: Rectifier


@dataclass(frozen=True, eq=False)
class UpsamplingWeights(HeadWeights):
    """The layers between features and logits, batch norms folded in.

    classifier (N, C') and classifier_bias (N,). The bottleneck adds up local (K, C) of the
    features, every level, and bias (K,), and ends in a ReLU.
    """

    classifier: np.ndarray
    classifier_bias: np.ndarray
    levels: tuple[LinearLevel, ...]
    local: np.ndarray
    bias: np.ndarray
    stages: tuple[Stage, ...]
