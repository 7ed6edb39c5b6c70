"""The local source of a pixel as the taps of its convolution; some milliseconds, beside the window.

Also what lies behind an engine that answers in the labels' numbers or for a window alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pspgui.geometry import Pixel, Rect
from pspgui.jobs.class_tables import Translation, own_target, plain_evidence
from pspgui.jobs.messages import Job, Step, Steps, Turn
from pspgui.jobs.windowed import WindowEvidence

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

    def target(self, target: Target, pixel: tuple[int, int]) -> Target | None:
        """Return what a target of the labels' numbers is at a pixel of the image in the model's.

        None for a class that it does not know.
        """
        if self.translation is None:
            return target
        return own_target(self.plain, self.translation, self.pixel(pixel), target)

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
    """Say whether the local source of what an engine answered can be told by taps.

    That of a region cannot: its pixels read other cells each.
    """
    if is_region(evidence):
        return False
    weights = getattr(inner(engine).plain, "weights", None)
    weight = getattr(weights, "local_weight", None)
    return weight is not None and weight.shape[2] > 1 and evidence.reading in ("split", "ig")


def local_taps(engine: Any, found: PixelEvidence, baseline: LevelMeans | None) -> Job:
    """Return a job that gives the taps of the local source, (Source, ...), of what was answered.

    They add up to it in its reading; an empty tuple where there are none.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Reading the taps")
        from pspgui.evidence.drill import taps_of_local
        from pspgui.evidence.psp import PSPEvidence

        behind = inner(engine)
        if not isinstance(behind.plain, PSPEvidence):
            return ()
        target = behind.target(found.target, found.pixel)
        taps: tuple[Source, ...] = taps_of_local(
            behind.plain, behind.pixel(found.pixel), target, found.reading, baseline
        )
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
