"""Walkers and cyclists: small figures of limbs, drawn upright towards the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pspgui.labels.classes import CAMVID
from pspgui.scenes.camera import Array, Camera
from pspgui.scenes.easel import Easel
from pspgui.scenes.light import Light, Triple
from pspgui.scenes.plan import Thing

PEDESTRIAN = CAMVID.find("Pedestrian").id
BICYCLIST = CAMVID.find("Bicyclist").id
COATS = np.array([
    [28, 30, 36], [22, 24, 30], [54, 44, 40], [60, 66, 84], [110, 30, 34], [40, 52, 44],
    [120, 116, 108], [34, 48, 90], [150, 130, 100], [70, 70, 74],
], float)  # fmt: skip
_TURN = np.linspace(0, 2 * np.pi, 13)[:-1]


@dataclass(frozen=True)
class _Figure:
    """Paints shapes of (x right, y up) metres beside a foot point, all of one label."""

    easel: Easel
    light: Light
    foot: Array
    scale: float
    depth_m: float
    label: int

    def shape(self, points: ArrayLike, colour: Triple) -> None:
        """Fill a polygon."""
        pixels = self.foot + np.asarray(points, float) * (self.scale, -self.scale)
        self.easel.fill(pixels, self.light.lit(colour, (0.0, 0.25, -0.9), self.depth_m), self.label)

    def limb(self, a: ArrayLike, b: ArrayLike, wide: tuple[float, float], colour: Triple) -> None:
        """Fill a tapering limb from a to b, `wide` across at its ends."""
        p, q = np.asarray(a, float), np.asarray(b, float)
        along = q - p
        across = np.array([-along[1], along[0]]) / (np.hypot(*along) + 1e-9) / 2
        self.shape([p - across * wide[0], p + across * wide[0], q + across * wide[1],
                    q - across * wide[1]], colour)  # fmt: skip

    def oval(self, centre: ArrayLike, rx: float, ry: float, colour: Triple) -> None:
        """Fill an ellipse."""
        disc = np.column_stack([rx * np.cos(_TURN), ry * np.sin(_TURN)])
        self.shape(np.asarray(centre, float) + disc, colour)

    def ring(self, centre: ArrayLike, rx: float, ry: float, wide: float, colour: Triple) -> None:
        """Draw a tyre: an elliptic band."""
        c = np.asarray(centre, float)
        for t0, t1 in zip(_TURN, np.roll(_TURN, -1), strict=True):
            a, b = (c + np.array([rx * np.cos(t), ry * np.sin(t)]) for t in (t0, t1))
            self.limb(a, b, (wide, wide), colour)


def paint_person(easel: Easel, camera: Camera, light: Light, person: Thing) -> None:
    """Paint a walker or a cyclist."""
    rng = np.random.default_rng(person.seed)
    foot = camera.project([[person.x, 0.0, person.z]])[0]
    label = PEDESTRIAN if person.kind == "walker" else BICYCLIST
    figure = _Figure(easel, light, foot, camera.scale(person.z) * person.size, person.z, label)
    if person.kind == "walker":
        _walker(figure, rng)
    elif person.kind == "cyclist":
        _cyclist_from_behind(figure, rng)
    else:
        _cyclist_from_the_side(figure, rng)


def _clothes(rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    coat = COATS[int(rng.integers(len(COATS)))] * rng.uniform(0.8, 1.2)
    trousers = np.array([[30, 32, 42], [44, 52, 70], [24, 24, 26], [70, 64, 54.0]])[
        int(rng.integers(4))
    ]
    skin = np.array([196, 152, 128.0]) * rng.uniform(0.5, 1.05)
    hair = np.array([[40, 32, 26], [84, 62, 42], [24, 22, 22], [130, 110, 80.0]])[
        int(rng.integers(4))
    ]
    return coat, trousers, skin, hair


def _walker(f: _Figure, rng: np.random.Generator) -> None:
    coat, trousers, skin, hair = _clothes(rng)
    stride = rng.uniform(0.04, 0.26)
    way = rng.choice([-1, 1])
    skirt = rng.random() < 0.2
    for k, shade in ((-1, 0.75), (1, 1.0)):
        knee = (way * (stride * k * 0.7 + 0.03), 0.46)
        toe = (way * stride * k, 0.05)
        f.limb((0.05 * k, 0.9), knee, (0.19, 0.15), trousers * shade)
        f.limb(knee, toe, (0.15, 0.1), trousers * shade)
        f.limb((toe[0] - 0.04 * way, 0.04), (toe[0] + 0.15 * way, 0.03), (0.09, 0.07), (26, 24, 24))
    swing = rng.uniform(0.05, 0.2)
    f.limb((-0.19, 1.38), (-0.24 - swing * 0.4, 0.86), (0.13, 0.1), coat * 0.72)
    hem = 0.62 if skirt else 0.82
    f.shape([[-0.19, hem], [0.19, hem], [0.2, 1.1], [0.235, 1.38], [0.12, 1.5], [-0.12, 1.5],
             [-0.235, 1.38], [-0.2, 1.1]], coat)  # fmt: skip
    f.shape([[0.04, hem], [0.19, hem], [0.2, 1.1], [0.235, 1.38], [0.1, 1.48]], coat * 0.82)
    f.limb((0.21, 1.4), (0.25 + swing * 0.3, 0.88), (0.13, 0.1), coat * 0.9)
    f.oval((0.26 + swing * 0.3, 0.84), 0.05, 0.06, skin)
    if rng.random() < 0.35:
        bag = COATS[int(rng.integers(len(COATS)))] * 1.2
        f.shape([[0.2, 0.75], [0.42, 0.75], [0.42, 1.05], [0.2, 1.05]], bag)
    _head(f, (0.0, 1.62), skin, hair, rng.random() < 0.5)


def _head(f: _Figure, at: tuple[float, float], skin: Array, hair: Array, back: bool) -> None:
    x, y = at
    f.limb((x, y - 0.16), (x, y - 0.05), (0.11, 0.1), skin * 0.8)
    f.oval((x, y + 0.02), 0.105, 0.135, hair)
    if not back:
        f.oval((x, y - 0.02), 0.085, 0.105, skin)


def _cyclist_from_behind(f: _Figure, rng: np.random.Generator) -> None:
    coat, trousers, skin, hair = _clothes(rng)
    if rng.random() < 0.25:
        coat = np.array([206, 214, 60.0])
    f.oval((0, 0.34), 0.045, 0.34, (24, 24, 26))
    f.limb((0, 0.3), (0, 0.95), (0.07, 0.05), (46, 46, 50))
    f.limb((-0.3, 1.02), (0.3, 1.02), (0.05, 0.05), (30, 30, 32))
    high = rng.choice([-1, 1])
    for k in (-1, 1):
        low = 0.16 if k != high else 0.38
        f.limb((0.1 * k, 0.98), (0.16 * k, low + 0.38), (0.19, 0.15), trousers * (0.9 + 0.1 * k))
        f.limb((0.16 * k, low + 0.38), (0.13 * k, low), (0.15, 0.1), trousers * 0.85)
        f.oval((0.13 * k, low), 0.06, 0.05, (24, 22, 22))
        f.limb((0.2 * k, 1.45), (0.33 * k, 1.22), (0.13, 0.11), coat * 0.85)
        f.limb((0.33 * k, 1.22), (0.28 * k, 1.04), (0.11, 0.08), coat * 0.8)
    f.shape([[-0.17, 0.93], [0.17, 0.93], [0.2, 1.2], [0.23, 1.45], [0.12, 1.56], [-0.12, 1.56],
             [-0.23, 1.45], [-0.2, 1.2]], coat)  # fmt: skip
    f.shape([[0.02, 0.93], [0.17, 0.93], [0.2, 1.2], [0.23, 1.45], [0.1, 1.54]], coat * 0.82)
    f.oval((0, 0.9), 0.13, 0.07, (26, 26, 28))
    f.oval((0, 0.72), 0.04, 0.04, (190, 30, 26))
    _head(f, (0.0, 1.68), skin, hair, True)
    if rng.random() < 0.5:
        f.shape([[-0.12, 1.7], [0.12, 1.7], [0.09, 1.83], [-0.09, 1.83]], (190, 192, 196))


def _cyclist_from_the_side(f: _Figure, rng: np.random.Generator) -> None:
    coat, trousers, skin, hair = _clothes(rng)
    k = float(rng.choice([-1, 1]))
    frame = np.array([[120, 30, 30], [30, 40, 70], [40, 42, 44.0]])[int(rng.integers(3))]
    for x in (-0.52, 0.52):
        f.ring((x, 0.34), 0.33, 0.33, 0.06, (26, 26, 28))
    pedal, seat, bar = (0.0, 0.3), (-0.2 * k, 0.86), (0.38 * k, 0.88)
    rear, front, grip = (-0.52 * k, 0.34), (0.52 * k, 0.34), (0.4 * k, 1.02)
    tubes = ((pedal, seat), (seat, bar), (pedal, bar), (rear, pedal), (rear, seat), (front, bar))
    for a, b in (*tubes, (bar, grip)):
        f.limb(a, b, (0.05, 0.05), frame)
    for foot, shade in (((0.05 * k, 0.42), 0.7), ((0.02 * k, 0.16), 1.0)):
        knee = (0.2 * k, foot[1] + 0.36)
        f.limb((-0.17 * k, 0.95), knee, (0.19, 0.15), trousers * shade)
        f.limb(knee, foot, (0.14, 0.1), trousers * shade)
        f.limb(foot, (foot[0] + 0.16 * k, foot[1]), (0.08, 0.07), (24, 22, 22))
    f.limb((-0.2 * k, 0.92), (0.06 * k, 1.46), (0.3, 0.34), coat)
    f.limb((0.06 * k, 1.4), (0.22 * k, 1.15), (0.12, 0.1), coat * 0.8)
    f.limb((0.22 * k, 1.15), (0.4 * k, 1.03), (0.1, 0.08), coat * 0.8)
    _head(f, (0.13 * k, 1.64), skin, hair, False)
