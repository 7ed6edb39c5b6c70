"""What if a bin were silent: what is altered, the network's answer to it, and what may be asked.

The answers are computed on the files lane, one at a time and always for the newest alteration, so
that a slider is followed however fast it is dragged. Labels are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal, Slot

from pspgui.durable import printable
from pspgui.gui.errors import sentence
from pspgui.gui.what_if_lenders import Lenders
from pspgui.jobs.class_tables import plain_evidence
from pspgui.jobs.messages import Urgency
from pspgui.jobs.what_if import Answered, ToldWhatIf, WhatIfRoom, answering

if TYPE_CHECKING:
    from pspgui.evidence.whatif import Alterable, Bin, WhatIf
    from pspgui.gui.document import Document
    from pspgui.gui.session import Session
    from pspgui.jobs.class_tables import Translation

Key = tuple[int, ...]
"""Which source: () the local features, (b,) a level, (b, row, column) a bin.

The one bin of level 1 is that level: both keys mean the same.
"""

LOCAL: Final[Key] = ()
_KIND: Final = "what_if"


class WhatIfSession(QObject):
    """The what-if of the image shown. GUI thread only.

    Signals: `changed()` when something else is altered or can be; `answered()` with another
    answer, or none; `look_changed()` when the answer is to be shown otherwise. Another image or
    model goes back to nothing altered. Setters are silent when nothing changes.
    """

    changed = Signal()
    answered = Signal()
    look_changed = Signal()

    def __init__(
        self, document: Document, session: Session, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document, self._session = document, session
        self._is_asking = False
        self._room: WhatIfRoom | None = None
        self._translation: Translation | None = None
        self._what: WhatIf | None = None
        self._aside: WhatIf | None = None
        self._before_mute: dict[Key, float] = {}
        self._told: ToldWhatIf | None = None
        self._on_image, self._before_held = True, False
        self.lenders = Lenders(session, self)
        self.lenders.lent.connect(self._lent)
        self.lenders.failed.connect(document.message)
        self.lenders.changed.connect(self.changed)
        session.answer_to(_KIND, self._done)
        session.cancelled.connect(self._cancelled)
        document.prediction_changed.connect(self._follow)
        document.image_changed.connect(self._follow)
        session.model_changed.connect(self.lenders.forget)
        self._follow()

    # -- what there is ------------------------------------------------------------------------

    @property
    def evidence(self) -> Alterable | None:
        """What is asked; None where there is nothing to alter, see `reason`."""
        return None if self._room is None else self._room.evidence

    @property
    def reason(self) -> tuple[str, str]:
        """Why nothing can be altered here: a title and what to do; empty where it can be."""
        if self._room is not None:
            return "", ""
        return _why_not(self._document)

    @property
    def what(self) -> WhatIf | None:
        """What is altered; None where nothing can be."""
        return self._what

    @property
    def is_plain(self) -> bool:
        """Whether nothing is altered."""
        return self._what is None or (self._what.is_plain and not self.lenders.waiting)

    @property
    def told(self) -> ToldWhatIf | None:
        """The newest answer; None while nothing is altered. It may be one alteration behind."""
        return self._told

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels of the pyramid."""
        return () if self._room is None else self._room.evidence.levels

    @property
    def bins(self) -> tuple[Bin, ...]:
        """The bins altered or about to be, level by level, without that of level 1."""
        if self._what is None:
            return ()
        found = {*self._what.bins, *self._what.borrowed, *self.lenders.waiting}
        return tuple(sorted(place for place in found if place[0] > 1))

    def has(self, key: Key) -> bool:
        """Whether there is this source: a menu may still offer one of the model before."""
        return not key or (key[0] in self.levels and all(0 <= at < key[0] for at in key[1:]))

    def factor(self, key: Key) -> float:
        """Return the factor of a source: 1 as it is, 0 muted."""
        key = _own(key)
        if self._what is None:
            return 1.0
        if not key:
            return self._what.local
        if len(key) == 1:
            return self._what.levels.get(key[0], 1.0)
        return self._what.bins.get(_place(key), 1.0)

    def lender(self, key: Key) -> Path | None:
        """Return the image that a bin is borrowed from."""
        if self._what is None or not can_lend(key):
            return None
        lender = self._what.borrowed.get(_place(key))
        waiting = self.lenders.waiting.get(_place(key))
        return waiting or (None if lender is None else Path(lender.image_id))

    def is_altered(self, key: Key) -> bool:
        """Whether a source is muted, scaled or borrowed."""
        return self.factor(key) != 1 or self.lender(key) is not None

    # -- altering -----------------------------------------------------------------------------

    def set_factor(self, key: Key, factor: float) -> None:
        """Scale a source; 0 mutes it, 1 leaves it as it is."""
        key = _own(key)
        if self._what is None or factor == self.factor(key) or not self.has(key):
            return
        if not key:
            self._take(replace(self._what, local=factor))
        elif len(key) == 1:
            self._take(self._what.with_level(key[0], factor))
        else:
            self._take(self._what.with_bin(_place(key), factor))

    def toggle_mute(self, key: Key) -> None:
        """Mute a source, or give it the factor that it had before."""
        key = _own(key)
        now = self.factor(key)
        if now:
            self._before_mute[key] = now
        self.set_factor(key, 0.0 if now else self._before_mute.pop(key, 1.0))

    def borrow(self, key: Key, image: Path) -> None:
        """Let a bin be that of another image, once the model has read it."""
        if self._what is None or not self.has(key):
            return
        used = {Path(lender.image_id) for lender in self._what.borrowed.values()}
        self.lenders.ask(_place(key), image, used)

    def restore(self, key: Key) -> None:
        """Leave a source as it is: neither scaled nor borrowed."""
        if self._what is None:
            return
        if can_lend(key):
            self.lenders.call_off(_place(key))
            if _place(key) in self._what.borrowed:
                self._take(self._what.with_loan(_place(key), None))
        self.set_factor(key, 1.0)

    @Slot()
    def restore_all(self) -> None:
        """Alter nothing; what was altered is set aside, see `bring_back`."""
        if self._what is None or self.is_plain:
            return
        self._aside = None if self._what.is_plain else self._what
        self.lenders.call_off_all()
        self._take(_plain())

    @property
    def can_bring_back(self) -> bool:
        """Whether something was set aside."""
        return self._aside is not None and self.is_plain

    @Slot()
    def bring_back(self) -> None:
        """Alter again what `restore_all` set aside."""
        if self._aside is not None and self._what is not None:
            self._take(self._aside)

    def apply(self, what: WhatIf, loans: Mapping[Bin, Path]) -> None:
        """Alter just this; loans follow once the model has read their images."""
        if self._what is None:
            return
        if not self.is_plain:
            self._aside = self._what
        self.lenders.call_off_all()
        if (1, 0, 0) in what.bins:
            factor = what.bins[1, 0, 0] * what.levels.get(1, 1.0)
            what = what.with_bin((1, 0, 0), 1.0).with_level(1, factor)
        self._take(what)
        for place, image in loans.items():
            used = {Path(lender.image_id) for lender in self._what.borrowed.values()}
            self.lenders.ask(place, image, used | set(self.lenders.waiting.values()))

    # -- the look -----------------------------------------------------------------------------

    @property
    def on_image(self) -> bool:
        """Whether the canvas shows the answer."""
        return self._on_image

    @property
    def before_held(self) -> bool:
        """Whether the canvas shows for a moment what there was before."""
        return self._before_held

    @Slot(bool)
    def set_on_image(self, shown: bool) -> None:
        """Show the answer on the canvas, or in the panel only."""
        if shown != self._on_image:
            self._on_image = shown
            self.look_changed.emit()

    def hold_before(self, held: bool) -> None:
        """Show what there was before while a key or a button is held."""
        if held != self._before_held:
            self._before_held = held
            self.look_changed.emit()

    # -- inside -------------------------------------------------------------------------------

    @Slot()
    def _follow(self) -> None:
        """Follow another image, model or class table."""
        engine, translation = plain_evidence(self._document.engine)
        found = engine if _can_be_asked(engine) else None
        if found is self.evidence:
            if translation is not self._translation:
                self._translation = translation
                self._ask()
            elif found is None:
                self.changed.emit()  # the reason may be another
            return
        self.lenders.call_off_all()
        self._translation, self._told, self._aside = translation, None, None
        self._before_mute = {}
        self._room = None if found is None else WhatIfRoom(found)
        self._what = None if found is None else _plain()
        self.changed.emit()
        self.answered.emit()

    def _take(self, what: WhatIf) -> None:
        self._what = what
        self.changed.emit()
        self._ask()

    def _ask(self) -> None:
        """Ask for the newest alteration, unless an answer is on its way, which asks for it."""
        if self._room is None or self._what is None:
            return
        if self._what.is_plain:
            if self._told is not None:
                self._told = None
                self.answered.emit()
        elif not self._is_asking:
            self._is_asking = True
            job = answering(self._room, self._what, self._translation)
            self._session.ask("files", _KIND, job, Urgency.LOOK)

    def _done(self, found: Answered) -> None:
        self._is_asking = False
        told = found.told
        mine = found.room is self._room and found.translation is self._translation
        if mine and found.error is not None:
            self._document.message.emit(sentence(found.error))
            self.restore_all()
        elif mine and told is not None and not self.is_plain:
            self._told = told
            self.answered.emit()
        if not mine or told is None or told.what is not self._what:
            self._ask()

    @Slot(str)
    def _cancelled(self, kind: str) -> None:
        if kind == _KIND:
            self._is_asking = False

    @Slot(object, object)
    def _lent(self, places: tuple[Bin, ...], lender: object) -> None:
        if self._what is None or self._room is None:
            return
        if lender.stamp.model != self._room.evidence.activations.stamp.model:
            return
        what = self._what
        for place in places:
            what = what.with_loan(place, lender)
        self._take(what)


