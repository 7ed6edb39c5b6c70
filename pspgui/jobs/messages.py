"""Requests and replies: the whole currency between the window and its worker threads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Urgency(IntEnum):
    """Who goes first; a more urgent request takes its turn at the next yield of the running job."""

    BACKGROUND = 0
    BESIDE = 5  # what other models say of the image shown: behind its own prediction
    PREDICT = 10
    MODEL = 20
    LOOK = 30


@dataclass(frozen=True)
class Step:
    """What a job yields: progress, a point to be cancelled at, and a turn for others.

    `fraction` is 0..1, or None when nobody knows how long it takes.
    """

    text: str
    fraction: float | None = None


class JobCancelled(Exception):  # noqa: N818 -- being superseded is no error
    """Raised by a job that noticed, between yields, that nobody waits for its answer."""


class Turn:
    """A job's line to its scheduler, for code that takes callbacks and cannot yield.

    Used on the worker thread only.
    """

    def __init__(
        self,
        report: Callable[[Step], None],
        cancelled: Callable[[], bool],
        outranked: Callable[[], bool] = lambda: False,
    ) -> None:
        self._report = report
        self._cancelled = cancelled
        self._outranked = outranked

    def report(self, fraction: float | None, text: str = "") -> None:
        """Send progress at once."""
        self._report(Step(text, fraction))

    def cancelled(self) -> bool:
        """Whether the job should stop as soon as it can."""
        return self._cancelled()

    def outranked(self) -> bool:
        """Whether something more urgent waits, for which a long job may drop what it has begun."""
        return self._outranked()

    def check(self) -> None:
        """Raise `JobCancelled` when the job should stop."""
        if self._cancelled():
            raise JobCancelled


Steps = Generator[Step, None, Any]
Job = Callable[[Turn], Steps]


@dataclass(frozen=True)
class Request:
    """A job to run: its inputs are frozen in `job`, and `revisions` says what they belonged to.

    A waiting or running request is superseded by a newer one of the same `kind`. Tickets are
    numbered by the sender and never repeat.
    """

    ticket: int
    kind: str
    job: Job
    urgency: int = Urgency.PREDICT
    revisions: Hashable = None


@dataclass(frozen=True)
class Reply:
    """What comes back for a request; `revisions` is the request's own, so stale ones show."""

    ticket: int
    kind: str
    revisions: Hashable


@dataclass(frozen=True)
class Progress(Reply):
    """The job is at this step."""

    step: Step


@dataclass(frozen=True)
class Done(Reply):
    """The job ended; `result` is what it returned."""

    result: Any


@dataclass(frozen=True)
class Failed(Reply):
    """The job raised `error`; its message is one for the annotator when the error is ours."""

    error: Exception


@dataclass(frozen=True)
class Cancelled(Reply):
    """The job was superseded or cancelled; nothing came of it."""
