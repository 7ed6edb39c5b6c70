"""What evidence says about a pixel: frozen, numpy only, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from pspgui.geometry import Pixel, Rect
from pspgui.labels.classes import ClassTable

# Level, row and column of the one source that is no bin.
LOCAL = 0
NOWHERE: Final = Rect(0, 0, 0, 0)

# How much of the logit is each source's, where gates in between make that a question:
#   split    gates as they are: gradient times activation
#   ig       all sources scaled up together from the baseline: integrated gradients, closed form
#   ablate   by how much the logit falls when that source alone is taken to the baseline; of a level
#            when all its bins are at once, which is not the sum of what each of them falls by alone
#   shapley  what local and whole levels add, on average over all orders in which they could come
SourceReading = Literal["split", "ig", "ablate"]
Reading = Literal["split", "ig", "ablate", "shapley"]
READINGS: tuple[SourceReading, ...] = ("split", "ig", "ablate")
SHAPLEY: Final = "shapley"
ZERO = "zero"
RESIDUAL_LIMIT = 1e-3
"""Logits by which sources may miss the shown one before a person is told."""


class Target(NamedTuple):
    """What is explained: the logit of a class, or its margin over another class."""

    class_id: int
    versus: int | None = None


class Source(NamedTuple):
    """One thing that adds to the logit: local features, a pyramid's bin, a branch, a score map.

    level:  bins a side of a bin's level, the place of a branch or score map among its like, and 0
            for local; row, col: a bin's place in its level
    value:  what it adds to the logit, signed
    weight: the mean interpolation weight, 0..1, with which the bottleneck's taps around the
            pixel read the bin; taps outside the map read nothing. Of a branch the share of its
            taps that do not fall into the padding; else 1
    reachable: whether any tap reads it at all; if not, its value is zero by construction
    region: where it looks, in image pixels: the rectangle a bin pools, or around the cells read
    title:  the name of a branch or score map; of a tap which way it looks, in words

    A "level" stands for all its bins at once, a "tap" for one tap of a PSPNet's local source.
    """

    kind: Literal["local", "bin", "branch", "score", "level", "tap"]
    level: int
    row: int
    col: int
    value: float
    weight: float
    reachable: bool
    region: Rect
    title: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; row and column are indices from 0, and only bins have them.

        Taps are titled by their offsets, "tap -1, +0" (down, across).
        """
        title = tap_title(self) or self.title
        one, whole = self.kind == "bin", self.kind == "level"
        place = (
            self.level if one or whole else None, self.row if one else None,
            self.col if one else None,
        )  # fmt: skip
        y0, x0, y1, x1 = self.region
        return {
            "kind": self.kind,
            "level": place[0],
            "row": place[1],
            "col": place[2],
            "value": self.value,
            "reachable": self.reachable,
            "region": [x0, y0, x1, y1],
        } | ({"title": title} if title else {})


def tap_title(source: Source) -> str:
    """Return a tap's offsets within its kernel, "tap -1, +0"; empty for what is no tap."""
    if source.kind != "tap" and (source.kind != "local" or source.level == LOCAL):
        return ""
    half = source.level // 2
    return f"tap {source.row - half:+d}, {source.col - half:+d}"


class LevelReading(NamedTuple):
    """One level's bins, as (b, b) arrays and nested tuples indexed [row][column]."""

    values: np.ndarray
    weights: np.ndarray
    reachable: np.ndarray
    regions: tuple[tuple[Rect, ...], ...]


