"""Colour maps: one diverging for evidence, one sequential for everything else; numpy only.

Both are built in OKLab (B. Ottosson, "A perceptual color space for image processing", 2020), so
that equal steps of a value look like equal steps. The diverging map is blue below zero, neutral
at zero, orange above: told apart by every common colour vision. Its neutral is the ground of
the theme, so that nothing stands out where there is nothing.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from pspgui.gui.theme import Theme, current_theme
from pspgui.inference.shown_map import nice_limit

_LMS_FROM_RGB = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929],
     [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_LAB_FROM_LMS = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468],
     [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip
_RGB_FROM_LMS, _LMS_FROM_LAB = np.linalg.inv(_LMS_FROM_RGB), np.linalg.inv(_LAB_FROM_LMS)


def diverging_lut(theme: Theme | None = None) -> np.ndarray:
    """Return the (256, 3) uint8 map from -1 (blue) through 0 (neutral, 127.5) to +1 (orange)."""
    t = theme or current_theme()
    return _diverging(t.negative, t.neutral, t.positive)


@cache
def sequential_lut() -> np.ndarray:
    """Return the (256, 3) uint8 map from dark (low) to light (high), lightness growing evenly."""
    t = np.linspace(0.0, 1.0, 256)
    lightness = 0.20 + 0.75 * t
    hue = np.radians(295.0 - 195.0 * t)
    direction = np.stack([np.cos(hue), np.sin(hue)], axis=1)
    # The richest colour that sRGB has at each step, evened out so that no step is seen.
    tries = np.linspace(0.0, 0.16, 81)
    inside = [_in_gamut(np.column_stack([lightness, c * direction])) for c in tries]
    chroma = 0.95 * tries[np.argmin(np.array([*inside, inside[0] & False]), axis=0) - 1]
    around = np.pad(chroma, 48, mode="edge")
    lowest = np.array([around[i : i + 97].min() for i in range(256)])
    even = np.convolve(np.pad(lowest, 48, mode="edge"), np.full(97, 1 / 97), mode="valid")
    return _frozen(_rgb_from_oklab(np.column_stack([lightness, even[:, None] * direction])))


def to_rgb(array: np.ndarray, lut: np.ndarray, lo: float, hi: float) -> np.ndarray:
    """Return (h, w, 3) uint8 colours of a (h, w) float array, lo and hi at the map's two ends.

    Values outside are clipped and NaN counts as lo; lo == hi gives the first colour.
    """
    return np.take(lut, to_steps(array, lo, hi), axis=0)


def to_steps(array: np.ndarray, lo: float, hi: float) -> np.ndarray:
    """Return which of 256 colours each value of a float array has, uint8; as `to_rgb` does."""
    scale = 255.0 / (hi - lo) if hi > lo else 0.0
    steps = (np.asarray(array, np.float32) - np.float32(lo)) * np.float32(scale)
    # fmax and fmin pass over NaN; in place, for the strip makes two dozen such pictures at once.
    np.fmin(np.fmax(steps, 0, out=steps), 255, out=steps)
    found: np.ndarray = np.rint(steps, out=steps).astype(np.uint8)
    return found


def signed_rgb(array: np.ndarray, limit: float, theme: Theme | None = None) -> np.ndarray:
    """Return (h, w, 3) uint8 colours on the diverging map, symmetric: -limit..+limit."""
    return to_rgb(array, diverging_lut(theme), -limit, limit if limit > 0 else 1.0)


def readable_on(colour: tuple[int, int, int]) -> str:
    """Return near-black or near-white, whichever reads better on a (red, green, blue) ground."""
    r, g, b = ((v / 255.0) ** 2.2 for v in colour)  # plain floats: called while painting
    luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return "#17181a" if luminance > 0.22 else "#f7f7f8"


@cache
def _diverging(negative: str, neutral: str, positive: str) -> np.ndarray:
    low, middle, high = (_oklab_from_hex(c) for c in (negative, neutral, positive))
    t = np.linspace(-1.0, 1.0, 256)[:, None]
    lab = np.where(t < 0, middle + (low - middle) * -t, middle + (high - middle) * t)
    return _frozen(_rgb_from_oklab(lab))


def _oklab_from_hex(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    return _LAB_FROM_LMS @ np.cbrt(_LMS_FROM_RGB @ _linear(rgb))


def _linear_from_oklab(lab: np.ndarray) -> np.ndarray:
    return (lab @ _LMS_FROM_LAB.T) ** 3 @ _RGB_FROM_LMS.T


def _in_gamut(lab: np.ndarray) -> np.ndarray:
    linear = _linear_from_oklab(lab)
    return ((linear >= -1e-4) & (linear <= 1.0001)).all(axis=1)


def _rgb_from_oklab(lab: np.ndarray) -> np.ndarray:
    linear = np.clip(_linear_from_oklab(lab), 0.0, 1.0)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(rgb * 255.0).astype(np.uint8)


def _linear(rgb: np.ndarray) -> np.ndarray:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


__all__ = [
    "diverging_lut",
    "nice_limit",
    "readable_on",
    "sequential_lut",
    "signed_rgb",
    "to_rgb",
    "to_steps",
]
