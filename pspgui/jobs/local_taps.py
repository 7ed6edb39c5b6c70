"""The local source of a pixel or region as the taps of its convolution, beside the window.

Also what lies behind an engine that answers in the labels' numbers or for a window alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pspgui.geometry import Pixel, Rect
from pspgui.jobs.class_tables import Place, Translation, own_target, plain_evidence
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.jobs.windowed import WindowEvidence, part_within
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.evidence.psp import LevelMeans
    from pspgui.evidence.readings import PixelEvidence, Source, Target


class Inner(NamedTuple):
    """What answers behind all wrappings, in its own numbers and its own pixels.

    `frame` is the window it reads, None where that is the whole image.
    """

    plain: Any
    translation: Translation | None
    frame: Rect | None

    def pixel(self, pixel: tuple[int, int]) -> Pixel:
        """Return a pixel of the image as one of what was read."""
        if self.frame is None:
            return Pixel(*pixel)
        return Pixel(pixel[0] - self.frame.y0, pixel[1] - self.frame.x0)

    def place(self, place: Place) -> Place:
        """Return a pixel or region of the image as one of what was read, which may hold less."""
        if not isinstance(place, Stamp):
            return self.pixel(place)
        return place if self.frame is None else part_within(place, self.frame)

    def target(self, target: Target, place: Place) -> Target | None:
        """Return what a target of the labels' numbers is at a place of the image in the model's.

        None for a class that it does not know.
        """
        if self.translation is None:
            return target
        return own_target(self.plain, self.translation, self.place(place), target)

    def outside(self, region: Rect) -> Rect:
        """Return a rectangle of what was read as one of the image."""
        return region if self.frame is None else region.moved(self.frame.y0, self.frame.x0)


def inner(engine: Any) -> Inner:
    """Return what answers behind an engine's wrappings."""
    frame = None
    if isinstance(engine, WindowEvidence):
        engine, frame = engine.engine, engine.frame
    plain, translation = plain_evidence(engine)
    return Inner(plain, translation, frame)


def is_region(evidence: PixelEvidence) -> bool:
    """Say whether evidence is the mean of several pixels'."""
    return hasattr(evidence, "rect")


def has_taps(engine: Any, evidence: PixelEvidence) -> bool:
    """Say whether the local source of what an engine answered can be told by taps."""
    weights = getattr(inner(engine).plain, "weights", None)
    weight = getattr(weights, "local_weight", None)
    return weight is not None and weight.shape[2] > 1 and evidence.reading in ("split", "ig")


def local_taps(
    engine: Any, found: PixelEvidence, baseline: LevelMeans | None, region: Stamp | None = None
) -> Job:
    """Return a job that gives the taps of the local source, (Source, ...), of what was answered.

    Some milliseconds. They add up to it in its reading; an empty tuple where there are none.
    `region` is what was asked about where that was no pixel.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Reading the taps")
        from pspgui.evidence.drill import taps_of_local
        from pspgui.evidence.psp import PSPEvidence

        behind = inner(engine)
        if not isinstance(behind.plain, PSPEvidence):
            return ()
        target, ways = behind.target(found.target, region or found.pixel), (found.reading, baseline)
        taps: tuple[Source, ...]
        if region is None:
            taps = taps_of_local(behind.plain, behind.pixel(found.pixel), target, *ways)
        else:
            from pspgui.evidence.region_cells import taps_of_region

            there = part_within(region, behind.frame) if behind.frame else region
            taps = taps_of_region(behind.plain, there, target, *ways, turn.check)
        return tuple(tap._replace(region=behind.outside(tap.region)) for tap in taps)

    return job


def reads_text(engine: Any, evidence: PixelEvidence, source: Source) -> str:
    """Return a sentence on the taps of a branch that fall into the padding; empty for none."""
    if source.kind != "branch" or is_region(evidence):
        return ""
    from pspgui.evidence.footprints import footprint, lost_text
    from pspgui.evidence.parts import CellsEvidence

    behind = inner(engine)
    if not isinstance(behind.plain, CellsEvidence):
        return ""
    found = footprint(behind.plain, behind.pixel(evidence.pixel), source)
    told = "" if found is None else lost_text(found)
    return f"{source.title}: {told}" if told else ""
