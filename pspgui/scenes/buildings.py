"""Buildings along the street: facade, gable wall, roof, chimneys; and the row at a street's end."""

from __future__ import annotations

import numpy as np

from pspgui.labels.classes import CAMVID
from pspgui.scenes.camera import NEAR_M, Array, Camera
from pspgui.scenes.easel import Easel
from pspgui.scenes.facade import Style, draw_style, facade_texture, gable_texture
from pspgui.scenes.light import Light, tinted
from pspgui.scenes.noise import Noise
from pspgui.scenes.plan import Lot, Street

BUILDING = CAMVID.find("Building").id
_ROOFS = np.array([[84, 86, 92], [70, 70, 74], [128, 80, 62], [104, 74, 60], [96, 92, 88]], float)


def paint_building(
    easel: Easel, camera: Camera, light: Light, noise: Noise, street: Street, lot: Lot
) -> None:
    """Paint the building of a lot with its facade towards the street."""
    rng = np.random.default_rng(lot.seed)
    a = np.array([street.edge(lot.side, lot.z0) + lot.side * lot.front, lot.z0])
    b = np.array([street.edge(lot.side, lot.z1) + lot.side * lot.front, lot.z1])
    if lot.z1 < 1.0:
        return
    depth = rng.uniform(7, 10)
    hidden = any(
        n.side == lot.side and n.z1 == lot.z0 and n.kind in ("house", "shop", "modern")
        and n.front <= lot.front and n.height >= lot.height - 0.5 for n in street.lots
    )  # fmt: skip
    looks = (lot.kind, lot.height)
    _block(easel, camera, light, noise, rng, (a, b), lot.side * depth, looks, plain_end=hidden)


def paint_end_row(
    easel: Easel, camera: Camera, light: Light, noise: Noise, street: Street, seed: int
) -> None:
    """Paint the buildings across the cross street at the end, facing the camera."""
    rng = np.random.default_rng(seed)
    z = street.end_m + 12.0
    x = -60.0
    base = rng.uniform(5.5, 9.5)
    while x < 60:
        width = float(rng.uniform(7, 15))
        if rng.random() < 0.85:
            kind = str(rng.choice(["house", "shop", "modern"], p=[0.55, 0.3, 0.15]))
            ends = (np.array([x, z]), np.array([x + width, z]))
            _block(
                easel, camera, light, noise, rng, ends, 8.0, (kind, base + rng.normal(0, 1.0)), True
            )
        x += width


def _block(
    easel: Easel, camera: Camera, light: Light, noise: Noise, rng: np.random.Generator,
    ends: tuple[Array, Array], back: float, looks: tuple[str, float], frontal: bool = False,
    plain_end: bool = False,
) -> None:  # fmt: skip
    """Paint a building over the ground line `ends` ((x, z) each), `back` metres deep."""
    a, b = ends
    kind, height = looks
    along = b - a
    length = float(np.hypot(*along))
    style = draw_style(rng, kind, length, height)
    into = np.array([0.0, back]) if frontal else np.array([back, 0.0])
    flat = kind == "modern" or rng.random() < 0.15
    rise = 0.0 if flat else rng.uniform(2.0, 3.4)
    roof = _ROOFS[int(rng.integers(len(_ROOFS)))] * rng.uniform(0.75, 1.05)
    middle = max(1.0, float(a[1] + b[1]) / 2)
    if not flat:
        _roof(easel, camera, light, rng, (a, b, into), (height, rise), roof, style)
    if not frontal:
        _gable(easel, camera, light, None if plain_end else noise, (a, into), (height, rise), style)
    normal = _normal(along, into)
    _facade(easel, camera, light, noise, style, (a, b), height, normal, middle)


def _normal(along: Array, into: Array) -> Array:
    n = np.array([-along[1], 0.0, along[0]])
    n /= np.hypot(n[0], n[2])
    return n if n[0] * into[0] + n[2] * into[1] < 0 else -n


