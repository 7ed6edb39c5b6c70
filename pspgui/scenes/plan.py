"""The plan of a street in metres: what stands where, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

FAR_M = 170.0
# Beyond these metres a thing is thinner than two pixels, or lower than twenty, of a frame of
# 480 x 360; nobody would label it there, so the street is kept clear of it.
REACH_M = {
    "lamp": 34.0, "post": 38.0, "sign": 26.0, "signals": 26.0, "bollard": 18.0, "board": 28.0,
    "walker": 28.0, "cyclist": 24.0, "cyclist-side": 24.0,
}  # fmt: skip


@dataclass(frozen=True)
class Lot:
    """A stretch of one side of the street, z0..z1 metres ahead, with what stands on it."""

    side: int  # -1 left, +1 right
    z0: float
    z1: float
    kind: str  # house, shop, modern, open, road
    front: float  # metres from the pavement's edge to the facade
    height: float  # metres to the eaves
    barrier: str  # none, railing, wood, hedge, wall
    seed: int


@dataclass(frozen=True)
class Thing:
    """Something placed on the street: kind, position in metres, heading (rad) and own seed."""

    kind: str
    x: float
    z: float
    seed: int
    heading: float = 0.0
    size: float = 1.0


@dataclass(frozen=True)
class Street:
    """A street along z: kerbs left and right of the camera, pavements, bend, and its contents."""

    left: float
    right: float
    centre: float
    pavements: tuple[float, float]
    bend: float  # x of the street's axis is bend * z^2
    end_m: float  # where the street ends at a cross street, or FAR_M
    verge: str  # grass, paved
    lots: tuple[Lot, ...] = field(default=())
    things: tuple[Thing, ...] = field(default=())

    def offset(self, z: float) -> float:
        """Return the sideways shift in metres of the street's axis at a distance."""
        return self.bend * max(z, 0.0) * abs(z)

    def kerb(self, side: int, z: float) -> float:
        """Return x of the kerb at a distance."""
        return self.offset(z) + (self.left if side < 0 else self.right)

    def edge(self, side: int, z: float) -> float:
        """Return x of the pavement's outer edge at a distance."""
        return self.kerb(side, z) + side * self.pavements[0 if side < 0 else 1]


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(0, 2**62))


def plan_street(rng: np.random.Generator) -> Street:
    """Draw the plan of a street."""
    left = -rng.uniform(1.8, 3.3)
    right = rng.uniform(3.4, 7.8)
    pavements = (float(rng.uniform(1.6, 4.2)), float(rng.uniform(1.6, 4.2)))
    centre = (left + right) / 2 if rng.random() < 0.4 else left + max(3.2, (right - left) * 0.47)
    bend = float(rng.choice([0.0, 1.0], p=[0.45, 0.55]) * rng.normal(0, 0.0009))
    end = float(rng.uniform(45, 110)) if rng.random() < 0.35 else FAR_M
    bare = Street(
        left, right, float(centre), pavements, bend, end, "grass" if rng.random() < 0.7 else "paved"
    )
    lots = [*_side(rng, -1, end), *_side(rng, 1, end)]
    things = _things(rng, bare, lots)
    return Street(
        left, right, float(centre), pavements, bend, end, bare.verge, tuple(lots), tuple(things)
    )


def _side(rng: np.random.Generator, side: int, end: float) -> list[Lot]:
    """Draw the lots of one side from behind the camera to the end of the street."""
    manner = str(
        rng.choice(["shops", "terrace", "garden", "park", "mixed"], p=[0.2, 0.22, 0.22, 0.16, 0.2])
    )
    base_height = rng.uniform(6.0, 11.6)
    barrier = str(rng.choice(["railing", "wood", "hedge", "wall"], p=[0.4, 0.2, 0.2, 0.2]))
    setback = rng.uniform(3, 8) if manner in ("garden", "mixed") else 0.0
    lots: list[Lot] = []
    z = -8.0 - rng.uniform(0, 6)
    while z < end:
        gap = rng.random()
        length = float(rng.uniform(5, 13))
        if gap < 0.07 and lots and lots[-1].kind not in ("road",) and z > 12:
            length = float(rng.uniform(6, 9))
            lots.append(Lot(side, z, z + length, "road", 0, 0, "none", _seed(rng)))
        elif manner == "park" or gap < 0.16:
            stop = z + length * (2 if manner == "park" else 1)
            back = "open" if rng.random() < 0.6 else "house"
            lots.append(
                Lot(side, z, stop, back, rng.uniform(14, 24), base_height, barrier, _seed(rng))
            )
            length = stop - z
        else:
            lots.append(_built(rng, manner, side, z, length, base_height, setback, barrier))
        z += length
    return lots


def _built(
    rng: np.random.Generator, manner: str, side: int, z: float, length: float,
    base_height: float, setback: float, barrier: str,
) -> Lot:  # fmt: skip
    kind = "shop" if manner == "shops" and rng.random() < 0.8 else "house"
    if rng.random() < 0.1:
        kind = "modern"
    at_edge = setback == 0 or (manner == "mixed" and rng.random() < 0.5)
    front = 0.0 if at_edge else setback
    height = max(4.6, base_height + rng.normal(0, 1.0))
    return Lot(side, z, z + length, kind, front, height, "none" if at_edge else barrier, _seed(rng))


def _things(rng: np.random.Generator, street: Street, lots: list[Lot]) -> list[Thing]:
    """Place trees, furniture, traffic and people."""
    things = [
        *_trees(rng, street, lots),
        *_furniture(rng, street),
        *_traffic(rng, street),
        *_people(rng, street),
    ]
    return [t for t in things if t.z <= REACH_M.get(t.kind, FAR_M)]


