"""What the window shows of one image: the only owner of its pixels, and of what is pointed at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal

from pspgui.gui.pointing import Pointing
from pspgui.gui.region_clipboard import RegionClipboard
from pspgui.jobs.class_tables import class_called
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from pspgui.inference.predictor import Prediction
    from pspgui.inference.views import LevelView
    from pspgui.jobs.class_tables import Explains
    from pspgui.jobs.following import Following
    from pspgui.jobs.windowed import WindowEvidence
    from pspgui.labels.label_map import LabelMap


class Document(Pointing):
    """The image, its prediction, evidence, labels (see LabelSession) and their Display.

    GUI thread only. Views hold no copies: they listen to the signals and read the properties;
    tools and panels propose by the methods. Every setter is silent when nothing changes.
    `views_changed` comes alone when only the pyramid's maps were recomputed (another class was
    chosen); `prediction_changed` is always followed by it.
    """

    image_changed = Signal()
    prediction_changed = Signal()
    views_changed = Signal()
    classes_changed = Signal()
    active_class_changed = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.clipboard = RegionClipboard(self, self)
        self._image_path: Path | None = None
        self._image_title = ""
        self._views: tuple[LevelView, ...] = ()
        self._reading_table: ClassTable = self._table
        self._more_to_come = False
        self._network = ""
        self._previous_class = 0
        self._wanted_class = self._table.name_of(0)

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
        """The classes of the labels; without labels of their own, those of the model in use."""
        return self._table

    @property
    def reading_table(self) -> ClassTable:
        """The classes that name predictions and evidence.

        They are those of the labels, and behind them the ones that only the model knows.
        """
        return self._reading_table

    @property
    def network(self) -> str:
        """The network in use in a few words, such as "DeepLabV3 MobileNetV2 /16"."""
        return self._network

    @property
    def is_preview(self) -> bool:
        """Whether the prediction comes from the image made smaller; a better one may follow."""
        return self._is_preview

    @property
    def is_refining(self) -> bool:
        """Whether the full prediction is still on its way behind a preview."""
        return self._is_preview and self._more_to_come

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
        table: ClassTable | None = None,
    ) -> None:
        """Show another image with its labels, if any; prediction and evidence are cleared.

        `on_disk` tells whether a file holds these very labels; if not they count as unsaved.
        `table` names the classes of the labels; None for those in use.
        """
        self._image, self._image_path, self._image_title = image, path, title
        self._drop_prediction()
        self._install_labels(labels, provenance, on_disk)
        if table is not None and table != self._table:
            self._take_table(table)
        self._shown_map = None
        self.pins.open(path, (0, 0) if image is None else image.shape[:2])
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
        evidence_engine: Explains | None = None,
        preview: bool = False,
        fresh: LabelMap | None = None,
        following: Following | None = None,
    ) -> None:
        """Take the model's answer for the image shown; painted pixels keep their labels.

        A preview is looked at only: no label ever comes from it. fresh: a map of the prediction's
        labels, made beforehand, for an image that has none yet; it is taken over. following: where
        labels that nobody has touched differ from the prediction, found beforehand, too.
        """
        if self._image is None or tuple(prediction.labels.shape) != self._image.shape[:2]:
            return  # an answer for an image that is gone
        self._drop_prediction()
        self._prediction, self._views, self._engine = prediction, views, evidence_engine
        self._is_preview = self._more_to_come = preview
        if not preview:
            self._follow_prediction(prediction, fresh, following)
        self.prediction_changed.emit()
        self.views_changed.emit()
        self._frame_changed()
        self._refresh_evidence()
        self._ask_for_window()

    def set_window(self, engine: WindowEvidence) -> None:
        """Take what explains one window of an image that was read through windows."""
        if self.by_windows:
            self._engine = engine
            self._frame_changed()
            self._refresh_evidence()

    def start_unlabelled(self) -> None:
        """Let the image be painted though there is no prediction; one may still come."""
        if self._image is not None:
            self._start_unlabelled(self._image.shape[:2])

    def stop_waiting(self) -> None:
        """Note that no full prediction follows the preview."""
        if self._more_to_come:
            self._more_to_come = False
            self.prediction_changed.emit()

    def set_views(self, views: tuple[LevelView, ...]) -> None:
        """Take the pyramid's maps recomputed for another class."""
        self._views = views
        self.views_changed.emit()

    def set_table(self, table: ClassTable) -> None:
        """Use another model's classes; classes of the same name stay chosen.

        The old model's prediction is forgotten, and with it labels that are only a copy of it.
        Labels that a person has touched must not be given another table.
        """
        if table == self._table and table == self._reading_table:
            return
        self.forget_prediction()
        self._take_table(table)

    def name_labels(self, table: ClassTable) -> None:
        """Say what labels mean that came without a class table; none of their numbers changes."""
        if table != self._table:
            self._take_table(table)

    def set_reading_table(self, table: ClassTable) -> None:
        """Name the model's answers by a table that begins with the classes of the labels."""
        if table == self._reading_table:
            return
        self.forget_prediction()
        self._reading_table = table
        self._target = (None, None)
        self.classes_changed.emit()

    def add_model_classes(self) -> None:
        """Let the labels have the classes that only the model knows, too; no label changes."""
        if self._table != self._reading_table:
            self._table = self._reading_table
            self.classes_changed.emit()
            self.display_changed.emit()

    # -- classes ------------------------------------------------------------------------------

    @property
    def active_class(self) -> int:
        """The label that the brush paints."""
        return self._active_class

    def set_active_class(self, label: int) -> None:
        """Choose the class to paint; ids that the table does not have are ignored."""
        if label == self._active_class or not 0 <= label < len(self._table):
            return
        self._previous_class, self._active_class = self._active_class, label
        self._wanted_class = self._table.name_of(label)  # also behind tables that lack it
        self.active_class_changed.emit(label)
        self._follow_score_class()

    def swap_classes(self) -> None:
        """Go back to the class that was active before this one."""
        self.set_active_class(self._previous_class)

    def set_network(self, title: str) -> None:
        """Name the network that predicts from now on."""
        self._network = title

    def mark_windows_mute(self) -> None:
        """Note that the model's windows have no evidence."""
        self._windows_are_mute = True
        self.prediction_changed.emit()

    # -- inside -------------------------------------------------------------------------------

    def forget_prediction(self) -> None:
        """Drop the model's answer, and with it labels that are only a copy of it."""
        if not self.is_touched:
            self._install_labels(None, None, on_disk=True)
        if self._prediction is None:
            return
        self._drop_prediction()
        self._set_evidence(None)
        self.prediction_changed.emit()
        self.views_changed.emit()
        self.history_changed.emit()

    def _drop_prediction(self) -> None:
        self._prediction, self._views, self._engine = None, (), None
        self._canvas_map = None
        self._is_preview = self._more_to_come = self._windows_are_mute = False
        self._frame_changed()

    def _take_table(self, table: ClassTable) -> None:
        previous = self._table.name_of(self._previous_class)
        active = class_called(table, self._wanted_class) or 0
        self._table = self._reading_table = table
        self._active_class, self._previous_class = active, class_called(table, previous) or 0
        self._target = (None, None)
        self._show_classes_of(table)
        self._solo = None
        self.classes_changed.emit()
        self.active_class_changed.emit(active)
        self.display_changed.emit()
