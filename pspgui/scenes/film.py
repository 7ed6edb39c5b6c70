"""The film: what the camera does to the light - glow, softness, exposure, vignette, noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pspgui.scenes.camera import Array

_STRIP_ROWS = 512
_NOISE_PX = 256


@dataclass(frozen=True)
class Film:
    """Settings of the camera: exposure factor, contrast, channel gains, noise in levels."""

    exposure: float
    contrast: float
    gains: Array
    saturation: float
    noise: float
    vignette: float
    blur: float  # sigma in pixels at 360 rows


def draw_film(rng: np.random.Generator) -> Film:
    """Draw the settings of a modest camera on automatic."""
    warm = rng.normal(0, 0.025)
    return Film(
        exposure=float(np.exp(rng.normal(0.06, 0.15))),
        contrast=float(rng.uniform(1.05, 1.4)),
        gains=np.array([1 + warm, 1.0, 1 - warm]),
        saturation=float(rng.uniform(0.65, 1.05)),
        noise=float(rng.uniform(1.0, 4.0)),
        vignette=float(rng.uniform(0.05, 0.28)),
        blur=float(rng.uniform(0.25, 0.65)),
    )


def develop(image: Array, film: Film, rng: np.random.Generator) -> Array:
    """Return the developed image (H, W, 3) uint8; works in strips to bound memory."""
    height, width = image.shape[:2]
    table = _tone_table(film)
    grain = rng.standard_normal((_NOISE_PX, _NOISE_PX, 3), np.float32) * film.noise
    grain = cv2.GaussianBlur(grain, (0, 0), 0.55) * 1.5
    x = ((np.arange(width, dtype=np.float32) + 0.5) / width - 0.5) ** 2
    sigma = film.blur * float(np.clip(min(height, width) / 360, 0.35, 3.0))
    out = np.empty_like(image)
    for top in range(0, height, _STRIP_ROWS):
        stop = min(top + _STRIP_ROWS, height)
        above, below = max(0, top - 16), min(height, stop + 16)
        part = cv2.GaussianBlur(image[above:below], (0, 0), sigma)[top - above : stop - above]
        part = cv2.LUT(part, table)
        part = _saturate(part, film.saturation)
        y = ((np.arange(top, stop, dtype=np.float32) + 0.5) / height - 0.5) ** 2
        dark = np.float32(1) - np.float32(film.vignette * 2) * (x[None, :] + y[:, None])
        rows = np.arange(top, stop) % _NOISE_PX
        speckle = np.tile(grain[rows], (1, -(-width // _NOISE_PX), 1))[:, :width]
        shade = cv2.cvtColor(dark, cv2.COLOR_GRAY2RGB)
        value = cv2.multiply(part, shade, dtype=cv2.CV_32F)
        out[top:stop] = cv2.add(value, speckle, dtype=cv2.CV_8U)
    return out


def _tone_table(film: Film) -> Array:
    """Return the (256, 1, 3) lookup table of exposure, gains and an S-shaped contrast."""
    x = np.arange(256, dtype=np.float64)[:, None] / 255
    x = np.clip(x * film.exposure * film.gains, 0, 1.6)
    curve = np.where(x < 0.5, 0.5 * (2 * np.minimum(x, 0.5)) ** film.contrast, x)
    high = np.minimum(x, 1.6)
    shoulder = 1 - 0.5 * np.clip(2 - 2 * high, 0, 1) ** film.contrast
    curve = np.where(x < 0.5, curve, shoulder)
    return np.asarray(np.clip(curve * 255, 0, 255).astype(np.uint8)[:, None, :])


def _saturate(part: Array, amount: float) -> Array:
    grey = np.array([0.3, 0.59, 0.11])
    mix = amount * np.eye(3) + (1 - amount) * np.ones((3, 1)) * grey
    return np.asarray(cv2.transform(part, mix))