def _trees(rng: np.random.Generator, street: Street, lots: list[Lot]) -> list[Thing]:
    out = []
    season = rng.choice(["tree-leafy", "tree-bare"], p=[0.55, 0.45])
    for side in (-1, 1):
        if rng.random() < 0.22:
            z = rng.uniform(9, 22)
            while z < street.end_m - 4:
                x = street.kerb(side, z) + side * 0.8
                out.append(Thing(str(season), x, z, _seed(rng), size=rng.uniform(0.6, 0.95)))
                z += rng.uniform(9, 22)
    for lot in lots:
        if lot.front > 2 and lot.z1 > 5:
            dense = 0.9 if lot.kind == "open" else 0.5
            for z in np.arange(max(lot.z0, 5), lot.z1, 4.5):
                if rng.random() < dense:
                    z_tree = float(z + rng.uniform(0, 3))
                    depth = rng.uniform(1.6, max(2.0, lot.front - 1))
                    x = street.edge(lot.side, z_tree) + lot.side * depth
                    kind = str(season) if rng.random() < 0.8 else "tree-leafy"
                    out.append(Thing(kind, x, z_tree, _seed(rng), size=rng.uniform(0.6, 1.3)))
    return out


def _furniture(rng: np.random.Generator, street: Street) -> list[Thing]:
    out = []
    for side in (-1, 1):
        spacing = rng.uniform(18, 34)
        z = rng.uniform(8, 22)
        kind = "lamp" if rng.random() < 0.8 else "post"
        while z < street.end_m:
            x = street.kerb(side, z) + side * 0.45
            out.append(Thing(kind, x, z, _seed(rng), size=rng.uniform(0.85, 1.1)))
            z += spacing * rng.uniform(0.8, 1.2)
        for _ in range(int(rng.poisson(3.6))):
            z = float(6 + 45 * rng.random() ** 1.4)
            kind = str(
                rng.choice(["sign", "signals", "bollard", "board"], p=[0.68, 0.09, 0.13, 0.1])
            )
            x = street.kerb(side, z) + side * rng.uniform(0.3, 0.9)
            out.append(Thing(kind, x, min(z, street.end_m - 2), _seed(rng)))
        if rng.random() < 0.16:
            z0 = float(rng.uniform(5, 25))
            out.append(Thing("guard", float(side), z0, _seed(rng), size=float(rng.uniform(8, 20))))
    return out


def _traffic(rng: np.random.Generator, street: Street) -> list[Thing]:
    out = []
    for side in (-1, 1):
        density = float(rng.choice([0.0, 0.12, 0.55, 0.85], p=[0.5, 0.22, 0.17, 0.11]))
        wide = street.right - street.left > 7.2
        z = float(rng.uniform(4, 9))
        while z < min(street.end_m - 6, 80):
            if rng.random() < density and (side > 0 or wide or z > 14):
                x = street.kerb(side, z) - side * rng.uniform(0.95, 1.15)
                slope = np.arctan(2 * street.bend * z)
                turn = 0.0 if rng.random() < (0.8 if side < 0 else 0.35) else np.pi
                out.append(Thing(_car_kind(rng), x, z, _seed(rng), heading=float(turn + slope)))
            z += rng.uniform(5.4, 7.5)
    ahead = float(8 + rng.gamma(2.0, 9))
    if rng.random() < 0.7 and ahead < street.end_m - 4:
        x = (street.left + street.centre) / 2 + street.offset(ahead) + rng.normal(0, 0.2)
        out.append(Thing(_car_kind(rng), float(x), ahead, _seed(rng)))
    oncoming = float(rng.uniform(7, 30))
    while rng.random() < 0.6 and oncoming < street.end_m - 4:
        x = (street.right + street.centre) / 2 + street.offset(oncoming) - 0.2
        out.append(Thing(_car_kind(rng), float(x), oncoming, _seed(rng), heading=np.pi))
        oncoming += float(rng.uniform(9, 30))
    return _apart(out)


def _car_kind(rng: np.random.Generator) -> str:
    return str(rng.choice(["car", "estate", "saloon", "van"], p=[0.45, 0.2, 0.25, 0.1]))


def _apart(things: list[Thing]) -> list[Thing]:
    """Drop vehicles that would stand inside another."""
    kept: list[Thing] = []
    for thing in things:
        if all(abs(thing.z - k.z) > 5.6 or abs(thing.x - k.x) > 1.9 for k in kept):
            kept.append(thing)
    return kept


def _people(rng: np.random.Generator, street: Street) -> list[Thing]:
    out = []
    busy = rng.choice([0.6, 2.0, 5.0], p=[0.35, 0.4, 0.25])
    for side in (-1, 1):
        for _ in range(int(rng.poisson(busy))):
            z = float(7 + 35 * rng.random() ** 1.4)
            width = street.pavements[0 if side < 0 else 1]
            x = street.kerb(side, z) + side * rng.uniform(0.5, max(0.7, width - 0.3))
            out += [
                Thing("walker", x + 0.55 * k, z, _seed(rng), size=rng.normal(1, 0.05))
                for k in range(1 + int(rng.random() < 0.3))
            ]
    if rng.random() < 0.14:
        z = float(rng.uniform(10, 30))
        x = float(rng.uniform(street.left, street.right)) + street.offset(z)
        out.append(Thing("walker", x, z, _seed(rng)))
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.42, 0.34, 0.17, 0.07]))):
        z = float(6 + 22 * rng.random())
        near_left = rng.random() < 0.75
        x = (
            street.left + rng.uniform(0.5, 1.1)
            if near_left
            else street.right - rng.uniform(0.6, 1.2)
        )
        kind = "cyclist" if rng.random() < 0.8 else "cyclist-side"
        out.append(Thing(kind, float(x + street.offset(z)), z, _seed(rng)))
    return out
