"""What a report is about: gathered once, frozen, with no file and no plotting library in it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import TYPE_CHECKING, Final

import numpy as np

from pspgui import places
from pspgui.durable import printable
from pspgui.evidence.maps import LevelStack, PyramidShare, pyramid_share
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import (
    RESIDUAL_LIMIT,
    ZERO,
    OpenedSource,
    PixelEvidence,
    Reading,
    Source,
)
from pspgui.geometry import Rect
from pspgui.inference.activations import reduction_note
from pspgui.inference.shown_map import Lattice
from pspgui.labels.classes import ClassTable
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pathlib import Path

    from pspgui.inference.activations import Activations
    from pspgui.models.spec import ModelSpec

MOST_OPENED: Final = 4
_BY = {
    "split": "split: gates as they are, gradient times activation",
    "ig": "ig: integrated gradients in closed form, gates averaged from the baseline",
    "ablate": "ablate: what the logit falls by when a source, or a whole level, alone is silenced; "
    "interaction is what is left, and bins of a level need not add up to it",
    "shapley": "shapley: the mean over all orders in which local and levels could come",
}


@dataclass(frozen=True, eq=False)
class Pin:
    """One pixel or region of a report: its evidence, the largest sources as cells, what is missed.

    `cells` have their regions; `residual` is that of the split, by which they are made; see
    `PixelEvidence.residual`. `place` is the region, None for a pixel.
    """

    name: str
    found: PixelEvidence
    cells: tuple[OpenedSource, ...]
    residual: float
    place: Stamp | None = None

    @property
    def cells_as_told(self) -> bool:
        """Whether `cells` open the very amounts of `found`: those of the split, against silence."""
        return self.found.reading == "split" and getattr(self.found, "baseline", ZERO) == ZERO

    @property
    def adds_up(self) -> bool:
        """Whether what is missed is small enough to say nothing of it."""
        return abs(self.residual) <= RESIDUAL_LIMIT


@dataclass(frozen=True)
class Context:
    """How much a pyramid decides in an image.

    share: (h, w) in 0..1 at the cells, as `EvidenceMaps.context_share`, over `region`, which may
    reach past the image; `whole` is what that comes to over the image.
    """

    share: np.ndarray
    region: Rect
    whole: PyramidShare


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything a report shows.

    pixels (H, W, 3) uint8 and labels (H, W) of the image; `facts` are (name, value) lines on model,
    image and versions; `spec` is the model's, as JSON; `command` makes the report again.
    """

    title: str
    pixels: np.ndarray
    labels: np.ndarray
    table: ClassTable
    pins: tuple[Pin, ...]
    facts: tuple[tuple[str, str], ...]
    command: str
    context: Context | None = None
    spec: str = ""
    notes: tuple[str, ...] = field(default=())


def pin_of(
    name: str, found: PixelEvidence, split: PixelEvidence,
    opened: Callable[[Source], OpenedSource], place: Stamp | None = None,
) -> Pin:  # fmt: skip
    """Return a pin of its evidence, whose largest sources of the split are opened into cells.

    `opened` gives a source's cells and their region.
    """
    reached = (source for source in split.sources if source.reachable)
    largest = sorted(reached, key=lambda source: -abs(source.value))
    cells = tuple(opened(source) for source in largest[:MOST_OPENED])
    return Pin(name, found, cells, split.interaction, place)


def placed(found: OpenedSource, known: Activations) -> OpenedSource:
    """Return cells with their region: what the network saw, unless they have one of their own."""
    if found.region is not None:
        return found
    height, width = found.values.shape
    return replace(found, region=Lattice.of(known).region((height, width)))


def reduction_notes(known: Activations | None) -> tuple[str, ...]:
    """Return the note that the network saw an image reduced; none where it saw all of it."""
    if known is None or known.reduction == 1:
        return ()
    return (f"{reduction_note(known.reduction)} Places are those of the image all the same.",)


def context_of(evidence: object) -> Context | None:
    """Return how much the pyramid decides; None for a network without one."""
    if not isinstance(evidence, PSPEvidence):
        return None
    stack = LevelStack(evidence)
    share = stack.maps().context_share
    known = evidence.activations
    return Context(share, Lattice.of(known).region(known.grid), pyramid_share(stack))


def facts_of(
    image: Path | str, content: bytes | None, shape: tuple[int, int], spec: ModelSpec | None,
    weights: Path, digest: str, device: str, reading: Reading, baseline: str,
) -> tuple[tuple[str, str], ...]:  # fmt: skip
    """Return the lines on where everything came from; `content` is the image file's, if read."""
    height, width = shape
    levels = getattr(spec, "levels", None)
    lines = [
        ("Image", f"{printable(image)}, {width} × {height} pixels"),
        ("Image SHA-256", "" if content is None else hashlib.sha256(content).hexdigest()),
        ("Model", "" if spec is None else f"{spec.title}, {len(spec.classes)} classes"
         + (f", levels {', '.join(map(str, levels))}" if levels else "")),
        ("Weights", _named(weights)),
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
    at = f"at {found.pixel.x},{found.pixel.y}"
    if pin.place is not None:
        at = f"around {found.pixel.x},{found.pixel.y}, {np.count_nonzero(pin.place.mask)} px"
    return f"Pin {pin.name} {at}: {told}, {sign}{abs(found.logit):.4f}"


def is_bundled(weights: Path) -> bool:
    """Whether weights are those that a command takes by itself."""
    return weights == places.bundled_model()


def _named(weights: Path) -> str:
    """Return where weights are; of those that come with the app their name."""
    if weights.is_relative_to(places.resources()):
        return f"{weights.name}, which comes with pspgui"
    return printable(weights)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"
