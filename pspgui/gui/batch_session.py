"""Predicting many images from the window, keeping how sure the model was of each one shown.

Images that are marked done without labels are told of, and the model's labels offered for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pspgui.durable import SaveError
from pspgui.gui.notices import Notice
from pspgui.jobs.batch import BatchReport, IndexLedger, StartingLabels, predict_images
from pspgui.jobs.class_tables import read_folder_classes
from pspgui.jobs.messages import Job, Step, Steps, Turn, Urgency
from pspgui.labels.classes import ClassTable
from pspgui.project.errors import ClosedProjectError, ProjectError

_REFRESH_MS: Final = 1000
_LOOKED_AT: Final = 256  # images a step
_LEFT: Final = (
    "Predicting was stopped, for another folder was opened. What was read is kept; open the folder "
    "again to go on."
)

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.queue_session import QueueSession
    from pspgui.gui.session import Session
    from pspgui.project import LabelStore


class BatchSession(QObject):
    """Starts and ends batches. GUI thread only; images are read on the model lane.

    `running_changed()` when a batch begins or ends, `unlabelled_changed()` when other images are
    done without labels.
    """

    running_changed = Signal()
    unlabelled_changed = Signal()

    def __init__(self, document: Document, session: Session, queue: QueueSession) -> None:
        super().__init__(queue)
        self._document, self._session, self._queue = document, session, queue
        self._running = False
        # Looked at by the model lane before it writes: replaced as a whole, never changed.
        self._taken: frozenset[Path] = frozenset()
        self._measured: dict[Path, str] = {}
        # The prediction of an image that the index has not met yet, and its model.
        self._unmeasured: tuple[object, object] | None = None
        self._unlabelled: tuple[Path, ...] = ()
        self._refresh = QTimer(self)
        self._refresh.setInterval(_REFRESH_MS)
        self._refresh.timeout.connect(queue.read_anew)
        session.answer_to("batch", self._on_done)
        session.answer_to("doubt", self._on_doubt)
        session.answer_to("unlabelled", self._on_unlabelled)
        queue.status_set.connect(self._look_for_labels)
        session.cancelled.connect(self._on_cancelled)
        session.predicted.connect(self._measure)
        queue.found_changed.connect(self._measure_late)
        document.image_changed.connect(self._note_taken)
        document.saved_changed.connect(self._note_taken)

    @property
    def running(self) -> bool:
        """Whether a batch is under way."""
        return self._running

    @property
    def can_predict(self) -> bool:
        """Whether there are images, an index and a model."""
        queue = self._queue
        return bool(queue.images) and queue.index is not None and self._session.model is not None

    def predict(
        self, images: Sequence[Path], keep_labels: bool = False, again: bool = False
    ) -> None:
        """Let the model read images, those it has read before passed over unless `again`.

        With `keep_labels` its labels become labels to start from, where there are none.
        """
        index = self._queue.index
        if index is None or not self.can_predict:
            self._document.message.emit("There is nothing to predict yet.")
            return
        if keep_labels and self._queue.read_only:
            reason = self._session.project.reason or "This project cannot be changed here."
            self._session.notice.emit(Notice(reason, about="project"))
            return
        self._session.autosave.save_now()
        self._note_taken()
        ledger = IndexLedger(index)
        starting = self._starting(ledger) if keep_labels else None
        job = predict_images(self._session.room, tuple(images), ledger, starting, again)
        self._session.settled.emit("batch")
        self._session.ask("model", "batch", _told(job), Urgency.BACKGROUND)
        self._set_running(True)

    def cancel(self) -> None:
        """Stop the batch; what was read stays read."""
        self._session.cancel("batch")

    def _starting(self, ledger: IndexLedger) -> StartingLabels:
        store, admit = self._session.store, self._session.autosave.admit
        admitted: set[Path] = set()

        def classes(image: Path) -> ClassTable | None:
            if admit is not None and image.parent not in admitted:
                admit(image)
                admitted.add(image.parent)
            return read_folder_classes(store.path_for(image))

        return StartingLabels(store, lambda image: image in self._taken, classes, ledger.kept)

    @Slot()
    def _note_taken(self) -> None:
        shown = self._document.image_path
        unsaved = self._session.autosave.unsaved
        self._taken = frozenset((*unsaved, *(() if shown is None else (shown,))))

    def _on_done(self, outcome: BatchReport | ProjectError | str) -> None:
        self._set_running(False)
        if isinstance(outcome, ClosedProjectError):
            notice = Notice(_LEFT, is_error=False, about="batch")
        elif isinstance(outcome, str):
            notice = Notice(outcome, about="batch", retry="predict_all", button="Go on")
        else:
            notice = Notice(outcome.text(), is_error=bool(outcome.failed), about="batch")
        self._session.notice.emit(notice)
        self._end()

    def _end(self) -> None:
        self._queue.read_anew()
        if self._queue.order.sort in ("doubt", "entropy", "boundary"):
            self._queue.find_again()

    @Slot(str)
    def _on_cancelled(self, kind: str) -> None:
        if kind == "batch" and self._running:
            self._set_running(False)
            self._session.notice.emit(
                Notice(
                    "Predicting was stopped. What was read is kept; it goes on from there.",
                    is_error=False, about="batch", retry="predict_all", button="Go on",
                )
            )  # fmt: skip
            self._end()

    def _set_running(self, running: bool) -> None:
        if running != self._running:
            self._running = running
            (self._refresh.start if running else self._refresh.stop)()
            self.running_changed.emit()

    # -- done without labels --------------------------------------------------------------------

    @property
    def unlabelled(self) -> tuple[Path, ...]:
        """The images that were marked done last and have no labels yet."""
        return self._unlabelled

    def settle_unlabelled(self) -> None:
        """Offer the model's labels no more for what was marked done last."""
        self._unlabelled = ()
        self._session.settled.emit("unlabelled")
        self.unlabelled_changed.emit()

    @Slot(object, str)
    def _look_for_labels(self, images: Sequence[Path], status: str) -> None:
        """Look which of the images that are done now have no labels: exports leave these out."""
        self.settle_unlabelled()
        wanted = self._without_work(images) if status == "done" else ()
        if wanted:
            job = _lacking(self._session.store, wanted)
            self._session.ask("files", "unlabelled", job, Urgency.LOOK)

    def _without_work(self, images: Sequence[Path]) -> tuple[Path, ...]:
        """Return the images whose labels are not being made just now."""
        document, busy = self._document, set(self._session.autosave.unsaved)
        if document.is_touched and document.image_path is not None:
            busy.add(document.image_path)
        return tuple(image for image in images if image not in busy)

    def _on_unlabelled(self, images: Sequence[Path]) -> None:
        self._unlabelled = self._without_work(images)
        self.unlabelled_changed.emit()
        count = len(self._unlabelled)
        if not count:
            return
        noun = "1 image that is done has" if count == 1 else f"{count} images that are done have"
        left = "it" if count == 1 else "them"
        self._session.notice.emit(
            Notice(
                f"{noun} no labels yet, so that exports leave {left} out.", is_error=False,
                about="unlabelled", retry="keep_done", button="Keep the model's labels…",
            )
        )  # fmt: skip

    # -- the image shown ------------------------------------------------------------------------

    @Slot()
    def _measure(self) -> None:
        """Keep the doubt of the image just predicted: the list need not wait for a batch."""
        document, model, index = self._document, self._session.model, self._queue.index
        image, prediction = document.image_path, document.prediction
        if image is None or prediction is None or model is None or index is None:
            return
        listing = self._queue.listing
        # Windows, scales and bits make other answers of the same weights.
        read_by = f"{model.digest} {model.running}"
        known = listing is not None and listing.id_of(image)
        self._unmeasured = None if known else (prediction, model)
        if not known or self._measured.get(image) == read_by:
            return
        self._measured[image] = read_by
        job = _measured(IndexLedger(index), image, prediction, model.digest, len(model.table))
        self._session.ask("background", "doubt", job, Urgency.PREDICT)

    @Slot()
    def _measure_late(self) -> None:
        """Measure what was predicted before the index knew its image."""
        if self._unmeasured is None:
            return
        prediction, model = self._unmeasured
        if prediction is self._document.prediction and model is self._session.model:
            self._measure()
        else:
            self._unmeasured = None

    def _on_doubt(self, image: Path) -> None:
        self._queue.read_anew()


