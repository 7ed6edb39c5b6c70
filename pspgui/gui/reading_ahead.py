"""Decoding the images before and after the one shown while a person looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Slot

from pspgui.gui.errands import Errands
from pspgui.jobs.reading_ahead import KeptImages, read_ahead

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.panels.image_model import ImageModel

_AFTER_MS: Final = 150  # so that who leafs through quickly decodes nothing in vain
_KIND: Final = "read ahead"


class ReadingAhead(QObject):
    """Fills the session's `KeptImages` with the neighbours in the list. GUI thread only.

    The next image comes first. The work is done on a thread of its own, which neither opening an
    image nor a prediction waits for.
    """

    def __init__(
        self, document: Document, rows: ImageModel, kept: KeptImages, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document, self._rows, self._kept = document, rows, kept
        self._errands = Errands(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_AFTER_MS)
        self._timer.timeout.connect(self._ask)
        document.image_changed.connect(self._wait)

    @Slot()
    def _wait(self) -> None:
        self._errands.cancel(_KIND)
        self._timer.start()

    @Slot()
    def _ask(self) -> None:
        row = self._rows.row_of(self._document.image_path)
        if row < 0:
            return
        beside = (self._rows.path_at(row + 1), self._rows.path_at(row - 1))
        paths = [path for path in beside if path is not None]
        self._errands.ask(_KIND, read_ahead(paths, self._kept), _done)


def _done(_result: object) -> None:
    """Whoever opens the image finds it."""
