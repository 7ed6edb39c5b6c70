"""The pictures of the pyramid strip: features, every level before and after, fused, scores.

Values are unnormalised float32 at the resolution of the cells; colouring is the viewer's part.
Any thread; no torch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pspgui.inference.activations import Activations, PSPActivations
from pspgui.inference.channels import channel_maps

# Maps are shown at this size at most.
_TILE_SIDE = 512


class LevelView(NamedTuple):
    """One tile of the strip.

    name: "features", "level-1" and so on by bins a side, "fused", "score", "confidence"
    title: short text for a person; before: (b, b) for levels, as pooled and reduced, else None
    after: (h, w), for levels as upsampled to the grid of cells
    """

    name: str
    title: str
    before: np.ndarray | None
    after: np.ndarray


def pyramid_views(activations: Activations, class_id: int | None = None) -> tuple[LevelView, ...]:
    """Return the strip's tiles; maps of channels are shown as their Euclidean norm.

    Score is the logit of `class_id`, or the winner's at each cell when that is None; confidence is
    the winner's softmax probability at the cells. Padding cells are part of the maps.
    """
    tiles = [LevelView("features", "Features", None, channel_norm(activations.features))]
    if isinstance(activations, PSPActivations):
        tiles += _level_tiles(activations)
    tiles += [
        LevelView(f"map-{index}", title, None, channel_norm(values))
        for index, (title, values) in enumerate(activations.maps)
    ]
    scores = _thinned(activations.scores)
    score = scores.max(axis=0) if class_id is None else scores[class_id]
    confidence = 1.0 / np.exp(scores - scores.max(axis=0)).sum(axis=0)
    tiles += [
        LevelView("score", "Score", None, np.ascontiguousarray(score)),
        LevelView("confidence", "Confidence", None, confidence),
    ]
    return tuple(tiles)


def _level_tiles(activations: PSPActivations) -> list[LevelView]:
    """Return a tile for every level, and one for the hidden layer."""
    tiles = []
    for level, prior in zip(activations.levels, activations.level_priors, strict=True):
        after = channel_maps(activations, f"level-{level}", "upsampled").norm()
        tiles.append(
            LevelView(f"level-{level}", f"{level}×{level}", channel_norm(prior), after)
        )
    fused = np.maximum(activations.fused_cells, 0)
    norm = np.sqrt(np.einsum("hwk,hwk->hw", fused, fused))
    return [*tiles, LevelView("fused", "Fused", None, norm)]


def _thinned(scores: np.ndarray) -> np.ndarray:
    """Return every n-th cell where a network scores pixels: a tile needs no more."""
    step = max(1, max(scores.shape[1:]) // _TILE_SIDE)
    return scores[:, ::step, ::step]


def channel_norm(maps: np.ndarray) -> np.ndarray:
    """Return the (h, w) Euclidean norm over the channels of (C, h, w)."""
    result: np.ndarray = np.sqrt(np.einsum("chw,chw->hw", maps, maps))
    return result
