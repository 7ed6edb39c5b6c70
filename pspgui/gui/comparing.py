"""Other models beside the one in use: what they say of the image shown, and where they differ.

The first model is never disturbed: others have rooms of their own on the model lane, are read
behind its prediction, and are let go of when comparing ends.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pspgui.durable import printable
from pspgui.gui.errors import sentence
from pspgui.gui.notices import Notice
from pspgui.jobs.comparing import (
    Comparison,
    JudgedRegion,
    ModelReading,
    NamedImage,
    NotCompared,
    Truth,
    agreements,
    common_table,
    compare,
    forgiving,
    let_go,
    marked,
    read_beside,
    retell_beside,
)
from pspgui.jobs.messages import Job, Urgency
from pspgui.jobs.model_choice import ModelChoice, ModelFacts
from pspgui.jobs.modelling import ModelRoom, load_model

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.session import Session
    from pspgui.gui.settings import Settings
    from pspgui.labels.classes import ClassTable

MOST_OTHERS: Final = 2
LEAST_PX: Final = 64
_RECENT: Final = "comparing/recent"
_MOST_RECENT: Final = 8
_JUDGE_AFTER_MS: Final = 400
_ABOUT: Final = "beside"


_Shared = tuple[ModelReading, tuple[tuple["OtherModel", ModelReading], ...]]


@dataclass(eq=False)
class OtherModel:
    """A model compared with the one in use.

    slot names its jobs; facts are there once it is loaded, reading and agreement (the share of
    pixels alike) once the image shown is read; `fault` says why it is not. asked: the picture and
    the classes that a reading was asked for.
    """

    slot: int
    choice: ModelChoice
    room: ModelRoom = field(default_factory=ModelRoom)
    facts: ModelFacts | None = None
    reading: ModelReading | None = None
    agreement: float | None = None
    fault: str = ""
    asked: tuple[Any, Any] = (None, None)

    def forget(self) -> None:
        """Drop what is known of the image."""
        self.reading = self.agreement = None
        self.asked, self.fault = (None, None), ""


class Comparing(QObject):
    """The other models, their readings, and the comparison with one of them. GUI thread only.

    Signals: `models_changed()` when one came, was loaded, or went; `readings_changed()` when what
    is known of the image shown changed; `compared(Comparison or None)`; `side_by_side_changed()`
    when the models are to be seen beside each other, or no longer; `region_chosen(Rect)` to look
    at.
    """

    models_changed = Signal()
    readings_changed = Signal()
    compared = Signal(object)
    side_by_side_changed = Signal()
    region_chosen = Signal(object)

    def __init__(
        self, document: Document, session: Session, settings: Settings,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document, self._session, self._settings = document, session, settings
        self._others: list[OtherModel] = []
        self._chosen: OtherModel | None = None
        self._first: ModelReading | None = None
        self._table: ClassTable | None = None
        self._read: object = None  # the prediction that `_first` tells again
        self._comparison: Comparison | None = None
        self._least_px = LEAST_PX
        self._wants_map = self._side_by_side = False
        self._awaited: Counter[str] = Counter()
        self._judging = QTimer(self, singleShot=True, interval=_JUDGE_AFTER_MS)
        self._judging.timeout.connect(self._judge)
        for slot in range(MOST_OTHERS):
            session.answer_to(f"beside_model_{slot}", self._on_model)
            session.answer_to(f"beside_{slot}", self._on_read)
        session.answer_to("beside_first", self._on_first)
        session.answer_to("beside_shares", self._on_shares)
        session.answer_to("beside_compare", self._on_compared)
        session.answer_to("beside_end", lambda _result: None)
        session.cancelled.connect(self._on_cancelled)
        session.notice.connect(self._on_notice)
        session.model_changed.connect(self._remember)
        document.image_changed.connect(self._forget_image)
        document.prediction_changed.connect(self.refresh)
        document.classes_changed.connect(self.refresh)
        document.labels_changed.connect(self._labels_changed)
        document.history_changed.connect(self._labels_changed)

    # -- what there is ------------------------------------------------------------------------

    @property
    def others(self) -> tuple[OtherModel, ...]:
        """The models compared with the one in use, in the order they came."""
        return tuple(self._others)

    @property
    def is_on(self) -> bool:
        """Whether any model is compared."""
        return bool(self._others)

    @property
    def chosen(self) -> OtherModel | None:
        """The one whose differences from the first are listed."""
        return self._chosen

    @property
    def first(self) -> ModelReading | None:
        """What the model in use says, in numbers of `table`."""
        return self._first

    @property
    def table(self) -> ClassTable | None:
        """The classes of all readings."""
        return self._table

    @property
    def comparison(self) -> Comparison | None:
        """The first model beside the chosen one; None while that is not known."""
        return self._comparison

    @property
    def least_px(self) -> int:
        """The smallest region listed."""
        return self._least_px

    @property
    def wants_map(self) -> bool:
        """Whether the map of agreement is on the canvas, or will be once it is known."""
        return self._wants_map and self._document.shown_map in (None, MAP_NAME)

    @property
    def side_by_side(self) -> bool:
        """Whether the models are to be seen beside each other, instead of the canvas."""
        return self._side_by_side and self.is_on

    def set_side_by_side(self, shown: bool) -> None:
        """Show the models beside each other, or the canvas again."""
        if shown != self._side_by_side:
            self._side_by_side = shown
            self.side_by_side_changed.emit()

    def name_of(self, other: OtherModel | None) -> str:
        """Return a short name, by which the models compared can be told apart; None: the first."""
        known = [self._session.model, *(o.facts for o in self._others)]
        facts = self.facts_of(other)
        if facts is None:
            return "" if other is None else printable(other.choice.path.stem)
        kinds = [_kind(f) for f in known if f is not None]
        return _kind(facts) if kinds.count(_kind(facts)) == 1 else printable(facts.title)

    def facts_of(self, other: OtherModel | None) -> ModelFacts | None:
        """Return what is known of a model once it is loaded; None: of the first."""
        return self._session.model if other is None else other.facts

    @property
    def recent(self) -> tuple[Path, ...]:
        """Weights used lately, the latest first, those that are still there."""
        try:
            names = json.loads(self._settings.choice(_RECENT, "[]"))
        except ValueError:
            return ()
        found = names if isinstance(names, list) else []
        return tuple(Path(n) for n in found if isinstance(n, str) and Path(n).is_file())

    # -- models -------------------------------------------------------------------------------

    def add(self, path: Path) -> bool:
        """Compare with the model of a file, too; False, and a word on it, if that is one too many.

        It runs as the first one does, on the same device and by the same reading.
        """
        if len(self._others) == MOST_OTHERS:
            self._document.message.emit(
                f"{MOST_OTHERS + 1} models are compared already; close one of them first."
            )
            return False
        base = self._session.choice
        precision = "auto" if base.precision == "int8" else base.precision
        choice = ModelChoice(
            path, base.device, precision, base.backend, base.reading, base.crop_px, remember=False
        )
        taken = {other.slot for other in self._others}
        other = OtherModel(next(s for s in range(MOST_OTHERS) if s not in taken), choice)
        self._others.append(other)
        self._chosen = self._chosen or other
        job = load_model(other.room, choice, self._settings.overrides)
        self._ask("model", f"beside_model_{other.slot}", marked(other, forgiving(job)))
        self._document.set_comparing(True)
        self.models_changed.emit()
        return True

    def remove(self, other: OtherModel) -> None:
        """Compare with this one no longer; its memory is given back."""
        if other not in self._others:
            return
        self._others.remove(other)
        for kind in (f"beside_model_{other.slot}", f"beside_{other.slot}"):
            self._session.cancel(kind)
        self._session.ask("model", "beside_end", let_go([other.room]), Urgency.BESIDE)
        if other is self._chosen:
            self._choose(self._others[0] if self._others else None)
        if not self._others:
            self._first = self._table = self._read = None
            self._wants_map = False
            self._document.set_comparing(False)
            self.set_side_by_side(False)
        self.models_changed.emit()

    def stop(self) -> None:
        """End comparing."""
        for other in self.others:
            self.remove(other)

    def choose(self, other: OtherModel) -> None:
        """List the differences from this one."""
        if other in self._others and other is not self._chosen:
            self._choose(other)
            self.models_changed.emit()

    def set_least_px(self, pixels: int) -> None:
        """List regions from this size on."""
        if pixels != self._least_px:
            self._least_px = max(1, pixels)
            self._compare()

    def show_map(self, shown: bool) -> None:
        """Put the map of agreement on the canvas, or take it off."""
        self._wants_map = shown
        if not shown and self._document.shown_map == MAP_NAME:
            self._document.show_map(None)
        elif shown:
            self._document.close_source()
            self._document.show_map(None)
            self._show_map()

    def look_at(self, region: JudgedRegion) -> None:
        """Zoom to a region, and pin the pixel of it that lies farthest from its border."""
        self.region_chosen.emit(region.found.rect)
        self._document.set_pin(region.found.deepest)

    def _choose(self, other: OtherModel | None) -> None:
        self._chosen = other
        self._set_comparison(None)
        self._document.set_other_labels(
            None if other is None or other.reading is None else other.reading.as_labels
        )
        self._compare()

    # -- reading the image --------------------------------------------------------------------

    @Slot()
    def _forget_image(self) -> None:
        self._first = self._read = None
        for other in self._others:
            other.forget()  # first: that it was let go of is then no fault
            self._session.cancel(f"beside_{other.slot}")
        self._document.set_other_labels(None)
        self._set_comparison(None)
        self.readings_changed.emit()

    @Slot()
    def refresh(self) -> None:
        """Ask for what is not known of the image shown; once the first model has predicted it."""
        document = self._document
        if not self._others or document.image is None:
            return
        known = [other.facts.table for other in self._others if other.facts is not None]
        table = common_table(document.reading_table, known)
        if table != self._table:
            self._table, self._first, self._read = table, None, None
            for other in self._others:
                other.forget()
            self._set_comparison(None)
        if document.prediction is None or document.is_preview:
            if self._first is not None:
                self._first = self._read = None
                self._set_comparison(None)
                self.readings_changed.emit()
            return
        name = "" if document.image_path is None else printable(document.image_path)
        image = NamedImage(document.image, name)
        if document.prediction is not self._read:
            self._first, self._read = None, document.prediction
            self._set_comparison(None)
            job = retell_beside(self._session.room, image, table)
            self._ask("model", "beside_first", job, Urgency.LOOK)
        for other in self._others:
            if other.facts is not None and not _is_asked(other, image, (table, document.table)):
                other.asked = image.pixels, (table, document.table)
                job = forgiving(read_beside(other.room, image, table, document.table))
                self._ask("model", f"beside_{other.slot}", marked(other, job))
        self.readings_changed.emit()

    def read_again(self) -> None:
        """Read the image once more by models that failed or were stopped."""
        for other in self._others:
            if other.fault:
                other.forget()
        self.refresh()

    def _is_current(self, reading: ModelReading) -> bool:
        return reading.pixels is self._document.image and reading.table == self._table

    def _compare(self) -> None:
        """Compare what is known; one after another is told as it comes."""
        read = [o for o in self._others if o.reading is not None]
        if self._first is None or not read:
            return
        readings = [o.reading for o in read]
        about = self._first, tuple(zip(read, readings, strict=True))
        self._ask("files", "beside_shares", marked(about, agreements(self._first, readings)))
        chosen = self._chosen
        if chosen is not None and chosen.reading is not None:
            job = compare(self._first, chosen.reading, self._truth(), self._least_px)
            self._ask("files", "beside_compare", job)

    @Slot()
    def _labels_changed(self, *_what: object) -> None:
        if self._comparison is not None:
            self._judging.start()

    @Slot()
    def _judge(self) -> None:
        known = self._comparison
        if known is not None:
            job = compare(known.first, known.other, self._truth(), self._least_px, known)
            self._ask("files", "beside_compare", job)

    def _truth(self) -> Truth | None:
        labels, table = self._document.label_map, self._document.table
        if labels is None:
            return None
        return Truth(labels.labels, labels.provenance, table.ignore, len(table))

    # -- answers ------------------------------------------------------------------------------

    def _ask(self, lane: str, kind: str, job: Job, urgency: Urgency = Urgency.BESIDE) -> None:
        self._awaited[kind] += 1
        self._session.ask(lane, kind, job, urgency)

    def _on_model(self, answer: tuple[OtherModel, Any]) -> None:
        other, found = answer
        self._awaited[f"beside_model_{other.slot}"] -= 1
        if other not in self._others:
            return
        if isinstance(found, NotCompared):
            self._tell(found, printable(other.choice.path.name))
            self.remove(other)
            return
        other.facts = found
        self._remember(found)
        self.models_changed.emit()
        self.refresh()

    def _on_first(self, reading: ModelReading) -> None:
        self._awaited["beside_first"] -= 1
        if self._is_current(reading):
            self._first = reading
            self.readings_changed.emit()
            self._compare()

    def _on_read(self, answer: tuple[OtherModel, Any]) -> None:
        other, found = answer
        self._awaited[f"beside_{other.slot}"] -= 1
        if other not in self._others:
            return
        if isinstance(found, NotCompared):
            other.fault = sentence(found.error)
            self._tell(found, self.name_of(other))
        elif self._is_current(found):
            other.reading = found
            if other is self._chosen:
                self._document.set_other_labels(found.as_labels)
            self._compare()
        else:
            return
        self.readings_changed.emit()

    def _on_shares(self, answer: tuple[_Shared, tuple[float, ...]]) -> None:
        self._awaited["beside_shares"] -= 1
        (first, compared), shares = answer
        for (other, reading), share in zip(compared, shares, strict=True):
            if first is self._first and other.reading is reading:  # else of the image before
                other.agreement = share
        self.readings_changed.emit()

    def _on_compared(self, found: Comparison) -> None:
        self._awaited["beside_compare"] -= 1
        chosen = self._chosen
        if found.first is self._first and chosen is not None and found.other is chosen.reading:
            self._set_comparison(found)
            self._show_map()

    @Slot(str)
    def _on_cancelled(self, kind: str) -> None:
        if not kind.startswith(_ABOUT) or kind not in self._awaited:
            return
        self._awaited[kind] -= 1
        if self._awaited[kind] > 0:
            return  # it made room for another, which will answer
        for other in self.others:
            if kind == f"beside_model_{other.slot}" and other.facts is None:
                self.remove(other)
            elif kind == f"beside_{other.slot}" and other.asked[0] is not None:
                other.reading = None
                other.fault = "Reading the image was stopped."
                self.readings_changed.emit()

    @Slot(object)
    def _on_notice(self, notice: Notice) -> None:
        """Wait no longer for what failed."""
        if self._awaited[notice.about] > 0:
            self._awaited[notice.about] -= 1

    def _set_comparison(self, found: Comparison | None) -> None:
        if found is None:
            self._judging.stop()
            if self._document.shown_map == MAP_NAME:
                self._document.show_map(None)
        if found is not self._comparison:
            self._comparison = found
            self.compared.emit(found)

    def _show_map(self) -> None:
        if self._comparison is not None and self.wants_map and self._chosen is not None:
            names = self.name_of(None), self.name_of(self._chosen)
            self._document.show_map(agreement_map(self._comparison, names))

    def _tell(self, found: NotCompared, name: str) -> None:
        text = f"{name} is not compared: {sentence(found.error)} The model in use goes on."
        self._session.notice.emit(Notice(text, about=_ABOUT))

    @Slot(object)
    def _remember(self, facts: ModelFacts | None) -> None:
        """Keep the weights among those to choose from next time."""
        self.models_changed.emit()  # names depend on the model in use
        if facts is None or printable(facts.path) != str(facts.path):
            return
        names = [str(facts.path), *(str(p) for p in self.recent if p != facts.path)]
        self._settings.set_choice(_RECENT, json.dumps(names[:_MOST_RECENT]))


MAP_NAME: Final = "agreement"
_DIFFER: Final = "#e0559f"


def agreement_map(found: Comparison, names: tuple[str, str]) -> Any:
    """Return the `ShownMap` of where two models agree, pixel by pixel but for huge images."""
    import numpy as np

    from pspgui.inference.shown_map import Lattice, Part, ShownMap

    shape = found.first.prediction.shape
    lattice = None if found.differs.shape == shape else Lattice(shape, False)
    share = f"{100 * found.agreement:.1f} %"
    return ShownMap(
        MAP_NAME, "Where the models differ", found.differs.view(np.uint8), "parts", lattice,
        meaning=f"{names[0]} and {names[1]} agree on {share} of the pixels.",
        parts=(Part("agree", ""), Part("differ", _DIFFER)),
    )  # fmt: skip


def _is_asked(
    other: OtherModel, image: NamedImage, tables: tuple[ClassTable, ClassTable]
) -> bool:
    pixels, known = other.asked
    return pixels is image.pixels and known == tables


def _kind(facts: ModelFacts) -> str:
    """Return what a network is, without its backbone: "PSPNet"."""
    return facts.title if facts.spec is None else facts.spec.name