def name_of(key: Key) -> str:
    """Return what a source is called."""
    if not key:
        return "Local features"
    if len(_own(key)) == 1:
        return f"Level {key[0]}×{key[0]}"
    return f"{key[0]}×{key[0]} row {key[1] + 1}, column {key[2] + 1}"


def factor_text(factor: float) -> str:
    """Return a factor in a word: "muted", or "50 %"."""
    return "muted" if not factor else f"{100 * factor:.0f} %"


def words_of(session: WhatIfSession, key: Key) -> str:
    """Return how a source is altered, a few words; empty where it is not."""
    words, lender = [], session.lender(key)
    if lender is not None:
        late = _place(key) in session.lenders.waiting
        words.append(f"{'being borrowed' if late else 'borrowed'} from {printable(lender.name)}")
    if session.factor(key) != 1:
        words.append(factor_text(session.factor(key)))
    return ", ".join(words)


def can_lend(key: Key) -> bool:
    """Whether a source is a bin, which another image may lend."""
    return len(key) == 3 or key == (1,)


def _own(key: Key) -> Key:
    """Return the one key of a source: the bin of level 1 goes by its level."""
    return (1,) if key == (1, 0, 0) else key


def _place(key: Key) -> Bin:
    """Return the place of a bin."""
    level, row, column = (1, 0, 0) if key == (1,) else key
    return level, row, column


