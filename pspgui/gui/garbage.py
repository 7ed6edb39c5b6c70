"""Python's cyclic garbage is collected on the GUI thread alone.

The collector runs on whichever thread happens to allocate. When it finds a widget in a cycle
there, Qt's object is destroyed on a thread that is not its own, and the process dies at some later
moment. So it is switched off, and asked for from the event loop instead.
"""

from __future__ import annotations

import gc
import sys
from typing import Final

from PySide6.QtCore import QObject, QTimer, Slot

_EVERY_MS: Final = 1000
_OLD_EVERY: Final = 30  # rounds between looks at what has lived long
_TOO_MANY: Final = 15_000  # objects to look at in one turn of the event loop, some 5 ms


class GuiGarbage(QObject):
    """Switches the collector off and runs it from a timer; one for the process. GUI thread only."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._rounds, self._settled = 0, False
        self._modules = len(sys.modules)
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    @Slot()
    def settle(self) -> None:
        """Never look again at what lives now: torch alone is half a million objects.

        Only once: what lives later may be let go of.
        """
        if not self._settled:
            gc.freeze()
        self._settled = True

    def close(self) -> None:
        """Leave the collector as it was, for the end of the process."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()

    @Slot()
    def collect(self) -> None:
        """Free young garbage, and now and then the old.

        A crowd that came while modules were being imported is theirs, and stays. Any other, such
        as a network's, may be in cycles that someone lets go of, and is looked through.
        """
        self._rounds += 1
        young, middle, _ = gc.get_count()
        modules, self._modules = self._modules, len(sys.modules)
        if young > _TOO_MANY and self._modules > modules:
            gc.freeze()
        elif self._rounds % _OLD_EVERY == 0:
            gc.collect()
        elif young > gc.get_threshold()[0]:
            gc.collect(1 if middle else 0)
