"""The threads that work for the window: one owns model and device, the others do files.

They are separate so that switching images never waits behind a prediction or an export. torch is
imported on the model lane only, by the first job that needs it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Hashable
from typing import Final

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

from pspgui.gui.shiboken_imports import leave_imports_alone
from pspgui.jobs.mailbox import Mailbox
from pspgui.jobs.messages import Job, Reply, Request, Urgency
from pspgui.jobs.outstanding import Outstanding
from pspgui.jobs.scheduler import Scheduler

LANES: Final = ("model", "files", "background")
_NICENESS: Final = 10


class Lane(QThread):
    """One worker thread that runs the jobs of one mailbox.

    `replied(Reply)` comes from the worker; connect it to `@Slot` methods of GUI objects only,
    which Qt then calls on the GUI thread.
    """

    replied = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.mailbox = Mailbox()
        self._scheduler = Scheduler(self.mailbox, self.replied.emit)

    def run(self) -> None:
        """Serve the mailbox until it closes (worker thread)."""
        if self.objectName() != "files":  # which a person waits for
            _step_back()
        self._scheduler.serve()

    def close(self) -> None:
        """Cancel what runs and join the thread; a QThread must never be dropped while running."""
        self.mailbox.close()
        self.wait()


class Engine(QObject):
    """The window's side of the lanes: numbers requests, passes replies on. GUI thread only.

    `replied(Reply)`: one answer for every request, and progress before it. A cancelled request is
    answered at the next turn of the event loop, whatever its worker is in the middle of.
    """

    replied = Signal(object)
    _gave_up = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tickets = itertools.count(1)
        self._lanes = {name: Lane(name, self) for name in LANES}
        self._outstanding = Outstanding()
        for lane in self._lanes.values():
            lane.replied.connect(self._pass_on)
        # Not within `cancel`, whose caller may be about to ask for something else.
        self._gave_up.connect(self.replied, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Start the threads."""
        leave_imports_alone()  # which more than one of them does
        for lane in self._lanes.values():
            lane.start()

    def ask(
        self,
        lane: str,
        kind: str,
        job: Job,
        revisions: Hashable = None,
        urgency: int = Urgency.PREDICT,
    ) -> int:
        """Put a job in the mailbox of one of LANES and return its ticket."""
        ticket = next(self._tickets)
        request = Request(ticket, kind, job, urgency, revisions)
        self._outstanding.add(request)
        self._lanes[lane].mailbox.put(request)
        return ticket

    def cancel(self, kind: str) -> None:
        """Cancel the requests of a kind; they are answered by `Cancelled`, and by nothing later."""
        for lane in self._lanes.values():
            lane.mailbox.cancel(kind)
        for answer in self._outstanding.cancel(kind):
            self._gave_up.emit(answer)

    @Slot(object)
    def _pass_on(self, reply: Reply) -> None:
        if self._outstanding.admits(reply):
            self.replied.emit(reply)

    def close(self) -> None:
        """Join the threads; jobs that run are cancelled at their next yield."""
        for lane in self._lanes.values():
            lane.mailbox.close()
        for lane in self._lanes.values():
            lane.close()


def _step_back() -> None:
    """Let the window's thread go first where cores are short; threads begun by this one follow.

    Only Linux counts niceness by threads. It costs nothing while the window rests.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            own = threading.get_native_id()
            nice = max(_NICENESS, os.getpriority(os.PRIO_PROCESS, own))
            os.setpriority(os.PRIO_PROCESS, own, nice)
