"""Imports that were put off for the window's sake, made up for while nobody waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

_EVERY_MS: Final = 40

# What docks and menus import when they are first used; what others import stands before them, so
# that no step is a long one.
PUT_OFF: Final = (
    "pspgui.gui.panels.history",
    "pspgui.gui.panels.histogram",
    "pspgui.gui.panels.adjust",
    "pspgui.gui.panels.review",
    "pspgui.gui.panels.pin_list",
    "pspgui.gui.panels.pin_compare",
    "pspgui.gui.panels.pins",
    "pspgui.jobs.what_if_notes",
    "pspgui.gui.what_if_notes",
    "pspgui.gui.panels.what_if_rows",
    "pspgui.gui.panels.what_if",
    "pspgui.gui.panels.maps",
    "pspgui.gui.comparing_panel",
    "pspgui.gui.panels.statistics",
    "pspgui.gui.panels.channel_browser",
)


class Warming(QObject):
    """Imports one module after another from the event loop, once. GUI thread only.

    On the GUI thread, for it would wait for a module that another thread is importing. `done()`
    comes at the end.
    """

    done = Signal()

    def __init__(self, modules: Sequence[str] = PUT_OFF, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._left = list(reversed(modules))
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._step)

    @property
    def is_running(self) -> bool:
        """Whether more is to come."""
        return self._timer.isActive()

    @Slot()
    def begin(self) -> None:
        """Begin, unless it was begun before."""
        if self._left:
            self._timer.start()

    @Slot()
    def _step(self) -> None:
        import_module(self._left.pop())
        if not self._left:
            self._timer.stop()
            self.done.emit()