def _lacking(store: LabelStore, images: Sequence[Path]) -> Job:
    """Return a job that gives the images without a label file."""

    def job(turn: Turn) -> Steps:
        found: list[Path] = []
        for start in range(0, len(images), _LOOKED_AT):
            yield Step("Looking for labels", start / len(images))
            some = images[start : start + _LOOKED_AT]
            found += [image for image in some if not store.path_for(image).exists()]
        return tuple(found)

    return job


def _told(job: Job) -> Job:
    """Return the job with what made it fail as its answer, so that its end is heard of."""

    def told(turn: Turn) -> Steps:
        try:
            return (yield from job(turn))
        except ClosedProjectError as error:
            return error
        except (SaveError, ProjectError) as error:
            return str(error)

    return told


def _measured(
    ledger: IndexLedger, image: Path, prediction: object, digest: str, classes: int
) -> Job:
    """Return a job that measures one prediction and writes it down."""

    def job(turn: Turn) -> Steps:
        yield Step("Measuring doubt")
        from pspgui.inference.doubt import doubt_of, doubt_of_windows

        sure = getattr(prediction, "confidence", None)
        if sure is None:
            doubt = doubt_of(prediction)
        else:
            doubt = doubt_of_windows(prediction.labels, sure, classes)
        ledger.record(image, doubt, prediction.labels.shape, digest)
        return image

    return job
