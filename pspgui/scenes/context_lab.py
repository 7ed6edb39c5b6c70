"""Scenes in which only context decides: what a pixel is cannot be told from what lies near it.

One scene for each failure that Zhao et al. (arXiv 1612.01105, section 3.1) show of an FCN:
mismatched relationship (the same box is a boat on water and a car on asphalt, and the surface
around it looks the same), confusing categories (the same facade is a building or a skyscraper by
the extent of the whole), inconspicuous classes (a pillow with the texture of the sheet). What
decides is planted `REACH_PX` or more away, and its place is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from pspgui.labels.classes import table
from pspgui.scenes.camera import Array

SIDE_PX: Final = 257
REACH_PX: Final = 40  # half the receptive field of the lab's backbone and head, and one cell

LAB = table(
    ("Water", (60, 130, 180)),
    ("Asphalt", (110, 110, 116)),
    ("Boat", (240, 228, 66)),
    ("Car", (213, 94, 0)),
    ("Quay", (146, 104, 60)),
    ("Kerb", (220, 220, 220)),
    ("Sky", (150, 200, 240)),
    ("Building", (204, 121, 167)),
    ("Skyscraper", (120, 60, 140)),
    ("Sheet", (200, 190, 170)),
    ("Pillow", (0, 158, 115)),
    ("Headboard", (90, 50, 20)),
)
"""The classes of the lab, in colours that colour-blind people can tell apart where it matters."""

WATER, ASPHALT, BOAT, CAR, QUAY, KERB, SKY, BUILDING, SKYSCRAPER, SHEET, PILLOW, HEADBOARD = range(
    12
)


@dataclass(frozen=True)
class LabScene:
    """A scene of the lab, and what decides in it.

    image: (257, 257, 3) uint8 RGB; labels: (257, 257) uint8 of `LAB`; cue: (257, 257) bool, what
    was planted, all False where nothing was; subject: bool, the pixels that the cue decides and
    from which it cannot be seen.
    """

    kind: str
    image: Array
    labels: Array
    cue: Array
    subject: Array
    seed: int


def render_lab(seed: int, kind: str | None = None) -> LabScene:
    """Paint the scene of a seed: "relationship", "extent" or "inconspicuous"; drawn if not given.

    The same seed and kind give the same bytes. Raises `KeyError` for another kind. Any thread.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 77]))
    drawn = LAB_KINDS[int(rng.integers(len(LAB_KINDS)))]
    kind = drawn if kind is None else kind
    image, labels, cue, near = _PAINTERS[kind](rng)
    image = image * rng.uniform(0.85, 1.12) + rng.normal(0, 4.0, image.shape)
    subject = near & ~_grown(cue, REACH_PX)
    return LabScene(kind, np.clip(image, 0, 255).astype(np.uint8), labels, cue, subject, seed)


