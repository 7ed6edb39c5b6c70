"""Trees, bare trees and the far skyline of crowns and roofs, as irregular cut-outs."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from pspgui.labels.classes import CAMVID
from pspgui.scenes.camera import Array, Camera
from pspgui.scenes.easel import Easel
from pspgui.scenes.light import Light, tinted
from pspgui.scenes.noise import Noise
from pspgui.scenes.plan import Thing

TREE = CAMVID.find("Tree").id
BUILDING = CAMVID.find("Building").id
_SPRITE = 224
_TWIG_PX = 192
_VARIANTS = 10
_LEAVES = np.array([[74, 92, 40], [96, 102, 46], [60, 84, 46], [110, 100, 50], [84, 96, 58]], float)


class Forester:
    """Paints the trees of one scene."""

    def __init__(self, easel: Easel, camera: Camera, light: Light, noise: Noise) -> None:
        self.easel, self.camera, self.light, self.noise = easel, camera, light, noise

    def paint(self, tree: Thing) -> None:
        """Paint one tree: trunk, then its crown, leafy or bare."""
        rng = np.random.default_rng(tree.seed)
        height = tree.size * rng.uniform(7.0, 10.5)
        radius = height * rng.uniform(0.3, 0.42)
        clear = rng.uniform(0.16, 0.28) * height
        foot = self.camera.project([[tree.x, 0.0, tree.z]])[0]
        scale = self.camera.scale(tree.z)
        lean = rng.normal(0, 0.03) * height
        bark = np.array([74, 66, 56.0]) * rng.uniform(0.7, 1.1)
        box = foot + np.array([[lean - radius, clear], [lean + radius, height]]) * (scale, -scale)
        around = np.vstack([box, foot[None]])
        if not self.easel.sees(around):
            return
        top = 0.62 * height
        bole = [[-0.22, 0], [0.22, 0], [0.13, 0.4], [lean + 0.08, top], [lean - 0.08, top]]
        trunk = np.array([*bole, [-0.13, 0.4]]) * (tree.size, 1)
        tint = self.light.lit(bark, (-0.3, 0.2, -0.9), tree.z)
        self.easel.fill(foot + trunk * (scale, -scale), tint, TREE)
        self._crown(tree, rng, box)

    def _crown(self, tree: Thing, rng: np.random.Generator, box: Array) -> None:
        (left, bottom), (right, top) = box
        columns = int(np.clip((right - left) * 1.2, 12, _SPRITE))
        rows = int(np.clip((bottom - top) * 1.2, 12, _SPRITE))
        if tree.kind == "tree-bare":
            colours, alpha, extent = self._bare(rng, rows, columns)
        else:
            colours, alpha = _leafy(self.light, self.noise, rng, (rows, columns))
            extent = None
        warp = np.array([[(right - left) / columns, 0, left], [0, (bottom - top) / rows, top],
                         [0, 0, 1]])  # fmt: skip
        outline = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        colours = tinted(colours, (1.0, 1.0, 1.0), self.light, tree.z)
        self.easel.paste(warp, colours, outline, TREE, alpha, extent)

    def _bare(
        self, rng: np.random.Generator, rows: int, columns: int
    ) -> tuple[Array, Array, Array]:
        """Return colours, alpha and the labelled extent of a leafless crown."""
        whole = _twigs(int(rng.integers(_VARIANTS)))
        whole = whole[:, ::-1] if rng.random() < 0.5 else whole
        alpha = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
        thin = cv2.GaussianBlur(alpha, (0, 0), max(1.0, columns / 24))
        extent = cv2.convertScaleAbs(thin, alpha=5.0)
        haze = cv2.convertScaleAbs(np.maximum(thin, 22) - 22, alpha=0.6)  # twigs too fine to draw
        alpha = cv2.max(alpha, haze)
        tint = np.array([92, 84, 74.0]) * rng.uniform(0.6, 1.0)
        paint = tint * (self.light.ambient + 0.6 * self.light.direct)
        colours = np.empty((rows, columns, 3), np.uint8)
        colours[:] = np.clip(paint, 0, 255).astype(np.uint8)
        return colours, alpha, extent


@cache
def _twigs(variant: int) -> Array:
    """Return the alpha (h, w) uint8 of a leafless crown, grown branch by branch.

    Kept for the life of the process: there are only a few, and growing one takes milliseconds.
    """
    rng = np.random.default_rng(9000 + variant)
    side = _TWIG_PX
    canvas = np.zeros((side, side), np.uint8)
    reach = side * 0.235
    shoots = [(np.array([side / 2, side * 1.0]), -np.pi / 2 + t, reach) for t in (-0.28, 0.02, 0.3)]
    for generation in range(6):
        grown = []
        for start, angle, length in shoots:
            end = start + length * np.array([np.cos(angle), np.sin(angle)])
            a, b = (tuple(np.rint(p * 16).astype(int).tolist()) for p in (start, end))
            cv2.line(canvas, a, b, 255 if generation < 3 else 190, max(1, 4 - generation),
                     cv2.LINE_AA, 4)  # fmt: skip
            for turn in rng.normal(0, 0.22, 3) + np.array([-0.5, 0.03, 0.5]):
                if rng.random() < 0.86:
                    shorter = length * rng.uniform(0.6, 0.84)
                    grown.append((end, angle + turn, shorter))
        shoots = grown
    inset = np.minimum(np.arange(side), np.arange(side)[::-1]) / (0.09 * side)
    edge = np.minimum(inset[:, None], inset[None, :])
    edge[side // 2 :] = inset  # the bole runs on below
    return np.asarray((canvas * np.clip(edge, 0, 1)).astype(np.uint8))


def _leafy(
    light: Light, noise: Noise, rng: np.random.Generator, size: tuple[int, int]
) -> tuple[Array, Array]:
    """Return the colours (h, w, 3) uint8 and alpha (h, w) uint8 of a leafy crown."""
    h, w = size
    normals, cover = _clumps(int(rng.integers(_VARIANTS)))
    x, y, z = light.sun_direction
    tone = 0.42 + 0.36 * (normals @ np.array([x, -y - 0.4, z], np.float32))
    if rng.random() < 0.5:
        tone, cover = tone[:, ::-1], cover[:, ::-1]
    tone = np.asarray(cv2.resize(tone, (w, h), interpolation=cv2.INTER_LINEAR))
    cover = cv2.resize(cover, (w, h), interpolation=cv2.INTER_LINEAR)
    fine = noise.cut(noise.leafy, rng, h, w)
    rough = cv2.resize(noise.cut(noise.leafy, rng, 36, 36), (w, h), interpolation=cv2.INTER_CUBIC)
    ragged = cover + 0.75 * (fine - 0.5) + 1.0 * (rough - 0.5)
    alpha = np.clip((ragged - 0.3) * 8, 0, 1) * np.minimum(1, cover * 8)
    gaps = np.clip((fine + rough - 0.46) * 6 + cover * 1.5, 0, 1)
    bright = 0.14 + 0.8 * tone + 1.15 * (fine - 0.44) + 0.5 * (rough - 0.5)
    tint = _LEAVES[int(rng.integers(len(_LEAVES)))] * rng.uniform(0.75, 1.15)
    paint = (tint * (light.ambient * 0.9 + light.direct * 0.75) * 1.1).astype(np.float32)
    ramp = np.clip(np.linspace(0, 1.8, 256)[:, None] * paint, 0, 255).astype(np.uint8)[:, None]
    level = np.clip(bright * (255 / 1.8), 14, 255).astype(np.uint8)
    colours = cv2.LUT(cv2.cvtColor(level, cv2.COLOR_GRAY2RGB), ramp)
    return np.asarray(colours), (alpha * gaps * 255).astype(np.uint8)


@cache
def _clumps(variant: int) -> tuple[Array, Array]:
    """Return normals (48, 48, 3) and cover (48, 48), float32, of overlapping leaf balls.

    Normals point right, down and towards the camera. Kept for the life of the process.
    """
    rng = np.random.default_rng(7000 + variant)
    y, x = np.mgrid[-1:1:48j, -1:1:48j].astype(np.float32)
    normals = np.zeros((*x.shape, 3), np.float32)
    front = np.zeros(x.shape, np.float32)
    for _ in range(20):
        angle, out = rng.uniform(0, 2 * np.pi), 0.62 * np.sqrt(rng.random())
        cx, cy = out * np.cos(angle), out * np.sin(angle) * 0.95
        r = rng.uniform(0.2, 0.36)
        z = np.sqrt(np.maximum(r * r - (x - cx) ** 2 - (y - cy) ** 2, 0)) / r
        nearer = z > front
        normals[nearer] = np.stack([(x - cx) / r, (y - cy) / r, -z], axis=-1)[nearer]
        front = np.maximum(front, z)
    return cv2.GaussianBlur(normals, (0, 0), 1.2), front


def paint_skyline(easel: Easel, camera: Camera, light: Light, rng: np.random.Generator) -> None:
    """Paint far crowns and roofs along the horizon, so that no gap shows bare sky to the ground."""
    for depth, kind in ((240.0, TREE), (200.0, BUILDING), (175.0, TREE)):
        reach = depth * 0.75
        x = -reach
        while x < reach:
            width = rng.uniform(10, 26)
            height = rng.uniform(4, 9) if kind == TREE else rng.uniform(4.5, 9)
            if rng.random() < (0.75 if kind == TREE else 0.4):
                shape = _dome(width, height, rng) if kind == TREE else _roof(width, height)
                world = np.column_stack([shape[:, 0] + x, shape[:, 1], np.full(len(shape), depth)])
                base = (78, 84, 64.0) if kind == TREE else (128, 116, 106.0)
                tint = np.array(base) * rng.uniform(0.75, 1.1)
                easel.fill(
                    camera.polygon(world), light.lit(tint, (0, 0.3, -0.9), depth * 0.7), kind
                )
            x += width * rng.uniform(0.5, 0.9)


def _dome(width: float, height: float, rng: np.random.Generator) -> Array:
    t = np.linspace(0, np.pi, 19)
    bumps = 1 + rng.uniform(-0.12, 0.12, 19)
    return np.column_stack([width * (0.5 + 0.5 * np.cos(t) * bumps), height * np.sin(t) * bumps])


def _roof(width: float, height: float) -> Array:
    return np.array([[0, 0], [0, height * 0.65], [width * 0.15, height], [width * 0.85, height],
                     [width, height * 0.65], [width, 0]])  # fmt: skip
