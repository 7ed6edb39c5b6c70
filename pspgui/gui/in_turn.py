"""Files that a person asked for, written one after another, so that none takes another's place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from PySide6.QtCore import QObject, Slot

from pspgui.gui.errors import Failure, telling
from pspgui.gui.notices import Notice
from pspgui.jobs.messages import Job, Urgency

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.model_session import ModelSession

Answer = Callable[[Any], object]
_WRITTEN, _FAILED = "written", "not written"  # what notices are about


class _Asked(NamedTuple):
    what: str
    job: Job
    answer: Answer | None
    urgency: Urgency


class InTurn(QObject):
    """Runs jobs of a kind on the background lane in the order they were asked for. GUI thread only.

    Of jobs of one kind the engine runs the newest only, which is right for what is shown, and
    wrong for files: here every one is run, or it is said why it was not. `what` names the file as
    a sentence begins with it: "The report a.html".
    """

    def __init__(self, document: Document, session: ModelSession) -> None:
        super().__init__(session)
        self._document, self._session = document, session
        self._rows: dict[str, list[_Asked]] = {}  # the first of each kind is under way
        # Sentences since all rows were empty, by what they are about: the latest hides no other.
        self._told: dict[str, list[str]] = {_WRITTEN: [], _FAILED: []}
        session.cancelled.connect(self._on_cancelled)

    @property
    def open(self) -> tuple[str, ...]:
        """What is still to be written."""
        return tuple(asked.what for row in self._rows.values() for asked in row)

    def ask(
        self,
        kind: str,
        what: str,
        job: Job,
        answer: Answer | None = None,
        urgency: Urgency = Urgency.LOOK,
    ) -> None:
        """Run a job behind those of its kind.

        `answer` gets what it returns; without one that is a sentence, and told as a notice.
        """
        if not self.open:
            for about, sentences in self._told.items():
                sentences.clear()
                self._session.settled.emit(about)
        row = self._rows.setdefault(kind, [])
        if row:
            before = row[-1].what[:1].lower() + row[-1].what[1:]
            self._document.message.emit(f"{what} is written as soon as {before} is there.")
        row.append(_Asked(what, job, answer, urgency))
        if len(row) == 1:
            self._begin(kind)

    def _begin(self, kind: str) -> None:
        asked = self._rows[kind][0]
        self._session.answer_to(kind, lambda result: self._on_done(kind, result))
        self._session.ask("background", kind, telling(asked.job), asked.urgency)

    def _end(self, kind: str) -> _Asked:
        """Take the job under way off its row, and begin the next one."""
        asked = self._rows[kind].pop(0)
        if self._rows[kind]:
            self._begin(kind)
        else:
            del self._rows[kind]
        return asked

    def _on_done(self, kind: str, result: Any) -> None:
        asked = self._end(kind)
        if isinstance(result, Failure):
            self._tell(_FAILED, result.sentence)
        elif asked.answer is None:
            self._tell(_WRITTEN, str(result))
        else:
            asked.answer(result)

    def _tell(self, about: str, text: str) -> None:
        sentences = self._told[about]
        sentences.append(text)
        self._session.notice.emit(Notice(" ".join(sentences), about == _FAILED, about=about))

    @Slot(str)
    def _on_cancelled(self, kind: str) -> None:
        if kind in self._rows:
            self._document.message.emit(f"{self._end(kind).what} was cancelled.")


__all__ = ["InTurn"]
