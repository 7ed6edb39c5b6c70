"""The channels behind the strip's maps: one by one, mixed, as a norm, as colours, in numbers.

A level has three maps: pooled (the mean or largest feature of every bin), reduced (after the 1x1
convolution, its norm and ReLU) and upsampled, whose channels are never all computed, for mixing
channels and interpolating cells commute. numpy only, any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple

import numpy as np

from pspgui.geometry import bin_span, interpolation_matrix, pooling_matrix
from pspgui.inference.activations import Activations, PSPActivations

Form = Literal["pooled", "reduced", "upsampled"]
FORMS: Final[tuple[Form, ...]] = ("pooled", "reduced", "upsampled")
# Values handled at once by what passes over all channels.
_BAND_VALUES = 1 << 21
# Cells that directions are looked for in: more take long and hardly turn them.
_MOST_CELLS = 768


@dataclass(frozen=True, eq=False)
class ChannelMaps:
    """All channels of one map: `count` of them, each `shape` cells.

    values (C, h, w) as they are kept, perhaps a view; `spread` is the grid and rule with which
    they are interpolated, None where they are shown as they are; `rectified`: what is below zero
    counts as zero, for maps kept before their ReLU.
    """

    name: str
    title: str
    values: np.ndarray
    form: Form | None = None
    spread: tuple[tuple[int, int], bool] | None = None
    rectified: bool = False

    @property
    def count(self) -> int:
        """How many channels there are."""
        return len(self.values)

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w) of every channel."""
        rows, columns = self.values.shape[1:]
        return (rows, columns) if self.spread is None else self.spread[0]

    def channel(self, number: int) -> np.ndarray:
        """Return one channel, (h, w); raises IndexError for one that there is not."""
        if not 0 <= number < self.count:
            raise IndexError(f"{self.title} has {self.count} channels, none of number {number}")
        found: np.ndarray = self._spread(self.counted(self.values[number])[None])[0]
        return found

    def mixed(self, weights: np.ndarray) -> np.ndarray:
        """Return weighted sums of all channels, (k, h, w), for weights (k, C)."""
        used = np.flatnonzero(weights.any(axis=0))
        values, weights = self.values[used], weights[:, used].astype(self.values.dtype)
        return self._spread(np.tensordot(weights, self.counted(values), axes=1))

    def norm(self) -> np.ndarray:
        """Return the Euclidean norm over the channels, (h, w)."""
        if self.spread is None:
            total = np.zeros(self.shape, np.float64)
            for band in self.bands():
                total += np.einsum("chw,chw->hw", band, band)
            return np.asarray(np.sqrt(total), self.values.dtype)
        rows, columns = self.axes
        # |sum of a_i p_i|^2 takes only the products of bins, never the upsampled channels.
        flat = self.values.reshape(self.count, -1).astype(np.float64)
        weights = np.einsum("yb,xd->yxbd", rows, columns).reshape(-1, flat.shape[1])
        squares = np.einsum("nb,nb->n", weights @ (flat.T @ flat), weights)
        found = np.sqrt(np.maximum(squares, 0)).reshape(self.shape)
        return np.asarray(found, self.values.dtype)

    def activity(self) -> np.ndarray:
        """Return how strong every channel is: its mean size over the cells, (C,)."""
        if self.spread is None:
            return np.concatenate([np.abs(band).mean(axis=(1, 2)) for band in self.bands()])
        rows, columns = self.axes
        share = np.outer(rows.mean(axis=0), columns.mean(axis=0)).ravel()
        found: np.ndarray = np.abs(self.values.reshape(self.count, -1)) @ share
        return found.astype(self.values.dtype)

    def bands(self) -> list[np.ndarray]:
        """Return the values as they count, some channels at a time."""
        step = max(1, _BAND_VALUES // max(1, self.values[0].size))
        starts = range(0, self.count, step)
        return [self.counted(self.values[start : start + step]) for start in starts]

    @cached_property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """The weights of rows (h, b) and columns (w, b) with which bins are interpolated."""
        assert self.spread is not None
        (height, width), align_corners = self.spread
        rows, columns = self.values.shape[1:]
        return (
            interpolation_matrix(height, rows, align_corners),
            interpolation_matrix(width, columns, align_corners),
        )

    def counted(self, values: np.ndarray) -> np.ndarray:
        """Return kept values (..., h, w) as they count."""
        return np.maximum(values, 0) if self.rectified else values

    def _spread(self, maps: np.ndarray) -> np.ndarray:
        if self.spread is None:
            return maps
        rows, columns = (axis.astype(maps.dtype) for axis in self.axes)
        found: np.ndarray = rows @ maps @ columns.T
        return found


def channel_names(activations: Activations) -> tuple[str, ...]:
    """Return the names of the strip's tiles that have channels."""
    levels = activations.levels if isinstance(activations, PSPActivations) else ()
    return (
        "features", *(f"level-{level}" for level in levels), *(("fused",) if levels else ()),
        *(f"map-{index}" for index in range(len(activations.maps))),
    )  # fmt: skip


def channel_maps(
    activations: Activations, name: str, form: Form = "reduced", pool: str = "average"
) -> ChannelMaps:
    """Return the channels of a tile by its name; raises KeyError where there is none.

    `form` chooses among a level's maps and is ignored elsewhere; `pool` is "average" or "max".
    """
    if name == "features":
        return ChannelMaps(name, "Features", activations.features)
    if isinstance(activations, PSPActivations):
        if name == "fused":
            fused = activations.fused_cells.transpose(2, 0, 1)
            return ChannelMaps(name, "Fused", fused, rectified=True)
        for level, prior in zip(activations.levels, activations.level_priors, strict=True):
            if name == f"level-{level}":
                return _of_level(activations, level, prior, form, pool)
    kind, _, index = name.partition("-")
    if kind == "map" and index.isdecimal() and int(index) < len(activations.maps):
        title, values = activations.maps[int(index)]
        return ChannelMaps(name, title, values)
    raise KeyError(f"there are no channels of {name}")


def _of_level(
    known: PSPActivations, level: int, prior: np.ndarray, form: Form, pool: str
) -> ChannelMaps:
    name, title = f"level-{level}", f"{level}×{level}"
    if form == "pooled":
        return ChannelMaps(name, title, pooled(known.features, level, pool), form)
    spread = (known.grid, known.align_corners) if form == "upsampled" else None
    return ChannelMaps(name, title, prior, form, spread)


def pooled(features: np.ndarray, bins: int, pool: str = "average") -> np.ndarray:
    """Return the mean (or largest) feature of every bin, (C, b, b), of features (C, h, w)."""
    height, width = features.shape[1:]
    if pool == "average":
        rows = pooling_matrix(bins, height).astype(features.dtype)
        columns = pooling_matrix(bins, width).astype(features.dtype)
        found: np.ndarray = rows @ (features @ columns.T)
        return found
    spans = [[bin_span(i, bins, size) for i in range(bins)] for size in (height, width)]
    return np.stack(
        [np.stack([features[:, y0:y1, x0:x1].max(axis=(1, 2)) for x0, x1 in spans[1]], axis=-1)
         for y0, y1 in spans[0]], axis=1,
    )  # fmt: skip


# -- colours --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PrincipalColours:
    """The three strongest directions among channels, as red, green and blue.

    directions (3, C), each signed so that its largest entry is positive; low and high (3,) are the
    1st and 99th percentile of the projections, which a colour runs between; shares (3,): how much
    of the channels' variance every direction holds.
    """

    directions: np.ndarray
    low: np.ndarray
    high: np.ndarray
    shares: np.ndarray

    def picture(self, maps: ChannelMaps) -> np.ndarray:
        """Return a map's colours, (h, w, 3) float32 in 0..1; a direction without spread is 0.5."""
        projected = maps.mixed(self.directions).transpose(1, 2, 0)
        spread = self.high - self.low
        flat = spread <= 1e-6 * np.maximum(1e-12, np.abs(self.high))
        found = np.clip((projected - self.low) / np.where(flat, 1, spread), 0, 1)
        found[..., flat] = 0.5
        return np.ascontiguousarray(found, np.float32)


def principal_colours(maps: ChannelMaps) -> PrincipalColours:
    """Return the three strongest directions of a map's channels.

    Those of an upsampled map are exact; of others they are looked for in some hundred cells,
    evenly spread. Fewer than three channels leave the rest without spread.
    """
    if maps.spread is None:
        _, height, width = maps.values.shape
        step = max(1, int(np.ceil(np.sqrt(height * width / _MOST_CELLS))))
        cells = maps.counted(maps.values[:, step // 2 :: step, step // 2 :: step])
        if not cells.size:
            cells = maps.counted(maps.values)
        flat = cells.reshape(maps.count, -1).astype(np.float64)
        centred = flat - flat.mean(axis=1, keepdims=True)
    else:
        # Centred over all cells, X = P W; the left directions of X are those of P sqrt(W W^T).
        rows, columns = maps.axes
        weights = np.einsum("yb,xd->yxbd", rows, columns).reshape(-1, rows.shape[1] ** 2)
        weights -= weights.mean(axis=0)
        values, vectors = np.linalg.eigh(weights.T @ weights)
        root = vectors * np.sqrt(np.maximum(values, 0))
        centred = maps.values.reshape(maps.count, -1).astype(np.float64) @ root
    strongest, shares = _directions(centred)
    projected = maps.mixed(strongest).reshape(3, -1)
    low, high = np.percentile(projected, (1, 99), axis=1)
    return PrincipalColours(strongest, low, high, shares)


def _directions(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the three strongest left directions of (C, n), (3, C), and their shares (3,)."""
    channels, cells = centred.shape
    if cells <= channels:
        values, right = np.linalg.eigh(centred.T @ centred)
        strongest = (centred @ right[:, ::-1][:, :3]).T
    else:
        values, left = np.linalg.eigh(centred @ centred.T)
        strongest = left[:, ::-1][:, :3].T
    found, shares = np.zeros((3, channels)), np.zeros(3)
    total, top = float(np.maximum(values, 0).sum()), values[::-1][:3]
    for index, (direction, value) in enumerate(zip(strongest, top, strict=True)):
        size = np.linalg.norm(direction)
        if size > 0 and value > 1e-10 * total:
            peak = direction[np.abs(direction).argmax()]
            found[index] = direction / (size if peak > 0 else -size)
            shares[index] = value / total
    return found, shares


# -- numbers --------------------------------------------------------------------------------------


class MapStatistics(NamedTuple):
    """What a map's channels are like, in numbers over all channels and cells.

    dead: channels that are nowhere above zero; zeros: the share of values that are not above zero;
    share: of the squared norm of what is concatenated before the bottleneck, None elsewhere.
    """

    name: str
    title: str
    form: Form | None
    channels: int
    shape: tuple[int, int]
    dead: int
    zeros: float
    mean: float
    std: float
    low: float
    high: float
    share: float | None = None


def map_statistics(maps: ChannelMaps) -> MapStatistics:
    """Return the numbers of one map, without its share.

    Those of an upsampled level are of the bins that it is interpolated from.
    """
    count = maps.values.size
    total = squares = above = 0.0
    dead, lows, highs = 0, [], []
    for band in maps.bands():
        total += float(band.sum(dtype=np.float64))
        squares += float(np.einsum("chw,chw->", band, band, dtype=np.float64))
        positive = band > 0
        above += float(np.count_nonzero(positive))
        dead += int(np.count_nonzero(~positive.any(axis=(1, 2))))
        lows.append(float(band.min()))
        highs.append(float(band.max()))
    mean = total / count
    return MapStatistics(
        maps.name, maps.title, maps.form, maps.count, maps.shape, dead, 1 - above / count, mean,
        float(np.sqrt(max(0.0, squares / count - mean * mean))), min(lows), max(highs),
    )  # fmt: skip


def all_statistics(
    activations: Activations, pool: str = "average", check: Callable[[], None] = lambda: None
) -> tuple[MapStatistics, ...]:
    """Return the numbers of every map with channels, a level's pooled and reduced apart.

    The shares of the features and of the levels, as upsampled, add up to 1. `check` is called
    between maps and may raise.
    """
    found: list[MapStatistics] = []
    squares: dict[int, float] = {}
    for name in channel_names(activations):
        is_level = name.startswith("level-")
        for form in ("pooled", "reduced") if is_level else ("reduced",):
            check()
            maps = channel_maps(activations, name, form, pool)
            if isinstance(activations, PSPActivations) and (
                name == "features" or (is_level and form == "reduced")
            ):
                joined = channel_maps(activations, name, "upsampled")
                squares[len(found)] = float((joined.norm().astype(np.float64) ** 2).sum())
            found.append(map_statistics(maps))
    total = sum(squares.values())
    for index, square in squares.items():
        found[index] = found[index]._replace(share=square / total if total else 0.0)
    return tuple(found)
