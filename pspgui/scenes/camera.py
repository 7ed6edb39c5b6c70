"""The pinhole camera of a scene: metres in the street to pixels in the frame.

World axes: x right, y up, z forward, in metres; the camera stands at (0, eye height, 0).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

NEAR_M = 0.4  # nothing nearer than this is drawn; also bounds pixel coordinates


@dataclass(frozen=True)
class Camera:
    """Projects world points; `matrix` is (3, 4) float64, `focal_px` pixels per unit tangent."""

    matrix: Array
    focal_px: float
    height: int
    width: int
    eye_m: float

    def homogeneous(self, points: ArrayLike) -> Array:
        """Return (N, 3) homogeneous pixels of (N, 3) world points; the last is the depth."""
        turn, shift = self._halves
        return np.asarray(np.asarray(points, np.float64) @ turn + shift)

    @cached_property
    def _halves(self) -> tuple[Array, Array]:
        return np.ascontiguousarray(self.matrix[:, :3].T), self.matrix[:, 3].copy()

    def project(self, points: ArrayLike) -> Array:
        """Return (N, 2) pixels (x, y) of world points that lie in front of the camera."""
        h = self.homogeneous(points)
        return h[:, :2] / np.maximum(h[:, 2:], NEAR_M)

    def polygon(self, points: ArrayLike) -> Array:
        """Return the pixels (M, 2) of a world polygon, clipped at the near plane; M may be 0."""
        h = self.homogeneous(points)
        if min(h[:, 2].tolist()) < NEAR_M:  # quicker than numpy's minimum for a few corners
            h = _clip_near(h, h[:, 2] >= NEAR_M)
        return np.asarray(h[:, :2] / h[:, 2:])

    def seen_from(self, origin: Array, right: Array, up: Array, forward: Array) -> Camera:
        """Return the camera that takes points in the axes of an object standing at `origin`."""
        axes = np.eye(4)
        axes[:3] = np.stack([right, up, forward, origin], axis=1)
        return replace(self, matrix=self.matrix @ axes)

    def plane(self, origin: ArrayLike, u: ArrayLike, v: ArrayLike) -> Array:
        """Return the (3, 3) homography of the plane origin + a*u + b*v, from (a, b) to pixels."""
        m = self.matrix[:, :3]
        return np.stack(
            [m @ np.asarray(u, float), m @ np.asarray(v, float),
             m @ np.asarray(origin, float) + self.matrix[:, 3]], axis=1,
        )  # fmt: skip

    def scale(self, depth_m: float) -> float:
        """Return pixels per metre at a depth."""
        return self.focal_px / max(depth_m, NEAR_M)


def _clip_near(h: Array, inside: Array) -> Array:
    """Sutherland-Hodgman against depth = NEAR_M, in homogeneous pixels."""
    out = []
    for i in range(len(h)):
        a, b = h[i - 1], h[i]
        if inside[i - 1] != inside[i]:
            t = (NEAR_M - a[2]) / (b[2] - a[2])
            out.append(a + t * (b - a))
        if inside[i]:
            out.append(b)
    return np.array(out) if len(out) >= 3 else np.zeros((0, 3))


def street_camera(rng: np.random.Generator, height: int, width: int) -> Camera:
    """Draw a camera behind a windscreen: eye height, lens, vanishing point and a little roll."""
    eye = rng.uniform(1.2, 1.65)
    unit = max(width, height * 4 / 3)
    focal = rng.uniform(0.92, 1.2) * unit
    vanish_x = rng.uniform(0.4, 0.58) * (width - 1)
    vanish_y = rng.uniform(0.43, 0.555) * (height - 1)
    roll = np.deg2rad(rng.normal(0, 0.5))
    c, s = np.cos(roll), np.sin(roll)
    intrinsic = np.array(
        [[c * focal, s * focal, vanish_x], [s * focal, -c * focal, vanish_y], [0, 0, 1.0]]
    )
    matrix = intrinsic @ np.array([[1.0, 0, 0, 0], [0, 1, 0, -eye], [0, 0, 1, 0]])
    return Camera(matrix, focal, height, width, eye)
