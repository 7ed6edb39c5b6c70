"""The editable half of the document: label map, strokes, undo, and what is not yet on disk."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pspgui.geometry import Rect
from pspgui.gui.changing import Changing
from pspgui.imaging.scratch import copied, full_map
from pspgui.jobs.following import Following, compare, follow
from pspgui.labels.classes import CAMVID, ClassTable
from pspgui.labels.editing import Stroke
from pspgui.labels.edits import MIB, TILE_PX, Edit
from pspgui.labels.history import History
from pspgui.labels.label_map import LabelMap
from pspgui.labels.provenance import IMPORTED, MODEL, value_for
from pspgui.labels.raster import Stamp
from pspgui.labels.shapes import tiles

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pspgui.inference.predictor import Prediction
    from pspgui.project.recovery import Lost

MAX_BRUSH_PX: Final = 2048


class LabelCopy(NamedTuple):
    """Labels and provenance (H, W) as of an edit serial, for a thread that saves them."""

    labels: np.ndarray
    provenance: np.ndarray
    serial: int


class LabelSession(QObject):
    """One image's label map and everything that changes it. GUI thread only.

    How a stroke begins is said by `PaintRules`, which knows what may be painted over.

    Signals: `labels_changed(Rect)` after pixels changed, `history_changed()` when undo or redo
    would do something else than before, `saved_changed()` when the dirty mark or the saved text
    moved, `message(str)` for the status bar, `brush_changed()`. `edited(Change)` comes with every
    edit, undo and redo, before the others, and `labels_came()` when there is another label map.
    `change_went_on()` tells that a large change has begun, which goes on in turns.
    """

    labels_changed = Signal(object)
    history_changed = Signal()
    saved_changed = Signal()
    message = Signal(str)
    brush_changed = Signal()
    edited = Signal(object)
    labels_came = Signal()
    change_went_on = Signal()

    _network = ""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table: ClassTable = CAMVID
        self._prediction: Prediction | None = None
        self._is_preview = False
        self._label_map: LabelMap | None = None
        self._history: History | None = None
        self._history_budget = 256 * MIB
        self._stroke: Stroke | None = None
        self._changing = Changing(self)
        self._changing.went_on.connect(self.change_went_on)
        self._active_class = 0
        self._brush_diameter = 24
        self._square_brush = False
        self._serial = 0  # counts changes of this image's labels that a file should follow
        self._base_serial = 0  # the serial when this image was opened
        self._saved_serial = 0
        self._has_file = False
        self._saved_text = ""
        self._holds: dict[str, str] = {}  # why labels may not change, by who says so
        self._packing = QTimer(self)
        self._packing.setInterval(20)
        self._packing.timeout.connect(self._pack)

    # -- what there is ------------------------------------------------------------------------

    @property
    def label_map(self) -> LabelMap | None:
        """The label map being edited; its array is never rebound while the image is open."""
        return self._label_map

    @property
    def history(self) -> History | None:
        """The undo history of the label map."""
        return self._history

    @property
    def stroke_active(self) -> bool:
        """Whether a brush or eraser is pressed down right now."""
        return self._stroke is not None

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to undo."""
        return self._history is not None and bool(self._history.undo_names)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to redo."""
        return self._history is not None and bool(self._history.redo_names)

    # -- the brush ----------------------------------------------------------------------------

    @property
    def brush_diameter(self) -> int:
        """Brush diameter in image pixels, 1..2048."""
        return self._brush_diameter

    @property
    def square_brush(self) -> bool:
        """Whether the brush is square instead of round."""
        return self._square_brush

    def set_brush_diameter(self, diameter: int) -> None:
        """Set the brush diameter, clipped to 1..2048 px."""
        diameter = max(1, min(MAX_BRUSH_PX, int(diameter)))
        if diameter != self._brush_diameter:
            self._brush_diameter = diameter
            self.brush_changed.emit()

    def scale_brush(self, factor: float) -> None:
        """Scale the brush by `factor`, by one pixel at least."""
        old = self._brush_diameter
        scaled = round(old * factor)
        self.set_brush_diameter(max(scaled, old + 1) if factor > 1 else min(scaled, old - 1))

    def set_square_brush(self, square: bool) -> None:
        """Choose a square or a round brush."""
        if square != self._square_brush:
            self._square_brush = square
            self.brush_changed.emit()

    # -- whether labels may change ------------------------------------------------------------

    @property
    def read_only_reason(self) -> str:
        """Why labels cannot be changed here, one sentence; empty where they can."""
        return self._holds.get("project") or next(iter(self._holds.values()), "")

    def set_read_only(self, reason: str, by: str = "project") -> None:
        """Refuse changes of labels from now on, for a reason of `by`; "" takes that one back."""
        self._holds.pop(by, None)
        if reason:
            self._holds[by] = reason

    def may_change(self) -> bool:
        """Whether labels may be changed; if not, say why in the status bar."""
        if self._holds:
            self.message.emit(self.read_only_reason)
        return not self._holds

    # -- strokes ------------------------------------------------------------------------------

    def move_stroke(self, y: float, x: float) -> None:
        """Sweep the pressed tool to the point (image pixels)."""
        if self._stroke is not None:
            self._announce(self._stroke.move(y, x))

    def release_stroke(self) -> None:
        """Release the tool: the stroke becomes one edit, or nothing if it changed no pixel.

        A large one does so in turns; what needs it to be done calls `finish_stroke`.
        """
        stroke, self._stroke = self._stroke, None
        if stroke is not None:
            self._changing.run(self._finishing(stroke), self._stroke_ended, may_take_back=True)

    def finish_stroke(self) -> None:
        """Release the tool and wait for whatever change is under way."""
        self._changing.finish()
        self.release_stroke()
        self._changing.finish()

    def abort_stroke(self) -> None:
        """Take the running stroke back as if it had never been."""
        stroke, self._stroke = self._stroke, None
        if stroke is not None:
            self._announce(stroke.abort())

    def undo(self) -> None:
        """Undo the latest edit; one that is still being made is taken back."""
        if self._changing.take_back():
            self._announce(self._label_map.rect)
        elif self._stroke is not None:
            self.abort_stroke()
        elif self._history is not None and self.may_change():
            self._changing.run(self._history.undoing(), partial(self._swapped, verb="Undone"))

    def redo(self) -> None:
        """Redo the edit undone last; not possible during a stroke."""
        if self._stroke is None and self._history is not None and self.may_change():
            self._changing.finish()
            self._changing.run(self._history.redoing(), partial(self._swapped, verb="Redone"))

    def jump_history(self, standing: int) -> None:
        """Undo or redo until this many edits stand, as one repaint."""
        if self._stroke is not None:
            self.abort_stroke()
        self._changing.finish()
        if self._history is not None and self.may_change():
            before = len(self._history.edits)
            self._changing.run(self._history.jumping(standing), partial(self._jumped, before))

    def restore_history(self, done: Sequence[Edit], undone: Sequence[Edit]) -> None:
        """Take over edits of an earlier session, which fit the labels just opened."""
        if self._history is not None and (done or undone):
            self._history.restore(done, undone)
            self.history_changed.emit()

    def set_history_budget(self, budget_bytes: int) -> None:
        """Keep at most about this much of each image's history."""
        self._history_budget = budget_bytes
        if self._history is not None and not self._history.is_open:
            self._history.set_budget(budget_bytes)
            self.history_changed.emit()

    def recover(self, lost: Lost) -> bool:
        """Put strokes of an earlier session on the labels, as one edit; True if that was done.

        What hinders it is said in the status bar.
        """
        labels, history = self._label_map, self._history
        if not self.may_change():
            return False
        if labels is None or history is None:
            self.message.emit("The strokes wait for the full prediction; nothing is lost.")
            return False
        self.finish_stroke()
        most = np.iinfo(labels.labels.dtype).max
        if lost.rect.intersect(labels.rect) != lost.rect or int(lost.labels.max()) > most:
            self.message.emit("The strokes do not fit these labels; they are kept as they are.")
            return False
        count = lost.strokes
        history.begin(f"Recover {count} stroke{'' if count == 1 else 's'}")
        try:
            _put_back(labels, history, lost)
        except BaseException:
            history.abort()  # an edit left open would hold back every other one, and saving
            raise
        edit = history.commit()
        if edit is not None:
            self._edited(edit, edit.title)
        return True

    def model_mark(self) -> int:
        """Return the provenance value of pixels taken from the prediction shown."""
        if self._label_map is None or self._prediction is None:
            return MODEL
        return value_for(self._label_map.models, self._model_name(self._prediction))

    # -- what is on disk ----------------------------------------------------------------------

    @property
    def is_dirty(self) -> bool:
        """Whether the labels hold something that no file holds yet."""
        return self._serial != self._saved_serial

    @property
    def has_saved_labels(self) -> bool:
        """Whether a label file of this image exists."""
        return self._has_file

    @property
    def is_touched(self) -> bool:
        """Whether the labels are more than a copy of the prediction: edited, saved, or pressed."""
        return self._has_file or self.is_edited

    @property
    def is_edited(self) -> bool:
        """Whether the labels were changed, or are being changed, since the image was opened."""
        under_way = self._stroke is not None or self._changing.is_busy
        return under_way or self._serial != self._base_serial

    @property
    def edit_serial(self) -> int:
        """Counts edits, undos and redos of this image; a save names the serial it wrote."""
        return self._serial

    @property
    def saved_text(self) -> str:
        """A few words on saving for the status bar; empty when there is nothing to save."""
        return self._saved_text

    def mark_saving(self) -> None:
        """Say that a save is under way."""
        self._saved_text = "Saving…"
        self.saved_changed.emit()

    def mark_saved(self, serial: int) -> None:
        """Record that the labels as of `serial` are safely on disk."""
        self._saved_serial = max(self._saved_serial, serial)
        self._has_file = True
        self._saved_text = "Edited" if self.is_dirty else f"Saved at {time.strftime('%H:%M:%S')}"
        self.saved_changed.emit()

    def mark_save_failed(self) -> None:
        """Record that a save failed: the dirty mark stays."""
        self._saved_text = "Not saved"
        self.saved_changed.emit()

    # -- inside -------------------------------------------------------------------------------

    def _install_labels(
        self, labels: np.ndarray | None, provenance: np.ndarray | None, on_disk: bool
    ) -> None:
        """Start over with the labels of a new image, or with none.

        Serials go on counting, so that a late reply about another image never looks newer.
        """
        self._changing.finish()
        self._stroke = None
        self._label_map = None
        if labels is not None:
            marks = np.full(labels.shape, IMPORTED, np.uint8) if provenance is None else provenance
            self._label_map = LabelMap(labels, marks)
        self._history = None
        if self._label_map is not None:
            self._take_map(self._label_map)
        self._saved_serial = self._base_serial = self._serial
        self._has_file = labels is not None and on_disk
        self._saved_text = "Saved" if self._has_file else ""
        if labels is not None and not on_disk:
            self._serial += 1
            self._saved_text = "Not saved"

    def _start_unlabelled(self, shape: tuple[int, int]) -> None:
        """Give an image without labels and prediction a map to paint on."""
        if self._label_map is None:
            kind = np.uint8 if self._table.ignore <= 255 else np.uint16
            marks = full_map(shape, np.uint8, MODEL)
            self._take_map(LabelMap(full_map(shape, kind, self._table.ignore), marks))
            self._announce(Rect(0, 0, *shape))

    def _follow_prediction(
        self,
        prediction: Prediction,
        fresh: LabelMap | None = None,
        following: Following | None = None,
    ) -> None:
        """Let unpainted labels start as the prediction, while no person has edited or saved.

        fresh: a map of the prediction's labels that nobody else holds, taken over without a copy.
        following: where the prediction differs from a map that follows it, found beforehand.
        """
        rect = Rect(0, 0, *prediction.labels.shape)
        if self._label_map is None and fresh is not None:
            self._take_map(fresh)
        elif self._label_map is None:
            marks = full_map(prediction.labels.shape, np.uint8, MODEL)
            self._take_map(LabelMap(copied(prediction.labels), marks))
        elif not self.is_touched:
            if following is None or not following.is_about(self._label_map):
                following = compare(self._label_map, prediction.labels)
            rect = following.rect
            follow(self._label_map, prediction.labels, rect)
        else:
            return
        self._label_map.models.clear()
        self._label_map.models[MODEL] = self._model_name(prediction)
        self._announce(rect)

    def _take_map(self, label_map: LabelMap) -> None:
        self._label_map = label_map
        self._history = History(label_map, self._history_budget)
        self._history.listener = self.edited.emit
        self.labels_came.emit()

    def _model_name(self, prediction: Prediction) -> str:
        digest = prediction.stamp.model[:8]
        return f"{self._network} {digest}".strip()

    def _announce(self, rect: Rect) -> None:
        if not rect.is_empty:
            self.labels_changed.emit(rect)

    def _changed(self, text: str) -> None:
        self._serial += 1
        self._packing.start()
        self._saved_text = "Edited"
        self.saved_changed.emit()
        self.message.emit(text)

    @Slot()
    def _pack(self) -> None:
        """Compress what undo keeps, a few milliseconds at a time, until all of it is."""
        if self.stroke_active or self._changing.is_busy:
            return
        if not (self._history and self._history.pack(0.003)):
            self._packing.stop()

    def _finishing(self, stroke: Stroke) -> Generator[None, None, Edit | None]:
        """Take down what a stroke changed, a tile a step, then make it an edit."""
        try:
            if self._history is not None and self._history.is_open:
                yield from self._history.closing()
            return stroke.finish()
        except BaseException:
            stroke.abort()
            raise

    def _stroke_ended(self, edit: Edit | None) -> None:
        if edit is not None:
            self._changed(edit.title)
        self.history_changed.emit()

    def _swapped(self, edit: Edit | None, verb: str) -> None:
        if edit is not None:
            self._edited(edit, f"{verb}: {edit.title}")

    def _jumped(self, before: int, rect: Rect) -> None:
        steps = len(self._history.edits) - before
        if steps:
            edits = "1 edit" if abs(steps) == 1 else f"{abs(steps)} edits"
            self._announce(rect)
            self._changed(f"{edits} {'brought back' if steps > 0 else 'taken back'}")
            self.history_changed.emit()

    def _edited(self, edit: Edit, text: str) -> None:
        """Tell of an edit that was made, undone or redone."""
        self._announce(edit.rect)
        self._changed(text)
        self.history_changed.emit()


def _put_back(labels: LabelMap, history: History, lost: Lost) -> None:
    """Write strokes of an earlier session, within an open edit."""
    for tile in tiles(Stamp(lost.rect, lost.mask), TILE_PX):
        history.touch(tile.rect)
        here = tile.rect.moved(-lost.rect.y0, -lost.rect.x0).slices
        where = tile.rect.slices
        np.copyto(labels.labels[where], lost.labels[here], where=tile.mask, casting="unsafe")
        np.copyto(labels.provenance[where], lost.provenance[here], where=tile.mask)
    labels.revision += 1