@dataclass(frozen=True, eq=False)
class PixelEvidence:
    """How one pixel's logit comes about: constant + sum of all sources == logit.

    `logit` is the number shown on screen (interpolated from the cells' logits), computed apart
    from the sources; `constant` holds all biases. For a margin, both are differences of two
    classes. `reading` is one of READINGS; `baseline` names what a silent source is: ZERO, or the
    mean of some images. Sources of "ablate" need not add up: `interaction` is what is left, of a
    pyramid beside its whole levels.
    """

    pixel: Pixel
    target: Target
    logit: float
    constant: float

    @property
    def reading(self) -> Reading:
        """How the logit was shared out."""
        raise NotImplementedError

    @property
    def sources(self) -> tuple[Source, ...]:
        """Everything that adds to the logit besides the constant."""
        raise NotImplementedError

    @property
    def grids(self) -> Mapping[int, LevelReading]:
        """The sources that lie in grids, by bins a side."""
        return {}

    @property
    def first_bin(self) -> int:
        """The place of the first grid's first source among all sources."""
        return 0

    @property
    def total(self) -> float:
        """Constant plus all sources: the logit again, up to rounding, unless sources interact."""
        return self.constant + sum(source.value for source in self.sources)

    @property
    def interaction(self) -> float:
        """What the logit has beyond constant and sources, which stand in for or need each other.

        Where sources add up it is the `residual`.
        """
        return self.logit - self.total

    @property
    def residual(self) -> float | None:
        """By how much constant and sources miss the shown logit, for rounding alone.

        Some 1e-6 of logits computed in float32. Where the network ran in fewer bits, evidence is
        computed in float32 from what it left behind, and what that differs by is here: above
        `RESIDUAL_LIMIT` a person must be told. None for "ablate", whose sources need not add up.
        """
        return None if self.reading == "ablate" else self.interaction

    def to_json(self, table: ClassTable) -> dict[str, Any]:
        """Return the object that `pspgui explain --json` prints."""
        versus = self.target.versus
        interaction = {"interaction": self.interaction} if self.reading == "ablate" else {}
        return {
            "class": table.name_of(self.target.class_id),
            "target": "logit" if versus is None else f"margin over {table.name_of(versus)}",
            "logit": self.logit,
            "constant": self.constant,
            "reading": self.reading,
            "residual": self.residual,
            **interaction,
            "sources": [source.to_json() for source in self.sources],
        }


@dataclass(frozen=True, eq=False)
class BranchEvidence(PixelEvidence):
    """The evidence of a network whose parts stand beside each other: branches or score maps."""

    parts: tuple[Source, ...]
    reading: Reading = "split"
    baseline: str = ZERO

    @property
    def sources(self) -> tuple[Source, ...]:
        """Branches, score maps or taps, in the network's order."""
        return self.parts

    @cached_property
    def grids(self) -> Mapping[int, LevelReading]:
        """The grid of a convolution's taps; empty for branches and score maps."""
        side = self.parts[0].level if self.parts else 0
        if len(self.parts) != side * side or any(s.kind != "local" for s in self.parts):
            return {}
        grid = (side, side)
        regions = [source.region for source in self.parts]
        reading = LevelReading(
            np.array([source.value for source in self.parts]).reshape(grid),
            np.array([source.weight for source in self.parts]).reshape(grid),
            np.array([source.reachable for source in self.parts]).reshape(grid),
            tuple(tuple(regions[row * side : (row + 1) * side]) for row in range(side)),
        )
        return {side: reading}


class ChannelShares(NamedTuple):
    """What the channels of a map add to a logit: values (C,), and the biases passed on the way.

    Their sum is the evidence of the sources that the map stands for: of a level, a branch or the
    local features; of a map that everything passes, the logit itself.
    """

    values: np.ndarray
    constant: float

    @property
    def total(self) -> float:
        """All channels and the constant."""
        return self.constant + float(self.values.sum())


@dataclass(frozen=True, eq=False)
class OpenedSource:
    """What the cells of a map add through one source: constant + sum == value.

    values: (h, w) float, in logits, zero at cells that the source does not read; `constant` is
    what its biases add. `source` is the source as the split has it. `region` is what the map
    stands over in image pixels, and may reach past the image; None where its cells share out
    what the network saw, padding and all, as those of the backbone do.
    """

    source: Source
    target: Target
    values: np.ndarray
    constant: float
    region: Rect | None = None

    @property
    def total(self) -> float:
        """The source's value again, up to rounding."""
        return self.constant + float(self.values.sum())