def _plain() -> WhatIf:
    from pspgui.evidence.whatif import WhatIf

    return WhatIf()


def _can_be_asked(engine: object) -> bool:
    """Whether there are bins to alter in the whole image."""
    if engine is None or hasattr(engine, "frame"):
        return False
    from pspgui.evidence.whatif import is_alterable

    return is_alterable(engine)


def _why_not(document: Document) -> tuple[str, str]:
    """Return why nothing can be altered: a title, and what to do."""
    if document.image is None:
        return "No image yet", "Open an image; then parts of the pyramid can be silenced."
    if document.by_windows:
        return (
            "Read by windows",
            "What is shown is an average over windows, each with a pyramid of its own. Choose "
            "to read the whole image at once in the Model dialog (Ctrl+Shift+M) to ask what if.",
        )
    if document.prediction is None or document.is_preview:
        return "Waiting for the prediction", "Then any part of the pyramid can be silenced."
    network = document.network or "This network"
    if "psp" in network.casefold():
        return (
            "This pyramid cannot be altered",
            f"{network} mixes its bins through more layers than the answer is computed for. Its "
            "evidence can be read all the same.",
        )
    return (
        "No pyramid to alter",
        f"{network} has no bins. Load a PSPNet (Ctrl+M) to ask what if one were silent.",
    )


__all__ = ["LOCAL", "Key", "WhatIfSession", "can_lend", "factor_text", "name_of", "words_of"]
