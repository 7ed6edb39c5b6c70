"""Opening a source of a pixel's evidence into the cells it was made of, beside the window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pspgui.geometry import Pixel
from pspgui.jobs.messages import Job, Step, Steps, Turn

if TYPE_CHECKING:
    from pspgui.evidence.readings import OpenedSource, Source, Target


def can_open(engine: object) -> bool:
    """Whether sources can be opened."""
    return engine is not None


def opened_by(
    engine: Any, pixel: tuple[int, int], source: Source, target: Target | None
) -> OpenedSource:
    """Return a source of the split as its cells, whatever the engine is wrapped in."""
    if hasattr(engine, "open_source"):  # numbered like the labels, or in pixels of the image
        found: OpenedSource = engine.open_source(pixel, source, target)
        return found
    from pspgui.evidence import opened

    return opened(engine, pixel, source, target)


def open_source_of(engine: Any, pixel: Pixel, source: Source, target: Target | None) -> Job:
    """Return a job that gives (pixel, `OpenedSource`) of the split; some 10 to 100 ms."""

    def job(turn: Turn) -> Steps:
        yield Step("Opening a source")
        return pixel, opened_by(engine, pixel, source, target)

    return job
