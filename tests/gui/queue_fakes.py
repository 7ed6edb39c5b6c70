"""A session and a project that answer at once, over a real index; for the queue and its panels."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from pspgui.gui.document import Document
from pspgui.gui.queue_session import QueueSession
from pspgui.jobs.messages import Turn
from pspgui.project.errors import ProjectError
from pspgui.project.index import ProjectIndex


class InstantSession(QObject):
    """Runs every job when it is asked for, unless `held`; then `release` runs the latest of each.

    It has what the queue, batches and reviews use of the real session.
    """

    notice = Signal(object)
    settled = Signal(str)
    cancelled = Signal(str)
    predicted = Signal()

    def __init__(self):
        super().__init__()
        self.handlers, self.asked, self.waiting = {}, [], {}
        self.held = False
        self.saves = 0

    def ask(self, lane, kind, job, urgency=0):
        self.asked.append((lane, kind, urgency))
        if self.held:
            self.waiting[kind] = job
        else:
            self.handlers[kind](finish(job))

    def answer_to(self, kind, slot):
        self.handlers[kind] = slot

    def release(self):
        self.held = False
        for kind, job in list(self.waiting.items()):
            self.handlers[kind](finish(job))
        self.waiting.clear()

    def save_now(self):
        self.saves += 1


class InstantProjects(QObject):
    """A project session whose changes happen at once."""

    project_changed = Signal(object)
    index_changed = Signal()

    def __init__(self, session, index=None, read_only=False):
        super().__init__()
        self.index, self.read_only, self._session = index, read_only, session

    def change(self, work):
        from pspgui.gui.notices import Notice

        try:
            work(self.index)
        except ProjectError as error:
            self._session.notice.emit(Notice(str(error), about="project"))
        self.index_changed.emit()


class Desk:
    """Everything a test of the queue needs, over a folder of made-up images."""

    def __init__(self, folder, names=("a", "b", "c", "d"), with_index=True):
        self.images = tuple(folder / f"{name}.png" for name in names)
        self.index = ProjectIndex(folder / ".pspgui" / "project.sqlite", folder)
        self.index.add_images(self.images)
        self.document = Document()
        self.session = InstantSession()
        self.projects = InstantProjects(self.session, self.index if with_index else None)
        self.queue = QueueSession(self.document, self.session, self.projects)

    def open(self):
        """List the images, as the window does."""
        self.queue.set_images(self.images)
        self.queue.look_up(self.images)

    def open_index(self):
        """Let the index come after the list, as it does for a large folder."""
        self.projects.index = self.index
        self.projects.project_changed.emit(None)

    def read(self, **margins):
        """Let a model have read images with these margins."""
        for name, margin in margins.items():
            path = next(p for p in self.images if p.stem == name)
            self.index.record_prediction(path, margin, 0.5, 10, size=(60, 80), model="m")
        self.queue.read_anew()
        self.queue.look_up(self.images)

    def statuses(self):
        """Return the statuses that the index holds, in the order of the images."""
        return [self.index.image_of(path).status for path in self.images]


def finish(job):
    """Run a job to its end and return its answer."""
    steps = job(Turn(lambda step: None, lambda: False))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