def _facade(
    easel: Easel, camera: Camera, light: Light, noise: Noise, style: Style,
    ends: tuple[Array, Array], height: float, normal: Array, depth_m: float,
) -> None:  # fmt: skip
    a, b = ends
    corners = np.array(
        [[a[0], 0, a[1]], [b[0], 0, b[1]], [b[0], height, b[1]], [a[0], height, a[1]]]
    )
    outline = camera.polygon(corners)
    if len(outline) < 3 or not easel.sees(outline):
        return
    if np.ptp(outline[:, 0]) < 0.011 * camera.width:  # a far sliver: windows would not show
        easel.fill(outline, light.lit(style.wall * 0.82, normal, depth_m), BUILDING)
        return
    length = float(np.hypot(*(b - a)))
    span = outline.max(axis=0) - outline.min(axis=0)
    nearest = max(NEAR_M, min(a[1], b[1]))
    visible = (
        max(0.15, (max(a[1], b[1]) - nearest) / max(abs(b[1] - a[1]), 1e-6)) if a[1] != b[1] else 1
    )
    target = (
        int(min(height * camera.scale(max(nearest, 3.0)), 1400)),
        int(min(span[0] / visible * 1.3, 1400)),
    )
    texture = facade_texture(style, noise, length, height, target)
    h, w = texture.shape[:2]
    texture = tinted(texture, light.factor(normal), light, depth_m)
    origin = (a[0], height, a[1])
    along = np.array([b[0] - a[0], 0, b[1] - a[1]]) / w
    plane = camera.plane(origin, along, (0, -height / h, 0))
    easel.paste(plane, texture, outline, BUILDING)


def _gable(
    easel: Easel, camera: Camera, light: Light, noise: Noise | None, at: tuple[Array, Array],
    heights: tuple[float, float], style: Style,
) -> None:  # fmt: skip
    a, into = at
    height, rise = heights
    near, far = a, a + into
    mid = a + into / 2
    world = np.array([
        [near[0], 0, near[1]], [near[0], height, near[1]], [mid[0], height + rise, mid[1]],
        [far[0], height, far[1]], [far[0], 0, far[1]],
    ])  # fmt: skip
    if near[1] <= NEAR_M:
        return
    outline = camera.polygon(world)
    if noise is None or np.ptp(outline[:, 0]) < 0.08 * camera.width:
        easel.fill(outline, light.lit(style.wall * 0.92, (0, 0, -1), near[1]), BUILDING)
    elif easel.sees(outline):
        depth = float(np.hypot(*into))
        texture = gable_texture(style, noise, depth, height + rise)
        texture = tinted(texture, light.factor((0, 0, -1)), light, float(near[1]))
        h, w = texture.shape[:2]
        across = np.array([into[0], 0, into[1]]) / w
        plane = camera.plane((a[0], height + rise, a[1]), across, (0, -(height + rise) / h, 0))
        easel.paste(plane, texture, outline, BUILDING)


def _roof(
    easel: Easel, camera: Camera, light: Light, rng: np.random.Generator,
    ground: tuple[Array, Array, Array], heights: tuple[float, float], colour: Array, style: Style,
) -> None:  # fmt: skip
    a, b, into = ground
    height, rise = heights
    ridge_a, ridge_b = a + into / 2, b + into / 2
    top = height + rise
    world = np.array([
        [a[0], height, a[1]], [b[0], height, b[1]],
        [ridge_b[0], top, ridge_b[1]], [ridge_a[0], top, ridge_a[1]],
    ])  # fmt: skip
    depth = max(1.0, float(a[1] + b[1]) / 2)
    toward = _normal(b - a, into) * 0.5 + np.array([0, 0.85, 0])
    if rng.random() < 0.7:
        for t in (0.08, 0.92):
            p = ridge_a + (ridge_b - ridge_a) * t
            _chimney(easel, camera, light, p, height + rise, style)
    easel.fill(camera.polygon(world), light.lit(colour, toward, depth), BUILDING)


def _chimney(
    easel: Easel, camera: Camera, light: Light, p: Array, top: float, style: Style
) -> None:
    x, z = p
    if z < 4:
        return
    stack = np.array([[x - 0.5, top - 0.8, z], [x + 0.5, top - 0.8, z], [x + 0.5, top + 1.1, z],
                      [x - 0.5, top + 1.1, z]])  # fmt: skip
    easel.fill(camera.polygon(stack), light.lit(style.wall * 0.8, (0, 0, -1), z), BUILDING)
    for k in (-0.25, 0.2):
        pot = stack[[0, 1, 2, 3]].copy()
        pot[:, 0] = [x + k - 0.1, x + k + 0.1, x + k + 0.1, x + k - 0.1]
        pot[:, 1] = [top + 1.1, top + 1.1, top + 1.5, top + 1.5]
        easel.fill(camera.polygon(pot), light.lit((150, 92, 66), (0, 0, -1), z), BUILDING)
