"""FCN-32s, 16s and 8s as their own modules compute them, with how their score maps are summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from torch import Tensor, nn

from pspgui.inference.activations import HeadWeights
from pspgui.inference.heads.explained import ExplainedHead
from pspgui.inference.layers import Transposed, to_array, transposed_of
from pspgui.models.fcn import FCN, IMAGE_CUTS
from pspgui.models.segmenter import Segmenter


@dataclass(frozen=True, eq=False)
class ScoreWeights(HeadWeights):
    """How the score maps of an FCN become logits.

    biases (N,) by the map's title, coarsest map first: what each holds besides its features'
    part. `doubling` brings the sum so far to the next map's size, `last` to the image's.
    """

    biases: dict[str, np.ndarray]
    doubling: tuple[Transposed, ...]
    last: Transposed


class FCNHead(ExplainedHead):
    """Runs FCNs that sum score maps."""

    @classmethod
    def runs(cls, model: Segmenter) -> bool:
        """Whether it is one."""
        return type(model) is FCN

    @staticmethod
    def weights_of(model: Segmenter) -> ScoreWeights:
        """Read how the score maps are summed."""
        assert isinstance(model, FCN)
        layers = [cast(nn.Conv2d, layer) for layer in (model.score, *model.skip_scores)]
        return ScoreWeights(
            {
                title: to_array(cast(Tensor, layer.bias))
                for title, layer in zip(model.titles, layers, strict=True)
            },
            tuple(transposed_of(cast(nn.ConvTranspose2d, layer)) for layer in model.doubling),
            transposed_of(model.last, IMAGE_CUTS[model.spec.skips]),
        )
