"""A dock whose panel is built when it is first wanted, so that the window comes sooner."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from inspect import isgenerator
from typing import Final

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

_STEP_S: Final = 0.002
_EVERY_MS: Final = 3  # so that other events, painting above all, get their turns between steps

Building = Generator[None, None, QWidget]


class PanelDock(QDockWidget):
    """Builds its panel when it is shown for the first time, or asked for. GUI thread only.

    A panel shows the state that it finds, so it does not matter when it comes. Where `build` is a
    generator function that returns the panel, each of its steps has a turn of the event loop of
    its own, and so have styling the panel and putting it in its place.
    """

    def __init__(
        self, title: str, build: Callable[[QMainWindow], QWidget | Building], parent: QMainWindow
    ) -> None:
        super().__init__(title, parent)
        self.setObjectName(f"dock_{title.lower()}")
        self._build: Callable[[QMainWindow], QWidget | Building] | None = build
        self._steps: Generator[None, None, None] | None = None
        self._turns = QTimer(self)
        self._turns.setInterval(_EVERY_MS)
        self._turns.timeout.connect(self._step)

    def widget(self) -> QWidget:
        """Return the panel, finished if need be."""
        steps = self._begun()
        if steps is not None:
            self._turns.stop()
            for _ in steps:
                pass
        return super().widget()

    def showEvent(self, event: QShowEvent) -> None:
        """The panel is wanted now; it comes with the next turns of the event loop.

        An exception that a panel raised in here would end the process.
        """
        super().showEvent(event)
        if self._build is not None:
            self._turns.start()

    def _begun(self) -> Generator[None, None, None] | None:
        """Return the steps that are left; none where the panel stands or is just being built."""
        build, self._build = self._build, None
        if build is not None:
            self._steps = self._building(build)
        if self._steps is None or self._steps.gi_running:
            return None
        return self._steps

    @Slot()
    def _step(self) -> None:
        steps = self._begun()
        try:
            if steps is not None:
                next(steps)
                return
        except StopIteration:
            pass
        except Exception:
            self._turns.stop()
            raise
        self._turns.stop()

    def _building(
        self, build: Callable[[QMainWindow], QWidget | Building]
    ) -> Generator[None, None, None]:
        panel = build(self.parent())
        if isgenerator(panel):
            panel = yield from panel
        yield
        end = time.perf_counter() + _STEP_S
        for widget in (panel, *panel.findChildren(QWidget)):
            widget.ensurePolished()  # else all are styled at once as they are shown
            if time.perf_counter() > end:
                yield
                end = time.perf_counter() + _STEP_S
        self.setWidget(panel)
        self._steps = None
