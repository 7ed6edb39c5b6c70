"""The project behind the list of images: opened, filled and followed off the GUI thread."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from pspgui.gui.notices import Notice
from pspgui.gui.time_spent import TimeSpent
from pspgui.imaging import DecodeError, ImagePaths, list_images
from pspgui.jobs.class_tables import read_classes
from pspgui.jobs.messages import Step, Steps, Turn, Urgency
from pspgui.labels.classes import ClassTable, ClassTableError
from pspgui.project.carrying import Folder, Renamed, anything_gone, carry_renamed
from pspgui.project.errors import ClosedProjectError, ProjectError
from pspgui.project.identities import Identities
from pspgui.project.index import ProjectIndex
from pspgui.project.open_projects import OpenProjects
from pspgui.project.project import Project
from pspgui.project.statistics import Changed, Reading, changed_labels, measure_labels

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.session import Session

_log = logging.getLogger(__name__)
_ASK_AGAIN_MS: Final = 1000
_TELL_MS: Final = 250
_READINGS: Final = 2

Work = Callable[[], object]


class ProjectSession(QObject):
    """Opens the project of the folder that the session lists, and keeps its index true.

    Signals: `project_changed(Project or None)` when another project is open, or when it became
    read-only or may be changed again; `index_changed()` at most four times a second when the
    index says something else than before; `carried(tuple of Path)` when what was kept of these
    images was brought to the names that they have now. GUI thread only; the work is done on the
    files lane and on one thread of its own, where a status never waits behind an export.
    """

    project_changed = Signal(object)
    index_changed = Signal()
    carried = Signal(object)
    _worked = Signal(object)

    def __init__(self, document: Document, session: Session) -> None:
        super().__init__(session)
        self._document, self._session = document, session
        self._store, self._autosave = session.store, session.autosave
        self._projects = OpenProjects()
        self._project: Project | None = None
        self._images: Sequence[Path] = ()
        # Folders whose projects stay open. Looked at by the worker: replaced, never changed.
        self._needed: frozenset[Path] = frozenset()
        self._read_only = False
        self._told_reason = ""
        self._known: set[Path] = set()
        self._identities: Identities | None = None
        self._readings: OrderedDict[Path, Reading] = OrderedDict()
        self._worker = _Worker(self._worked.emit)
        self._time = TimeSpent(document, self)
        self._asking = QTimer(self)
        self._asking.setInterval(_ASK_AGAIN_MS)
        self._telling = QTimer(self)
        self._telling.setSingleShot(True)
        self._telling.setInterval(_TELL_MS)
        self._connect()

    @property
    def project(self) -> Project | None:
        """The project of the images listed; None while it is being opened."""
        return self._project

    @property
    def index(self) -> ProjectIndex | None:
        """The index of that project."""
        return None if self._project is None else self._project.index

    @property
    def read_only(self) -> bool:
        """Whether labels and remarks cannot be changed here."""
        return self._read_only

    @property
    def reason(self) -> str:
        """Why not, one sentence; else empty."""
        return self._project.reason if self._project is not None and self._read_only else ""

    def change(self, work: Callable[[ProjectIndex], object]) -> None:
        """Do something with the index off the GUI thread, in the order of asking.

        `index_changed` follows; a failure is told as a notice.
        """
        project = self._project
        if project is not None:
            self._worker.put(lambda: work(project.index))

    def set_status(self, paths: Iterable[Path], status: str) -> None:
        """Set the status of images."""
        paths = tuple(paths)
        self.change(lambda index: index.set_status(paths, status))

    def flush(self) -> None:
        """Wait until all that was asked for is done; blocks, for closing and tests only."""
        self._worker.flush()

    def close(self) -> None:
        """Keep what is left to keep and let go of the locks; after the last save."""
        self._asking.stop()
        self._telling.stop()
        self._keep_time()
        self._worker.close()
        self._projects.close_all()

    # -- opening ------------------------------------------------------------------------------

    def _connect(self) -> None:
        document, session = self._document, self._session
        session.images_changed.connect(self._list_changed)
        self._autosave.saved.connect(self._saved)
        self._autosave.admit = self._projects.admit
        document.prediction_changed.connect(self._keep_reading)
        document.history_changed.connect(self._edited)
        document.image_changed.connect(self._image_changed)
        self._time.spent.connect(self._spent)
        self._asking.timeout.connect(self._ask_again)
        self._telling.timeout.connect(self.index_changed)
        self._worked.connect(self._after_work, Qt.ConnectionType.QueuedConnection)
        session.answer_to("project", self._opened)
        session.answer_to("project_fill", self._filled)

    @Slot(object)
    def _list_changed(self, images: Sequence[Path]) -> None:
        self._images = images
        if not images:
            return
        root = images[0].parent
        if self._project is not None and self._project.root == root:
            self._fill(self._project)
            return

        self._needed |= {root}  # it may be about to be closed

        def job(turn: Turn) -> Steps:
            yield Step("Opening the project")
            return self._projects.of(root)

        self._session.ask("files", "project", job, Urgency.PREDICT)

    def _opened(self, project: Project) -> None:
        if self._images and project.root != self._images[0].parent:
            return  # another folder was opened meanwhile, and its project is asked for
        self._keep_time()
        self._project = project
        self._identities, self._known = Identities(project.home), set()
        self._show_state()
        for note in project.notes:
            self._session.notice.emit(Notice(note, is_error=False, about="project"))
        self._close_left()
        self._asking.start()
        self._fill(project)

    def _fill(self, project: Project) -> None:
        """Let the index list the images, and follow label files that changed meanwhile."""
        images = self._images
        if project.established and not project.read_only:
            self._worker.put(lambda: _carry(project), key="carry")

        def job(turn: Turn) -> Steps:
            for done in project.index.adding(images):
                yield Step("Listing images", done)
            known = project.index.labels_stamps()
            looking = changed_labels(project.home, images, known)
            changed = yield from _stepping(looking, "Looking for labels")
            if isinstance(images, ImagePaths):  # so that the window need not, for a selection
                for done in images.making_paths():
                    yield Step("Listing images", done)
            return project, changed

        self._session.ask("files", "project_fill", job, Urgency.BACKGROUND)

    def _filled(self, found: tuple[Project, Changed]) -> None:
        project, changed = found
        self._tell()
        if project.read_only:
            return
        for image in changed.lost:
            self._worker.put(lambda image=image: project.index.forget_labels(image), later=True)
        usual = self._usual_table()
        for image, file in changed.measured_otherwise:
            self._measure(project, image, file, usual, None, later=True)

    def _close_left(self) -> None:
        """Close projects that are neither shown nor needed for labels still to save."""
        needed = {image.parent for image in self._autosave.unsaved}
        if self._images:
            needed.add(self._images[0].parent)
        if self._project is not None:
            needed.add(self._project.root)
        self._needed = frozenset(needed)
        for root in self._projects.roots():
            if root not in needed:
                self._worker.put(
                    lambda root=root: self._projects.close(root, lambda it: it in self._needed)
                )

    # -- read-only ----------------------------------------------------------------------------

    @Slot()
    def _ask_again(self) -> None:
        """See whether the lock was lost, or is free now."""
        project = self._project
        if project is None:
            return
        if project.read_only != self._read_only or self.reason != self._told_reason:
            self._show_state()
        if project.read_only and self._worker.is_idle:
            self._worker.put(lambda: project.try_again() and project)

    def _show_state(self) -> None:
        project = self._project
        was_read_only, self._read_only = self._read_only, project.read_only
        self._told_reason = self.reason
        self._document.set_read_only(self._told_reason)
        if project.read_only:
            self._session.notice.emit(Notice(project.reason, is_error=False, about="project"))
        elif was_read_only:
            self._session.settled.emit("project")
            self._document.message.emit("Labels can be changed here now.")
            self._autosave.save_again()
            self._fill(project)
        self.project_changed.emit(project)

    @Slot()
    def _edited(self) -> None:
        """Make the project at the first edit, before there is anything to save."""
        project, image = self._project, self._document.image_path
        if project is None or project.read_only or image is None or image.parent != project.root:
            return
        if self._document.is_edited:
            if not project.established:
                self._worker.put(project.demand_change, key="make")
            self.know(image)

    # -- images that are renamed ----------------------------------------------------------------

    def know(self, image: Path) -> None:
        """Note what an image looks like: what is kept of it goes with it when it is renamed."""
        project, identities = self._project, self._identities
        if project is None or identities is None or project.read_only or image in self._known:
            return
        if image.parent == project.root:
            self._known.add(image)
            self._worker.put(lambda: _note(project, identities, image))

    @Slot()
    def _image_changed(self) -> None:
        image = self._document.image_path
        if image is not None and self._document.has_saved_labels:
            self.know(image)

    def _tell_carried(self, found: Carried) -> None:
        if found.renamed:
            first, *more = (renamed.line() for renamed in found.renamed)
            others = f" So do those of {len(more)} others." if more else ""
            text = f"{first}{others} The earlier files are in the backups."
            self._session.notice.emit(Notice(text, is_error=False, about="project"))
            images = tuple(renamed.new for renamed in found.renamed)
            self.carried.emit(images)
            if self._document.image_path in images and not self._document.is_edited:
                self._session.reopen()
            if self._project is not None:
                self._fill(self._project)
        for trouble in found.troubles[:1]:
            self._session.notice.emit(Notice(trouble, about="project"))

    # -- following the labels -----------------------------------------------------------------

    @Slot()
    def _keep_reading(self) -> None:
        """Remember what the model said of the image, to compare with labels once saved."""
        document = self._document
        image, prediction = document.image_path, document.prediction
        if image is None or prediction is None or document.is_preview:
            return
        self._readings[image] = Reading(prediction.labels, document.table)
        self._readings.move_to_end(image)
        while len(self._readings) > _READINGS:
            self._readings.popitem(last=False)

    @Slot(object)
    def _saved(self, image: Path) -> None:
        project = self._project
        if project is not None and image.parent == project.root:
            file = self._store.path_for
            usual, reading = self._usual_table(), self._readings.get(image)
            self._measure(project, image, lambda: file(image), usual, reading)
        self._keep_time()
        self._close_left()

    def _measure(
        self, project: Project, image: Path, file: Path | Callable[[], Path],
        usual: ClassTable, reading: Reading | None, later: bool = False,
    ) -> None:  # fmt: skip
        def work() -> None:
            label_file = file() if callable(file) else file
            try:
                table = read_classes(label_file) or usual
            except ClassTableError:
                table = usual
            try:
                measure_labels(project.index, image, label_file, table, reading)
            except DecodeError as error:  # told when the image is opened, and by `check`
                _log.warning("labels not counted: %s", error)

        self._worker.put(work, later, key=("measure", image))

    def _usual_table(self) -> ClassTable:
        model = self._session.model
        return self._document.table if model is None else model.table

    # -- time and telling ---------------------------------------------------------------------

    @Slot(object, float)
    def _spent(self, image: Path, seconds: float) -> None:
        project = self._project
        if project is not None and image.parent == project.root and not project.read_only:
            self._worker.put(lambda: project.index.add_seconds(image, seconds))

    def _keep_time(self) -> None:
        self._time.hand_over()

    @Slot(object)
    def _after_work(self, outcome: object) -> None:
        if isinstance(outcome, ProjectError):
            self._session.notice.emit(Notice(str(outcome), about="project"))
            self._ask_again()
        elif isinstance(outcome, Project):
            self._ask_again()
        elif isinstance(outcome, Carried):
            self._tell_carried(outcome)
        if outcome is not False:  # as asking for the lock in vain
            self._tell()

    def _tell(self) -> None:
        if not self._telling.isActive():
            self._telling.start()


class _Worker:
    """One thread that does what it is given, in order; what may come later goes last.

    Work with a key replaces work of that key which still waits. `done(outcome)` is called on the
    thread with what the work returned, or with the `ProjectError` it raised.
    """

    def __init__(self, done: Callable[[object], object]) -> None:
        self._done = done
        self._queue: queue.PriorityQueue[tuple[int, int, Work | None, object]] = (
            queue.PriorityQueue()
        )
        self._lock = threading.Lock()
        self._latest: dict[object, int] = {}
        self._count = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits."""
        return self._queue.empty()

    def put(self, work: Work, later: bool = False, key: object = None) -> None:
        """Leave work; the thread starts with the first. None is done any more once closed."""
        with self._lock:
            if self._closed:
                return
            self._count += 1
            if key is not None:
                self._latest[key] = self._count
            self._queue.put((int(later), self._count, work, key))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="pspgui-project", daemon=True
                )
                self._thread.start()

    def flush(self) -> None:
        """Wait until all of it is done."""
        if self._thread is not None:
            self._queue.join()

    def close(self, timeout_s: float = 10.0) -> None:
        """Do what was asked for at once, drop what may come later, end the thread."""
        with self._lock:
            self._closed, thread = True, self._thread
        if thread is None:
            return
        self._queue.put((0, 1 << 62, None, None))
        thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            later, number, work, key = self._queue.get()
            try:
                if work is None:
                    return
                with self._lock:
                    if key is not None and self._latest.get(key) != number:
                        continue
                    self._latest.pop(key, None)
                self._done(_outcome(work))
                if later:
                    time.sleep(0.005)  # there may be thousands, and the window comes first
            finally:
                self._queue.task_done()


def _stepping(work: Generator[None, None, Changed], text: str) -> Steps:
    """Run a generator as part of a job, and return what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
        yield Step(text)


class Carried(NamedTuple):
    """Images that were renamed, and sentences about those whose work could not go with them."""

    renamed: list[Renamed]
    troubles: list[str]


def _carry(project: Project) -> Carried | bool:
    """Bring what is kept of renamed images to their names; False where there is none."""
    if project.read_only or not anything_gone(project.root, project.home):
        return False
    try:
        folder = Folder(project.root, project.home, list_images(project.root))
    except DecodeError:
        return False
    found = Carried(*carry_renamed(folder, project.index))
    return found if found.renamed or found.troubles else False


def _note(project: Project, identities: Identities, image: Path) -> bool:
    try:
        if project.established and not project.read_only:
            identities.note(image)
    except OSError as error:  # it is noted at the next chance; labels do not depend on it
        _log.warning("what an image looks like was not noted: %s", error)
    return False


def _outcome(work: Work) -> object:
    try:
        return work()
    except ClosedProjectError:  # another folder is shown; what may come later comes no more
        return False
    except ProjectError as error:
        return error
    except Exception:  # the thread must outlive any failure
        _log.exception("work on the project failed")
        return None
