"""Street furniture: lamp posts, sign posts, traffic lights, boards, bollards, fences and hedges."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from pspgui.labels.classes import CAMVID
from pspgui.scenes.camera import Array, Camera
from pspgui.scenes.easel import Easel
from pspgui.scenes.light import Light, Triple, tinted
from pspgui.scenes.noise import Noise
from pspgui.scenes.plan import Lot, Street, Thing

POLE = CAMVID.find("Pole").id
SIGN = CAMVID.find("SignSymbol").id
FENCE = CAMVID.find("Fence").id
BUILDING = CAMVID.find("Building").id
TREE = CAMVID.find("Tree").id
_TURN = np.linspace(0, 2 * np.pi, 17)[:-1]
_FRONT = (0.0, 0.15, -0.95)


class Furnisher:
    """Paints furniture upright towards the camera, in metres beside its foot."""

    def __init__(self, easel: Easel, camera: Camera, light: Light, street: Street) -> None:
        self.easel, self.camera, self.light, self.street = easel, camera, light, street

    def paint(self, thing: Thing) -> None:
        """Paint one piece of furniture."""
        rng = np.random.default_rng(thing.seed)
        self.depth_m = thing.z
        self.foot = self.camera.project([[thing.x, 0.1, thing.z]])[0]
        self.scale = self.camera.scale(thing.z)
        inward = -1.0 if thing.x > self.street.centre + self.street.offset(thing.z) else 1.0
        if thing.kind == "lamp":
            self._lamp(thing.size, inward, rng)
        elif thing.kind == "post":
            self._bar((0, 0), (0, 7.5 * thing.size), 0.27, (92, 82, 70))
            self._bar((-0.6, 7.0 * thing.size), (0.6, 7.0 * thing.size), 0.1, (92, 82, 70))
        elif thing.kind == "sign":
            self._sign(rng)
        elif thing.kind == "signals":
            self._signals(rng)
        elif thing.kind == "bollard":
            self._bar((0, 0), (0, 1.0), 0.16, (40, 42, 44))
        elif thing.kind == "board":
            self._board(rng)
        elif thing.kind == "guard":
            self._guard(int(thing.x), thing)

    def _shape(self, points: ArrayLike, colour: Triple, label: int | None) -> None:
        pixels = self.foot + np.asarray(points, float) * (self.scale, -self.scale)
        self.easel.fill(pixels, self.light.lit(colour, _FRONT, self.depth_m), label)

    def _bar(self, a: ArrayLike, b: ArrayLike, wide: float, colour: Triple) -> None:
        """Paint a round bar, lighter on one side."""
        p, q = np.asarray(a, float), np.asarray(b, float)
        along = (q - p) / (np.hypot(*(q - p)) + 1e-9)
        across = np.array([-along[1], along[0]]) * wide / 2
        tint = np.asarray(colour, float)
        self._shape([p - across, p + across, q + across, q - across], tint * 0.85, None)
        # filling covers every pixel the edge touches, which would double a thin pole
        inner = across * max(0.1, 1 - 0.9 / (wide * self.scale))
        band = np.array([p - inner, p + inner, q + inner, q - inner])
        self.easel.mark(self.foot + band * (self.scale, -self.scale), POLE)
        if wide * self.scale > 3:
            self._shape([p, p + across * 0.6, q + across * 0.6, q], tint * 1.25, None)

    def _lamp(self, size: float, inward: float, rng: np.random.Generator) -> None:
        tall = rng.uniform(6.5, 8.5) * size
        steel = np.array([112, 116, 114.0]) * rng.uniform(0.5, 1.1)
        self._bar((0, 0), (0, 1.3), 0.24, steel * 0.9)
        self._bar((0, 1.2), (0, tall), 0.16, steel)
        reach = inward * rng.uniform(0.8, 1.8)
        self._bar((0, tall - 0.05), (reach, tall + 0.25), 0.09, steel)
        head = np.array([[0, 0.1], [0.75, 0.16], [0.75, 0.3], [0, 0.28]]) * (inward, 1)
        self._shape(head + np.array([reach, tall]), steel * 1.1, POLE)

    def _sign(self, rng: np.random.Generator) -> None:
        top = rng.uniform(2.2, 2.9)
        self._bar((0, 0), (0, top + 0.5), 0.11, (120, 122, 122))
        centre = np.array([0, top + 0.3])
        kind = int(rng.integers(5))
        r = rng.uniform(0.28, 0.38)
        disc = np.column_stack([np.cos(_TURN), np.sin(_TURN)])
        if kind == 0:
            self._shape(centre + disc * r, (168, 30, 34), SIGN)
            self._shape(centre + disc * r * 0.74, (216, 216, 214), SIGN)
            self._shape(centre + np.array([[-0.1, -0.12], [0.1, -0.12], [0.1, 0.12], [-0.1, 0.12]]),
                        (40, 40, 44), SIGN)  # fmt: skip
        elif kind == 1:
            self._shape(centre + disc * r, (24, 70, 150), SIGN)
            self._shape(centre + np.array([[-0.05, -0.2], [0.05, -0.2], [0.05, 0.2], [-0.05, 0.2]]),
                        (222, 224, 226), SIGN)  # fmt: skip
        elif kind == 2:
            triangle = np.array([[-1, -0.7], [1, -0.7], [0, 1.0]])
            self._shape(centre + triangle * r * 1.15, (176, 32, 34), SIGN)
            self._shape(centre + (0, -0.02) + triangle * r * 0.72, (220, 220, 216), SIGN)
        else:
            w, h = (0.24, 0.33) if kind == 3 else (0.45, 0.26)
            box = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1.0]])
            tint = np.array([[28, 84, 160], [24, 92, 66], [218, 214, 200]])[int(rng.integers(3))]
            self._shape(centre + box * (w, h), (214, 214, 210), SIGN)
            self._shape(centre + box * (w * 0.88, h * 0.86), tint, SIGN)
            for k in (-0.4, 0.0, 0.4):
                self._shape(centre + (0, k * h) + box * (w * 0.6, h * 0.08),
                            (226, 226, 222) if tint[0] < 200 else (60, 60, 66), SIGN)  # fmt: skip

    def _signals(self, rng: np.random.Generator) -> None:
        self._bar((0, 0), (0, 3.3), 0.13, (70, 72, 74))
        box = np.array([[-0.2, 2.4], [0.2, 2.4], [0.2, 3.5], [-0.2, 3.5]])
        self._shape(box + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.07, (46, 46, 48), SIGN)
        self._shape(box, (18, 18, 20), SIGN)
        lit = int(rng.integers(3))
        disc = np.column_stack([np.cos(_TURN), np.sin(_TURN)]) * 0.13
        lamps = (((255, 48, 40), 3.28), ((255, 170, 40), 2.95), ((60, 255, 150), 2.62))
        for k, (colour, y) in enumerate(lamps):
            self._shape(
                disc + np.array([0, y]), np.array(colour) * (1.3 if k == lit else 0.16), SIGN
            )

    def _board(self, rng: np.random.Generator) -> None:
        """Paint a low advertising or direction board on two legs."""
        w, h, low = rng.uniform(0.35, 0.65), rng.uniform(0.25, 0.5), rng.uniform(1.0, 1.9)
        for k in (-0.7, 0.7):
            self._bar((k * w, 0), (k * w, low), 0.08, (96, 98, 98))
        box = np.array([[-w, low], [w, low], [w, low + 2 * h], [-w, low + 2 * h]])
        self._shape(box, (222, 220, 212), SIGN)
        inner = box.mean(axis=0) + (box - box.mean(axis=0)) * 0.88
        tint = np.array([[34, 60, 110], [120, 34, 36], [30, 80, 64], [190, 150, 60.0]])
        tint = tint[int(rng.integers(4))]
        self._shape(inner, tint, SIGN)
        for k in (0.25, 0.5, 0.75):
            y = low + 2 * h * k
            line = [[-0.7 * w, y], [0.5 * w, y], [0.5 * w, y + 0.2 * h], [-0.7 * w, y + 0.2 * h]]
            self._shape(line, (226, 222, 210), SIGN)

    def _guard(self, side: int, thing: Thing) -> None:
        """Paint a steel pedestrian railing along the kerb."""
        z0, z1 = thing.z, thing.z + thing.size
        a = np.array([self.street.kerb(side, z0) + side * 0.35, z0])
        b = np.array([self.street.kerb(side, z1) + side * 0.35, z1])
        paint_railing(self.easel, self.camera, self.light, (a, b), 0.1, (120, 124, 126))


def paint_railing(
    easel: Easel, camera: Camera, light: Light, ends: tuple[Array, Array], low: float,
    colour: Triple, height: float = 1.0,
) -> None:  # fmt: skip
    """Paint bars between two ground points; the label covers the gaps as CamVid's does."""
    a, b = ends
    length = float(np.hypot(*(b - a)))
    depth = max(1.0, float(a[1]))
    tint = light.lit(colour, (0.5, 0.3, -0.8), depth + length / 3)

    def at(t: float, y: float) -> list[float]:
        p = a + (b - a) * t
        return [float(p[0]), y, float(p[1])]

    sheet = camera.polygon([at(0, low), at(1, low), at(1, low + height), at(0, low + height)])
    if len(sheet) < 3 or not easel.sees(sheet):
        return
    easel.mark(sheet, FENCE)
    for y, wide in ((low + height - 0.06, 0.06), (low + 0.1, 0.045)):
        rail = camera.polygon([at(0, y), at(1, y), at(1, y + wide), at(0, y + wide)])
        easel.fill(rail, tint, FENCE)
    bars, alpha = _bars(tint, sheet, length)
    h, w = alpha.shape
    along = np.array([b[0] - a[0], 0, b[1] - a[1]]) / w
    plane = camera.plane((a[0], low + height, a[1]), along, (0, -height / h, 0))
    easel.paste(plane, bars, sheet, None, alpha)


