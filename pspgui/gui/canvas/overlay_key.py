"""Tab on the canvas: the overlay is hidden while it is held, and a tap hides it until the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent

if TYPE_CHECKING:
    from pspgui.gui.document import Document

HELD_S: Final = 0.3  # a key pressed for longer was held, not tapped


class OverlayKey:
    """Tells a tap from a hold. Shift+Tab is left alone, so that the keyboard can leave."""

    def __init__(self, document: Document, clock: Callable[[], float] = time.monotonic) -> None:
        self._document = document
        self._clock = clock
        self._pressed_at: float | None = None
        self._was_hidden = False

    def takes(self, event: QKeyEvent) -> bool:
        """Handle the key if it is Tab without modifiers; say whether it was."""
        kind = event.type()
        if self._is_end(event):  # whatever modifiers have come since it was pressed
            self._release()
            return True
        if event.key() != Qt.Key.Key_Tab or event.modifiers() != Qt.KeyboardModifier.NoModifier:
            return False
        if kind == QEvent.Type.KeyPress:
            if not event.isAutoRepeat() and self._pressed_at is None:
                self._pressed_at = self._clock()
                self._was_hidden = self._document.overlay_hidden
                self._document.set_overlay_hidden(not self._was_hidden)
            return True
        return kind == QEvent.Type.KeyRelease

    def _is_end(self, event: QKeyEvent) -> bool:
        return (
            self._pressed_at is not None
            and event.type() == QEvent.Type.KeyRelease
            and event.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
            and not event.isAutoRepeat()
        )

    def let_go(self) -> None:
        """Forget a held key whose release goes elsewhere: the overlay comes back."""
        if self._pressed_at is not None:
            self._pressed_at = None
            self._document.set_overlay_hidden(self._was_hidden)

    def _release(self) -> None:
        pressed_at, self._pressed_at = self._pressed_at, None
        if pressed_at is not None and self._clock() - pressed_at > HELD_S:
            self._document.set_overlay_hidden(self._was_hidden)
        elif self._document.overlay_hidden:
            self._document.message.emit("The overlay is hidden; Tab brings it back.")
