"""A thread-safe letter box in which the latest request of each kind wins."""

from __future__ import annotations

import threading

from pspgui.jobs.messages import Request


class Mailbox:
    """Requests wait here for the worker; any thread may call any method.

    Of each kind only the newest request is worth an answer: `put` drops the one that waits and
    marks the one that runs, which the scheduler notices at its next yield.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: dict[str, Request] = {}
        self._dropped: list[Request] = []
        self._latest: dict[str, int] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the worker should go home."""
        return self._closed

    def put(self, request: Request) -> None:
        """Leave a request; older ones of its kind are superseded. Ignored once closed."""
        with self._condition:
            if self._closed:
                return
            older = self._waiting.pop(request.kind, None)
            if older is not None:
                self._dropped.append(older)
            self._waiting[request.kind] = request
            self._latest[request.kind] = request.ticket
            self._condition.notify_all()

    def cancel(self, kind: str) -> None:
        """Let go of the waiting and the running request of `kind`."""
        with self._condition:
            older = self._waiting.pop(kind, None)
            if older is not None:
                self._dropped.append(older)
            self._latest.pop(kind, None)
            self._condition.notify_all()

    def take(self, above: int | None = None) -> Request | None:
        """Return the most urgent waiting request, the older one of equals; None if there is none.

        With `above`, only a request more urgent than that is taken.
        """
        with self._condition:
            if not self._waiting:
                return None
            best = min(self._waiting.values(), key=lambda r: (-r.urgency, r.ticket))
            if above is not None and best.urgency <= above:
                return None
            return self._waiting.pop(best.kind)

    def take_dropped(self) -> tuple[Request, ...]:
        """Return, once, the requests that were superseded before they began."""
        with self._condition:
            dropped, self._dropped = tuple(self._dropped), []
            return dropped

    def is_wanted(self, request: Request) -> bool:
        """Whether nothing newer of its kind came, nobody cancelled it, and the box is open."""
        with self._condition:
            return not self._closed and self._latest.get(request.kind) == request.ticket

    def outranks(self, request: Request) -> bool:
        """Whether something more urgent than the request waits."""
        with self._condition:
            return any(other.urgency > request.urgency for other in self._waiting.values())

    def wait(self) -> bool:
        """Sleep until there is something to do; False once the box is closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._waiting or self._dropped)
            return not self._closed

    def close(self) -> None:
        """Cancel everything and wake the worker, so that it can end."""
        with self._condition:
            self._closed = True
            self._dropped.extend(self._waiting.values())
            self._waiting.clear()
            self._latest.clear()
            self._condition.notify_all()
