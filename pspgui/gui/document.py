"""What the window shows of one image: the only owner of its pixels, and of what is pointed at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QObject, Signal

from pspgui.geometry import Pixel, Rect
from pspgui.gui.label_session import LabelSession
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from pspgui.evidence.psp import PSPEvidence
    from pspgui.evidence.readings import PixelEvidence, Source
    from pspgui.inference.predictor import Prediction
    from pspgui.inference.views import LevelView

VIEW_MODES: Final = ("image", "prediction", "labels", "difference")
MAX_BRUSH_PX: Final = 2048


class Document(LabelSession):
    """The image, its prediction, evidence, labels (see LabelSession) and how they are displayed.

    GUI thread only. Views hold no copies: they listen to the signals and read the properties;
    tools and panels propose by the methods. Every setter is silent when nothing changes.
    `views_changed` comes alone when only the pyramid's maps were recomputed (another class was
    chosen); `prediction_changed` is always followed by it. `score_class_changed` asks the session
    for such a recomputation.
    """

    image_changed = Signal()
    prediction_changed = Signal()
    views_changed = Signal()
    classes_changed = Signal()
    active_class_changed = Signal(int)
    score_class_changed = Signal(int)
    brush_changed = Signal()
    hover_changed = Signal(object)
    pin_changed = Signal(object)
    evidence_changed = Signal(object)
    hovered_bin_changed = Signal(object)
    display_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._image: np.ndarray | None = None
        self._image_path: Path | None = None
        self._image_title = ""
        self._views: tuple[LevelView, ...] = ()
        self._engine: PSPEvidence | None = None
        self._evidence: PixelEvidence | None = None
        self._hover: Pixel | None = None
        self._pin: Pixel | None = None
        self._hovered_bin: Source | None = None
        self._target: tuple[int | None, int | None] = (None, None)
        self._previous_class = 0
        self._opacity = 0.5
        self._outline = False
        self._visible = np.ones(256, bool)
        self._solo: int | None = None
        self._view_mode = "labels"
        self._shown_map: str | None = None

    # -- image and prediction -----------------------------------------------------------------

    @property
    def image(self) -> np.ndarray | None:
        """The picture, (H, W, 3) uint8 RGB, read-only; None before the first image."""
        return self._image

    @property
    def image_path(self) -> Path | None:
        """The file of the image; None for the sample scene."""
        return self._image_path

    @property
    def image_title(self) -> str:
        """The name to show for the image."""
        return self._image_title

    @property
    def table(self) -> ClassTable:
        """The classes of the model in use."""
        return self._table

    @property
    def prediction(self) -> Prediction | None:
        """The prediction of the image, once it is there."""
        return self._prediction

    @property
    def views(self) -> tuple[LevelView, ...]:
        """The maps of the pyramid strip for `score_class`."""
        return self._views

    def set_image(
        self,
        image: np.ndarray | None,
        path: Path | None,
        title: str,
        labels: np.ndarray | None = None,
        provenance: np.ndarray | None = None,
        on_disk: bool = True,
    ) -> None:
        """Show another image with its labels, if any; prediction and evidence are cleared.

        `on_disk` tells whether a file holds these very labels; if not they count as unsaved.
        """
        self._image, self._image_path, self._image_title = image, path, title
        self._prediction, self._views, self._engine = None, (), None
        self._install_labels(labels, provenance, on_disk)
        self._shown_map = None
        self.set_pin(None)
        self.set_hover(None)
        self.set_hovered_bin(None)
        self._set_evidence(None)
        self.image_changed.emit()
        self.prediction_changed.emit()
        self.views_changed.emit()
        self.history_changed.emit()
        self.saved_changed.emit()
        self.display_changed.emit()

    def set_prediction(
        self,
        prediction: Prediction,
        views: tuple[LevelView, ...] = (),
        evidence_engine: PSPEvidence | None = None,
    ) -> None:
        """Take the model's answer for the image shown; painted pixels keep their labels."""
        if self._image is None or tuple(prediction.labels.shape) != self._image.shape[:2]:
            return  # an answer for an image that is gone
        self._prediction, self._views, self._engine = prediction, views, evidence_engine
        self._follow_prediction(prediction)
        self.prediction_changed.emit()
        self.views_changed.emit()
        self._refresh_evidence()

    def start_unlabelled(self) -> None:
        """Let the image be painted though there is no prediction; one may still come."""
        if self._image is not None:
            self._start_unlabelled(self._image.shape[:2])

    def set_views(self, views: tuple[LevelView, ...]) -> None:
        """Take the pyramid's maps recomputed for another class."""
        self._views = views
        self.views_changed.emit()

    def set_table(self, table: ClassTable) -> None:
        """Use another model's classes; class choices start over.

        The old model's prediction is forgotten, and with it labels that are only a copy of it.
        """
        if table == self._table:
            return
        self._table = table
        self._forget_prediction()
        self._active_class = self._previous_class = 0
        self._target = (None, None)
        self._visible[:] = True
        self._solo = None
        self.classes_changed.emit()
        self.active_class_changed.emit(0)
        self.display_changed.emit()

    # -- classes and brush --------------------------------------------------------------------

    @property
    def active_class(self) -> int:
        """The label that the brush paints."""
        return self._active_class

    @property
    def score_class(self) -> int:
        """The class whose score map the pyramid strip shows: the evidence target, else active."""
        return self._active_class if self._target[0] is None else self._target[0]

    @property
    def brush_diameter(self) -> int:
        """Brush diameter in image pixels, 1..2048."""
        return self._brush_diameter

    @property
    def square_brush(self) -> bool:
        """Whether the brush is square instead of round."""
        return self._square_brush

    def set_active_class(self, label: int) -> None:
        """Choose the class to paint; ids that the table does not have are ignored."""
        if label == self._active_class or not 0 <= label < len(self._table):
            return
        self._previous_class, self._active_class = self._active_class, label
        self.active_class_changed.emit(label)
        if self._target[0] is None:
            self.score_class_changed.emit(label)

    def swap_classes(self) -> None:
        """Go back to the class that was active before this one."""
        self.set_active_class(self._previous_class)

    def set_brush_diameter(self, diameter: int) -> None:
        """Set the brush diameter, clipped to 1..2048 px."""
        diameter = max(1, min(MAX_BRUSH_PX, int(diameter)))
        if diameter != self._brush_diameter:
            self._brush_diameter = diameter
            self.brush_changed.emit()

    def scale_brush(self, factor: float) -> None:
        """Scale the brush by `factor`, by one pixel at least."""
        old = self._brush_diameter
        scaled = round(old * factor)
        self.set_brush_diameter(max(scaled, old + 1) if factor > 1 else min(scaled, old - 1))

    def set_square_brush(self, square: bool) -> None:
        """Choose a square or a round brush."""
        if square != self._square_brush:
            self._square_brush = square
            self.brush_changed.emit()

    # -- pointing and evidence ----------------------------------------------------------------

    @property
    def hover(self) -> Pixel | None:
        """The image pixel under the mouse."""
        return self._hover

    @property
    def pin(self) -> Pixel | None:
        """The pixel pinned by a click of the probe; it outranks the hover."""
        return self._pin

    @property
    def evidence(self) -> PixelEvidence | None:
        """What speaks for the target at the pinned, else hovered, pixel."""
        return self._evidence

    @property
    def hovered_bin(self) -> Source | None:
        """The pyramid bin pointed at in the evidence panel."""
        return self._hovered_bin

    @property
    def target(self) -> tuple[int | None, int | None]:
        """(class, versus) to explain; (None, None) is the margin of winner over runner-up."""
        return self._target

    def set_hover(self, pixel: Pixel | None) -> None:
        """Move the mouse's pixel; outside the image it is None."""
        pixel = self._inside(pixel)
        if pixel != self._hover:
            self._hover = pixel
            self.hover_changed.emit(pixel)
            if self._pin is None:
                self._refresh_evidence()

    def set_pin(self, pixel: Pixel | None) -> None:
        """Pin a pixel, so that its evidence stays; None follows the mouse again."""
        pixel = self._inside(pixel)
        if pixel != self._pin:
            self._pin = pixel
            self.pin_changed.emit(pixel)
            self._refresh_evidence()

    def set_hovered_bin(self, source: Source | None) -> None:
        """Point at a bin, so that the canvas outlines its region."""
        if source is not self._hovered_bin:
            self._hovered_bin = source
            self.hovered_bin_changed.emit(source)

    def set_target(self, class_id: int | None, versus: int | None = None) -> None:
        """Choose what to explain; a class against itself is that class alone."""
        target = (class_id, None if class_id is None or versus == class_id else versus)
        if target != self._target:
            before, self._target = self.score_class, target
            self._refresh_evidence()
            if self.score_class != before:
                self.score_class_changed.emit(self.score_class)

    # -- display ------------------------------------------------------------------------------

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

    def labels_in_view(self) -> np.ndarray | None:
        """Return the (H, W) array the overlay shows: labels or prediction, None for neither.

        In "difference" these are the labels; the canvas draws only those that differ from the
        prediction.
        """
        if self._view_mode == "image":
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

    def set_visible(self, label: int, visible: bool) -> None:
        """Show or hide one label."""
        if bool(self._visible[label]) != visible:
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

    def set_shown_map(self, name: str | None) -> None:
        """Paint a pyramid map on the canvas; None goes back to the overlay."""
        self._display("_shown_map", name)

    # -- inside -------------------------------------------------------------------------------

    def _forget_prediction(self) -> None:
        if self._prediction is None:
            return
        self._prediction, self._views, self._engine = None, (), None
        if not self.is_touched:
            self._install_labels(None, None, on_disk=True)
        self._set_evidence(None)
        self.prediction_changed.emit()
        self.views_changed.emit()
        self.history_changed.emit()

    def _display(self, attribute: str, value: object) -> None:
        if getattr(self, attribute) != value:
            setattr(self, attribute, value)
            self.display_changed.emit()

    def _inside(self, pixel: Pixel | None) -> Pixel | None:
        if pixel is None or self._image is None:
            return None
        height, width = self._image.shape[:2]
        return pixel if Rect(0, 0, height, width).contains(*pixel) else None

    def _refresh_evidence(self) -> None:
        pixel = self._hover if self._pin is None else self._pin
        if self._engine is None or pixel is None:
            self._set_evidence(None)
            return
        self._set_evidence(self._engine.at(pixel, self._evidence_target()))

    def _evidence_target(self) -> object | None:
        class_id, versus = self._target
        if class_id is None:
            return None
        from pspgui.evidence.readings import Target

        return Target(class_id, versus)

    def _set_evidence(self, evidence: PixelEvidence | None) -> None:
        if evidence is not self._evidence:
            self._evidence = evidence
            self.evidence_changed.emit(evidence)
