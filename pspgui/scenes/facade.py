"""Facade textures in metres: walls, windows, doors, shop fronts, ledges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pspgui.scenes.camera import Array
from pspgui.scenes.noise import Noise

WALLS = np.array([
    [158, 140, 108], [150, 132, 104], [142, 98, 78], [128, 84, 68], [198, 192, 178],
    [210, 206, 198], [176, 166, 146], [120, 112, 100], [166, 152, 128], [186, 172, 150],
], float)  # fmt: skip
FASCIAS = np.array([
    [34, 52, 92], [120, 28, 32], [28, 78, 60], [22, 22, 26], [196, 190, 176], [150, 96, 30],
    [70, 34, 84], [16, 96, 128], [178, 44, 40], [60, 62, 66],
], float)  # fmt: skip
DOORS = np.array([[60, 24, 26], [24, 36, 64], [28, 58, 44], [40, 38, 36], [120, 90, 60]], float)
_MAX_SIDE = 1400


@dataclass
class Sheet:
    """A facade being drawn: `pixels` (h, w, 3) uint8 over width_m by height_m, y upwards."""

    pixels: Array
    width_m: float
    height_m: float

    def box(
        self, x0: float, y0: float, x1: float, y1: float, colour: Sequence[float] | Array
    ) -> None:
        """Fill a rectangle given in metres."""
        h, w = self.pixels.shape[:2]
        r0, r1 = round((1 - y1 / self.height_m) * h), round((1 - y0 / self.height_m) * h) - 1
        c0, c1 = round(x0 / self.width_m * w), round(x1 / self.width_m * w) - 1
        if r1 >= r0 and c1 >= c0:
            r, g, b = colour
            cv2.rectangle(self.pixels, (c0, r0), (c1, r1), (float(r), float(g), float(b)), -1)

    @property
    def fineness(self) -> float:
        """Pixels per metre, across or up, whichever is coarser."""
        h, w = self.pixels.shape[:2]
        return float(min(h / self.height_m, w / self.width_m))

    def tint(self, x0: float, y0: float, x1: float, y1: float, low: float, high: float) -> None:
        """Multiply a rectangle by a vertical gradient from low (bottom) to high (top)."""
        h, w = self.pixels.shape[:2]
        r0, r1 = (
            max(0, round((1 - y1 / self.height_m) * h)),
            min(h, round((1 - y0 / self.height_m) * h)),
        )
        c0, c1 = max(0, round(x0 / self.width_m * w)), min(w, round(x1 / self.width_m * w))
        if r1 > r0 and c1 > c0:
            part = self.pixels[r0:r1, c0:c1]
            ramp = np.linspace(high, low, r1 - r0)[:, None, None]
            part[:] = np.clip(part * ramp, 0, 255)


@dataclass(frozen=True)
class Style:
    """How one building looks; metres and RGB colours."""

    kind: str
    wall: Array
    trim: Array
    storeys: int
    storey_m: float
    bays: int
    window: tuple[float, float]
    fascia: Array
    glass: Array
    seed: int


def draw_style(rng: np.random.Generator, kind: str, width_m: float, height_m: float) -> Style:
    """Draw the looks of a building of that width and eaves height."""
    wall = WALLS[int(rng.integers(len(WALLS)))] * rng.uniform(0.72, 1.04) + rng.normal(0, 5, 3)
    storeys = max(2, round(height_m / (3.3 if kind == "modern" else 2.95)))
    pitch = rng.uniform(1.9, 2.6) if kind != "modern" else rng.uniform(1.3, 2.0)
    bays = max(1, round(width_m / pitch))
    narrow = rng.uniform(0.42, 0.56) if kind != "modern" else rng.uniform(0.72, 0.88)
    trim = np.array([218, 216, 208.0]) * rng.uniform(0.8, 1.02)
    if kind == "modern" and rng.random() < 0.5:
        trim = np.array([70, 72, 76.0])
    window = (narrow * width_m / bays, height_m / storeys * rng.uniform(0.5, 0.64))
    return Style(
        kind, wall, trim, storeys, height_m / storeys, bays, window,
        FASCIAS[int(rng.integers(len(FASCIAS)))] * rng.uniform(0.8, 1.1),
        np.array([46, 54, 64.0]) * rng.uniform(0.6, 1.2), int(rng.integers(0, 2**62)),
    )  # fmt: skip


def facade_texture(
    style: Style, noise: Noise, width_m: float, height_m: float, target: tuple[int, int]
) -> Array:
    """Return a facade (h, w, 3) uint8 in neutral light, `target` being the wished (h, w).

    It is drawn twice as fine as wished, within bounds, and shrunk, so that edges are smooth.
    """
    rng = np.random.default_rng(style.seed)
    h, w = (int(np.clip(2 * side, 40, _MAX_SIDE)) for side in target)
    sheet = Sheet(np.empty((h, w, 3), np.uint8), width_m, height_m)
    _wall(sheet, style, noise, rng)
    ground_m = style.storey_m
    first = 0
    if style.kind == "shop":
        _shop_front(sheet, style, rng)
        ground_m = max(style.storey_m, 3.3)
        first = 1
    door_bay = int(rng.integers(style.bays)) if style.kind == "house" else -1
    for storey in range(first, style.storeys):
        floor = storey * style.storey_m if storey else 0.0
        if storey == 1 and first:
            floor = ground_m
        for bay in range(style.bays):
            if storey == 0 and bay == door_bay:
                _door(sheet, style, rng, bay)
            else:
                _window(sheet, style, rng, bay, floor)
    _ledges(sheet, style, rng, ground_m)
    final = (max(4, min(w, target[1])), max(4, min(h, target[0])))
    return np.asarray(cv2.resize(sheet.pixels, final, interpolation=cv2.INTER_AREA))


def gable_texture(style: Style, noise: Noise, width_m: float, height_m: float) -> Array:
    """Return the end wall of a building, (h, w, 3) uint8 in neutral light, with few windows."""
    rng = np.random.default_rng(style.seed + 1)
    sheet = Sheet(
        np.empty((round(height_m * 20), round(width_m * 20), 3), np.uint8), width_m, height_m
    )
    _wall(sheet, style, noise, rng)
    blind = replace(style, bays=max(2, round(width_m / 3)), window=(0.85, 1.25))
    for storey in range(style.storeys):
        for bay in range(blind.bays):
            if rng.random() < 0.28:
                _window(sheet, blind, rng, bay, storey * style.storey_m)
    sheet.tint(0, 0, width_m, 1.2, 0.72, 1.0)
    return sheet.pixels


def _wall(sheet: Sheet, style: Style, noise: Noise, rng: np.random.Generator) -> None:
    h, w = sheet.pixels.shape[:2]
    rows, columns = min(h, 160), min(w, 160)
    tone = 0.74 + 0.3 * noise.cut(noise.cloudy, rng, rows, columns)
    tone += 0.22 * noise.cut(noise.grainy, rng, rows, columns)
    tone *= np.linspace(1.08, 0.9, rows, dtype=np.float32)[:, None]
    small = cv2.cvtColor(tone, cv2.COLOR_GRAY2RGB) * style.wall.astype(np.float32)
    cv2.resize(
        np.minimum(small, 255).astype(np.uint8), (w, h), dst=sheet.pixels,
        interpolation=cv2.INTER_LINEAR,
    )  # fmt: skip


def _window(sheet: Sheet, style: Style, rng: np.random.Generator, bay: int, floor: float) -> None:
    pitch = sheet.width_m / style.bays
    w, h = style.window
    x = (bay + 0.5) * pitch - w / 2
    y = floor + (style.storey_m - h) * 0.55
    if sheet.fineness < 16:  # too small for frames: a pale surround and dark glass
        sheet.box(x - 0.06, y - 0.1, x + w + 0.06, y + h + 0.06, style.trim * 0.94)
        sheet.box(x + 0.05, y + 0.06, x + w - 0.05, y + h, style.glass * rng.uniform(0.8, 1.4))
        return
    sheet.box(x - 0.07, y - 0.05, x + w + 0.07, y + h + 0.16, style.trim * 0.86)
    sheet.box(x - 0.04, y, x + w + 0.04, y + h + 0.05, style.wall * 0.45)
    sheet.box(x, y, x + w, y + h, style.trim)
    glass = style.glass * rng.uniform(0.6, 1.25)
    if rng.random() < 0.16:
        glass = glass + rng.uniform(30, 90)
    bar = min(0.06, 0.1 * w)
    rows = 2 if h > 1.1 else 1
    columns = 2 if w > 0.9 else 1
    for i in range(columns):
        for j in range(rows):
            x0, x1 = x + i * w / columns + bar, x + (i + 1) * w / columns - bar
            y0, y1 = y + j * h / rows + bar, y + (j + 1) * h / rows - bar
            sheet.box(x0, y0, x1, y1, glass * (1.0 if j == 0 else 1.22))
    if rng.random() < 0.35:
        curtain = np.array([196, 188, 174.0]) * rng.uniform(0.5, 0.9)
        sheet.box(x + bar, y + bar, x + w * 0.26, y + h - bar, curtain)
        sheet.box(x + w * 0.74, y + bar, x + w - bar, y + h - bar, curtain)
    sheet.box(x - 0.12, y - 0.12, x + w + 0.12, y - 0.02, style.trim * 1.02)
    sheet.box(x - 0.12, y - 0.2, x + w + 0.12, y - 0.12, style.wall * 0.62)


def _door(sheet: Sheet, style: Style, rng: np.random.Generator, bay: int) -> None:
    pitch = sheet.width_m / style.bays
    x = (bay + 0.5) * pitch - 0.5
    colour = DOORS[int(rng.integers(len(DOORS)))]
    sheet.box(x - 0.16, 0, x + 1.16, 2.7, style.trim * 0.95)
    sheet.box(x, 0, x + 1.0, 2.1, colour)
    sheet.box(x, 2.18, x + 1.0, 2.55, style.glass)
    for k in (0.12, 0.56):
        sheet.box(x + k, 1.1, x + k + 0.32, 1.9, colour * 1.3)
    sheet.box(x - 0.2, 0, x + 1.2, 0.14, style.trim * 0.7)


def _shop_front(sheet: Sheet, style: Style, rng: np.random.Generator) -> None:
    w = sheet.width_m
    units = max(1, round(w / 6.5))
    for unit in range(units):
        x0, x1 = unit * w / units, (unit + 1) * w / units
        board = FASCIAS[int(rng.integers(len(FASCIAS)))] if units > 1 else style.fascia
        sheet.box(x0, 0, x1, 3.3, board * 0.7)
        sheet.box(x0 + 0.2, 0.45, x1 - 0.2, 2.55, style.glass * 0.75)
        _goods(sheet, rng, x0 + 0.3, x1 - 0.3)
        door = x0 + (x1 - x0) * rng.uniform(0.3, 0.6)
        sheet.box(door, 0, door + 1.0, 2.5, board * 0.85)
        sheet.box(door + 0.12, 0.35, door + 0.88, 2.3, style.glass * 0.6)
        for x in np.arange(x0 + 0.2, x1, max(1.2, (x1 - x0) / 4)):
            sheet.box(x, 0.4, x + 0.09, 2.55, board * 0.9)
        sheet.box(x0 + 0.05, 2.6, x1 - 0.05, 3.2, board)
        _letters(sheet, rng, x0, x1, board)
        sheet.box(x0, 3.2, x1, 3.32, style.trim * 0.8)
        if rng.random() < 0.25:
            sheet.box(x0 + 0.1, 2.2, x1 - 0.1, 2.62, FASCIAS[int(rng.integers(len(FASCIAS)))] * 1.2)


def _goods(sheet: Sheet, rng: np.random.Generator, x0: float, x1: float) -> None:
    """Scatter the lit and coloured things behind a shop window."""
    for _ in range(int(8 * (x1 - x0) / 5)):
        x, y = rng.uniform(x0, x1 - 0.4), rng.uniform(0.5, 2.0)
        colour = rng.uniform(40, 150) + rng.normal(0, 12, 3)
        sheet.box(
            x, y, x + rng.uniform(0.15, 0.6), y + rng.uniform(0.15, 0.5), np.maximum(colour, 0)
        )


def _letters(sheet: Sheet, rng: np.random.Generator, x0: float, x1: float, board: Array) -> None:
    ink = np.array([232, 226, 208.0]) if board.mean() < 130 else np.array([40, 40, 48.0])
    x = x0 + (x1 - x0) * rng.uniform(0.12, 0.3)
    stop = x1 - (x1 - x0) * rng.uniform(0.1, 0.3)
    while x < stop:
        width = rng.uniform(0.1, 0.22)
        if rng.random() < 0.88:
            sheet.box(x, 2.76, x + width, 2.76 + rng.uniform(0.2, 0.32), ink)
        x += width + 0.07


def _ledges(sheet: Sheet, style: Style, rng: np.random.Generator, ground_m: float) -> None:
    top = sheet.height_m
    sheet.box(0, top - 0.22, sheet.width_m, top, style.trim * 0.82)
    sheet.box(0, top - 0.34, sheet.width_m, top - 0.22, style.wall * 0.55)
    if rng.random() < 0.5:
        sheet.box(0, ground_m - 0.1, sheet.width_m, ground_m + 0.06, style.trim * 0.8)
    sheet.box(0, 0, sheet.width_m, 0.3, style.wall * 0.6)
    sheet.box(0, 0, 0.07, top, style.wall * 0.6)
    if rng.random() < 0.6:
        sheet.box(0.2, 0, 0.3, top - 0.3, style.wall * 0.42)
    sheet.tint(0, 0, sheet.width_m, 1.2, 0.72, 1.0)
