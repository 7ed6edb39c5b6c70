"""Work that tools and dialogs hand to another thread, answered on the GUI thread.

Predictions, files and exports have lanes of their own; superpixels must not wait behind them.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Qt, Signal, Slot

from pspgui.gui.daemons import emit_late, start_daemon
from pspgui.gui.errors import sentence
from pspgui.jobs.mailbox import Mailbox
from pspgui.jobs.messages import Done, Failed, Job, Progress, Reply, Request, Step
from pspgui.jobs.scheduler import Scheduler


class _Asked(NamedTuple):
    ticket: int
    done: Callable[[Any], object]
    told: Callable[[Step], object] | None


class _Relay(QObject):
    """Carries replies over; without a parent, so that it lives as long as the thread needs it."""

    replied = Signal(object)


class Errands(QObject):
    """Runs generator jobs one at a time; of each kind only the newest is answered.

    GUI thread only. The thread is a daemon that ends when there is nothing to do: jobs read
    frozen arrays, write nothing, and hold no lock. `failed(str)` says in a sentence what went
    wrong.
    """

    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tickets = itertools.count(1)
        self._mailbox = Mailbox()
        self._relay = _Relay()
        replied = self._relay.replied
        self._scheduler = Scheduler(self._mailbox, lambda reply: emit_late(replied, reply))
        self._asked: dict[str, _Asked] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._count = 0
        self._relay.replied.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def ask(
        self,
        kind: str,
        job: Job,
        done: Callable[[Any], object],
        told: Callable[[Step], object] | None = None,
    ) -> None:
        """Run a job; `done` gets what it returns, `told` its progress, both on the GUI thread."""
        ticket = next(self._tickets)
        self._asked[kind] = _Asked(ticket, done, told)
        self._mailbox.put(Request(ticket, kind, job))
        with self._lock:
            self._count += 1
            if self._thread is None:
                self._thread = start_daemon("errands", self._work)

    def cancel(self, kind: str) -> None:
        """Let go of a kind: nothing comes back any more."""
        self._asked.pop(kind, None)
        self._mailbox.cancel(kind)

    def is_busy(self, kind: str) -> bool:
        """Whether an answer of this kind is still to come."""
        return kind in self._asked

    def _work(self) -> None:
        while True:
            seen = self._count
            self._scheduler.run_until_idle()
            with self._lock:
                if self._count == seen:
                    self._thread = None
                    return

    @Slot(object)
    def _take(self, reply: Reply) -> None:
        asked = self._asked.get(reply.kind)
        if asked is None or asked.ticket != reply.ticket:
            return
        if isinstance(reply, Progress):
            if asked.told is not None:
                asked.told(reply.step)
            return
        del self._asked[reply.kind]
        if isinstance(reply, Done):
            asked.done(reply.result)
        elif isinstance(reply, Failed):
            self.failed.emit(sentence(reply.error))
