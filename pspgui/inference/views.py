"""The pictures of the pyramid strip: features, every level before and after, fused, scores.

Values are unnormalised float32 at the resolution of the cells; colouring is the viewer's part.
Any thread; no torch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pspgui.geometry import interpolation_taps
from pspgui.inference.activations import Activations, PSPActivations

# Cells handled at once where a map over all channels would be large.
_BAND_VALUES = 1 << 22


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
        after = upsampled_norm(prior, activations.grid, activations.align_corners)
        tiles.append(
            LevelView(f"level-{level}", f"{level} × {level}", channel_norm(prior), after)
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


def upsampled(maps: np.ndarray, grid: tuple[int, int], align_corners: bool) -> np.ndarray:
    """Return (C, b, b) interpolated bilinearly to (C, h, w)."""
    y0, y1, wy = interpolation_taps(np.arange(grid[0]), grid[0], maps.shape[1], align_corners)
    x0, x1, wx = interpolation_taps(np.arange(grid[1]), grid[1], maps.shape[2], align_corners)
    wy, wx = wy.astype(maps.dtype)[:, None], wx.astype(maps.dtype)
    wide = maps[:, :, x0] * (1 - wx) + maps[:, :, x1] * wx
    result: np.ndarray = wide[:, y0] * (1 - wy) + wide[:, y1] * wy
    return result


def upsampled_norm(prior: np.ndarray, grid: tuple[int, int], align_corners: bool) -> np.ndarray:
    """Return the (h, w) norm over channels of a level upsampled to the grid.

    |sum_i a_i p_i|^2 needs only the products p_i . p_j of bins, never the upsampled channels.
    """
    bins = prior.shape[1]
    flat = prior.reshape(len(prior), -1)
    gram = (flat.T @ flat).reshape(bins, bins, bins, bins)
    y0, y1, wy = interpolation_taps(np.arange(grid[0]), grid[0], bins, align_corners)
    x0, x1, wx = interpolation_taps(np.arange(grid[1]), grid[1], bins, align_corners)
    rows = [(y0[:, None], 1 - wy[:, None]), (y1[:, None], wy[:, None])]
    columns = [(x0[None], 1 - wx[None]), (x1[None], wx[None])]
    corners = [(y, x, a * b) for y, a in rows for x, b in columns]
    total = np.zeros(grid)
    for y, x, weight in corners:
        for v, u, other in corners:
            total += weight * other * gram[y, x, v, u]
    return np.sqrt(np.maximum(total, 0)).astype(prior.dtype)


def principal_rgb(maps: np.ndarray) -> np.ndarray:
    """Return the three strongest directions of (C, h, w) as an RGB picture, (h, w, 3) in 0..1.

    Each channel runs from the 1st to the 99th percentile of its projection; directions are
    signed so that their largest entry is positive, so a picture does not flip between runs.
    Fewer than three channels leave the rest at one half.
    """
    flat = maps.reshape(len(maps), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    strongest = vectors[:, ::-1][:, :3]
    peaks = strongest[np.abs(strongest).argmax(axis=0), np.arange(strongest.shape[1])]
    projected = (strongest * np.where(peaks < 0, -1, 1)).T.astype(maps.dtype) @ centred
    low, high = np.percentile(projected, (1, 99), axis=1, keepdims=True)
    spread = np.where(high > low, high - low, 1)
    picture = np.full((3, flat.shape[1]), 0.5, np.float32)
    picture[: len(projected)] = np.clip((projected - low) / spread, 0, 1)
    constant = (high <= low)[:, 0]
    picture[: len(projected)][constant] = 0.5
    return np.ascontiguousarray(picture.reshape(3, *maps.shape[1:]).transpose(1, 2, 0))
