"""Opening a source of a pixel's evidence into the cells it was made of, beside the window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pspgui.geometry import Pixel
from pspgui.jobs.messages import Job, Step, Steps, Turn

if TYPE_CHECKING:
    from pspgui.evidence.readings import Source, Target


def can_open(engine: object) -> bool:
    """Whether sources can be opened: not yet where a window explains itself."""
    return engine is not None and not hasattr(engine, "frame")


def open_source_of(engine: Any, pixel: Pixel, source: Source, target: Target | None) -> Job:
    """Return a job that gives (pixel, `OpenedSource`) of the split; some 10 to 100 ms."""

    def job(turn: Turn) -> Steps:
        yield Step("Opening a source")
        if hasattr(engine, "open_source"):  # numbered like the labels
            return pixel, engine.open_source(pixel, source, target)
        from pspgui.evidence import opened

        return pixel, opened(engine, pixel, source, target)

    return job
