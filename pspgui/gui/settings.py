"""What the window remembers between runs: recent files, docks, theme, model and device."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

from pspgui.durable import printable

RECENT_LIMIT: Final = 8
LAYOUT_VERSION: Final = 1  # a new arrangement of docks makes a remembered one worthless
THEMES: Final = ("system", "dark", "light")


class Settings(QObject):
    """The user's settings file. GUI thread only; values of the wrong kind count as missing."""

    recent_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = QSettings(
            QSettings.Format.IniFormat, QSettings.Scope.UserScope, "pspgui", "pspgui"
        )

    # -- recent files -------------------------------------------------------------------------

    @property
    def recent(self) -> tuple[Path, ...]:
        """Images and folders opened lately, the latest first; they may be gone by now."""
        value = self._store.value("recent", [])
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list):
            return ()
        return tuple(Path(name) for name in names if isinstance(name, str) and name)

    def add_recent(self, path: Path) -> None:
        """Put a path at the head of the recent list; a name that is not text is left out."""
        if printable(path) != str(path):
            return
        names = [str(path), *(str(p) for p in self.recent if p != path)]
        self._store.setValue("recent", names[:RECENT_LIMIT])
        self.recent_changed.emit()

    def clear_recent(self) -> None:
        """Forget the recent list."""
        self._store.remove("recent")
        self.recent_changed.emit()

    # -- choices ------------------------------------------------------------------------------

    @property
    def theme(self) -> str:
        """One of THEMES."""
        value = self._store.value("theme", THEMES[0])
        return value if value in THEMES else THEMES[0]

    @theme.setter
    def theme(self, value: str) -> None:
        self._store.setValue("theme", value)

    @property
    def device(self) -> str:
        """The device asked for: "auto", "cpu", "cuda", "mps"."""
        value = self._store.value("device", "auto")
        return value if isinstance(value, str) and value else "auto"

    @device.setter
    def device(self, value: str) -> None:
        self._store.setValue("device", value)

    @property
    def weights(self) -> Path | None:
        """The weights chosen last; None for the bundled ones."""
        value = self._store.value("weights", "")
        return Path(value) if isinstance(value, str) and value else None

    @weights.setter
    def weights(self, value: Path | None) -> None:
        self._store.setValue("weights", "" if value is None else str(value))

    def folder(self, purpose: str) -> str:
        """Return the folder last used for "open", "weights" or "export"; empty for none."""
        value = self._store.value(f"folder/{purpose}", "")
        return value if isinstance(value, str) else ""

    def set_folder(self, purpose: str, folder: Path) -> None:
        """Remember the folder used."""
        self._store.setValue(f"folder/{purpose}", str(folder))

    # -- layout -------------------------------------------------------------------------------

    @property
    def geometry(self) -> QByteArray | None:
        """Size and place of the window, for QWidget.restoreGeometry."""
        value = self._store.value("geometry")
        return value if isinstance(value, QByteArray) else None

    @property
    def docks(self) -> QByteArray | None:
        """Arrangement of docks and toolbar, for QMainWindow.restoreState."""
        value = self._store.value(f"docks/{LAYOUT_VERSION}")
        return value if isinstance(value, QByteArray) else None

    def keep_layout(self, geometry: QByteArray, docks: QByteArray) -> None:
        """Remember how the window is arranged."""
        self._store.setValue("geometry", geometry)
        self._store.setValue(f"docks/{LAYOUT_VERSION}", docks)
