"""What pins need of the rest: their evidence from the engine, and the file they are kept in."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from pspgui.durable import SaveError, printable, write_durably
from pspgui.gui.pins import MOST_PINS, Pin
from pspgui.jobs.messages import Job, Step, Steps, Turn, Urgency
from pspgui.jobs.pins import PinPlace, PinQuestion, explain_pins
from pspgui.project.pins import (
    KeptPin,
    PinFileError,
    has_project,
    read_pins,
    write_pins,
)

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence, Target
    from pspgui.gui.document import Document
    from pspgui.gui.session import Session
    from pspgui.project import LabelStore

_SAVE_AFTER_MS = 400


@dataclass(frozen=True, eq=False)
class _Read:
    """What a file of pins held; `damage` says in a sentence why it could not be read."""

    image: Path
    pins: tuple[KeptPin, ...] = ()
    damage: str = ""


class PinsSession(QObject):
    """Explains all pins whenever pins, target, reading or prediction change; keeps them on disk.

    GUI thread only. `explained` comes with new evidence. Without a project pins live as long as the
    window; with one they are kept a moment after each change.
    """

    explained = Signal()
    common_changed = Signal()
    _not_kept = Signal(str)
    _kept = Signal(object)

    def __init__(self, document: Document, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._document, self._session, self._pins = document, session, document.pins
        self._common: Target | None = None
        self._compared: Mapping[Pin, PixelEvidence | None] = {}
        self._asked: tuple[object, ...] = ()
        self._tickets = itertools.count()
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._ask)
        self._later = QTimer(self, singleShot=True, interval=_SAVE_AFTER_MS)
        self._later.timeout.connect(self.keep_now)
        self._unkept: dict[Path, tuple[Pin, ...]] = {}
        self._read: set[Path] = set()  # images whose file is known: others' must not be replaced
        self._written: set[Path] = set()
        self._on_disk: tuple[Path | None, tuple[Pin, ...]] = (None, ())
        session.answer_to("pins", self._take)
        session.answer_to("pins_read", self._take_read)
        self._not_kept.connect(self._tell, Qt.ConnectionType.QueuedConnection)
        self._kept.connect(self._note_kept, Qt.ConnectionType.QueuedConnection)
        session.image_saved.connect(self._image_saved)
        session.project.project_changed.connect(self._project_changed)
        session.project.carried.connect(self._carried)
        for signal in (
            document.target_changed, document.reading_changed, document.window_changed,
            self._pins.changed,
        ):  # fmt: skip
            signal.connect(self._ask_soon)
        document.prediction_changed.connect(self._forget)
        document.image_changed.connect(self._image_changed)
        self._pins.changed.connect(self._pins_changed)

    # -- comparing ----------------------------------------------------------------------------

    @property
    def common(self) -> Target | None:
        """The one target by which all pins are compared; None for each pin's own."""
        return self._common

    def set_common(self, target: Target | None) -> None:
        """Compare all pins by one target, numbered like the labels; None for each pin's own."""
        if target != self._common:
            self._common = target
            self.common_changed.emit()
            self._ask_soon()

    def compared(self, pin: Pin) -> PixelEvidence | None:
        """Return the evidence of a pin by the target that all are compared by."""
        return self._compared.get(pin)

    @property
    def is_waiting(self) -> bool:
        """Whether evidence of some pins is still to come."""
        return bool(self._asked) or self._soon.isActive()

    @property
    def model(self) -> tuple[str, str]:
        """The model in use in words, and the digest of its weights."""
        facts = self._session.model
        return ("", "") if facts is None else (facts.title, facts.digest)

    def write(self, path: Path, content: bytes) -> None:
        """Write a file off the GUI thread, and say how it went."""
        what = f"The table {printable(path.name)}"
        self._session.in_turn.ask("pins_file", what, _writing(path, content), self._tell)

    # -- evidence -----------------------------------------------------------------------------

    @Slot()
    def _ask_soon(self) -> None:
        """Ask once for all that changes in one go."""
        self._soon.start()

    @Slot()
    def _forget(self) -> None:
        self._compared = {}
        self._pins.set_evidence({}, {})
        self._ask_soon()

    @Slot()
    def _ask(self) -> None:
        document, pins = self._document, self._pins.all
        if document.engine is None or not pins:
            self._asked = ()
            self._compared = {}
            self.explained.emit()
            return
        question = PinQuestion(
            document.evidence_target, self._common, document.reading, document.baseline
        )
        self._asked = (next(self._tickets), pins, document.engine)
        places = [PinPlace(pin.pixel, pin.region) for pin in pins]
        job = _tagged(
            explain_pins(document.engine, document.prediction, places, question), self._asked[0]
        )
        self._session.ask("files", "pins", job, Urgency.LOOK)

    @Slot(object)
    def _take(self, found: tuple[int, tuple[Any, ...]]) -> None:
        ticket, answers = found
        if not self._asked or ticket != self._asked[0]:
            return
        _, pins, engine = self._asked
        self._asked = ()
        if engine is not self._document.engine:
            return
        # A pin that was named meanwhile is another object of the same place.
        by_number = {pin.number: pin for pin in self._pins if _is_there(pin, pins)}
        known = {
            by_number[pin.number]: answer
            for pin, answer in zip(pins, answers, strict=True) if pin.number in by_number
        }  # fmt: skip
        self._compared = {pin: answer.compared for pin, answer in known.items()}
        self._pins.set_evidence(
            {pin: answer.own for pin, answer in known.items()},
            {pin: a.sureness for pin, a in known.items() if a.sureness is not None},
        )
        self.explained.emit()

    # -- keeping ------------------------------------------------------------------------------

    @Slot()
    def _image_changed(self) -> None:
        self.keep_now()
        self.set_common(None)
        self._look()

    def _look(self) -> None:
        """Read the pins kept for the image shown, once."""
        image = self._document.image_path
        if image is not None and image not in self._read:
            job = _reading(image, self._session.store)
            self._session.ask("files", "pins_read", job, Urgency.LOOK)

    @Slot(object)
    def _carried(self, images: tuple[Path, ...]) -> None:
        """Read again what came to images from their earlier names."""
        self._read.difference_update(images)
        self._look()

    @Slot()
    def _pins_changed(self) -> None:
        image, kept = self._pins.image, self._pins.kept
        if image in self._read and self._on_disk != (image, kept):
            self._unkept[image] = kept
            self._later.start()

    @Slot()
    def keep_now(self) -> None:
        """Write what changed to the project, if there is one, on the project's own thread."""
        self._later.stop()
        project = self._session.project
        if project.project is None or project.read_only:
            return  # kept once it is open, or may be changed
        unkept, self._unkept = self._unkept, {}
        for image, pins in unkept.items():
            kept = tuple(KeptPin(pin.number, pin.pixel, pin.region, pin.name) for pin in pins)
            project.change(
                lambda _index, image=image, kept=kept: self._keep(image, kept)
            )
            self._on_disk = (image, pins)
            project.know(image)

    def _keep(self, image: Path, pins: tuple[KeptPin, ...]) -> None:
        """Write the pins of an image; on the project's thread."""
        label_file = self._session.store.path_for(image)
        try:
            if has_project(label_file):
                write_pins(label_file, pins)
                self._kept.emit(image)
        except SaveError as error:
            self._not_kept.emit(f"{error} The pins stay in this window.")

    @Slot(object)
    def _note_kept(self, image: Path) -> None:
        self._written.add(image)

    @Slot(object)
    def _image_saved(self, image: Path) -> None:
        """Keep what was pinned before there was a project: labels have made one."""
        pins = self._pins.kept_in(image)
        if pins and image not in self._written and image in self._read:
            self._unkept.setdefault(image, pins)
            self._later.start()

    @Slot(object)
    def _project_changed(self, _project: object) -> None:
        self.keep_now()

    @Slot(str)
    def _tell(self, text: str) -> None:
        self._document.message.emit(text)

    @Slot(object)
    def _take_read(self, found: _Read) -> None:
        if found.image in self._read:
            return  # asked for twice, by going to and fro
        if found.damage:
            self._document.message.emit(found.damage)
            return
        self._read.add(found.image)
        if found.pins:
            self._written.add(found.image)
        pins = [
            Pin(kept.number, kept.pixel, kept.region, kept.name)
            for kept in found.pins if 1 <= kept.number <= MOST_PINS
        ]  # fmt: skip
        one_each = {pin.number: pin for pin in reversed(pins)}
        installed = tuple(one_each[number] for number in sorted(one_each))
        self._on_disk = (found.image, installed)
        self._pins.install(found.image, installed)
        self._pins_changed()  # some may have been set before this came


def _is_there(pin: Pin, among: tuple[Pin, ...]) -> bool:
    return any(
        one.number == pin.number and one.pixel == pin.pixel and one.region is pin.region
        for one in among
    )


def _tagged(job: Job, ticket: object) -> Job:
    """Return a job that gives (ticket, what another gives)."""

    def tagged(turn: Turn) -> Steps:
        return ticket, (yield from job(turn))

    return tagged


def _reading(image: Path, store: LabelStore) -> Job:
    def job(_turn: Turn) -> Steps:
        yield Step("Looking for pins")
        try:
            return _Read(image, read_pins(store.path_for(image)))
        except PinFileError as error:
            return _Read(image, damage=str(error))

    return job


def _writing(path: Path, content: bytes) -> Job:
    def job(_turn: Turn) -> Steps:
        yield Step("Saving the evidence of the pins")
        write_durably(path, content)
        return f"The evidence of the pins was saved in {printable(path)}."

    return job


__all__ = ["PinsSession"]