@dataclass(frozen=True, eq=False)
class PyramidEvidence(PixelEvidence):
    """The evidence of a PSPNet: local features and bins, by levels.

    Levels are keyed by their bins a side, in the model's order. `level_falls` is for "ablate": by
    how much the logit falls when a level is silenced as a whole; its bins are each silenced alone.
    """

    local: float
    local_region: Rect
    levels: dict[int, LevelReading]
    reading: Reading = "split"
    baseline: str = ZERO
    level_falls: Mapping[int, float] | None = None

    @property
    def grids(self) -> Mapping[int, LevelReading]:
        """The levels."""
        return self.levels

    @property
    def first_bin(self) -> int:
        """Behind the local source."""
        return 1

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The local source and then every bin, level by level and row by row."""
        found = [Source("local", LOCAL, 0, 0, self.local, 1.0, True, self.local_region)]
        for level, reading in self.levels.items():
            values, weights = reading.values.tolist(), reading.weights.tolist()
            reachable = reading.reachable.tolist()
            for row in range(level):
                found += [
                    Source("bin", level, row, col, value, weight, reach, region)
                    for col, (value, weight, reach, region) in enumerate(
                        zip(
                            values[row], weights[row], reachable[row], reading.regions[row],
                            strict=True,
                        )
                    )
                ]  # fmt: skip
        return tuple(found)

    @property
    def level_sums(self) -> dict[int, float]:
        """What each level adds in all: the sum of its bins, but of "ablate" what it falls by."""
        if self.level_falls is not None:
            return dict(self.level_falls)
        return {level: float(reading.values.sum()) for level, reading in self.levels.items()}

    @property
    def total(self) -> float:
        """Constant, local and levels: the logit again, up to rounding, unless they interact."""
        return self.constant + self.local + sum(self.level_sums.values())

    def grid(self, level: int) -> np.ndarray:
        """Return the (b, b) values of a level's bins."""
        return self.levels[level].values

    def reach(self, level: int) -> np.ndarray:
        """Return (b, b) bool: which bins of a level can reach the pixel."""
        return self.levels[level].reachable

    def weights(self, level: int) -> np.ndarray:
        """Return the (b, b) read weights of a level's bins, see `Source.weight`."""
        return self.levels[level].weights

    def to_json(self, table: ClassTable) -> dict[str, Any]:
        """Return the object that `pspgui explain --json` prints, with the baseline.

        Of "ablate" with what whole levels fall by, too.
        """
        told = super().to_json(table) | {"baseline": self.baseline}
        if self.level_falls is None:
            return told
        return told | {"levels": {str(level): fall for level, fall in self.level_falls.items()}}


@dataclass(frozen=True, eq=False)
class GroupShapley(PixelEvidence):
    """Shapley values of the local features and every level: constant + local + levels == logit.

    The mean, over all orders in which they could come, of what each adds when it comes, every
    gate evaluated anew; exact over all coalitions. A level stands for all its bins, and
    `read_regions` says which part of the image (h, w) those that reach the pixel pool.
    """

    local: float
    levels: dict[int, float]
    baseline: str = ZERO
    local_region: Rect = NOWHERE
    read_regions: Mapping[int, Rect] = field(default_factory=dict)

    @property
    def reading(self) -> Reading:
        """Always "shapley"."""
        return SHAPLEY

    @property
    def level_sums(self) -> dict[int, float]:
        """What each level adds."""
        return self.levels

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The local source and then every level."""
        return (
            Source("local", LOCAL, 0, 0, self.local, 1.0, True, self.local_region),
            *(
                Source("level", level, 0, 0, value, 1.0, True,
                       self.read_regions.get(level, NOWHERE))
                for level, value in self.levels.items()
            ),
        )  # fmt: skip

    def to_json(self, table: ClassTable) -> dict[str, Any]:
        """Return the object that `pspgui explain --json` prints, with the baseline."""
        return super().to_json(table) | {"baseline": self.baseline}


def around(regions: Iterable[Rect]) -> Rect:
    """Return the smallest rectangle around some; an empty one around none."""
    found = tuple(regions)
    if not found:
        return NOWHERE
    return Rect(
        min(r.y0 for r in found), min(r.x0 for r in found),
        max(r.y1 for r in found), max(r.x1 for r in found),
    )  # fmt: skip


def level_source(evidence: PyramidEvidence, level: int) -> Source:
    """Return all bins of a level that reach the pixel as one source."""
    found = evidence.levels[level]
    reached = np.argwhere(found.reachable).tolist()
    return Source(
        "level", level, 0, 0, evidence.level_sums[level], float(found.weights.sum()), True,
        around(found.regions[row][column] for row, column in reached),
    )  # fmt: skip
