"""How the labels of a document are displayed: opacity, outlines, which classes, which map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QObject, Signal

from pspgui.gui.area_session import AreaSession
from pspgui.imaging.adjusting import NEUTRAL, Adjustment
from pspgui.imaging.deep import DeepSamples
from pspgui.imaging.scratch import LARGE_BYTES
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from pspgui.inference.shown_map import ShownMap

VIEW_MODES: Final = (
    "image", "prediction", "labels", "difference", "other", "changes", "provenance"
)  # fmt: skip
# (in the toolbar, in the menu), in the order of VIEW_MODES
VIEW_TEXTS: Final = {
    "image": ("Image", "Image only"),
    "prediction": ("Prediction", "Prediction"),
    "labels": ("Labels", "Labels"),
    "difference": ("Difference", "Difference from the prediction"),
    "other": ("Other model", "Difference from the other model"),
    "changes": ("Changes", "Changes since the image was opened"),
    "provenance": ("Who labelled", "Who labelled each pixel"),
}
_LEAST_LABELS: Final = 256  # what the byte of a narrow map can hold
OUTLINE_WIDTHS: Final = (1, 2, 3, 4)
AIDS: Final = ("split", "minimap", "rulers")


class Display(AreaSession):
    """The labels with how a person wants to see them. GUI thread only.

    `display_changed()` comes after every change; setters are silent when nothing changes.
    `picture_changed()` comes when the picture itself is to be shown otherwise, `aids_changed()`
    when the divider, the minimap or the rulers came or went.
    """

    display_changed = Signal()
    picture_changed = Signal()
    aids_changed = Signal()
    _image: np.ndarray | None

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opacity = 0.5
        self._outline = False
        self._visible = np.ones(_LEAST_LABELS, bool)
        self._solo: int | None = None
        self._view_mode = "labels"
        self._shown_map: str | None = None
        self._canvas_map: ShownMap | None = None
        self._overlay_hidden = False
        self._outline_px = 2
        self._aids = {"split": False, "minimap": True, "rulers": False}
        self._adjustment = NEUTRAL
        self._deep: tuple[np.ndarray, DeepSamples | None] | None = None
        self._opened_labels: np.ndarray | None = None
        self._is_comparing = False
        self._other_labels: np.ndarray | None = None

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
        """Which labels are drawn, (K,) bool of 256 labels or all classes; solo included."""
        missing = len(self._table) - len(self._visible)
        if missing > 0:  # classes were added
            self._visible = np.append(self._visible, np.ones(missing, bool))
        if self._solo is None:
            return self._visible
        return np.arange(len(self._visible)) == self._solo

    @property
    def solo(self) -> int | None:
        """The only class drawn, if one is soloed."""
        return self._solo

    @property
    def view_mode(self) -> str:
        """One of VIEW_MODES."""
        return self._view_mode

    @property
    def shown_map(self) -> str | None:
        """The name of the map painted on the canvas instead of labels: of a LevelView or other."""
        return self._shown_map if self._canvas_map is None else self._canvas_map.name

    @property
    def canvas_map(self) -> ShownMap | None:
        """The map painted on the canvas, where it is not a LevelView of the strip."""
        return self._canvas_map

    @property
    def overlay_hidden(self) -> bool:
        """Whether everything over the picture is out of sight for a moment."""
        return self._overlay_hidden

    @property
    def outline_px(self) -> int:
        """How wide outlines are, in widget pixels: one of OUTLINE_WIDTHS."""
        return self._outline_px

    @property
    def adjustment(self) -> Adjustment:
        """How the picture is shown; the model never sees it."""
        return self._adjustment

    @property
    def deep(self) -> DeepSamples | None:
        """Samples of more than 8 bits of the present picture, where its file has them."""
        if self._deep is None or self._image is None or self._deep[0] is not self._image:
            return None
        return self._deep[1]

    @property
    def opened_labels(self) -> np.ndarray | None:
        """The labels as the file held them when the image was opened; not for very large ones."""
        return self._opened_labels

    @property
    def is_comparing(self) -> bool:
        """Whether another model is compared with the one in use, so that "other" can be viewed."""
        return self._is_comparing

    @property
    def other_labels(self) -> np.ndarray | None:
        """What the other model says of the image shown, (H, W) labels, once that is known."""
        return self._other_labels

    def has_aid(self, aid: str) -> bool:
        """Whether one of AIDS is on: the divider, the minimap, the rulers."""
        return self._aids[aid]

    def maps_in_view(self) -> tuple[np.ndarray | None, ...]:
        """Return the (H, W) arrays that the overlay is drawn from; None for one there is not."""
        labels = self.labels_in_view()
        if labels is None:
            return (None,)
        if self._view_mode == "difference":
            return labels, None if self._prediction is None else self._prediction.labels
        if self._view_mode == "other":
            return labels, self._other_labels
        if self._view_mode == "changes":
            before = self._opened_labels
            if before is None and self._prediction is not None:
                before = self._prediction.labels  # what an image without saved labels began as
            return labels, before
        if self._view_mode == "provenance":
            return (None if self._label_map is None else self._label_map.provenance,)
        return (labels,)

    def labels_in_view(self) -> np.ndarray | None:
        """Return the (H, W) array the overlay shows: labels or prediction, None for neither.

        In "difference", "other" and "changes" these are the labels; the canvas draws only those
        that differ. In "provenance" they are the labels, too, though it is their origin that is
        drawn.
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
        self._visible = np.ones(max(_LEAST_LABELS, len(table)), bool)
        for c in table.classes:
            if _is_background(c.name):
                self._visible[c.id] = False

    def set_visible(self, label: int, visible: bool) -> None:
        """Show or hide the label of a class, or any of the first 256."""
        known = len(self.visible)  # which makes room for classes that were added
        if label < known and bool(self._visible[label]) != visible:
            self._visible[label] = visible
            self.display_changed.emit()

    def set_solo(self, label: int | None) -> None:
        """Draw only this label; None draws all visible ones."""
        self._display("_solo", label)

    def set_view_mode(self, mode: str) -> None:
        """Choose one of VIEW_MODES; raises ValueError for another word.

        The view of another model is that of the labels while there is none.
        """
        if mode not in VIEW_MODES:
            raise ValueError(f"the view is one of {', '.join(VIEW_MODES)}, not {mode!r}")
        if mode == "other" and not self._is_comparing:
            mode = "labels"
        self._display("_view_mode", mode)

    def set_comparing(self, comparing: bool) -> None:
        """Say whether there is another model; without one its view gives way to the labels."""
        if not comparing and self._view_mode == "other":
            self._view_mode = "labels"
        self._display("_is_comparing", bool(comparing))

    def set_other_labels(self, labels: np.ndarray | None) -> None:
        """Take what the other model says of the image shown, (H, W) labels; None while it works."""
        if labels is not self._other_labels:
            self._other_labels = labels
            self.display_changed.emit()

    def set_outline_px(self, width: int) -> None:
        """Choose how wide outlines are, clipped to 1..4 widget pixels."""
        self._display("_outline_px", max(OUTLINE_WIDTHS[0], min(OUTLINE_WIDTHS[-1], int(width))))

    def set_aid(self, aid: str, shown: bool) -> None:
        """Show or hide one of AIDS."""
        if self._aids[aid] != shown:
            self._aids[aid] = shown
            self.aids_changed.emit()

    def set_adjustment(self, adjustment: Adjustment) -> None:
        """Show the picture otherwise; neither the labels nor what the model sees is changed."""
        if adjustment != self._adjustment:
            self._adjustment = adjustment
            self.picture_changed.emit()

    def set_deep(self, image: np.ndarray, deep: DeepSamples | None) -> None:
        """Note what the file of `image` holds beyond 8 bits; call before the image is shown."""
        self._deep = (image, deep)

    def set_overlay_hidden(self, hidden: bool) -> None:
        """Take labels or map off the picture, or put them back; nothing else is changed."""
        self._display("_overlay_hidden", bool(hidden))

    def set_shown_map(self, name: str | None) -> None:
        """Paint a LevelView on the canvas instead of any other map; None goes back to labels."""
        if (name, None) != (self._shown_map, self._canvas_map):
            self._shown_map, self._canvas_map = name, None
            self.display_changed.emit()

    def show_map(self, shown: ShownMap | None) -> None:
        """Paint a map on the canvas instead of any other; None goes back to labels."""
        if shown is None:
            self.set_shown_map(None)
        elif shown is not self._canvas_map:
            self._shown_map, self._canvas_map = None, shown
            self.display_changed.emit()

    def _install_labels(self, labels: np.ndarray | None, *rest: object, **more: object) -> None:
        """Keep a copy of a file's labels, to show later what has changed."""
        super()._install_labels(labels, *rest, **more)
        kept = labels is not None and labels.nbytes < LARGE_BYTES
        self._opened_labels = labels.copy() if kept else None

    def _changed(self, text: str) -> None:
        super()._changed(f"{text}{self._out_of_sight()}")

    def _out_of_sight(self) -> str:
        """Return, to be added to what an edit did, why it may not be seen."""
        if self.shown_map is not None:
            return " (under the map that is shown)"
        if self._overlay_hidden:
            return " (labels are hidden: Tab shows them)"
        if self._view_mode in ("image", "prediction"):
            shown = VIEW_TEXTS[self._view_mode][0]
            return f" (not in this view, {shown}: V goes to the next)"
        name, label = self._table.name_of(self._active_class), self._active_class
        hidden = label < len(self.visible) and not self.visible[label]
        return f" ({name} is hidden)" if hidden and not _is_background(name) else ""

    def _display(self, attribute: str, value: object) -> None:
        if getattr(self, attribute) != value:
            setattr(self, attribute, value)
            self.display_changed.emit()


def _is_background(name: str) -> bool:
    return name.strip("_").casefold() == "background"
