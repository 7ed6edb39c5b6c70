"""Large changes of the labels, carried out between the events of the window."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

_AT_ONCE: Final = 16  # steps of a tile each: some 3 ms
_TURN_S: Final = 0.004

Steps = Generator[None, None, Any]


class Changing(QObject):
    """Carries out one change at a time, which comes in short steps. GUI thread only.

    A small one is done when `run` returns. A large one goes on in turns of a few milliseconds, and
    whoever needs its end before that calls `finish`. `went_on` tells that one is large.
    """

    went_on = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._steps: Steps | None = None
        self._done: Callable[[Any], object] = _nothing
        self._may_take_back = False
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._take_turn)

    @property
    def is_busy(self) -> bool:
        """Whether a change is under way."""
        return self._steps is not None

    def run(
        self, steps: Steps, done: Callable[[Any], object], may_take_back: bool = False
    ) -> None:
        """Carry out a change, behind the one under way; `done` gets what its steps return.

        `may_take_back`: steps that are closed early leave everything as it was.
        """
        self.finish()
        self._steps, self._done, self._may_take_back = steps, done, may_take_back
        for _ in range(_AT_ONCE):
            if not self._step():
                return
        self._timer.start()
        self.went_on.emit()

    def finish(self) -> None:
        """Carry the change out that is under way."""
        while self._step():
            pass

    def take_back(self) -> bool:
        """End the change under way as if it had never begun; True if that was done.

        One that cannot be taken back is finished.
        """
        if self._steps is None or not self._may_take_back:
            self.finish()
            return False
        steps = self._steps
        self._rest()
        steps.close()
        return True

    def _step(self) -> bool:
        """Take one step; whether there is another."""
        steps, done = self._steps, self._done
        if steps is None or steps.gi_running:  # a step that is heard of may ask for the end
            return False
        try:
            next(steps)
        except StopIteration as end:
            self._rest()
            done(end.value)
        except BaseException:
            self._rest()
            raise
        return self._steps is steps

    def _rest(self) -> None:
        self._steps, self._done = None, _nothing
        self._timer.stop()

    @Slot()
    def _take_turn(self) -> None:
        end = time.perf_counter() + _TURN_S
        while self._step():
            if time.perf_counter() >= end:
                return


def _nothing(_result: Any) -> None:
    """Stand in where there is no change."""
