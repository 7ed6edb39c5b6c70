"""What happens to the document: opening, predicting, saving, and telling how it went.

The session is the one place where replies of the worker threads arrive, and where stale ones are
dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from pspgui import places
from pspgui.durable import printable
from pspgui.gui.autosave import Autosave
from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.errors import sentence
from pspgui.gui.settings import Settings
from pspgui.jobs.exporting import export_labels
from pspgui.jobs.messages import Cancelled, Done, Failed, Job, Progress, Reply, Step, Urgency
from pspgui.jobs.modelling import (
    ModelChoice,
    ModelFacts,
    ModelRoom,
    PredictionResult,
    load_model,
    predict,
    redraw_views,
)
from pspgui.jobs.opening import ListedFolder, OpenedImage, look_up, open_image, open_sample
from pspgui.project import LabelStore, SaveResult

WEIGHT_SUFFIXES: Final = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")


@dataclass(frozen=True)
class Notice:
    """Something to tell that must not be missed; `retry` names the action that tries again.

    `about` is "open", "predict", "model" or "save": the next success takes the notice away.
    """

    text: str
    is_error: bool = True
    retry: str = ""
    about: str = ""


@dataclass(frozen=True)
class Activity:
    """A job under way, for the status bar; `kind` is what `Session.cancel` takes."""

    kind: str
    step: Step


class Session(QObject):
    """Opens, predicts, saves and exports for one document. GUI thread only.

    Signals: `images_changed(tuple of Path)`, `current_changed(Path or None)`,
    `model_changed(ModelFacts)`, `activity_changed(Activity or None)`, `notice(Notice)`,
    `settled(str)` when what notices of that kind tell of is over, `predicted()` after every
    prediction shown, `image_saved(Path)`, and `failed(str)` with the sentence of anything that
    went wrong.
    """

    images_changed = Signal(object)
    current_changed = Signal(object)
    model_changed = Signal(object)
    activity_changed = Signal(object)
    notice = Signal(object)
    settled = Signal(str)
    predicted = Signal()
    image_saved = Signal(object)
    failed = Signal(str)

    def __init__(
        self,
        document: Document,
        engine: Engine,
        settings: Settings,
        store: LabelStore | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._engine = engine
        self._settings = settings
        self._store = LabelStore() if store is None else store
        self.autosave = Autosave(document, self._store, self)
        self._room = ModelRoom()
        self._model: ModelFacts | None = None
        self._images: tuple[Path, ...] = ()
        self._image_revision = 0
        self._model_revision = 0
        self._activities: dict[int, Activity] = {}
        self._listed: ListedFolder | None = None
        self._choice = ModelChoice(places.bundled_model())
        engine.replied.connect(self._receive)
        document.score_class_changed.connect(self._redraw_views)
        self.autosave.saved.connect(self._on_saved)
        self.autosave.failed.connect(self._on_save_failed)

    # -- what there is ------------------------------------------------------------------------

    @property
    def model(self) -> ModelFacts | None:
        """The model in use; None until the first one is loaded."""
        return self._model

    @property
    def images(self) -> tuple[Path, ...]:
        """The images of the list, in its order."""
        return self._images

    @property
    def store(self) -> LabelStore:
        """Where label maps are kept."""
        return self._store

    @property
    def device(self) -> str:
        """The device asked for, "auto" included."""
        return self._choice.device

    # -- opening ------------------------------------------------------------------------------

    def open_path(self, path: Path) -> None:
        """Open an image, a folder of images, or weights, whichever the path is."""
        self.open_paths((path,))

    def open_paths(self, paths: Iterable[Path]) -> None:
        """Open what was dropped or chosen: weights are loaded, images listed, the first shown."""
        paths = tuple(paths)
        weights = [path for path in paths if path.suffix.lower() in WEIGHT_SUFFIXES]
        images = [path for path in paths if path not in weights]
        if weights:
            self.open_weights(weights[0])
        if images:
            self._ask("files", "list", look_up(images), urgency=Urgency.LOOK)

    @Slot(object)
    def show_image(self, path: Path) -> None:
        """Show one image of the list; the one before it is saved first."""
        if path == self._document.image_path:
            self._engine.cancel("open")
            self._take_list(path)
            self.current_changed.emit(path)
            return
        self._open(path, open_image(path, self._reader(path)))

    def open_sample(self) -> None:
        """Show the sample scene."""
        home = places.user_folder() / "sample"
        path = home / "sample_scene.png"
        if path == self._document.image_path:
            self._engine.cancel("open")
            self.current_changed.emit(path)
        else:
            self._open(path, open_sample(home, self._reader(path)))

    def cancel(self, kind: str) -> None:
        """Cancel the job of this kind."""
        self._engine.cancel(kind)

    # -- model --------------------------------------------------------------------------------

    def load_first_model(self, choice: ModelChoice | None = None) -> None:
        """Load the given model, or else the one used last, or else the bundled one."""
        if choice is None:
            path = self._settings.weights
            remembered = path is not None and path.is_file()
            choice = ModelChoice(path if remembered else places.bundled_model(),
                                 self._settings.device)  # fmt: skip
        self._choice = choice
        self._load(choice)

    def open_weights(self, path: Path) -> None:
        """Load other weights; if that fails, the model in use stays."""
        self._load(replace(self._choice, path=path, remember=True))

    def use_bundled_model(self) -> None:
        """Go back to the weights that come with the app."""
        self.open_weights(places.bundled_model())

    def set_device(self, device: str) -> None:
        """Run the model on another device."""
        if device != self._choice.device or self._model is None:
            self._load(replace(self._choice, device=device, remember=True))

    def predict_again(self) -> None:
        """Predict the image shown, for example after cancelling."""
        image = self._document.image
        if image is None or self._model is None:
            return
        name = "" if self._document.image_path is None else printable(self._document.image_path)
        job = predict(self._room, image, name, self._document.score_class)
        self._ask("model", "predict", job, (self._image_revision, self._model_revision))

    # -- saving -------------------------------------------------------------------------------

    def save_now(self) -> None:
        """Save at once, and try again what failed before."""
        self.autosave.save_again()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Save everything and wait; True if all of it is on disk. For closing only."""
        self._document.finish_stroke()
        return self.autosave.flush(timeout_s)

    def close(self) -> None:
        """End all threads; unsaved work must have been dealt with before."""
        self._engine.close()
        self.autosave.close()

    def export_to(self, destination: Path) -> None:
        """Export all images of the list that have labels; the end is told as a notice."""
        self._document.finish_stroke()
        self.autosave.save_now()
        unsaved = {image: self.autosave.snapshot_of(image) for image in self.autosave.unsaved}

        def labels_of(image: Path) -> np.ndarray | None:
            snapshot = unsaved.get(image)
            if snapshot is not None:
                return snapshot.labels
            stored = self._store.load(image)
            return None if stored is None else stored.labels

        shown = self._document.image_path
        beside = () if shown is None or shown in self._images else (shown,)
        images = (*self._images, *beside)
        job = export_labels(images, labels_of, destination, self._document.table)
        self._ask("background", "export", job)

    # -- asking -------------------------------------------------------------------------------

    def _open(self, path: Path, job: Job) -> None:
        self._image_revision += 1
        self._ask("files", "open", job, self._image_revision, Urgency.MODEL)
        self.current_changed.emit(path)

    def _reader(self, path: Path) -> Callable[[Path, tuple[int, int]], Any]:
        """Return what reads the labels of `path` on the files lane: unsaved ones outrank files."""
        unsaved = self.autosave.snapshot_of(path)

        def read(image: Path, shape: tuple[int, int]) -> Any:
            if unsaved is not None and unsaved.labels.shape == shape:
                return unsaved.labels.copy(), unsaved.provenance.copy()
            return self._store.load(image, shape)

        return read

    def _load(self, choice: ModelChoice) -> None:
        self._ask("model", "model", load_model(self._room, choice), choice, Urgency.MODEL)

    @Slot(int)
    def _redraw_views(self, score_class: int) -> None:
        if self._document.prediction is not None:
            job = redraw_views(self._room, score_class)
            revisions = (self._image_revision, self._model_revision)
            self._ask("model", "views", job, revisions, Urgency.LOOK)

    def _ask(
        self, lane: str, kind: str, job: Job, revisions: Any = None,
        urgency: Urgency = Urgency.PREDICT,
    ) -> None:  # fmt: skip
        self._engine.ask(lane, kind, job, revisions, urgency)

    # -- replies ------------------------------------------------------------------------------

    @Slot(object)
    def _receive(self, reply: Reply) -> None:
        if isinstance(reply, Progress):
            self._activities[reply.ticket] = Activity(reply.kind, reply.step)
        else:
            self._activities.pop(reply.ticket, None)
        self.activity_changed.emit(next(reversed(self._activities.values()), None))
        if isinstance(reply, Progress | Cancelled) or self._is_stale(reply):
            if isinstance(reply, Cancelled) and reply.kind == "predict":
                self._on_prediction_cancelled(reply)
            return
        if isinstance(reply, Failed):
            self._on_failed(reply)
        elif isinstance(reply, Done):
            handler = {
                "open": self._on_opened,
                "list": self._on_listed,
                "model": self._on_model,
                "predict": self._on_predicted,
                "views": self._document.set_views,
            }.get(reply.kind, self._on_told)
            if reply.kind == "model":
                self._choice = reply.revisions
            handler(reply.result)

    def _is_stale(self, reply: Reply) -> bool:
        """Whether the answer is about an image or a model that is no longer the current one."""
        current = (self._image_revision, self._model_revision)
        if reply.kind == "open":
            return reply.revisions != self._image_revision
        return reply.kind in ("predict", "views") and reply.revisions != current

    def _on_opened(self, opened: OpenedImage) -> None:
        document = self._document
        document.finish_stroke()
        self.autosave.save_now()
        unsaved = opened.path is not None and self.autosave.snapshot_of(opened.path) is not None
        document.set_image(
            opened.pixels, opened.path, opened.title, opened.labels, opened.provenance,
            on_disk=not unsaved,
        )  # fmt: skip
        self._take_list(opened.path)
        if opened.path is not None and opened.path not in self._images:
            self._images = (opened.path,)
            self.images_changed.emit(self._images)
        self.current_changed.emit(opened.path)
        for about in ("open", "predict"):
            self.settled.emit(about)
        for note in opened.notes:
            document.message.emit(f"{opened.title}: {note}")
        if opened.warning:
            self._tell(opened.warning)
        elif self._store.location_note and opened.labels is not None:
            document.message.emit(self._store.location_note)
        self.predict_again()

    def _on_listed(self, listed: ListedFolder) -> None:
        if listed.chosen is None:
            self._tell(f"There are no images in {printable(listed.opened)}.", "open")
            return
        self._listed = listed
        if not listed.around_file:
            self._take_list(listed.chosen)
        self.show_image(listed.chosen)

    def _take_list(self, path: Path | None) -> None:
        """List what was looked up, if it was for this image; anything else outdates it."""
        listed, self._listed = self._listed, None
        if listed is not None and listed.chosen == path:
            self._images = listed.images
            self.images_changed.emit(self._images)
            self._settings.add_recent(listed.opened)

    def _on_model(self, facts: ModelFacts) -> None:
        self._model = facts
        self._model_revision += 1
        if self._choice.remember:
            own = facts.path == places.bundled_model()
            self._settings.weights = None if own else facts.path
            self._settings.device = self._choice.device
        self._document.set_table(facts.table)
        self.model_changed.emit(facts)
        self.settled.emit("model")
        for note in facts.notes:
            self._document.message.emit(note)
        self.predict_again()

    def _on_predicted(self, result: PredictionResult) -> None:
        self._document.set_prediction(result.prediction, result.views, result.evidence)
        if result.prediction.reduction > 1:
            from pspgui.inference.activations import reduction_note

            self._document.message.emit(reduction_note(result.prediction.reduction))
        self.predicted.emit()

    def _on_prediction_cancelled(self, reply: Cancelled) -> None:
        if not self._is_stale(reply) and self._document.prediction is None:
            self._document.start_unlabelled()
            self._document.message.emit("The prediction was cancelled; Ctrl+R predicts again.")

    def _on_told(self, result: object) -> None:
        self.notice.emit(Notice(str(result), is_error=False))

    def _on_failed(self, reply: Failed) -> None:
        text = sentence(reply.error)
        if reply.kind == "model":
            kept = "No model is loaded; open other weights (Ctrl+M)."
            if self._model is not None:
                kept = f"{self._model.title} stays in use."
            text = f"{text} {kept}"
            self.model_changed.emit(self._model)
        elif reply.kind == "open":
            self._listed = None
            self.current_changed.emit(self._document.image_path)
            if self._document.image is not None:
                text = f"{text.rstrip('.')}. {self._document.image_title} stays open."
        elif reply.kind == "predict":
            self._document.start_unlabelled()
            text = f"{text} It can be painted all the same."
        self._tell(text, "open" if reply.kind == "list" else reply.kind)

    def _on_saved(self, image: Path) -> None:
        if self.autosave.location_note:
            self._document.message.emit(self.autosave.location_note)
        if not self.autosave.unsaved:
            self.settled.emit("save")
        self.image_saved.emit(image)

    def _on_save_failed(self, result: SaveResult) -> None:
        self.notice.emit(Notice(str(result.error), retry="save", about="save"))
        self.failed.emit(str(result.error))

    def _tell(self, text: str, about: str = "") -> None:
        self.notice.emit(Notice(text, about=about))
        self.failed.emit(text)
