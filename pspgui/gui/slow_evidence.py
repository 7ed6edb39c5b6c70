"""Evidence that takes longer than a hover may: asked on another thread once the pointer rests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pspgui.gui.errands import Errands
from pspgui.jobs.class_tables import ask
from pspgui.jobs.local_taps import inner
from pspgui.jobs.messages import Step, Steps, Turn

if TYPE_CHECKING:
    from pspgui.evidence.psp import LevelMeans
    from pspgui.evidence.readings import PixelEvidence, Reading, Target
    from pspgui.geometry import Pixel
    from pspgui.jobs.class_tables import Explains

_REST_MS: Final = 40


class Question(NamedTuple):
    """What is to be explained, of which engine, and how."""

    engine: Explains
    pixel: Pixel
    target: Target | None
    reading: Reading
    baseline: LevelMeans | None

    @property
    def is_slow(self) -> bool:
        """Whether the answer takes longer than the window may wait."""
        return self.reading in getattr(inner(self.engine).plain, "slow_readings", ())

    def answer(self) -> PixelEvidence:
        """Return the evidence."""
        return ask(self.engine, self.pixel, self.target, self.reading, self.baseline)


class SlowEvidence(QObject):
    """Answers the last question asked; `answered(PixelEvidence)` unless it was let go of.

    `waits(bool)` says that an answer is to come, or came or is not wanted any more. Where there is
    none to be had `answered(None)` comes, and `failed(str)` with a sentence. GUI thread only.
    """

    answered = Signal(object)
    failed = Signal(str)
    waits = Signal(bool)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._errands = Errands(self)
        self._errands.failed.connect(self._on_failed)
        self._question: Question | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._ask)

    def ask(self, question: Question) -> None:
        """Answer a question once no other comes for a moment."""
        waited, self._question = self._question is not None, question
        self._timer.start()
        if not waited:
            self.waits.emit(True)

    def forget(self) -> None:
        """Let go of the question asked."""
        if self._question is not None:
            self._question = None
            self._timer.stop()
            self._errands.cancel("evidence")
            self.waits.emit(False)

    @Slot(str)
    def _on_failed(self, text: str) -> None:
        if self._question is not None and not self._errands.is_busy("evidence"):
            self.forget()
            self.answered.emit(None)  # what was shown is another question's
        self.failed.emit(text)

    @Slot()
    def _ask(self) -> None:
        question = self._question
        if question is None:
            return

        def job(turn: Turn) -> Steps:
            yield Step("Reading the evidence")
            return question.answer()

        def take(evidence: Any) -> None:
            if question is self._question:
                self._question = None
                self.waits.emit(False)
                self.answered.emit(evidence)

        self._errands.ask("evidence", job, take)
