"""What one pass over an image leaves behind: frozen numpy arrays, no torch, any thread may read."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np

from pspgui.inference.resampling import sample


class Stamp(NamedTuple):
    """What a result was computed from: the image's id and the checkpoint's digest."""

    image_id: str
    model: str


class CellScores(NamedTuple):
    """Logits of one pass: scores (N, h, w) float32 at the cells of what the network saw.

    Interpolated bilinearly to `padded` (H', W') and cut to `shape` they are the logits of pixels.
    """

    scores: np.ndarray
    padded: tuple[int, int]
    shape: tuple[int, int]
    align_corners: bool


class FeatureMap(NamedTuple):
    """One map between features and scores: a title for a person, and (C, h, w) float32."""

    title: str
    values: np.ndarray


class Frame(NamedTuple):
    """Which image a pass was over, and how it lay in what the network saw; see `Activations`."""

    image_id: str
    image_shape: tuple[int, int]
    padded_shape: tuple[int, int]
    stamp: Stamp
    reduction: int = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Activations:
    """Everything later questions about one image need, so that the backbone runs once.

    Arrays are float32, C-contiguous, read-only, on the CPU. Shapes use C backbone channels, N
    classes and the grid (h, w) of cells:

    image_shape, padded_shape  (H, W) of the image, and of what the network saw: padding lies at
                               the bottom and right, and pixel positions refer to the padded size
    grid          (h, w)     of the scores; some networks score every pixel
    features      (C, h', w')  the backbone's last stage
    maps          what lies between features and scores
    scores        (N, h, w)  logits at the cells
    reduction     how many times smaller the network saw the image along each side; padded_shape
                  is then that many times what it saw
    """

    image_id: str
    image_shape: tuple[int, int]
    padded_shape: tuple[int, int]
    grid: tuple[int, int]
    align_corners: bool
    features: np.ndarray
    maps: tuple[FeatureMap, ...] = ()
    scores: np.ndarray
    stamp: Stamp
    seconds: float = 0.0
    reduction: int = 1

    def __post_init__(self) -> None:
        freeze(self)


@dataclass(frozen=True, eq=False, kw_only=True)
class PSPActivations(Activations):
    """The activations of a pyramid head, with K hidden channels and the bottleneck's kernel k.

    level_priors  one (C_l, b, b) a level: pooled and reduced
    level_taps    one (k, b, k, b, K) a level, indexed [tap row, bin row, tap column, bin column]:
                  what each bin adds to the hidden pre-activation through each kernel tap
    local_cells   (h, w, K)  the bottleneck over the backbone's features alone, without bias
    fused_cells   (h, w, K)  the whole hidden pre-activation z
    """

    levels: tuple[int, ...]
    level_priors: tuple[np.ndarray, ...]
    level_taps: tuple[np.ndarray, ...]
    local_cells: np.ndarray
    fused_cells: np.ndarray

    @property
    def local(self) -> np.ndarray:
        """`local_cells` channel first, (K, h, w), a view."""
        return self.local_cells.transpose(2, 0, 1)

    @property
    def hidden(self) -> np.ndarray:
        """The hidden map after ReLU, (K, h, w), computed anew at each call."""
        hidden: np.ndarray = np.maximum(self.fused_cells, 0).transpose(2, 0, 1)
        return hidden


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model says about one image.

    labels: (H, W) uint8, or uint16 above 255 classes; scores: (N, h, w) float32 logits at the
    cells, whose bilinear interpolation at the padded size is the logit of a pixel. Read-only.
    `reduction` as in `Activations`.
    """

    labels: np.ndarray
    scores: np.ndarray
    shape: tuple[int, int]
    padded_shape: tuple[int, int]
    align_corners: bool
    stamp: Stamp
    seconds: float
    reduction: int = 1

    def __post_init__(self) -> None:
        freeze(self)

    def logits_at(self, y: int, x: int) -> np.ndarray:
        """Return the (N,) logits of a pixel; raises IndexError outside the image."""
        if not (0 <= y < self.shape[0] and 0 <= x < self.shape[1]):
            raise IndexError(f"pixel {x},{y} lies outside the image of {self.shape[::-1]}")
        return sample(self.scores, y, x, self.padded_shape, self.align_corners)

    def probability_at(self, y: int, x: int) -> np.ndarray:
        """Return the (N,) softmax probabilities of a pixel; raises IndexError outside."""
        logits = self.logits_at(y, x)
        weights = np.exp(logits - logits.max())
        result: np.ndarray = weights / weights.sum()
        return result


class HeadWeights:
    """What evidence needs of a network's last layers; one kind for each kind of head."""


class LevelWeights(NamedTuple):
    """How one level becomes part of z: pooled, reduced to C_l channels, read by the bottleneck.

    weight (C_l, C) and bias (C_l,) of its 1x1 reduction, None where the level is not reduced;
    `rectified`: whether a ReLU follows; taps (C_l, k, k, K) of the bottleneck.
    """

    weight: np.ndarray | None
    bias: np.ndarray | None
    rectified: bool
    taps: np.ndarray


@dataclass(frozen=True, eq=False)
class ClassifierWeights(HeadWeights):
    """What turns the hidden pre-activation z into logits: classifier @ relu(z) + classifier_bias.

    classifier (N, K, c, c), a convolution where c is not 1; classifier_bias (N,); bottleneck_bias
    (K,), which is part of z; numpy. What lies before z, to open a source into what it was made
    of: `levels`, `pool` ("average" or "max") and local_weight (K, C, k, k). Batch norms are
    folded in.
    """

    classifier: np.ndarray
    classifier_bias: np.ndarray
    bottleneck_bias: np.ndarray
    levels: tuple[LevelWeights, ...] = ()
    pool: str = "average"
    local_weight: np.ndarray | None = None

    def __post_init__(self) -> None:
        freeze(self)


def reduction_note(reduction: int) -> str:
    """Return the sentence that tells a person that a large image was predicted reduced."""
    return f"Too large to predict whole: the model saw it at 1/{reduction} of its size."


def freeze(holder: Any) -> None:
    """Make every array among a dataclass's fields read-only, tuples of arrays included."""
    assert is_dataclass(holder)
    for field in fields(holder):
        value = getattr(holder, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            array = item.values if isinstance(item, FeatureMap) else item
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
