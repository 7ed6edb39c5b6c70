"""What happens to the document: opening, predicting, saving, and telling how it went.

The session is the one place where replies of the worker threads arrive, and where stale ones are
dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from pspgui import places
from pspgui.durable import printable
from pspgui.gui.autosave import Autosave
from pspgui.gui.document import Document
from pspgui.gui.engine_thread import Engine
from pspgui.gui.errors import sentence
from pspgui.gui.holding import Holding
from pspgui.gui.in_turn import InTurn
from pspgui.gui.keeping_session import KeepingSession
from pspgui.gui.label_reading import LabelReading
from pspgui.gui.model_session import ModelSession
from pspgui.gui.notices import Activity, Notice
from pspgui.gui.project_session import ProjectSession
from pspgui.gui.settings import Settings
from pspgui.jobs.class_tables import read_folder_classes
from pspgui.jobs.messages import Failed, Job, Urgency
from pspgui.jobs.opening import (
    ListedFolder,
    OpenedImage,
    ReadBack,
    find_labelled,
    look_up,
    open_image,
    open_sample,
)
from pspgui.jobs.reading_ahead import KeptImages
from pspgui.labels.classes import ClassTable
from pspgui.project import LabelStore, SaveResult

_OUTDATED: Final = (
    "The labels of this image were changed and could not be read anew; go to another image and "
    "come back."
)
WEIGHT_SUFFIXES: Final = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")


class Session(ModelSession):
    """Opens, predicts, saves and exports for one document. GUI thread only.

    Signals beside those of `ModelSession`: `images_changed(Sequence of Path)`,
    `current_changed(Path or None)`, `image_saved(Path)`, and `labelled(set of Path)` with images
    of the list that have labels from earlier.
    """

    images_changed = Signal(object)
    current_changed = Signal(object)
    image_saved = Signal(object)
    labelled = Signal(object)

    def __init__(
        self,
        document: Document,
        engine: Engine,
        settings: Settings,
        store: LabelStore | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(document, engine, settings, parent)
        self._store = LabelStore() if store is None else store
        self.autosave = Autosave(document, self._store, self)
        self._images: Sequence[Path] = ()
        self.kept = KeptImages()
        self._listed: ListedFolder | None = None
        self._outdated: Path | None = None  # shown, and its files were changed since
        self._asked_for: Path | None = None  # the image that was asked for last
        self._handlers |= {
            "open": self._on_opened,
            "list": self._on_listed,
            "labelled": self.labelled.emit,
        }
        self.autosave.saved.connect(self._on_saved)
        self.autosave.failed.connect(self._on_save_failed)
        self.project = ProjectSession(document, self)
        self.keeping = KeepingSession(document, self)
        self.keeping.keep_history(*settings.history_mb)
        self.in_turn = InTurn(document, self)
        self.holding = Holding(document, self)

    # -- what there is ------------------------------------------------------------------------

    @property
    def images(self) -> Sequence[Path]:
        """The images of the list, in its order."""
        return self._images

    @property
    def settings(self) -> Settings:
        """What is remembered between runs."""
        return self._settings

    @property
    def store(self) -> LabelStore:
        """Where label maps are kept."""
        return self._store

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
        if path == self._document.image_path and path != self._outdated:
            self._engine.cancel("open")
            self._take_list(path)
            self.current_changed.emit(path)
            return
        self._open(path, open_image(path, self._reader(path), self._folder_classes, self.kept))

    def reopen(self) -> None:
        """Read the image shown and its labels anew: its files were changed on purpose.

        Until it is there nothing can be painted on what is shown.
        """
        path = self._outdated = self._document.image_path
        if path is not None:
            self._document.finish_stroke()
            self.autosave.save_now()  # what no file holds yet is read from there
            self._document.set_read_only("The labels are being read anew; a moment.", "open")
            self._open(path, open_image(path, self._reader(path), self._folder_classes, self.kept))

    def open_sample(self) -> None:
        """Show the sample scene."""
        home = places.user_folder() / "sample"
        path = home / "sample_scene.png"
        if path == self._document.image_path and path != self._outdated:
            self._engine.cancel("open")
            self.current_changed.emit(path)
        else:
            self._open(path, open_sample(home, self._reader(path), self._folder_classes))

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
        self.project.close()

    def export_to(self, destination: Path) -> None:
        """Export all images of the list that have labels; the end is told as a notice."""
        from pspgui.jobs.exporting import LabelSource, export_labels

        self._document.finish_stroke()
        self.autosave.save_now()
        unsaved = {image: self.autosave.snapshot_of(image) for image in self.autosave.unsaved}

        tables = {image: self.autosave.table_of(image) for image in unsaved}
        document, shown = self._document, self._document.image_path
        own = document.table if document.has_saved_labels or shown in unsaved else None
        source = LabelSource(
            self._store,
            {image: (s.labels, tables[image]) for image, s in unsaved.items() if s is not None},
            document.table if self._model is None else self._model.table,
            {} if own is None or shown is None else {shown: own},
        )
        beside = () if shown is None or shown in self._images else (shown,)
        images = (*self._images, *beside)
        first = () if own is None or shown is None else (shown,)  # its numbers are those seen

        def table(check: Callable[[], None]) -> ClassTable:
            return source.table((*first, *images), check)

        job = export_labels(images, source.labels_of, destination, table)
        self._ask("background", "export", job)

    # -- asking -------------------------------------------------------------------------------

    def _open(self, path: Path, job: Job) -> None:
        self._opening += 1  # what is shown stays valid until this is open, which may fail
        self._asked_for = path
        self._ask("files", "open", job, self._opening, Urgency.MODEL)
        self.current_changed.emit(path)

    def _folder_classes(self, image: Path) -> ClassTable | None:
        return read_folder_classes(self._store.path_for(image))

    def _reader(self, path: Path) -> Callable[[Path, tuple[int, int]], ReadBack | None]:
        """Return what reads the labels of `path` on the files lane: unsaved ones outrank files."""
        return LabelReading(path, self._store, self.autosave)

    # -- replies ------------------------------------------------------------------------------

    def _on_opened(self, opened: OpenedImage) -> None:
        document = self._document
        self._image_revision += 1
        self._outdated = None
        document.finish_stroke()
        document.set_read_only("", "open")
        self.autosave.hand_over()
        unsaved = opened.path is not None and self.autosave.snapshot_of(opened.path) is not None
        table = opened.table
        if table is None and opened.labels is not None and self._model is not None:
            table = self._model.table  # not those of whatever image was shown before
        document.set_deep(opened.pixels, opened.deep)
        document.set_image(
            opened.pixels, opened.path, opened.title, opened.labels, opened.provenance,
            on_disk=not unsaved, table=table,
        )  # fmt: skip
        self.keeping.open(opened)
        self._classes_unknown = opened.labels is not None and opened.table is None
        self._folder_table = opened.folder_table
        self._settle_classes()
        self._take_list(opened.path)
        if opened.path is not None and opened.path not in self._images:
            self._set_images((opened.path,))
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
            self._set_images(listed.images)
            self._settings.add_recent(listed.opened)

    def _set_images(self, images: Sequence[Path]) -> None:
        self._images = images
        self.images_changed.emit(images)
        job = find_labelled(images, self._store.path_for)
        self._ask("background", "labelled", job, urgency=Urgency.BACKGROUND)

    def _on_failed(self, reply: Failed) -> None:
        if reply.kind not in ("open", "list"):
            super()._on_failed(reply)
            return
        text = sentence(reply.error)
        if reply.kind == "open":
            self._listed = None
            if self._outdated is not None and self._asked_for == self._outdated:
                self._document.set_read_only(_OUTDATED, "open")
            else:
                self._stay()
            self.current_changed.emit(self._document.image_path)
            if self._document.image is not None:
                text = f"{text.rstrip('.')}. {self._document.image_title} stays open."
        self._tell(text, "open")

    def _on_cancelled(self, kind: str) -> None:
        super()._on_cancelled(kind)
        if kind == "open":
            self._stay()

    def _stay(self) -> None:
        """Go on with the image shown, as no other could be opened."""
        if self._outdated is not None:
            self.reopen()  # which was under way, and cannot be done without
        else:
            self._document.set_read_only("", "open")

    def _on_saved(self, image: Path) -> None:
        if self.autosave.location_note:
            self._document.message.emit(self.autosave.location_note)
        if not self.autosave.unsaved:
            self.settled.emit("save")
        self.image_saved.emit(image)

    def _on_save_failed(self, result: SaveResult) -> None:
        self.notice.emit(Notice(str(result.error), retry="save", about="save"))
        self.failed.emit(str(result.error))


__all__ = ["WEIGHT_SUFFIXES", "Activity", "Notice", "Session"]
