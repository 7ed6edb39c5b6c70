"""Opening a source of a pixel or region into the cells it was made of, beside the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pspgui.jobs.messages import Job, Step, Steps, Turn

if TYPE_CHECKING:
    from pspgui.evidence.readings import OpenedSource, Source, Target
    from pspgui.jobs.class_tables import Place


def can_open(engine: object) -> bool:
    """Whether sources can be opened."""
    return engine is not None


def opened_by(
    engine: Any, place: Place, source: Source, target: Target | None,
    check: Callable[[], None] = lambda: None,
) -> OpenedSource:  # fmt: skip
    """Return a source of the split as its cells, whatever the engine is wrapped in.

    Of a region `check` is called between pieces of work and may raise.
    """
    if hasattr(engine, "open_source"):  # numbered like the labels, or in pixels of the image
        found: OpenedSource = engine.open_source(place, source, target, check)
        return found
    from pspgui.evidence import opened

    return opened(engine, place, source, target, check)


def open_source_of(engine: Any, place: Place, source: Source, target: Target | None) -> Job:
    """Return a job that gives (place, `OpenedSource`) of the split.

    Some 10 to 100 ms; longer for the local features of a region as large as the image.
    """

    def job(turn: Turn) -> Steps:
        yield Step("Opening a source")
        return place, opened_by(engine, place, source, target, turn.check)

    return job