def _bars(colour: Sequence[float], outline: Array, length: float) -> tuple[Array, Array]:
    """Return the texture (h, w, 3) and alpha (h, w), uint8, of upright bars with posts."""
    count = max(2, int(length / 0.13))
    wanted = float(outline[:, 0].max() - outline[:, 0].min()) * 2
    per_bar = int(np.clip(wanted / count, 1, 8))
    alpha = np.full((8, count * per_bar), 0, np.uint8)
    if per_bar == 1:
        alpha[:] = 96
    else:
        alpha[:, ::per_bar] = 230
        if per_bar >= 6:
            alpha[:, 1::per_bar] = 230
    alpha[:, :: per_bar * 14] = 255
    alpha[:, -1] = 255
    texture = np.empty((*alpha.shape, 3), np.uint8)
    texture[:] = np.clip(colour, 0, 255).astype(np.uint8)
    return texture, alpha


def paint_barrier(
    easel: Easel, camera: Camera, light: Light, noise: Noise, street: Street, lot: Lot
) -> None:
    """Paint what divides a lot from the pavement: railing on a low wall, boards, or a hedge."""
    if lot.barrier == "none" or lot.z1 < 1.5 or lot.kind == "road":
        return
    rng = np.random.default_rng(lot.seed + 1)
    a = np.array([street.edge(lot.side, lot.z0), lot.z0])
    b = np.array([street.edge(lot.side, lot.z1), lot.z1])
    height = {"railing": 0.55, "wood": 1.7, "hedge": 1.5, "wall": 1.3}[lot.barrier]
    tint = {
        "railing": (140, 122, 98.0), "wood": (112, 92, 70.0), "hedge": (54, 68, 38.0),
        "wall": (140, 112, 88.0),
    }[lot.barrier]  # fmt: skip
    height *= rng.uniform(0.85, 1.15)
    normal = np.array([-lot.side, 0.0, 0.0])
    corners = np.array(
        [[a[0], 0, a[1]], [b[0], 0, b[1]], [b[0], height, b[1]], [a[0], height, a[1]]]
    )
    outline = camera.polygon(corners)
    if len(outline) < 3 or not easel.sees(outline):
        return
    depth = max(1.0, float(a[1] + b[1]) / 2)
    span = outline.max(axis=0) - outline.min(axis=0)
    texture = _barrier_texture(
        noise, rng, lot.barrier, np.array(tint) * rng.uniform(0.8, 1.15), span
    )
    texture = tinted(texture, light.factor(normal), light, depth)
    h, w = texture.shape[:2]
    along = np.array([b[0] - a[0], 0, b[1] - a[1]]) / w
    plane = camera.plane((a[0], height, a[1]), along, (0, -height / h, 0))
    # CamVid counts walls with buildings, and only what stands on them as fence
    label = {"hedge": TREE, "wood": FENCE}.get(lot.barrier, BUILDING)
    easel.paste(plane, texture, outline, label)
    thick = lot.side * 0.35
    top = np.array([
        [a[0], height, a[1]], [b[0], height, b[1]],
        [b[0] + thick, height, b[1]], [a[0] + thick, height, a[1]],
    ])  # fmt: skip
    easel.fill(camera.polygon(top), light.lit(np.array(tint) * 1.15, (0, 1, 0), depth), label)
    if lot.barrier == "railing":
        paint_railing(easel, camera, light, (a, b), height, (36, 38, 42), 0.95)


def _barrier_texture(
    noise: Noise, rng: np.random.Generator, barrier: str, colour: Array, span: Array
) -> Array:
    """Return a texture (h, w, 3) uint8 of boards, bricks or leaves, no finer than `span`."""
    tile = noise.leafy if barrier == "hedge" else noise.grainy
    rows, columns = int(np.clip(span[1] * 1.2, 12, 64)), int(np.clip(span[0] * 1.2, 16, 256))
    grain = noise.cut(tile, rng, rows, columns)
    strength = 1.3 if barrier == "hedge" else 0.4
    tone = 1 + strength * (grain - 0.5)
    if barrier == "wood":
        tone[:, ::8] *= 0.6
    elif barrier != "hedge":
        tone[::5] *= 0.84
    tone *= np.linspace(1.05, 0.75, rows, dtype=np.float32)[:, None]
    full = cv2.cvtColor(tone, cv2.COLOR_GRAY2RGB) * colour.astype(np.float32)
    return np.asarray(np.minimum(np.maximum(full, 0), 255).astype(np.uint8))
