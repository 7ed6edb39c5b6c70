"""What the window remembers between runs: recent files, docks, theme, model and device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

from pspgui.durable import printable
from pspgui.jobs.model_choice import DEFAULT_CROP, LEAST_CROP
from pspgui.jobs.readings import READINGS

RECENT_LIMIT: Final = 8
LAYOUT_VERSION: Final = 2  # a new arrangement of docks makes a remembered one worthless
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
        return self._wish("device")

    @device.setter
    def device(self, value: str) -> None:
        self._store.setValue("device", value)

    @property
    def backend(self) -> str:
        """What computes: "auto", "torch", "openvino"."""
        return self._wish("backend")

    @backend.setter
    def backend(self, value: str) -> None:
        self._store.setValue("backend", value)

    @property
    def precision(self) -> str:
        """What it computes in: "auto", "fp32", "bf16", "fp16", "int8"."""
        return self._wish("precision")

    @precision.setter
    def precision(self, value: str) -> None:
        self._store.setValue("precision", value)

    def _wish(self, key: str) -> str:
        value = self._store.value(key, "auto")
        return value if isinstance(value, str) and value else "auto"

    @property
    def weights(self) -> Path | None:
        """The weights chosen last; None for the bundled ones."""
        value = self._store.value("weights", "")
        return Path(value) if isinstance(value, str) and value else None

    @weights.setter
    def weights(self, value: Path | None) -> None:
        self._store.setValue("weights", "" if value is None else str(value))

    @property
    def reading(self) -> tuple[str, int]:
        """How images are read, one of READINGS, and the side of a window in pixels."""
        how = self._store.value("reading", "whole")
        side = self._store.value("crop_px", DEFAULT_CROP)
        known = isinstance(side, int) or (isinstance(side, str) and side.isdecimal())
        crop_px = int(side) if known else DEFAULT_CROP
        return how if how in READINGS else "whole", max(LEAST_CROP, crop_px)

    @reading.setter
    def reading(self, value: tuple[str, int]) -> None:
        self._store.setValue("reading", value[0])
        self._store.setValue("crop_px", value[1])

    @property
    def history_mb(self) -> tuple[int, int]:
        """How much undo keeps, in MB: of one image, and of all of a folder on disk."""
        found = [self._store.value(f"history_mb/{of}", 0) for of in ("image", "folder")]
        image, folder = (int(mb) if str(mb).isdecimal() else 0 for mb in found)
        return image or 256, max(image, folder or 1024)

    @history_mb.setter
    def history_mb(self, value: tuple[int, int]) -> None:
        self._store.setValue("history_mb/image", value[0])
        self._store.setValue("history_mb/folder", value[1])

    @property
    def overrides(self) -> dict[str, dict[str, Any]]:
        """What a person decided for weights that do not say it, by the weights' digest."""
        value = self._store.value("overrides", "{}")
        try:
            found = json.loads(value) if isinstance(value, str) else {}
        except ValueError:
            return {}
        if not isinstance(found, dict):
            return {}
        return {key: fields for key, fields in found.items() if isinstance(fields, dict)}

    def remember_overrides(self, digest: str, fields: Mapping[str, Any]) -> None:
        """Remember values (JSON) for weights; an empty mapping forgets them."""
        every = self.overrides
        if every.get(digest, {}) == fields:
            return
        every.pop(digest, None)
        if fields:
            every[digest] = dict(fields)
        self._store.setValue("overrides", json.dumps(every))

    def choice(self, name: str, default: str = "") -> str:
        """Return a small choice kept under a name of its panel, such as "images/look"."""
        value = self._store.value(name, default)
        return value if isinstance(value, str) else default

    def set_choice(self, name: str, value: str) -> None:
        """Remember a small choice."""
        self._store.setValue(name, value)

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
