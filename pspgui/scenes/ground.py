"""The ground: verge, pavements with kerbs, road, markings, their texture and all shadows on it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from pspgui.labels.classes import CAMVID
from pspgui.scenes.camera import Array, Camera
from pspgui.scenes.easel import Easel
from pspgui.scenes.light import Light, Triple
from pspgui.scenes.noise import Noise
from pspgui.scenes.plan import FAR_M, Street

ROAD = CAMVID.find("Road").id
PAVEMENT = CAMVID.find("Pavement").id
GRASS = CAMVID.find("Tree").id  # CamVid counts verges with vegetation
_UP = np.array([0.0, 1.0, 0.0])
_STATIONS = np.concatenate([[-3.0, 0.45], np.geomspace(1.0, FAR_M, 26)])
_TEXTURE_SIDE = 960
SHADE = 0.54  # how much of the light a full sun shadow takes away


class Ground:
    """Paints the ground of one street; shadows are collected first, applied by `finish`."""

    def __init__(
        self, easel: Easel, camera: Camera, light: Light, street: Street, rng: np.random.Generator
    ) -> None:
        self.easel, self.camera, self.light, self.street = easel, camera, light, street
        self.rng = rng
        self.ratio = min(1.0, _TEXTURE_SIDE / max(easel.height, easel.width))
        size = (max(1, round(easel.height * self.ratio)), max(1, round(easel.width * self.ratio)))
        self.shadow: Array = np.zeros(size, np.uint8)
        asphalt = rng.uniform(70, 104)
        self.asphalt = asphalt * np.array([0.97, 0.99, 1.03]) + rng.normal(0, 1.5, 3)
        self.paving = asphalt * rng.uniform(1.02, 1.4) * np.array([1.03, 1.0, 0.95])

    def flat(self, points: ArrayLike, colour: Triple, label: int | None, y: float = 0.0) -> None:
        """Fill a polygon of (x, z) metres on the ground (or at height y) with a lit colour."""
        xz = np.asarray(points, float)
        world = np.column_stack([xz[:, 0], np.full(len(xz), y), xz[:, 1]])
        near = float(np.clip(world[:, 2].mean(), 1, 60))
        self.easel.fill(self.camera.polygon(world), self.light.lit(colour, _UP, near), label)

    def ribbon(self, a: ArrayLike, b: ArrayLike, z: Array, colour: Triple, label: int | None,
               y: float = 0.0) -> None:  # fmt: skip
        """Fill between x = a and x = b (arrays along the distances z)."""
        left = np.column_stack([np.broadcast_to(a, z.shape), z])
        right = np.column_stack([np.broadcast_to(b, z.shape), z])
        self.flat(np.vstack([left, right[::-1]]), colour, label, y)

    def shade(self, points: ArrayLike, strength: float) -> None:
        """Add the shadow of a ground polygon of (x, z) metres; 1 is black."""
        xz = np.asarray(points, float)
        world = np.column_stack([xz[:, 0], np.zeros(len(xz)), xz[:, 1]])
        pixels = self.camera.polygon(world) * self.ratio
        if len(pixels) >= 3:
            fixed = np.rint(np.clip(pixels, -1e5, 1e5) * 16).astype(np.int32)
            cv2.fillPoly(self.shadow, [fixed], round(255 * strength), cv2.LINE_AA, 4)

    def cast(self, base: ArrayLike, height_m: float) -> None:
        """Add the sun's shadow of an upright wall over the ground line (2, 2) of (x, z)."""
        strength = SHADE * float(self.light.direct.max())
        if strength > 0.08:
            line = np.asarray(base, float)
            self.shade(np.vstack([line, line[::-1] + self.light.ground_shift(height_m)]), strength)

    def cast_block(self, corners: ArrayLike, height_m: float) -> None:
        """Add the sun's shadow of a block standing on the ground polygon (M, 2) of (x, z)."""
        strength = SHADE * float(self.light.direct.max())
        if strength > 0.08:
            base = np.asarray(corners, np.float32)
            both = np.vstack([base, base + self.light.ground_shift(height_m).astype(np.float32)])
            self.shade(cv2.convexHull(both)[:, 0], strength)

    def paint(self) -> None:
        """Paint verge, pavements, kerbs, road and markings, without texture and shadows."""
        s, z = self.street, _STATIONS
        bend = np.array([s.offset(float(v)) for v in z])
        grass = s.verge == "grass"
        colour = self.rng.uniform(0.75, 1.05) * np.array([86, 98, 50.0]) if grass else self.paving
        wide = np.array([[-400, 400.0], [400, 400], [400, 0.0], [-400, 0]])
        self.flat(wide, colour, GRASS if grass else PAVEMENT)
        self._cross_roads()
        for side, width in zip((-1, 1), s.pavements, strict=True):
            kerb = bend + (s.left if side < 0 else s.right)
            self.ribbon(kerb, kerb + side * width, z, self.paving, PAVEMENT, 0.1)
            self.ribbon(kerb, kerb + side * 0.16, z, self.paving * 1.22, PAVEMENT, 0.1)
        self._paving_joints()
        self.ribbon(bend + s.left, bend + s.right, z, self.asphalt, ROAD)
        self._wear(bend, z)
        for side in (-1, 1):
            kerb = bend + (s.left if side < 0 else s.right)
            self._kerb_face(kerb, z)
        self._junction_mouths()
        self._markings(bend, z)

    def _paving_joints(self) -> None:
        """Paint the joints between the slabs nearby."""
        s, colour = self.street, self.paving * 0.84
        for side, width in zip((-1, 1), s.pavements, strict=True):
            for z in np.arange(1.2, 16, 0.9):
                a = s.kerb(side, float(z)) + side * 0.16
                b = a + side * (width - 0.16)
                self.flat([[a, z], [b, z], [b, z + 0.025], [a, z + 0.025]], colour, None, 0.1)

    def _wear(self, bend: Array, z: Array) -> None:
        """Paint tyre tracks, patches and manhole covers on the asphalt."""
        s, rng = self.street, self.rng
        lane = (s.left + s.centre) / 2
        for x in (lane - 0.75, lane + 0.75, 2 * s.centre - lane - 0.75, 2 * s.centre - lane + 0.75):
            self.ribbon(bend + x - 0.28, bend + x + 0.28, z, self.asphalt * 0.955, None)
        for _ in range(int(rng.integers(0, 4))):
            x, d = rng.uniform(s.left, s.right - 1.5), rng.uniform(3, 25)
            w, length = rng.uniform(0.6, 1.6), rng.uniform(1, 7)
            x += s.offset(d)
            self.flat([[x, d], [x + w, d], [x + w, d + length], [x, d + length]],
                      self.asphalt * rng.choice([0.86, 0.9, 1.08]), None)  # fmt: skip
        turn = np.linspace(0, 2 * np.pi, 15)[:-1]
        for _ in range(int(rng.integers(0, 4))):
            x, d = rng.uniform(s.left + 0.5, s.right - 0.5), rng.uniform(3, 22)
            disc = np.column_stack([np.cos(turn), np.sin(turn)]) * 0.32 + (x + s.offset(d), d)
            self.flat(disc, self.asphalt * 0.62, None)

    def _kerb_face(self, kerb: Array, z: Array) -> None:
        low = np.column_stack([kerb, np.zeros_like(z), z])
        high = np.column_stack([kerb, np.full_like(z, 0.1), z])
        pixels = self.camera.polygon(np.vstack([low, high[::-1]]))
        self.easel.fill(pixels, self.light.lit(self.paving * 0.8, _UP * 0.8, 12), PAVEMENT)

    def _cross_roads(self) -> None:
        s = self.street
        for lot in s.lots:
            if lot.kind == "road":
                x = s.kerb(lot.side, lot.z0)
                z0, z1 = lot.z0 + 0.8, lot.z1 - 0.8
                far = x + lot.side * 60
                self.flat([[x, z0], [far, z0], [far, z1], [x, z1]], self.asphalt, ROAD)
        if s.end_m < FAR_M:
            z0, z1 = s.end_m, s.end_m + 9
            self.flat([[-90, z0], [90, z0], [90, z1], [-90, z1]], self.asphalt, ROAD)

    def _junction_mouths(self) -> None:
        """Cut side streets through the pavement that was painted over them."""
        s = self.street
        mouths = [(lot.side, lot.z0 + 0.8, lot.z1 - 0.8) for lot in s.lots if lot.kind == "road"]
        if s.end_m < FAR_M:
            mouths += [(-1, s.end_m, s.end_m + 9), (1, s.end_m, s.end_m + 9)]
            self.flat([[-60, s.end_m + 9], [60, s.end_m + 9], [60, s.end_m + 11.5],
                       [-60, s.end_m + 11.5]], self.paving, PAVEMENT)  # fmt: skip
        for side, z0, z1 in mouths:
            kerb = s.kerb(side, (z0 + z1) / 2)
            outer = kerb + side * 4.5
            inner = kerb - side * 0.05
            shape = [[inner, z0 - 1.0], [inner, z1 + 1.0], [kerb + side, z1], [outer, z1],
                     [outer, z0], [kerb + side, z0]]  # fmt: skip
            self.flat(shape, self.asphalt * 0.99, ROAD)

    def _markings(self, bend: Array, z: Array) -> None:
        s, rng = self.street, self.rng
        white = np.array([206, 207, 203.0]) * rng.uniform(0.72, 1.0)
        yellow = np.array([196, 168, 74.0]) * rng.uniform(0.7, 1.0)
        if rng.random() < 0.85:
            self._dashes(
                s.centre, white, *[(2.0, 4.0), (4.0, 2.0), (6.0, 3.0)][int(rng.integers(3))]
            )
        for side in (-1, 1):
            kerb = bend + (s.left if side < 0 else s.right)
            if rng.random() < 0.5:
                for inset in (0.28, 0.5):
                    self.ribbon(kerb - side * inset, kerb - side * (inset + 0.09), z, yellow, None)
            elif rng.random() < 0.3 and (side > 0 or s.left < -2.7):
                a = kerb - side * 1.5
                self.ribbon(a, a - side * 0.1, z, white, None)
                if rng.random() < 0.4:
                    self.ribbon(kerb, a, z, np.array([118, 72, 62.0]), ROAD)
        if rng.random() < 0.2:
            self._crossing(float(rng.uniform(9, 30)), white)
        if rng.random() < 0.3:
            self._arrow((s.left + s.centre) / 2, float(rng.uniform(7, 16)), white)
        if s.end_m < FAR_M:
            stop = s.end_m - 0.8
            x = s.offset(stop)
            for k in np.arange(s.left, s.centre - 0.4, 0.9):
                self.flat([[x + k, stop], [x + k + 0.6, stop], [x + k + 0.6, stop + 0.3],
                           [x + k, stop + 0.3]], white, None)  # fmt: skip

    def _dashes(self, x: float, colour: Array, length: float, gap: float) -> None:
        z = float(self.rng.uniform(-2, 2))
        while z < min(self.street.end_m, 90):
            zs = np.array([z, z + length])
            a = np.array([self.street.offset(float(v)) for v in zs]) + x
            self.ribbon(a - 0.06, a + 0.06, zs, colour, None)
            z += length + gap

    def _crossing(self, z: float, colour: Array) -> None:
        s = self.street
        x = s.left + s.offset(z) + 0.3
        while x < s.right + s.offset(z) - 0.5:
            self.flat([[x, z], [x + 0.5, z], [x + 0.5, z + 2.6], [x, z + 2.6]], colour, None)
            x += 1.0

    def _arrow(self, x: float, z: float, colour: Array) -> None:
        x += self.street.offset(z)
        self.flat(
            [[x - 0.08, z], [x + 0.08, z], [x + 0.08, z + 2.5], [x - 0.08, z + 2.5]], colour, None
        )
        self.flat([[x - 0.4, z + 2.4], [x + 0.4, z + 2.4], [x, z + 4.0]], colour, None)

    def finish(self, noise: Noise) -> None:
        """Multiply the painted ground by its texture and by the shadows collected so far."""
        rows, columns = self.shadow.shape
        blur = max(1.0, 0.004 * columns)
        shadow = cv2.GaussianBlur(self.shadow, (0, 0), blur)
        top = int(np.clip(self.camera.matrix[1, 2] * self.ratio - 0.02 * rows, 0, rows - 1))
        factor = self._texture(noise, top) * (1 - shadow[top:].astype(np.float32) / 255)
        multiply_rows(self.easel.image, factor, top / rows)

    def _texture(self, noise: Noise, top: int) -> Array:
        """Return the factor (rows - top, columns) float32 of the asphalt's grain and stains."""
        rows, columns = self.shadow.shape
        shrink = np.diag([self.ratio, self.ratio, 1.0])
        plane = shrink @ self.camera.plane((0, 0, 0), (1, 0, 0), (0, 0, 1))
        shift = np.array([[1.0, 0, 0], [0, 1, -top], [0, 0, 1]])
        depth = self._row_depth(top, rows)
        factor = np.ones((rows - top, columns), np.float32)
        layers = ((noise.grainy, 42.0, 0.42, 7.0), (noise.leafy, 9.0, 0.2, 30.0),
                  (noise.cloudy, np.array([16.0, 3.0]), 0.3, 90.0))  # fmt: skip
        for tile, per_m, strength, reach_m in layers:
            scale = np.diag([*np.broadcast_to(1 / np.asarray(per_m), 2), 1.0])
            flags = cv2.INTER_LINEAR
            piece = cv2.warpPerspective(
                tile, shift @ plane @ scale, (columns, rows - top), flags=flags,
                borderMode=cv2.BORDER_WRAP,
            )  # fmt: skip
            weight = (strength * np.clip(1.3 - depth / reach_m, 0, 1)).astype(np.float32)[:, None]
            factor += (piece - 0.5) * weight
        return factor

    def _row_depth(self, top: int, rows: int) -> Array:
        y = (np.arange(top, rows) + 0.5) / self.ratio - self.camera.matrix[1, 2]
        return np.asarray(self.camera.focal_px * self.camera.eye_m / np.maximum(y, 1e-3))


def multiply_rows(image: Array, factor: Array, top_share: float) -> None:
    """Multiply the rows of image below top_share of its height by factor, enlarged to fit."""
    height, width = image.shape[:2]
    top = int(top_share * height)
    if factor.shape == (height - top, width):
        _multiply(image[top:], factor)
        return
    strip = 512
    scale = factor.shape[0] / (height - top)
    for y in range(top, height, strip):
        stop = min(y + strip, height)
        rows = ((np.arange(y, stop) - top + 0.5) * scale - 0.5).astype(np.float32)
        columns = ((np.arange(width) + 0.5) * factor.shape[1] / width - 0.5).astype(np.float32)
        u, v = np.meshgrid(columns, rows)
        part = cv2.remap(factor, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        _multiply(image[y:stop], part)


def _multiply(part: Array, factor: Array) -> None:
    weight = cv2.cvtColor(factor.astype(np.float32), cv2.COLOR_GRAY2RGB)
    np.copyto(part, cv2.multiply(part, weight, dtype=cv2.CV_8U))
