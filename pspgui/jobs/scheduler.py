"""Running generator jobs one step at a time, the most urgent first."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from pspgui.jobs.mailbox import Mailbox
from pspgui.jobs.messages import (
    Cancelled,
    Done,
    Failed,
    JobCancelled,
    Progress,
    Reply,
    Request,
    Step,
    Steps,
    Turn,
)


@dataclass
class _Running:
    request: Request
    steps: Steps


class Scheduler:
    """Takes requests from a mailbox and sends replies; single-threaded, testable without threads.

    Running jobs form a stack: a more urgent request is started on top of a paused one, which
    goes on when the urgent one has ended. Every request is answered by exactly one of `Done`,
    `Failed` and `Cancelled`; an exception in a job never leaves the scheduler.
    """

    def __init__(self, mailbox: Mailbox, send: Callable[[Reply], None]) -> None:
        self._mailbox = mailbox
        self._send = send
        self._stack: list[_Running] = []

    def step(self) -> bool:
        """Advance the most urgent job to its next yield; False when there was nothing to do."""
        self._answer_dropped()
        top = self._stack[-1] if self._stack else None
        if top is not None and not self._mailbox.is_wanted(top.request):
            self._stack.pop()
            self._end(top)
            return True
        request = self._mailbox.take(None if top is None else top.request.urgency)
        if request is not None:
            self._stack.append(_Running(request, self._steps_of(request)))
        if not self._stack:
            return False
        self._advance(self._stack[-1])
        return True

    def run_until_idle(self) -> None:
        """Run everything that waits, and return when nothing does."""
        while self.step():
            pass

    def serve(self) -> None:
        """Run until the mailbox closes; jobs still running then are cancelled at their yield."""
        while self._mailbox.wait():
            while not self._mailbox.closed and self.step():
                pass
        while self._stack:
            self._end(self._stack.pop())
        self._answer_dropped()

    def _steps_of(self, request: Request) -> Steps:
        """Delay the job's own code until its first step, whatever kind of callable it is."""
        turn = Turn(
            lambda step: self._send(_progress(request, step)),
            lambda: not self._mailbox.is_wanted(request),
            lambda: self._mailbox.outranks(request),
        )
        return (yield from request.job(turn))

    def _advance(self, running: _Running) -> None:
        request = running.request
        try:
            self._send(_progress(request, next(running.steps)))
            return
        except StopIteration as end:
            answer: Reply = Done(request.ticket, request.kind, request.revisions, end.value)
        except JobCancelled:
            answer = _cancelled(request)
        except Exception as error:
            answer = Failed(request.ticket, request.kind, request.revisions, error)
        self._stack.remove(running)
        self._send(answer)

    def _end(self, running: _Running) -> None:
        with contextlib.suppress(Exception):  # nobody waits for what its clean-up has to say
            running.steps.close()
        self._send(_cancelled(running.request))

    def _answer_dropped(self) -> None:
        for request in self._mailbox.take_dropped():
            self._send(_cancelled(request))


def _progress(request: Request, step: Step) -> Progress:
    return Progress(request.ticket, request.kind, request.revisions, step)


def _cancelled(request: Request) -> Cancelled:
    return Cancelled(request.ticket, request.kind, request.revisions)
