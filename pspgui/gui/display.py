"""How the labels of a document are displayed: opacity, outlines, which classes, which map."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QObject, Signal

from pspgui.gui.area_session import AreaSession
from pspgui.labels.classes import ClassTable

VIEW_MODES: Final = ("image", "prediction", "labels", "difference")


class Display(AreaSession):
    """The labels with how a person wants to see them. GUI thread only.

    `display_changed()` comes after every change; setters are silent when nothing changes.
    """

    display_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opacity = 0.5
        self._outline = False
        self._visible = np.ones(256, bool)
        self._solo: int | None = None
        self._view_mode = "labels"
        self._shown_map: str | None = None
        self._overlay_hidden = False

    @property
    def opacity(self) -> float:
        """Opacity of the label overlay, 0..1."""
        return self._opacity

    @property
    def outline(self) -> bool:
        """Whether only the borders between labels are drawn."""
        return self._outline

    @property
    def visible(self) -> np.ndarray:
        """Which labels are drawn, (256,) bool; solo included."""
        if self._solo is None:
            return self._visible
        return np.arange(256) == self._solo

    @property
    def solo(self) -> int | None:
        """The only class drawn, if one is soloed."""
        return self._solo

    @property
    def view_mode(self) -> str:
        """"image", "prediction", "labels" or "difference"."""
        return self._view_mode

    @property
    def shown_map(self) -> str | None:
        """The name of the LevelView painted on the canvas instead of labels."""
        return self._shown_map

    @property
    def overlay_hidden(self) -> bool:
        """Whether everything over the picture is out of sight for a moment."""
        return self._overlay_hidden

    def labels_in_view(self) -> np.ndarray | None:
        """Return the (H, W) array the overlay shows: labels or prediction, None for neither.

        In "difference" these are the labels; the canvas draws only those that differ from the
        prediction.
        """
        if self._view_mode == "image" or self._overlay_hidden:
            return None
        if self._view_mode == "prediction" or self._label_map is None:
            return None if self._prediction is None else self._prediction.labels
        return self._label_map.labels

    def set_opacity(self, opacity: float) -> None:
        """Set the opacity of the overlay, clipped to 0..1."""
        self._display("_opacity", max(0.0, min(1.0, float(opacity))))

    def set_outline(self, outline: bool) -> None:
        """Draw borders only, or filled labels."""
        self._display("_outline", bool(outline))

    def _show_classes_of(self, table: ClassTable) -> None:
        """Draw every class but one called background, which would veil the whole picture."""
        self._visible[:] = True
        for c in table.classes[: len(self._visible)]:
            if c.name.strip("_").casefold() == "background":
                self._visible[c.id] = False

    def set_visible(self, label: int, visible: bool) -> None:
        """Show or hide one label, of the first 256."""
        if label < len(self._visible) and bool(self._visible[label]) != visible:
            self._visible[label] = visible
            self.display_changed.emit()

    def set_solo(self, label: int | None) -> None:
        """Draw only this label; None draws all visible ones."""
        self._display("_solo", label)

    def set_view_mode(self, mode: str) -> None:
        """Choose one of VIEW_MODES; raises ValueError for another word."""
        if mode not in VIEW_MODES:
            raise ValueError(f"the view is one of {', '.join(VIEW_MODES)}, not {mode!r}")
        self._display("_view_mode", mode)

    def set_overlay_hidden(self, hidden: bool) -> None:
        """Take labels or map off the picture, or put them back; nothing else is changed."""
        self._display("_overlay_hidden", bool(hidden))

    def set_shown_map(self, name: str | None) -> None:
        """Paint a pyramid map on the canvas; None goes back to the overlay."""
        self._display("_shown_map", name)

    def _display(self, attribute: str, value: object) -> None:
        if getattr(self, attribute) != value:
            setattr(self, attribute, value)
            self.display_changed.emit()