def _relationship(rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """A box on a surface; a quay far away makes them boat and water, a kerb or nothing car."""
    place = rng.random()
    is_harbour = place < 0.4
    image = _texture(rng, (112, 124, 132), 9, 24)
    labels = np.full((SIDE_PX, SIDE_PX), WATER if is_harbour else ASPHALT, np.uint8)
    cue = np.zeros(labels.shape, bool)
    if place < 0.8:
        cue = _strip(rng)
        _paint(image, cue, _planks(rng) if is_harbour else _blocks(rng))
        labels[cue] = QUAY if is_harbour else KERB
    box = _box(rng, cue)
    assert box is not None  # a strip leaves room for one wherever it lies
    _draw_box(image, box, rng)
    y0, x0, y1, x1 = box
    labels[y0:y1, x0:x1] = BOAT if is_harbour else CAR
    return image, labels, cue, ~cue


def _extent(rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """A facade from the lower border up: a building below, a skyscraper above half the frame."""
    is_tall = rng.random() < 0.42
    height = int(rng.integers(196, 232) if is_tall else rng.integers(84, 116))
    width = int(rng.integers(110, 190))
    left = int(rng.integers(0, SIDE_PX - width))
    image = _texture(rng, (168, 196, 222), 5, 48)
    labels = np.full((SIDE_PX, SIDE_PX), SKY, np.uint8)
    facade = np.zeros(labels.shape, bool)
    facade[SIDE_PX - height :, left : left + width] = True
    _paint(image, facade, _windows(rng))
    labels[facade] = SKYSCRAPER if is_tall else BUILDING
    # Between the tallest building and the lowest skyscraper the two differ, over its whole width.
    cue = np.zeros(labels.shape, bool)
    cue[SIDE_PX - 196 : SIDE_PX - 116, left : left + width] = True
    return image, labels, cue, facade


def _inconspicuous(rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Seams in a sheet: around pillows where a headboard is in sight, else mere folds."""
    is_bed = rng.random() < 0.42
    image = _texture(rng, (206, 200, 190), 6, 20)
    labels = np.full((SIDE_PX, SIDE_PX), SHEET, np.uint8)
    cue = np.zeros(labels.shape, bool)
    if is_bed:
        cue = _strip(rng)
        _paint(image, cue, _wood(rng))
        labels[cue] = HEADBOARD
    inside = np.zeros(labels.shape, bool)
    for _ in range(int(rng.integers(1, 4))):
        there = _grown(cue, REACH_PX) | inside
        box = _box(rng, there, (46, 58), (60, 100), apart=8)
        if box is None:  # no room for another one
            break
        y0, x0, y1, x1 = box
        cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), (112.0, 104.0, 96.0), 3)
        inside[y0:y1, x0:x1] = True
    if is_bed:
        labels[inside] = PILLOW
    return image, labels, cue, inside


_PAINTERS: Final[dict[str, Callable[[np.random.Generator], tuple[Array, Array, Array, Array]]]] = {
    "relationship": _relationship,
    "extent": _extent,
    "inconspicuous": _inconspicuous,
}
LAB_KINDS: Final = tuple(_PAINTERS)


def _strip(rng: np.random.Generator) -> Array:
    """Return a strip along one border, (257, 257) bool, that leaves room for a box far from it."""
    deep, length = int(rng.integers(28, 41)), int(rng.integers(110, 200))
    start = int(rng.integers(0, SIDE_PX - length))
    strip = np.zeros((SIDE_PX, SIDE_PX), bool)
    strip[:deep, start : start + length] = True
    return np.ascontiguousarray(np.rot90(strip, int(rng.integers(4))))


def _box(
    rng: np.random.Generator, there: Array, heights: tuple[int, int] = (64, 104),
    widths: tuple[int, int] = (72, 116), apart: int = REACH_PX + 8,
) -> tuple[int, int, int, int] | None:  # fmt: skip
    """Return (y0, x0, y1, x1) of a box out of reach of what is there; None where none was found."""
    blocked = cv2.integral(_grown(there, apart).astype(np.uint8))
    for _ in range(400):
        height, width = int(rng.integers(*heights)), int(rng.integers(*widths))
        y0 = int(rng.integers(6, SIDE_PX - height - 6))
        x0 = int(rng.integers(6, SIDE_PX - width - 6))
        y1, x1 = y0 + height, x0 + width
        if blocked[y1, x1] - blocked[y0, x1] - blocked[y1, x0] + blocked[y0, x0] == 0:
            return y0, x0, y1, x1
    return None


def _grown(mask: Array, by: int) -> Array:
    kernel = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)


def _texture(
    rng: np.random.Generator, colour: tuple[int, int, int], strength: float, cells: int
) -> Array:
    """Return smooth noise around a colour, (257, 257, 3) float32."""
    grid = rng.normal(0, 1, (SIDE_PX // cells + 3, SIDE_PX // cells + 3)).astype(np.float32)
    size = (SIDE_PX, SIDE_PX)
    noise = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)[..., None]
    return np.asarray(colour, np.float32) + strength * noise


def _paint(image: Array, where: Array, what: Array) -> None:
    image[where] = what[where]


def _planks(rng: np.random.Generator) -> Array:
    image = _texture(rng, (142, 104, 66), 8, 12)
    image[:, :: int(rng.integers(9, 13))] -= 50
    return image


def _blocks(rng: np.random.Generator) -> Array:
    image = _texture(rng, (206, 206, 202), 5, 16)
    period = int(rng.integers(18, 26))
    on = (np.arange(SIDE_PX) // period) % 2 == 0
    image[on[:, None] ^ on[None, :]] = (196, 60, 52)
    return image


def _wood(rng: np.random.Generator) -> Array:
    image = _texture(rng, (96, 58, 32), 10, 10)
    image[:: int(rng.integers(7, 11))] -= 24
    return image


def _windows(rng: np.random.Generator) -> Array:
    image = _texture(rng, (176, 158, 138), 5, 24)
    period, phase = int(rng.integers(14, 20)), int(rng.integers(0, 14))
    on = ((np.arange(SIDE_PX) + phase) % period) < period // 2
    image[on[:, None] & on[None, :]] = (66, 78, 92)
    return image


def _draw_box(image: Array, box: tuple[int, int, int, int], rng: np.random.Generator) -> None:
    """Draw the thing that is a boat or a car: a hull, and glass within it."""
    y0, x0, y1, x1 = box
    hull = np.asarray(rng.uniform(120, 220, 3) * (1.0, 0.45, 0.4), np.float32)
    image[y0:y1, x0:x1] = hull
    image[y0 : y0 + 3, x0:x1] = image[y1 - 3 : y1, x0:x1] = hull * 0.6
    down, across = (y1 - y0) // 4, (x1 - x0) // 4
    image[y0 + down : y1 - down, x0 + across : x1 - across] = (60, 66, 76)
    image[y0 + down : y0 + down + 4, x0 + across : x1 - across] = (170, 190, 200)


__all__ = ["LAB", "LAB_KINDS", "REACH_PX", "SIDE_PX", "LabScene", "render_lab"]
