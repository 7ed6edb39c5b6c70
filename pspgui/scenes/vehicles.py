"""Cars and vans: a side profile swept across the width, painted face by face from far to near."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from pspgui.labels.classes import CAMVID
from pspgui.scenes.camera import Array, Camera
from pspgui.scenes.easel import Easel
from pspgui.scenes.light import Light, Triple
from pspgui.scenes.plan import Thing

_ROUND_M, _NARROW = 0.26, 0.92  # how far corners are rounded: along, and across
_LIFT = np.array([0, 0.28, 0])  # tilts a normal towards the sky
CAR = CAMVID.find("Car").id
PAINTS = np.array([
    [30, 34, 44], [24, 24, 26], [150, 154, 160], [176, 178, 180], [98, 24, 28], [28, 42, 78],
    [58, 70, 92], [200, 200, 198], [38, 54, 48], [86, 90, 96], [122, 34, 32], [34, 36, 40],
    [112, 120, 126], [44, 50, 60],
], float)  # fmt: skip


@dataclass(frozen=True)
class Body:
    """A car's shape: profile rows of (length, height, half width) from rear bumper to front.

    `waist` and `roof` are index ranges of the rows of the glass house: rear waist, rear roof,
    front roof, front waist. `wheels` are axle positions, all in metres.
    """

    profile: Array
    house: tuple[int, int, int, int]
    wheels: tuple[float, float]
    wheel_m: float


def _body(rows: list[tuple[float, float, float]], house: tuple[int, int, int, int],
          wheels: tuple[float, float], wheel_m: float = 0.31) -> Body:  # fmt: skip
    profile = np.array(rows)
    ends = (profile[:, 0] < 0.2) | (profile[:, 0] > profile[:, 0].max() - 0.35)
    profile[ends, 2] *= _NARROW
    return Body(profile, house, wheels, wheel_m)


BODIES = {
    "car": _body([(0.06, 0.22, 0.76), (0.0, 0.5, 0.84), (0.08, 0.9, 0.82), (0.42, 1.36, 0.62),
                  (0.8, 1.45, 0.6), (1.95, 1.45, 0.6), (2.75, 0.97, 0.8), (3.6, 0.82, 0.78),
                  (3.85, 0.55, 0.8), (3.82, 0.22, 0.74)], (2, 3, 5, 6), (0.66, 3.1)),
    "estate": _body([(0.06, 0.24, 0.8), (0.0, 0.52, 0.88), (0.06, 0.95, 0.86), (0.36, 1.42, 0.66),
                     (0.7, 1.5, 0.64), (2.5, 1.5, 0.64), (3.35, 1.0, 0.84), (4.25, 0.86, 0.82),
                     (4.5, 0.58, 0.84), (4.46, 0.24, 0.78)], (2, 3, 5, 6), (0.85, 3.6), 0.33),
    "saloon": _body([(0.06, 0.22, 0.78), (0.0, 0.5, 0.86), (0.1, 0.92, 0.82), (0.75, 0.98, 0.82),
                     (1.4, 1.4, 0.6), (2.4, 1.42, 0.6), (3.2, 0.96, 0.82), (4.2, 0.8, 0.8),
                     (4.45, 0.54, 0.82), (4.4, 0.22, 0.76)], (3, 4, 5, 6), (0.85, 3.55)),
    "van": _body([(0.04, 0.3, 0.86), (0.0, 0.6, 0.94), (0.0, 1.2, 0.94), (0.06, 2.1, 0.86),
                  (0.3, 2.2, 0.82), (3.2, 2.2, 0.82), (3.9, 1.25, 0.92), (4.6, 1.05, 0.88),
                  (4.8, 0.6, 0.9), (4.78, 0.3, 0.84)], (2, 3, 5, 6), (0.85, 3.85), 0.36),
}  # fmt: skip


@dataclass(frozen=True)
class _Pose:
    """Where a car stands: maps its own (across, up, along) metres to the world."""

    origin: Array
    right: Array
    forward: Array

    def world(self, points: ArrayLike) -> Array:
        p = np.asarray(points, float)
        return np.asarray(
            self.origin + p[..., :1] * self.right + p[..., 2:] * self.forward
            + p[..., 1:2] * np.array([0, 1.0, 0])
        )  # fmt: skip


def pose_of(car: Thing) -> _Pose:
    """Return the pose of a car whose middle stands at (x, z), heading away at 0."""
    forward = np.array([np.sin(car.heading), 0, np.cos(car.heading)])
    right = np.array([np.cos(car.heading), 0, -np.sin(car.heading)])
    length = float(BODIES[car.kind].profile[:, 0].max())
    return _Pose(np.array([car.x, 0.0, car.z]) - forward * length / 2, right, forward)


def footprint(car: Thing) -> Array:
    """Return the (4, 2) ground corners (x, z) of a car."""
    body = BODIES[car.kind]
    w, length = float(body.profile[:, 2].max()), float(body.profile[:, 0].max())
    corners = [[-w, 0, 0], [w, 0, 0], [w, 0, length], [-w, 0, length]]
    return pose_of(car).world(corners)[:, [0, 2]]


def paint_car(easel: Easel, camera: Camera, light: Light, car: Thing) -> None:
    """Paint one vehicle with glass, wheels, lights and number plate."""
    rng = np.random.default_rng(car.seed)
    body = BODIES[car.kind]
    pose = pose_of(car)
    paint = PAINTS[int(rng.integers(len(PAINTS)))] * rng.uniform(0.85, 1.15)
    if car.kind == "van" and rng.random() < 0.6:
        paint = np.array([206, 208, 208.0])
    eye = np.array([0, camera.eye_m, 0])
    if np.min(footprint(car)[:, 1]) < 0.6:
        return
    brush = _Brush(easel, camera, light, pose, body, car.z)
    brush.far_wheels(eye)
    side = 1 if float((eye - pose.origin) @ pose.right) > 0 else -1
    brush.strips(paint, eye)
    half = float(body.profile[:, 2].max())
    if abs(float((eye - pose.origin) @ pose.right)) > half * 0.8:
        brush.flank(paint, side)
    brush.details(paint, eye, rng)


@dataclass(frozen=True)
class _Brush:
    """Everything needed to paint the parts of one car."""

    easel: Easel
    camera: Camera
    light: Light
    pose: _Pose
    body: Body
    depth_m: float

    @cached_property
    def local(self) -> Camera:
        """The camera for points in the car's own metres."""
        pose = self.pose
        return self.camera.seen_from(pose.origin, pose.right, np.array([0, 1.0, 0]), pose.forward)

    @property
    def fine(self) -> bool:
        """Whether the car is large enough in the frame for small parts."""
        return self.camera.scale(self.depth_m) > 18

    def face(self, points: ArrayLike, colour: Triple, normal: Triple) -> None:
        """Paint a polygon given in the car's own metres, lit by a world normal."""
        pixels = self.local.polygon(points)
        self.easel.fill(pixels, self.light.lit(colour, normal, self.depth_m), CAR)

    def _quad(self, i: int, inset: float = 1.0, span: tuple[float, float] = (0.0, 1.0)) -> Array:
        (s0, y0, w0), (s1, y1, w1) = self.body.profile[i], self.body.profile[i + 1]
        a = np.array([s0, y0, w0]) + (np.array([s1, y1, w1]) - (s0, y0, w0)) * span[0]
        b = np.array([s0, y0, w0]) + (np.array([s1, y1, w1]) - (s0, y0, w0)) * span[1]
        return np.array([[-a[2] * inset, a[1], a[0]], [a[2] * inset, a[1], a[0]],
                         [b[2] * inset, b[1], b[0]], [-b[2] * inset, b[1], b[0]]])  # fmt: skip

    def strips(self, paint: Array, eye: Array) -> None:
        """Paint the faces across the car that look at the camera, far ones first."""
        faces = []
        rear_glass, screen = self.body.house[0], self.body.house[2]
        for i in range(len(self.body.profile) - 1):
            (s0, y0, _), (s1, y1, _) = self.body.profile[i : i + 2]
            across = self.pose.forward * -(y1 - y0) + np.array([0, s1 - s0, 0])
            normal = across / np.linalg.norm(across)
            quad = self._quad(i)
            centre = self.pose.world(quad).mean(axis=0)
            if float((eye - centre) @ normal) > 0:
                faces.append((float(np.linalg.norm(centre - eye)), i, quad, normal))
        for _, i, quad, normal in sorted(faces, key=lambda f: -f[0]):
            tone = 0.72 if i in (0, len(self.body.profile) - 2) else 1.0
            gloss = 26 * max(0.0, float(normal[1])) + 6
            self.face(quad, paint * tone + gloss, normal)
            if i in (rear_glass, screen):
                self.face(self._quad(i, 0.9, (0.06, 0.92)), (30, 35, 41), normal)
                part = (0.45, 0.92) if i == rear_glass else (0.08, 0.5)
                self.face(self._quad(i, 0.88, part), (62, 72, 80), normal)
            elif self.fine and abs(float(normal @ self.pose.forward)) > 0.5 and tone == 1.0:
                self.face(self._quad(i, 1.0, (0.0, 0.4)), (paint + gloss) * 0.9, normal)

    def far_wheels(self, eye: Array) -> None:
        """Paint the dark underside and the tyres seen under the bumper."""
        del eye
        for s in self.body.wheels:
            for w in (-0.84, 0.62):
                self.face([[w, 0, s - 0.2], [w + 0.22, 0, s - 0.2], [w + 0.22, 0.5, s - 0.2],
                           [w, 0.5, s - 0.2]], (22, 22, 24), (0, 0, -1))  # fmt: skip
        length = float(self.body.profile[:, 0].max())
        half = float(self.body.profile[0, 2])
        for s in (0.3, length - 0.3):
            self.face([[-half, 0.12, s], [half, 0.12, s], [half, 0.4, s], [-half, 0.4, s]],
                      (14, 14, 16), (0, 0, -1))  # fmt: skip

    def flank(self, paint: Array, side: int) -> None:
        """Paint the side towards the camera: rounded corners, doors, glass, wheels."""
        p, (rw, _, _, fw) = self.body.profile, self.body.house
        normal = self.pose.right * side
        lower = self._belly([*range(rw + 1), *range(fw, len(p))], side)
        if self.camera.scale(self.depth_m) > 9:
            self._corners(paint, side)
        self.face(lower, paint, normal)
        if self.fine:
            self._creases(lower, paint, normal)
        self.face(self._edge(list(range(rw, fw + 1)), side), paint * 0.96, normal + _LIFT)
        if p[:, 1].max() < 2:
            self._side_glass(paint, side, normal)
        sill = self._belly([0, len(p) - 1], side)
        self.face(np.vstack([sill, sill[::-1] + np.array([0, 0.1, 0])]), paint * 0.4, normal)
        for s in self.body.wheels:
            self._wheel(s, side, normal)

    def _belly(self, rows: list[int], side: int) -> Array:
        """Return rows of the side with the car's ends drawn in, where its corners are round."""
        length = float(self.body.profile[:, 0].max())
        edge = self._edge(rows, side)
        rear, front = edge[:, 2] < 0.2, edge[:, 2] > length - 0.35
        edge[:, 2] += _ROUND_M * rear - _ROUND_M * front
        edge[:, 0] *= np.where(rear | front, 1 / _NARROW, 1.0)
        return edge

    def _corners(self, paint: Array, side: int) -> None:
        """Paint the rounded corners at both ends, seen from the side."""
        p = self.body.profile
        length = float(p[:, 0].max())
        for i in range(len(p) - 1):
            ends = (p[i : i + 2, 0] < 0.2) | (p[i : i + 2, 0] > length - 0.35)
            rear = bool(p[i, 0] < 0.2)
            if ends[0] != ends[1]:  # the sliver where the rounding runs out
                sliver = np.vstack([self._edge([i, i + 1], side), self._belly([i, i + 1], side)])
                self.face(sliver[[0, 1, 3 if ends[1] else 2]], paint * 1.04, (0, 1, 0))
            elif ends.all():
                turn = self.pose.forward * (-0.7 if rear else 0.7) + self.pose.right * side * 0.7
                outer, inner = self._edge([i, i + 1], side), self._belly([i, i + 1], side)
                tone = 0.72 if i in (0, len(p) - 2) else 1.0
                self.face(np.vstack([outer, inner[::-1]]), paint * tone + 4, turn)

    def _creases(self, lower: Array, paint: Array, normal: Array) -> None:
        """Paint the lines that give a flank its form: shoulder, sill shadow, door gaps."""
        x, s0, s1 = lower[:, 0].mean(), lower[:, 2].min() + 0.1, lower[:, 2].max() - 0.1
        for y0, y1, tone in ((0.3, 0.46, 0.84), (0.66, 0.72, 1.16)):
            band = [[x, y0, s0], [x, y0, s1], [x, y1, s1], [x, y1, s0]]
            self.face(band, paint * tone + 5 * (tone > 1), normal)
        for s in (self.body.wheels[0] + 0.5, sum(self.body.wheels) / 2 + 0.25):
            self.face([[x, 0.32, s], [x, 0.9, s], [x, 0.9, s + 0.02], [x, 0.32, s + 0.02]],
                      paint * 0.45, normal)  # fmt: skip

    def _side_glass(self, paint: Array, side: int, normal: Array) -> None:
        window = self._edge(list(self.body.house), side)
        middle = window.mean(axis=0)
        glass = middle + (window - middle) * (1, 0.78, 0.86)
        self.face(glass, (30, 35, 41), normal)
        sky = glass.copy()
        sky[[0, 3]] = (glass[[0, 3]] + glass[[1, 2]]) / 2
        self.face(sky, (64, 74, 82), normal)
        if self.fine:
            self._pillar(glass, paint, normal)
            base = self._edge([self.body.house[3]], side)[0] + np.array([0.12 * side, 0.03, -0.25])
            mirror = np.array([[0, 0, 0], [0, 0, 0.18], [0, 0.14, 0.18], [0, 0.14, 0]])
            self.face(base + mirror, paint * 0.8, normal)

    def _edge(self, rows: list[int], side: int) -> Array:
        p = self.body.profile[rows]
        return np.column_stack([side * p[:, 2], p[:, 1], p[:, 0]])

    def _pillar(self, glass: Array, paint: Array, normal: Array) -> None:
        low = glass[0] + (glass[3] - glass[0]) * 0.48
        high = glass[1] + (glass[2] - glass[1]) * 0.5
        along = np.array([0, 0, 0.05])
        self.face([low - along, low + along, high + along, high - along], paint * 0.55, normal)

    def _wheel(self, s: float, side: int, normal: Array) -> None:
        r, t = self.body.wheel_m, np.linspace(0, 2 * np.pi, 15)[:-1]
        w = side * (float(self.body.profile[:, 2].max()) - 0.02)
        discs = ((1.16, (16, 16, 18)), (1.0, (30, 30, 32)), (0.62, (128, 130, 134)),
                 (0.2, (66, 68, 72)))  # fmt: skip
        for share, colour in discs[: 4 if self.fine else 3]:
            radius = r * share
            disc = np.column_stack([np.full(14, w), r + radius * np.sin(t), s + radius * np.cos(t)])
            disc[:, 1] = np.maximum(disc[:, 1], 0.0)
            self.face(disc, colour, normal)

    def details(self, paint: Array, eye: Array, rng: np.random.Generator) -> None:
        """Paint bumper, lamps and plate on the end towards the camera."""
        rear = float((eye - self.pose.origin) @ self.pose.forward) < 0
        n = len(self.body.profile)
        low, high = (0, 1) if rear else (n - 2, n - 3)
        normal = self.pose.forward * (-1.0 if rear else 1.0)
        dark = np.array([20, 20, 22.0])
        if self.fine:
            self._patch(low, (-1.0, 1.0), (0.0, 0.3), rear, dark, normal)
        if rear:
            lamp = np.array([250, 54, 46.0]) if rng.random() < 0.3 else np.array([138, 22, 22.0])
            top = (0.2, 0.86)
            self._patch(high, (-0.42, 0.42), (0.06, 0.44), rear, paint * 0.55, normal)
            self._patch(high, (-0.3, 0.3), (0.12, 0.4), rear, np.array([208, 178, 62.0]), normal)
        else:
            lamp, top = np.array([206, 210, 210.0]), (0.3, 0.82)
            self._patch(high, (-0.6, 0.6), (0.42, 0.8), rear, dark, normal)
            self._patch(low, (-0.7, 0.7), (0.35, 0.7), rear, dark, normal)
            self._patch(high, (-0.3, 0.3), (0.05, 0.3), rear, np.array([216, 216, 210.0]), normal)
        wide = 0.78 if rear else 0.64
        for a, b in ((-1.0, -wide), (wide, 1.0)):
            self._patch(high, (a, b), top, rear, lamp * 0.8, normal + _LIFT)
            if not self.fine:
                continue
            self._patch(high, (a * 0.97, b * 0.97), (top[0] + 0.2, top[1] - 0.1), rear, lamp * 1.1,
                        normal + _LIFT)  # fmt: skip

    def _patch(self, i: int, across: tuple[float, float], up: tuple[float, float], rear: bool,
               colour: Array, normal: Array) -> None:  # fmt: skip
        span = up if rear else (1 - up[1], 1 - up[0])
        quad = self._quad(i, 1.0, span)
        left, right = quad[[0, 3]], quad[[1, 2]]
        ends = [(left + right) / 2 + (right - left) / 2 * t for t in across]
        self.face(np.vstack([ends[0], ends[1][::-1]]), colour, normal)
