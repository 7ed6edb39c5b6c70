"""Images that lend their bins: read by the model in the background, two of them kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal, Slot

from pspgui.durable import printable
from pspgui.gui.errors import sentence
from pspgui.jobs.messages import Urgency
from pspgui.jobs.what_if import Lent, lend

if TYPE_CHECKING:
    from pspgui.evidence.whatif import Bin
    from pspgui.gui.session import Session
    from pspgui.inference.activations import Activations

MOST: Final = 2
_KIND: Final = "lend"


class Lenders(QObject):
    """Reads images on the model lane, one at a time, and says which bins they were asked for.

    Signals: `lent(places, Activations)`, `failed(str)` with a sentence, and `changed()` when
    other bins are waited for. GUI thread only.
    """

    lent = Signal(object, object)
    failed = Signal(str)
    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._kept: OrderedDict[Path, Activations] = OrderedDict()
        self._waiting: dict[Bin, Path] = {}
        self._reading: Path | None = None
        self._let_go = 0  # jobs stopped here, whose end is still to be told
        session.answer_to(_KIND, self._received)
        session.cancelled.connect(self._cancelled)

    @property
    def waiting(self) -> Mapping[Bin, Path]:
        """The bins that will be borrowed, and from which image."""
        return self._waiting

    @property
    def kept(self) -> tuple[Path, ...]:
        """The images read and kept, the one used last at the end."""
        return tuple(self._kept)

    def ask(self, place: Bin, image: Path, in_use: set[Path]) -> None:
        """Have a bin borrowed; `in_use` are images that lend already and must stay."""
        images = in_use | set(self._waiting.values())
        if image not in images and len(images) >= MOST:
            names = " and ".join(sorted(printable(path.name) for path in images))
            self.failed.emit(
                f"{names} lend bins already; restore those of one of them to borrow from another."
            )
            return
        if image in self._kept:
            self._kept.move_to_end(image)
            self._waiting.pop(place, None)
            self.lent.emit((place,), self._kept[image])
            return
        self._waiting[place] = image
        self.changed.emit()
        self._read_next()

    def call_off(self, place: Bin) -> None:
        """No longer wait for a bin."""
        if self._waiting.pop(place, None) is not None:
            self._stop_if_unwanted()
            self.changed.emit()

    def call_off_all(self) -> None:
        """No longer wait for anything."""
        if self._waiting:
            self._waiting = {}
            self._stop_if_unwanted()
            self.changed.emit()

    @Slot(object)
    def forget(self, _model: object = None) -> None:
        """Follow another model: what it has not read lends nothing."""
        self._kept.clear()
        self.call_off_all()

    def _stop_if_unwanted(self) -> None:
        if self._reading is not None and self._reading not in self._waiting.values():
            self._reading = None
            self._let_go += 1
            self._session.cancel(_KIND)

    def _read_next(self) -> None:
        if self._reading is None and self._waiting:
            self._reading = next(iter(self._waiting.values()))
            job = lend(self._session.room, self._reading)
            self._session.ask("model", _KIND, job, Urgency.PREDICT)

    def _received(self, found: Lent) -> None:
        if found.image != self._reading:
            return  # called off
        self._reading = None
        places = tuple(p for p, image in self._waiting.items() if image == found.image)
        for place in places:
            del self._waiting[place]
        if found.activations is not None:
            self._kept[found.image] = found.activations
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
            self.lent.emit(places, found.activations)
        elif places:
            why = "it has no pyramid." if found.error is None else sentence(found.error)
            self.failed.emit(f"{printable(found.image.name)} lends nothing: {why}")
        self.changed.emit()
        self._read_next()

    @Slot(str)
    def _cancelled(self, kind: str) -> None:
        if kind != _KIND:
            return
        if self._let_go:
            self._let_go -= 1
        elif self._reading is not None:  # a person stopped it
            self._reading = None
            self._waiting = {}
            self.changed.emit()
