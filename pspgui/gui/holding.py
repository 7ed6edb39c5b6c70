"""Jobs that change label files: nobody paints on what is shown until it is read anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, Slot

from pspgui.gui.errors import Failure, telling
from pspgui.gui.notices import Notice
from pspgui.jobs.messages import Job, Step, Steps, Turn, Urgency

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.session import Session

_OVER: Final = "_over"


@dataclass(frozen=True)
class _UnderWay:
    what: str
    lane: str
    urgency: Urgency
    answer: Callable[[Any], object]
    ended: list[Any] = field(default_factory=list)  # what it returned, if it came to that


class Holding(QObject):
    """Runs jobs that change label files, while the labels shown are held. GUI thread only.

    However such a job ends, the image shown is read anew, and held until it is. One that was
    cancelled may still be taking back what it did: its end is waited for, too.
    """

    def __init__(self, document: Document, session: Session) -> None:
        super().__init__(session)
        self._document, self._session = document, session
        self._under_way: dict[str, _UnderWay] = {}
        session.cancelled.connect(self._on_cancelled)

    def run(
        self,
        lane: str,
        kind: str,
        job: Job,
        what: str,
        answer: Callable[[Any], object],
        urgency: Urgency = Urgency.MODEL,
    ) -> None:
        """Run a job of a kind; `answer` gets what it returns, and a failure is told as a notice.

        `what` names it as a sentence begins with it: "The import".
        """
        self._document.finish_stroke()
        self._session.autosave.save_now()
        self._document.set_read_only(f"{what} is under way; a moment.", kind)
        asked = self._under_way[kind] = _UnderWay(what, lane, urgency, answer)
        self._session.answer_to(kind, partial(self._on_done, kind))
        self._session.ask(lane, kind, _noting(telling(job), asked.ended), urgency)

    def _on_done(self, kind: str, result: Any) -> None:
        asked = self._let_go(kind)
        if isinstance(result, Failure):
            self._session.notice.emit(Notice(result.sentence, about="labels"))
        else:
            asked.answer(result)

    @Slot(str)
    def _on_cancelled(self, kind: str) -> None:
        """Wait behind the job, which takes everything back, before labels may be edited again.

        That cannot be cancelled: it is then waited for once more.
        """
        kind = kind.removesuffix(_OVER)
        asked = self._under_way.get(kind)
        if asked is None:
            return

        def over(turn: Turn) -> Steps:
            yield Step("Waiting for its end")

        self._session.answer_to(kind + _OVER, lambda _: self._on_over(kind))
        # No more urgent than the job: it would else be run upon it, where that one is paused.
        self._session.ask(asked.lane, kind + _OVER, over, asked.urgency)

    def _on_over(self, kind: str) -> None:
        if kind not in self._under_way:
            return  # it was asked for once more, and done
        ended = self._under_way[kind].ended
        if ended:  # before it heard that nobody wanted it any more
            self._on_done(kind, ended[0])
            return
        what = self._let_go(kind).what
        self._document.message.emit(f"{what} was cancelled; all labels are as before.")

    def _let_go(self, kind: str) -> _UnderWay:
        asked = self._under_way.pop(kind)
        self._session.reopen()  # which holds them itself
        self._document.set_read_only("", kind)
        return asked


def _noting(job: Job, ended: list[Any]) -> Job:
    """Return a job that also notes what it returns."""

    def noting(turn: Turn) -> Steps:
        ended.append((yield from job(turn)))
        return ended[0]

    return noting


__all__ = ["Holding"]
