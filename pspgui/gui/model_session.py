"""The half of the session that deals with the model: loading, predicting, explaining, comparing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from pspgui import places
from pspgui.durable import printable
from pspgui.geometry import Pixel
from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.errors import sentence
from pspgui.gui.notices import Activity, Notice
from pspgui.gui.remembered import fall_back, keep, recall
from pspgui.gui.settings import Settings
from pspgui.jobs.agreeing import Agreement, measure_agreement
from pspgui.jobs.class_tables import Translation, can_hold, difference_text
from pspgui.jobs.messages import Cancelled, Done, Failed, Job, Progress, Reply, Urgency
from pspgui.jobs.modelling import (
    ModelChoice,
    ModelFacts,
    ModelRoom,
    PredictionResult,
    Shown,
    explain_window,
    load_model,
    predict,
    preview,
    redraw_views,
    retell,
)
from pspgui.jobs.opening_sources import open_source_of
from pspgui.jobs.windowed import WindowEvidence
from pspgui.labels.classes import ClassTable
from pspgui.project.errors import ClosedProjectError

if TYPE_CHECKING:
    from pspgui.evidence.readings import OpenedSource, Source
    from pspgui.labels.raster import Stamp

# Answers that are about one image and one model, and worthless for any other.
_OF_IMAGE_AND_MODEL = (
    "predict", "preview", "retell", "views", "window", "agreement", "opened"
)  # fmt: skip


class ModelSession(QObject):
    """Loads models and predicts the document's image. GUI thread only.

    Signals: `model_changed(ModelFacts or None)`, `model_failed(str)`, `agreement_changed(Agreement
    or None)`, `activity_changed(Activity or None)`, `notice(Notice)`, `settled(str)` when what
    notices of that kind tell of is over, `predicted()` after every full prediction shown, and
    `failed(str)` with the sentence of anything that went wrong. `cancelled(str)` tells that a job
    of this kind was stopped, by a person or by a newer one.
    """

    model_changed = Signal(object)
    model_failed = Signal(str)
    agreement_changed = Signal(object)
    activity_changed = Signal(object)
    notice = Signal(object)
    settled = Signal(str)
    predicted = Signal()
    failed = Signal(str)
    cancelled = Signal(str)

    def __init__(
        self, document: Document, engine: Engine, settings: Settings,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document = document
        self._engine = engine
        self._settings = settings
        self._room = ModelRoom()
        self._model: ModelFacts | None = None
        self._opening = 0  # counts images asked for; of images shown:
        self._image_revision = 0
        self._model_revision = 0
        self._predicted_by = -1  # the model whose answer is shown
        self._was_cancelled = False
        self._classes_unknown = False  # of the labels shown
        self._folder_table: ClassTable | None = None  # for images without labels
        self._may_fall_back = False
        self._activities: dict[int, Activity] = {}
        self._told: set[tuple[ClassTable, ClassTable]] = set()
        self._choice = ModelChoice(places.bundled_model())
        self._handlers: dict[str, Callable[[Any], None]] = {
            "model": self._on_model,
            "predict": self._on_predicted,
            "retell": self._on_retold,
            "preview": self._on_preview,
            "views": document.set_views,
            "window": self._on_window,
            "opened": self._on_opened_source,
            "agreement": self.agreement_changed.emit,
        }
        engine.replied.connect(self._receive)
        document.score_class_changed.connect(self._redraw_views)
        document.window_wanted.connect(self._explain_window)
        document.opening_wanted.connect(self._open_source)

    # -- what there is ------------------------------------------------------------------------

    @property
    def model(self) -> ModelFacts | None:
        """The model in use; None until the first one is loaded."""
        return self._model

    @property
    def room(self) -> ModelRoom:
        """What the model lane keeps between jobs; for jobs of that lane only."""
        return self._room

    @property
    def device(self) -> str:
        """The device asked for, "auto" included."""
        return self._choice.device

    @property
    def choice(self) -> ModelChoice:
        """What was asked for and is in use."""
        return self._choice

    # -- loading ------------------------------------------------------------------------------

    def load_first_model(self, choice: ModelChoice | None = None) -> None:
        """Load the given model, or else the one used last, or else the bundled one."""
        self._may_fall_back = choice is None
        choice = choice or recall(self._settings)
        self._choice = choice
        self._load(choice)

    def open_weights(self, path: Path) -> None:
        """Load other weights; if that fails, the model in use stays."""
        self._load(replace(self._choice, path=path, overrides=None, remember=True))

    def use_bundled_model(self) -> None:
        """Go back to the weights that come with the app."""
        self.open_weights(places.bundled_model())

    def set_device(self, device: str) -> None:
        """Run the model on another device."""
        if device != self._choice.device or self._model is None:
            self._load(replace(self._choice, device=device, remember=True))

    def apply_choice(self, choice: ModelChoice) -> None:
        """Load weights anew as the model dialog says; overrides are remembered for them."""
        self._load(replace(choice, remember=True))

    @property
    def images(self) -> Sequence[Path]:
        """The images of the list."""
        return ()

    def _load(self, choice: ModelChoice) -> None:
        if choice.precision == "int8":  # fitted to what it will read, where that is known
            choice = replace(choice, samples=self.images)
        job = load_model(self._room, choice, self._settings.overrides)
        self._ask("model", "model", job, choice, Urgency.MODEL)

    # -- predicting ---------------------------------------------------------------------------

    def predict_again(self) -> None:
        """Predict the image shown, for example after cancelling; a first look comes before."""
        shown = self._shown()
        if shown is None:
            return
        self._was_cancelled = False
        self._engine.cancel("agreement")  # it may last, and is about what was shown before
        if not self._shows_full_answer():  # which a first look would only replace by less
            self._ask_about_image("preview", preview(self._room, shown))
        self._ask_about_image("predict", predict(self._room, shown))

    def cancel(self, kind: str) -> None:
        """Cancel the job of this kind; a first look and the prediction behind it go together."""
        if kind in ("preview", "predict"):
            self._was_cancelled = True
            self._engine.cancel("predict")
            self._engine.cancel("preview")  # it would promise a prediction that does not come
        else:
            self._engine.cancel(kind)
        if kind == "model":
            self.model_failed.emit(f"Loading was cancelled. {self._kept()}")

    def measure_agreement(self) -> None:
        """Compare what is in use with fp32 on the image shown; `agreement_changed` tells."""
        shown = self._shown()
        if shown is not None:
            self._ask_about_image("agreement", measure_agreement(self._room, shown.pixels))

    def add_model_classes(self) -> None:
        """Let the labels have the classes that only the model knows; they are matched anew."""
        self._document.add_model_classes()
        self.settled.emit("classes")
        shown = self._shown()
        if shown is not None and self._document.prediction is not None:
            self._ask_about_image("retell", retell(self._room, shown), Urgency.LOOK)

    def _shows_full_answer(self) -> bool:
        document = self._document
        there = document.prediction is not None and not document.is_preview
        return there and self._predicted_by == self._model_revision

    @property
    def can_add_classes(self) -> bool:
        """Whether the model knows classes that the labels could have and have not."""
        document = self._document
        labels = None if document.label_map is None else document.label_map.labels
        further = document.reading_table != document.table
        return further and can_hold(document.reading_table, labels)

    def _shown(self) -> Shown | None:
        image, document = self._document.image, self._document
        if image is None or self._model is None:
            return None
        name = "" if document.image_path is None else printable(document.image_path)
        standing = None if document.is_touched else document.label_map
        labels = document.table, document.label_map is None, standing
        return Shown(image, name, document.score_class, *labels)

    @Slot(int)
    def _redraw_views(self, _score_class: int) -> None:
        shown = self._shown()
        if shown is not None and self._document.prediction is not None:
            self._ask_about_image("views", redraw_views(self._room, shown), Urgency.LOOK)

    @Slot(object)
    def _open_source(self, source: Source) -> None:
        document = self._document
        place = document.place
        if place is not None and document.evidence is not None:
            job = open_source_of(document.engine, place, source, document.evidence.target)
            stamp = (self._image_revision, self._model_revision)
            self._ask("files", "opened", job, stamp, Urgency.LOOK)

    def _on_opened_source(self, found: tuple[Pixel | Stamp, OpenedSource]) -> None:
        self._document.set_opened(*found)

    @Slot(object)
    def _explain_window(self, pixel: Pixel) -> None:
        shown = self._shown()
        if shown is not None:
            job = explain_window(self._room, shown, pixel)
            self._ask_about_image("window", job, Urgency.LOOK)

    # -- asking and receiving -----------------------------------------------------------------

    def answer_to(self, kind: str, slot: Callable[[Any], object]) -> None:
        """Give what jobs of a kind return to `slot` (GUI thread); failures are told as notices."""
        self._handlers[kind] = slot

    def ask(
        self, lane: str, kind: str, job: Job, urgency: Urgency = Urgency.BACKGROUND
    ) -> None:
        """Run a job of a kind that has somebody to answer to, on one of the engine's lanes."""
        self._ask(lane, kind, job, urgency=urgency)

    def _ask(
        self, lane: str, kind: str, job: Job, revisions: Any = None,
        urgency: Urgency = Urgency.PREDICT,
    ) -> None:  # fmt: skip
        self._engine.ask(lane, kind, job, revisions, urgency)

    def _ask_about_image(
        self, kind: str, job: Job, urgency: Urgency = Urgency.PREDICT
    ) -> None:
        self._ask("model", kind, job, (self._image_revision, self._model_revision), urgency)

    @Slot(object)
    def _receive(self, reply: Reply) -> None:
        if isinstance(reply, Progress):
            self._activities[reply.ticket] = Activity(reply.kind, reply.step)
        else:
            self._activities.pop(reply.ticket, None)
        self.activity_changed.emit(next(reversed(self._activities.values()), None))
        if isinstance(reply, Progress | Cancelled) or self._is_stale(reply):
            if isinstance(reply, Cancelled) and not self._is_stale(reply):
                self._on_cancelled(reply.kind)
            return
        if isinstance(reply, Failed):
            self._on_failed(reply)
        elif isinstance(reply, Done):
            if reply.kind == "model":
                self._choice = replace(reply.result.choice, remember=reply.revisions.remember)
            self._handlers.get(reply.kind, self._on_told)(reply.result)

    def _is_stale(self, reply: Reply) -> bool:
        """Whether the answer is about an image or a model that is no longer the current one."""
        current = (self._image_revision, self._model_revision)
        if reply.kind == "open":
            return reply.revisions != self._opening
        return reply.kind in _OF_IMAGE_AND_MODEL and reply.revisions != current

    def _on_model(self, facts: ModelFacts) -> None:
        if self._model is None and self._classes_unknown and not self._document.is_edited:
            self._document.name_labels(facts.table)
        self._model = facts
        self._model_revision += 1
        if self._choice.remember:
            keep(self._settings, facts, self._choice)
        self._document.set_network(facts.network)
        self._settle_classes()
        self.model_changed.emit(facts)
        self.settled.emit("model")
        for note in facts.notes:
            self._document.message.emit(note)
        self.predict_again()

    def _settle_classes(self) -> None:
        """Let labels of their own keep their classes; others take those of the model."""
        document, model = self._document, self._model
        if model is None:
            return
        if not document.is_touched:
            document.set_table(self._folder_table or model.table)
            if self._folder_table is None:
                self.settled.emit("classes")
                return
        translation = Translation(model.table, document.table)
        document.set_reading_table(translation.reading)
        if translation.is_identity or translation.reading == document.table:
            self.settled.emit("classes")
            return
        pair = (document.table, model.table)
        self.settled.emit("classes")
        if pair in self._told:  # once is enough for a folder of such images
            return
        self._told.add(pair)
        further = len(translation.reading) - len(document.table)
        self.notice.emit(
            Notice(
                difference_text(translation), is_error=False, about="classes",
                retry="add_classes" if self.can_add_classes else "",
                button=f"Add its {further} other class{'es' if further > 1 else ''}",
            )
        )  # fmt: skip

    def _on_preview(self, result: PredictionResult | None) -> None:
        if result is not None and self._is_numbered_right(result):
            self._document.set_prediction(result.prediction, result.views, None, preview=True)
            self._predicted_by = self._model_revision

    def _on_predicted(self, result: PredictionResult) -> None:
        if self._on_retold(result):
            for note in result.notes:
                self._document.message.emit(note)
            if result.prediction.reduction > 1:
                from pspgui.inference.activations import reduction_note

                self._document.message.emit(reduction_note(result.prediction.reduction))
            self.predicted.emit()

    def _on_retold(self, result: PredictionResult) -> bool:
        if not self._is_numbered_right(result):
            shown = self._shown()
            if shown is not None:  # classes were added while it was at work
                self._ask_about_image("predict", retell(self._room, shown))
            return False
        answer = result.prediction, result.views, result.evidence
        made = {"fresh": result.fresh, "following": result.following}
        self._document.set_prediction(*answer, **made)
        self._predicted_by = self._model_revision
        if result.score_class not in (None, self._document.score_class):
            self._redraw_views(self._document.score_class)  # another was chosen meanwhile
        return True

    def _is_numbered_right(self, result: PredictionResult) -> bool:
        return result.labels is None or result.labels == self._document.table

    def _on_window(self, engine: WindowEvidence | None) -> None:
        if engine is None:
            self._document.mark_windows_mute()
        else:
            self._document.set_window(engine)

    def _on_cancelled(self, kind: str) -> None:
        self.cancelled.emit(kind)
        if kind == "agreement":
            self.agreement_changed.emit(None)
        if kind != "predict" or not self._was_cancelled:
            return  # it made room for another, which will answer
        self._was_cancelled = False
        self._go_without_prediction()
        self._document.message.emit("The prediction was cancelled; Ctrl+R predicts again.")

    def _go_without_prediction(self) -> None:
        """Show no other model's answer as that of the one in use; the image can be painted."""
        document = self._document
        if self._predicted_by != self._model_revision:
            document.forget_prediction()
        document.stop_waiting()
        document.start_unlabelled()

    def _on_told(self, result: object) -> None:
        self.notice.emit(Notice(str(result), is_error=False))

    def _on_failed(self, reply: Failed) -> None:
        if isinstance(reply.error, ClosedProjectError):
            return  # another folder was opened, and nobody waits for this
        text = sentence(reply.error)
        if reply.kind == "preview":
            return  # the prediction behind it fails too, and says so
        if reply.kind == "model" and self._may_fall_back and self._model is None:
            instead, clause = fall_back(reply.revisions, reply.error)
            self._may_fall_back = instead.path != places.bundled_model()
            text = f"{text} {clause}"
            self._load(instead)
        elif reply.kind == "model":
            text = f"{text} {self._kept()}"
            self.model_changed.emit(self._model)
            self.model_failed.emit(text)
        elif reply.kind == "predict":
            self._go_without_prediction()
            text = f"{text} It can be painted all the same."
        elif reply.kind == "agreement":
            self.agreement_changed.emit(None)
        self._tell(text, reply.kind)

    def _kept(self) -> str:
        if self._model is None:
            return "No model is loaded; open other weights (Ctrl+M)."
        return f"{self._model.title} stays in use."

    def _tell(self, text: str, about: str = "") -> None:
        self.notice.emit(Notice(text, about=about))
        self.failed.emit(text)


__all__ = ["Activity", "Agreement", "ModelSession", "Notice"]
