"""What a report is about: gathered once, frozen, with no file and no plotting library in it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from pspgui.durable import printable
from pspgui.evidence import Evidence, opened
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import (
    RESIDUAL_LIMIT,
    OpenedSource,
    PixelEvidence,
    Reading,
    Source,
    Target,
)
from pspgui.evidence.whatif import WhatIf, answer_if
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from pathlib import Path

    from pspgui.models.spec import ModelSpec

MOST_PINS: Final = 24
_OPENED = 4
_BY = {
    "split": "split: gates as they are, gradient times activation",
    "ig": "ig: integrated gradients in closed form, gates averaged from the baseline",
    "ablate": "ablate: what the logit falls by without a source alone; these need not add up",
    "shapley": "shapley: the mean over all orders in which local and levels could come",
}


class Asked(Protocol):
    """Answers for one image in the numbers of a class table."""

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split"
    ) -> PixelEvidence:
        """Return the evidence of a pixel."""

    def opened(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> OpenedSource:
        """Return a source of the split as its cells."""


class Direct:
    """`Asked` of what answers in the model's own numbers."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def at(
        self, pixel: tuple[int, int], target: Target | None = None, reading: Reading = "split"
    ) -> PixelEvidence:
        """Return the evidence of a pixel; raises as `PSPEvidence.at` does."""
        return self._evidence.at(pixel, target, reading)

    def opened(
        self, pixel: tuple[int, int], source: Source, target: Target | None = None
    ) -> OpenedSource:
        """Return a source of the split as its cells."""
        return opened(self._evidence, pixel, source, target)


@dataclass(frozen=True, eq=False)
class Pin:
    """One pixel of a report: its evidence, the largest sources as cells, and what is missed.

    `residual` is that of the split, by which the cells are made; see `PixelEvidence.residual`.
    """

    name: str
    found: PixelEvidence
    cells: tuple[OpenedSource, ...]
    residual: float

    @property
    def adds_up(self) -> bool:
        """Whether what is missed is small enough to say nothing of it."""
        return abs(self.residual) <= RESIDUAL_LIMIT


@dataclass(frozen=True)
class Context:
    """How much a pyramid decides in an image.

    share: (h, w) in 0..1 at the cells, as `PSPEvidence.context_share`; changed: the share of
    pixels that have another class without the pyramid.
    """

    share: np.ndarray
    changed: float

    def sentence(self) -> str:
        """Say both in a sentence."""
        return (
            f"In this image the pyramid has {self.share.mean():.1%} of the evidence for the "
            f"winners' margins, and {self.changed:.1%} of the pixels have another class without it."
        )


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything a report shows.

    pixels (H, W, 3) uint8 and labels (H, W) of the image, `padded` the (H, W) that cells without a
    region of their own stand over; `facts` are (name, value) lines on model, image and versions;
    `spec` is the model's, as JSON; `command` makes the report again.
    """

    title: str
    pixels: np.ndarray
    labels: np.ndarray
    padded: tuple[int, int]
    table: ClassTable
    pins: tuple[Pin, ...]
    facts: tuple[tuple[str, str], ...]
    command: str
    context: Context | None = None
    spec: str = ""
    notes: tuple[str, ...] = field(default=())


def pins_of(
    asked: Asked, pixels: Sequence[tuple[int, int]], targets: Sequence[Target | None],
    reading: Reading,
) -> tuple[Pin, ...]:  # fmt: skip
    """Return the pins of some pixels (y, x), named 1, 2, 3; raises as `at` does."""
    found = []
    for number, (pixel, target) in enumerate(zip(pixels, targets, strict=True), start=1):
        evidence = asked.at(pixel, target, reading)
        split = asked.at(pixel, evidence.target, "split")
        largest = sorted((s for s in split.sources if s.reachable), key=lambda s: -abs(s.value))
        cells = tuple(
            asked.opened(pixel, source, evidence.target) for source in largest[:_OPENED]
        )
        found.append(Pin(str(number), evidence, cells, split.interaction))
    return tuple(found)


def context_of(evidence: object, labels: np.ndarray) -> Context | None:
    """Return how much the pyramid decides; None for a network without one.

    labels: (H, W), the model's own, as predicted.
    """
    if not isinstance(evidence, PSPEvidence):
        return None
    levels = dict.fromkeys(evidence.activations.levels, 0.0)
    answer = answer_if(evidence, labels, WhatIf(levels=levels))
    return Context(evidence.context_share(), answer.changed_px / labels.size)


def facts_of(
    image: Path | str, content: bytes | None, shape: tuple[int, int], spec: ModelSpec,
    weights: str, digest: str, device: str, reading: Reading, baseline: str,
) -> tuple[tuple[str, str], ...]:  # fmt: skip
    """Return the lines on where everything came from; `content` is the image file's, if read."""
    height, width = shape
    levels = getattr(spec, "levels", None)
    lines = [
        ("Image", f"{printable(image)}, {width} × {height} pixels"),
        ("Image SHA-256", "" if content is None else hashlib.sha256(content).hexdigest()),
        ("Model", f"{spec.title}, {len(spec.classes)} classes"
         + (f", levels {', '.join(map(str, levels))}" if levels else "")),
        ("Weights", printable(weights)),
        ("Weights SHA-256", digest),
        ("Ran on", device),
        ("Reading", _BY.get(reading, reading)),
        ("Baseline", f"{baseline}: what a silent source is"),
        ("Versions", versions()),
    ]  # fmt: skip
    return tuple(line for line in lines if line[1])


def versions() -> str:
    """Return the versions of what computed and drew."""
    known = [f"{name} {_version(name)}" for name in ("pspgui", "torch", "numpy", "matplotlib")]
    return ", ".join([*known, f"Python {platform.python_version()}"])


def heading_of(pin: Pin, table: ClassTable) -> str:
    """Return a pin's heading: where, what is explained, and its logit."""
    found, versus = pin.found, pin.found.target.versus
    name = table.name_of(found.target.class_id)
    told = f"logit of {name}" if versus is None else f"{name} over {table.name_of(versus)}"
    sign = "\N{MINUS SIGN}" if found.logit < 0 else "+"
    at = f"{found.pixel.x},{found.pixel.y}"
    return f"Pin {pin.name} at {at}: {told}, {sign}{abs(found.logit):.4f}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"
