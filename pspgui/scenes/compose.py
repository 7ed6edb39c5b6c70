"""A street scene: plan it in metres, then paint it from far to near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from pspgui.labels.classes import CAMVID
from pspgui.scenes.buildings import paint_building, paint_end_row
from pspgui.scenes.camera import Array, Camera, street_camera
from pspgui.scenes.easel import Easel
from pspgui.scenes.film import develop, draw_film
from pspgui.scenes.furniture import Furnisher, paint_barrier
from pspgui.scenes.ground import SHADE, Ground
from pspgui.scenes.light import Light, draw_light
from pspgui.scenes.noise import Noise, scene_noise
from pspgui.scenes.people import paint_person
from pspgui.scenes.plan import FAR_M, Street, Thing, plan_street
from pspgui.scenes.sky import paint_sky
from pspgui.scenes.vegetation import Forester, paint_skyline
from pspgui.scenes.vehicles import footprint, paint_car

SKY = CAMVID.find("Sky").id
VEHICLES = ("car", "estate", "saloon", "van")
PEOPLE = ("walker", "cyclist", "cyclist-side")


@dataclass(frozen=True)
class Scene:
    """A painted scene: image (H, W, 3) uint8 RGB, labels (H, W) uint8 in the CamVid classes."""

    image: Array
    labels: Array
    seed: int


def render_scene(seed: int, height: int, width: int) -> Scene:
    """Paint the street scene of a seed at any size of at least 8 pixels a side.

    The same seed and size give the same bytes; the same seed at another size of the same shape
    shows the same street. Labels are exact and never blended. Raises `ValueError` for a smaller
    size. Pure function; safe on any thread.
    """
    if height < 8 or width < 8:
        raise ValueError(f"a scene needs at least 8 x 8 pixels, not {height} x {width}")
    plan_rng, light_rng, paint_rng, film_rng, noise_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)
    )
    street = plan_street(plan_rng)
    camera = street_camera(plan_rng, height, width)
    light = draw_light(light_rng)
    film = draw_film(light_rng)
    noise = scene_noise(noise_rng)
    easel = Easel(height, width, SKY)
    paint_sky(easel, camera, light, noise, paint_rng)
    paint_skyline(easel, camera, light, paint_rng)
    _paint_ground(easel, camera, light, noise, street, paint_rng)
    for _, paint in sorted(_subjects(easel, camera, light, noise, street), key=lambda s: -s[0]):
        paint()
    return Scene(develop(easel.image, film, film_rng), easel.labels, seed)


def _paint_ground(
    easel: Easel, camera: Camera, light: Light, noise: Noise, street: Street,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    ground = Ground(easel, camera, light, street, rng)
    ground.paint()
    for lot in street.lots:
        if lot.kind not in ("road", "open"):
            x0 = street.edge(lot.side, lot.z0) + lot.side * lot.front
            x1 = street.edge(lot.side, lot.z1) + lot.side * lot.front
            back = lot.side * 8
            corners = [[x0, lot.z0], [x1, lot.z1], [x1 + back, lot.z1], [x0 + back, lot.z0]]
            ground.cast_block(corners, lot.height + 1.0)
    for thing in street.things:
        _ground_shadow(ground, light, thing)
    ground.finish(noise)


def _ground_shadow(ground: Ground, light: Light, thing: Thing) -> None:
    if thing.z > 80:  # under a pixel high from here on
        return
    sun = SHADE * float(light.direct.max())
    if thing.kind in VEHICLES:
        corners = footprint(thing)
        middle = corners.mean(axis=0)
        ground.cast_block(corners, 1.2)
        for grow, strength in ((1.35, 0.25), (1.12, 0.55), (0.95, 0.85)):
            ground.shade(middle + (corners - middle) * grow, strength)
        return
    x, z = thing.x, thing.z
    turn = np.linspace(0, 2 * np.pi, 13)[:-1]
    disc = np.column_stack([np.cos(turn), np.sin(turn)])
    if thing.kind.startswith("tree"):
        if sun > 0.08:
            centre = np.array([x, z]) + light.ground_shift(5.5 * thing.size)
            wobble = 1 + 0.25 * np.sin(turn * 5 + thing.seed % 7)
            ground.shade(centre + disc * 3.0 * thing.size * wobble[:, None], sun * 0.9)
        ground.cast([[x - 0.15, z], [x + 0.15, z]], 5 * thing.size)
        ground.shade(np.array([x, z]) + disc * 0.5, 0.4)
    elif thing.kind in PEOPLE:
        ground.cast([[x - 0.2, z], [x + 0.2, z]], 1.6)
        ground.shade(np.array([x, z]) + disc * (0.34, 0.3), 0.5)
    elif thing.kind != "guard":
        ground.cast([[x - 0.06, z], [x + 0.06, z]], 6 if thing.kind in ("lamp", "post") else 2.5)


def _subjects(
    easel: Easel, camera: Camera, light: Light, noise: Noise, street: Street
) -> list[tuple[float, Callable[[], None]]]:
    """Return what stands on the ground as (depth in metres, painter), unordered."""
    out: list[tuple[float, Callable[[], None]]] = []
    if street.end_m < FAR_M:
        seed = street.lots[0].seed
        out.append(
            (street.end_m + 20, lambda: paint_end_row(easel, camera, light, noise, street, seed))
        )
    for lot in street.lots:
        if lot.kind not in ("road", "open"):
            house = partial(paint_building, easel, camera, light, noise, street, lot)
            out.append((lot.z1 + 0.02, house))
        out.append((lot.z1, partial(paint_barrier, easel, camera, light, noise, street, lot)))
    furnisher = Furnisher(easel, camera, light, street)
    forester = Forester(easel, camera, light, noise)
    out += [
        (_order(street, thing), _painter(easel, camera, light, forester, furnisher, thing))
        for thing in street.things
    ]
    return out


def _order(street: Street, thing: Thing) -> float:
    """Return the depth a thing is sorted by; what stands in a front garden goes with its lot."""
    if thing.kind == "guard":
        return thing.z + thing.size
    for rail in street.things:  # walkers behind a kerb railing come before it
        if rail.kind == "guard" and rail.z <= thing.z < rail.z + rail.size:
            side = int(rail.x)
            if side * (thing.x - street.kerb(side, thing.z)) > 0.35:
                return rail.z + rail.size + 0.001
    for lot in street.lots:
        if not lot.z0 <= thing.z < lot.z1:
            continue
        if lot.side * (thing.x - street.edge(lot.side, thing.z)) > 0:
            return lot.z1 + 0.001 + 0.01 * (thing.z - lot.z0) / (lot.z1 - lot.z0)
    return thing.z


def _painter(
    easel: Easel,
    camera: Camera,
    light: Light,
    forester: Forester,
    furnisher: Furnisher,
    thing: Thing,
) -> Callable[[], None]:
    if thing.kind in VEHICLES:
        return lambda: paint_car(easel, camera, light, thing)
    if thing.kind in PEOPLE:
        return lambda: paint_person(easel, camera, light, thing)
    if thing.kind.startswith("tree"):
        return lambda: forester.paint(thing)
    return lambda: furnisher.paint(thing)
