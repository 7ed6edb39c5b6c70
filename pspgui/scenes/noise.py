"""Seamless noise tiles of bounded size, from which all textures are cut."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pspgui.scenes.camera import Array

TILE_PX = 256


def wrapped_noise(rng: np.random.Generator, octaves: tuple[tuple[int, float], ...]) -> Array:
    """Return a (256, 256) tile in 0..1 that repeats seamlessly, laid 2 x 2: (512, 512) float32.

    `octaves` lists (cells along a side, weight); the mean is near .5.
    """
    tile: Array = np.zeros((TILE_PX, TILE_PX), np.float32)
    for cells, weight in octaves:
        grid: Array = rng.random((cells, cells), np.float32) - 0.5
        if cells < TILE_PX:
            wide = np.pad(grid, 2, mode="wrap")
            step = TILE_PX // cells
            big = cv2.resize(wide, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
            grid = big[2 * step : 2 * step + TILE_PX, 2 * step : 2 * step + TILE_PX]
        tile += weight * grid
    tile /= 4 * float(tile.std()) + 1e-6
    return np.tile(np.clip(tile + 0.5, 0, 1), (2, 2))


@dataclass(frozen=True)
class Noise:
    """The noise of one scene: (512, 512) float32 in 0..1, each four times one seamless tile."""

    cloudy: Array
    leafy: Array
    grainy: Array

    def cut(self, tile: Array, rng: np.random.Generator, height: int, width: int) -> Array:
        """Return a (height, width) piece of a tile from a random place; sides at most 256."""
        y, x = (int(v) for v in rng.integers(0, TILE_PX, 2))
        piece: Array = tile[y : y + height, x : x + width]
        return piece


def scene_noise(rng: np.random.Generator) -> Noise:
    """Draw the tiles of a scene."""
    return Noise(
        cloudy=wrapped_noise(rng, ((4, 1.0), (8, 0.6), (16, 0.4), (32, 0.25), (64, 0.14))),
        leafy=wrapped_noise(rng, ((8, 0.8), (16, 0.9), (32, 1.0), (64, 0.9), (128, 0.6))),
        grainy=wrapped_noise(rng, ((16, 0.2), (64, 0.5), (128, 0.7), (256, 0.9))),
    )
