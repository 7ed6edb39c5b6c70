"""Jobs that end with an answer whatever happens to them."""

from __future__ import annotations

from collections.abc import Callable

from pspgui.jobs.messages import Job, JobCancelled, Steps, Turn


def never_failing(job: Job, outcome: Callable[[Exception], object]) -> Job:
    """Return a job that gives `outcome(error)` where the given one fails; cancelled, it ends."""

    def settled(turn: Turn) -> Steps:
        try:
            return (yield from job(turn))
        except JobCancelled:
            raise
        except Exception as error:
            return outcome(error)

    return settled


__all__ = ["never_failing"]
