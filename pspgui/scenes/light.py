"""Weather and light: what colour a surface has, by its slope and its distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from pspgui.scenes.camera import Array

Colour = tuple[float, float, float]
Triple = Sequence[float] | Array


@dataclass(frozen=True)
class Light:
    """Sun, sky light and haze of a scene; colours are RGB in 0..255, factors are per channel."""

    to_sun: Array  # unit vector towards the sun
    direct: Array  # (3,) strength of direct light
    ambient: Array  # (3,) strength of sky light
    haze: Array  # (3,) colour that distance fades to
    haze_per_m: float
    overcast: float  # 0 clear, 1 closed clouds
    zenith: Array
    horizon: Array

    @cached_property
    def sun_direction(self) -> Colour:
        """The direction to the sun as floats."""
        x, y, z = self.to_sun.tolist()
        return x, y, z

    @cached_property
    def channels(self) -> tuple[Colour, ...]:
        """(direct, ambient, haze) of each colour channel as floats."""
        stacked = np.stack([self.direct, self.ambient, self.haze], axis=1)
        return tuple((d, a, h) for d, a, h in stacked.tolist())

    def factor(self, normal: Triple) -> Array:
        """Return the (3,) factor by which a surface of that unit normal is lit."""
        facing, upward = self._terms(normal)
        return self.direct * facing + self.ambient * upward

    def _terms(self, normal: Triple) -> tuple[float, float]:
        x, y, z = normal.tolist() if isinstance(normal, np.ndarray) else normal
        sx, sy, sz = self.sun_direction
        return max(0.0, x * sx + y * sy + z * sz), 0.78 + 0.22 * y

    def lit(self, colour: Triple, normal: Triple, depth_m: float) -> Colour:
        """Return the colour of a surface with that normal seen at a distance.

        Plain floats, since it is asked thousands of times a scene.
        """
        facing, upward = self._terms(normal)
        keep = self.keep(depth_m)
        r, g, b = colour.tolist() if isinstance(colour, np.ndarray) else colour
        (dr, ar, hr), (dg, ag, hg), (db, ab, hb) = self.channels
        lost = 1 - keep
        return (
            r * (dr * facing + ar * upward) * keep + hr * lost,
            g * (dg * facing + ag * upward) * keep + hg * lost,
            b * (db * facing + ab * upward) * keep + hb * lost,
        )

    def keep(self, depth_m: float) -> float:
        """Return the share of own colour left after the haze of a distance."""
        return math.exp(-self.haze_per_m * max(depth_m, 0.0))

    def ground_shift(self, height_m: float) -> Array:
        """Return the (dx, dz) in metres by which a point at that height throws its shadow."""
        drop = max(float(self.to_sun[1]), 0.25)
        return -self.to_sun[[0, 2]] * (height_m / drop)


def draw_light(rng: np.random.Generator) -> Light:
    """Draw the weather: mostly grey English days, sometimes a clear morning or a low sun."""
    overcast = float(np.clip(rng.beta(0.9, 0.9), 0, 1))
    azimuth = rng.uniform(-np.pi, np.pi)
    elevation = np.deg2rad(rng.uniform(18, 55))
    to_sun = np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            -np.cos(azimuth) * np.cos(elevation),
        ]
    )
    warmth = rng.uniform(0.0, 1.0) * (1 - overcast)
    sun_colour = np.array([1.0, 0.95 - 0.05 * warmth, 0.86 - 0.2 * warmth])
    direct = sun_colour * (1 - overcast) * rng.uniform(0.7, 0.95)
    sky_tint = np.array([0.93, 0.98, 1.06])
    ambient = sky_tint * (rng.uniform(0.5, 0.62) + 0.28 * overcast)
    grey_zenith = np.array([214, 222, 228.0]) * rng.uniform(0.9, 1.2)
    blue_zenith = np.array([92, 142, 206.0]) * rng.uniform(0.9, 1.15)
    horizon = np.array([240, 245, 248.0]) + rng.uniform(-1, 1) * np.array([8, 3, -6.0])
    zenith = blue_zenith + (grey_zenith - blue_zenith) * overcast
    return Light(
        to_sun, direct, ambient, horizon * 0.93, rng.uniform(0.0022, 0.0065), overcast,
        zenith, horizon,
    )  # fmt: skip


def tinted(texture: Array, factor: Triple, light: Light, depth_m: float) -> Array:
    """Return a texture (h, w, 3) uint8 multiplied by a colour and faded by the haze."""
    keep = light.keep(depth_m)
    gain = np.asarray(factor, float) * keep
    table = np.arange(256)[:, None] * gain + light.haze * (1 - keep)
    return np.asarray(cv2.LUT(texture, np.clip(table, 0, 255).astype(np.uint8)[:, None]))
