"""The asking side's list of what has no answer yet, so that cancelling is told at once."""

from __future__ import annotations

from pspgui.jobs.messages import Cancelled, Progress, Reply, Request


class Outstanding:
    """Knows which requests still wait for their answer. Touched by the asking thread only.

    A worker notices a cancelled request at its next chance, which within one call of a large
    network on a slow machine may be long. Whoever asked is answered `Cancelled` before that; what
    the worker sends later is not let through, so that every request keeps exactly one answer.
    """

    def __init__(self) -> None:
        self._requests: dict[int, Request] = {}

    def add(self, request: Request) -> None:
        """Wait for the answer of a request that was put in a mailbox."""
        self._requests[request.ticket] = request

    def cancel(self, kind: str) -> tuple[Cancelled, ...]:
        """Give up the requests of a kind and return their answers."""
        given_up = [r for r in self._requests.values() if r.kind == kind]
        for request in given_up:
            del self._requests[request.ticket]
        return tuple(Cancelled(r.ticket, r.kind, r.revisions) for r in given_up)

    def admits(self, reply: Reply) -> bool:
        """Say whether a worker's reply is still waited for; any but progress is the last one."""
        if isinstance(reply, Progress):
            return reply.ticket in self._requests
        return self._requests.pop(reply.ticket, None) is not None
