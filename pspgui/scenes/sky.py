"""The sky: a gradient, clouds on a flat ceiling, and the brightness around the sun."""

from __future__ import annotations

import cv2
import numpy as np

from pspgui.scenes.camera import Array, Camera
from pspgui.scenes.easel import Easel
from pspgui.scenes.light import Light
from pspgui.scenes.noise import Noise

_WIDTH = 192  # the sky is smooth: it is made this small and enlarged


def paint_sky(
    easel: Easel, camera: Camera, light: Light, noise: Noise, rng: np.random.Generator
) -> None:
    """Paint the whole frame with sky; labels are left as they are (the easel starts as sky)."""
    rows = (
        max(8, round(_WIDTH * easel.height / easel.width))
        if easel.width >= easel.height
        else _WIDTH
    )
    columns = max(8, round(rows * easel.width / easel.height))
    x, y = np.meshgrid(
        (np.arange(columns, dtype=np.float32) + 0.5) * easel.width / columns,
        (np.arange(rows, dtype=np.float32) + 0.5) * easel.height / rows,
    )
    centre = camera.matrix[:2, 2]
    across = (x - centre[0]) / camera.focal_px
    up = np.maximum((centre[1] - y) / camera.focal_px, 0.0)
    climb = np.clip(up / 0.55, 0, 1)[..., None] ** 0.8
    sky = light.horizon + (light.zenith - light.horizon) * climb
    cover = _clouds(across, up, noise, light, rng)
    glow = _glow(across, up, light)[..., None]
    white = (
        np.array([250, 251, 252.0]) - 40 * light.overcast * _billows(across, up, noise)[..., None]
    )
    sky = sky + (white - sky) * cover[..., None]
    sky = sky + (np.array([255, 250, 238.0]) - sky) * glow
    small = np.clip(sky, 0, 255).astype(np.uint8)
    cv2.resize(small, (easel.width, easel.height), dst=easel.image, interpolation=cv2.INTER_LINEAR)


def _ceiling(across: Array, up: Array, tile: Array, scale: float, shift: float) -> Array:
    """Return noise painted on a flat ceiling, seen in perspective."""
    far = 1.0 / (up + 0.12)
    u = (across * far * scale * 40 + shift).astype(np.float32)
    v = (far * scale * 75 + shift).astype(np.float32)
    return np.asarray(cv2.remap(tile, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def _clouds(
    across: Array, up: Array, noise: Noise, light: Light, rng: np.random.Generator
) -> Array:
    amount = 0.25 + 0.55 * light.overcast + rng.uniform(-0.2, 0.1)
    field = _ceiling(across, up, noise.cloudy, rng.uniform(0.5, 0.9), float(rng.uniform(0, 200)))
    edge = np.clip((field - (0.72 - 0.62 * amount)) / 0.24, 0, 1)
    soft: Array = edge * edge * (3 - 2 * edge) * rng.uniform(0.7, 0.95)
    return soft


def _billows(across: Array, up: Array, noise: Noise) -> Array:
    return _ceiling(across, up, noise.cloudy, 0.45, 77.0)


def _glow(across: Array, up: Array, light: Light) -> Array:
    if light.to_sun[2] <= 0:
        return np.zeros_like(up)
    x = light.to_sun[0] / light.to_sun[2]
    y = light.to_sun[1] / light.to_sun[2]
    distance = np.hypot(across - x, up - y)
    halo: Array = 0.85 * (1 - 0.6 * light.overcast) * np.exp(-((distance / 0.42) ** 2))
    return halo
