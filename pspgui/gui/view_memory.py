"""How the picture is looked at, remembered between runs: aids, outlines, adjustment."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any, Final

from PySide6.QtCore import QObject, Slot

from pspgui.gui.document import Document
from pspgui.gui.settings import Settings
from pspgui.imaging.adjusting import NEUTRAL, Adjustment

AIDS: Final = ("split", "minimap", "rulers")
_KEY: Final = "view/look"
_BOUNDS: Final = {
    "low": (0.0, 1.0), "high": (0.0, 1.0), "brightness": (-1.0, 1.0), "contrast": (-1.0, 1.0),
    "gamma": (0.2, 5.0),
}  # fmt: skip


class ViewMemory(QObject):
    """Puts the document's look back as it was left, and keeps what changes. GUI thread only.

    What is kept and makes no sense counts as missing.
    """

    def __init__(self, document: Document, settings: Settings, parent: QObject) -> None:
        super().__init__(parent)
        self._document, self._settings = document, settings
        self._restore()
        self._kept = self._look()
        for changed in (
            document.aids_changed, document.display_changed, document.picture_changed,
        ):  # fmt: skip
            changed.connect(self._keep)

    def _look(self) -> dict[str, Any]:
        document = self._document
        return {
            "aids": [aid for aid in AIDS if document.has_aid(aid)],
            "outline_px": document.outline_px, "adjustment": asdict(document.adjustment),
        }  # fmt: skip

    @Slot()
    def _keep(self) -> None:
        look = self._look()
        if look != self._kept:  # pictures change for other reasons, too
            self._kept = look
            self._settings.set_choice(_KEY, json.dumps(look))

    def _restore(self) -> None:
        try:
            look = json.loads(self._settings.choice(_KEY, "{}"))
        except ValueError:
            return
        if not isinstance(look, dict):
            return
        aids, width = look.get("aids"), look.get("outline_px")
        if isinstance(aids, list):
            for aid in AIDS:
                self._document.set_aid(aid, aid in aids)
        if isinstance(width, int):
            self._document.set_outline_px(width)
        self._document.set_adjustment(_adjustment(look.get("adjustment")))


def _adjustment(kept: object) -> Adjustment:
    """Return the adjustment kept; a neutral one for anything out of bounds."""
    if not isinstance(kept, dict) or set(kept) != {field.name for field in fields(Adjustment)}:
        return NEUTRAL
    for name, value in kept.items():
        low, high = _BOUNDS[name]
        if not isinstance(value, int | float) or not low <= value <= high:
            return NEUTRAL
    return Adjustment(**kept) if kept["low"] < kept["high"] else NEUTRAL
