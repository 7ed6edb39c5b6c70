"""How long a person worked on an image: while the window is in use and something happens."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_PAUSE_S: Final = 30.0  # looking without a move for longer counts as being away
_HAND_OVER_S: Final = 30.0


class TimeSpent(QObject):
    """Counts seconds between a person's doings on the image shown. GUI thread only.

    `spent(Path, float)` hands over what was counted, when the image changes and now and then.
    """

    spent = Signal(object, float)

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._image: Path | None = None
        self._last = 0.0
        self._seconds = 0.0
        for signal in (
            document.hover_changed, document.labels_changed, document.active_class_changed,
            document.display_changed, document.brush_changed, document.pin_changed,
        ):  # fmt: skip
            signal.connect(self.note)
        document.image_changed.connect(self._image_changed)

    @Slot()
    def note(self) -> None:
        """Something was done; time since the last doing counts, unless the person was away."""
        now = time.monotonic()
        passed, self._last = now - self._last, now
        is_active = QGuiApplication.applicationState() == Qt.ApplicationState.ApplicationActive
        if self._image is None or not is_active or passed > _PAUSE_S:
            return
        self._seconds += passed
        if self._seconds >= _HAND_OVER_S:
            self.hand_over()

    def hand_over(self) -> None:
        """Send what was counted so far."""
        seconds, self._seconds = self._seconds, 0.0
        if self._image is not None and seconds > 0:
            self.spent.emit(self._image, seconds)

    @Slot()
    def _image_changed(self) -> None:
        self.hand_over()
        self._image = self._document.image_path
        self._last = time.monotonic()
