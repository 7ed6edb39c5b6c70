"""The Adjust panel: how the picture is shown, with its histogram; the model sees none of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent, QShowEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from pspgui.gui.daemons import emit_late, start_daemon
from pspgui.gui.panels.drawing import MINUS, short
from pspgui.gui.panels.histogram import Histogram
from pspgui.gui.theme import GRID_PX, QuietLabel
from pspgui.imaging.adjusting import NEUTRAL, Adjustment, auto_window, histogram
from pspgui.imaging.deep import DeepSamples

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_STEPS: Final = 100
_GAMMA_STEPS: Final = 50  # of a doubling: a slider of -116..116 runs from 1/5 to 5
_GAMMA_END: Final = 116
_NOTE: Final = "Only the view changes: the model sees the picture as its file has it."


class ResettingSlider(QSlider):
    """A slider that goes back to its middle at a double click."""

    def __init__(self, name: str, end: int) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setRange(-end, end)
        self.setAccessibleName(name)
        self.setToolTip(f"{name}; a double click resets it")

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Go back."""
        self.setValue(0)


class AdjustPanel(QWidget):
    """Histogram, black and white point, brightness, contrast and gamma. GUI thread only.

    The histogram is counted on a thread of its own when the panel can be seen.
    """

    _counted = Signal(object, object)

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._counts: np.ndarray | None = None
        self._counted_of: np.ndarray | None = None
        self.histogram = Histogram()
        self._ends = (QuietLabel("0"), QuietLabel("255"))
        self.brightness = ResettingSlider("Brightness", _STEPS)
        self.contrast = ResettingSlider("Contrast", _STEPS)
        self.gamma = ResettingSlider("Gamma", _GAMMA_END)
        self._values = tuple(QuietLabel("0") for _ in range(3))
        self.auto = QPushButton("Auto")
        self.auto.setToolTip("Spread all but the darkest and brightest half percent over the range")
        self.reset = QPushButton("Reset")
        self.reset.setToolTip("Show the picture as it is")
        self._note = QuietLabel(_NOTE)
        self._note.setWordWrap(True)
        self._lay_out()
        self.setAutoFillBackground(True)
        self.histogram.window_changed.connect(self._window_moved)
        for slider in (self.brightness, self.contrast, self.gamma):
            slider.valueChanged.connect(self._slid)
        self.auto.clicked.connect(self._auto)
        self.reset.clicked.connect(self._reset)
        self._counted.connect(self._take_counts, Qt.ConnectionType.QueuedConnection)
        document.image_changed.connect(self._image_changed)
        document.picture_changed.connect(self._show_adjustment)
        self._image_changed()

    @property
    def counts(self) -> np.ndarray | None:
        """The histogram shown, (1 or 3, 256), once it is counted."""
        return self._counts

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID_PX, GRID_PX, GRID_PX, GRID_PX)
        column.setSpacing(GRID_PX)
        column.addWidget(self.histogram)
        ends = QHBoxLayout()
        ends.setContentsMargins(GRID_PX, 0, GRID_PX, 0)
        ends.addWidget(self._ends[0])
        ends.addStretch(1)
        ends.addWidget(self._ends[1])
        column.addLayout(ends)
        grid = QGridLayout()
        grid.setHorizontalSpacing(GRID_PX)
        grid.setVerticalSpacing(GRID_PX)
        grid.setContentsMargins(GRID_PX, 0, GRID_PX, 0)
        rows = zip(
            ("Brightness", "Contrast", "Gamma"),
            (self.brightness, self.contrast, self.gamma), self._values, strict=True,
        )  # fmt: skip
        for row, (text, slider, value) in enumerate(rows):
            label = QLabel(text)
            label.setBuddy(slider)
            value.setFixedWidth(value.fontMetrics().horizontalAdvance("+100 %") + 4)
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(label, row, 0)
            grid.addWidget(slider, row, 1)
            grid.addWidget(value, row, 2)
        column.addLayout(grid)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(GRID_PX, 0, GRID_PX, 0)
        buttons.setSpacing(GRID_PX)
        for button in (self.auto, self.reset):
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            buttons.addWidget(button)
        column.addLayout(buttons)
        self._note.setContentsMargins(GRID_PX, 0, GRID_PX, 0)
        column.addWidget(self._note)
        column.addStretch(1)

    # -- from the person ----------------------------------------------------------------------

    @Slot(float, float)
    def _window_moved(self, low: float, high: float) -> None:
        self._document.set_adjustment(replace(self._document.adjustment, low=low, high=high))

    @Slot()
    def _slid(self) -> None:
        self._document.set_adjustment(replace(
            self._document.adjustment,
            brightness=self.brightness.value() / _STEPS,
            contrast=self.contrast.value() / _STEPS,
            gamma=2.0 ** (self.gamma.value() / _GAMMA_STEPS),
        ))  # fmt: skip

    @Slot()
    def _auto(self) -> None:
        if self._counts is not None:
            low, high = auto_window(self._counts)
            self._document.set_adjustment(Adjustment(low=low, high=high))

    @Slot()
    def _reset(self) -> None:
        self._document.set_adjustment(NEUTRAL)

    # -- from the document --------------------------------------------------------------------

    @Slot()
    def _image_changed(self) -> None:
        self._counts = self._counted_of = None
        self.histogram.set_counts(None)
        self._count()
        self._show_adjustment()

    def showEvent(self, event: QShowEvent) -> None:
        """Count what was not counted while the panel was out of sight."""
        super().showEvent(event)
        self._count()

    def changeEvent(self, event: QEvent) -> None:
        """Repaint for another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.histogram.update()

    def _samples(self) -> tuple[np.ndarray, int] | None:
        """Return what is counted, and its white."""
        image, deep = self._document.image, self._document.deep
        if image is None:
            return None
        return (image, 255) if deep is None else (deep.samples, deep.white)

    def _count(self) -> None:
        found = self._samples()
        if found is None or not self.isVisible() or self._counted_of is found[0]:
            return
        self._counted_of = found[0]
        start_daemon("histogram", self._run, *found)

    def _run(self, samples: np.ndarray, white: int) -> None:
        emit_late(self._counted, samples, histogram(samples, white))

    @Slot(object, object)
    def _take_counts(self, samples: np.ndarray, counts: np.ndarray) -> None:
        if samples is self._counted_of:  # else: of a picture that is gone
            self._counts = counts
            self.histogram.set_counts(counts)
            self._show_adjustment()

    @Slot()
    def _show_adjustment(self) -> None:
        adjustment, deep = self._document.adjustment, self._document.deep
        sliders = (
            (self.brightness, adjustment.brightness * _STEPS),
            (self.contrast, adjustment.contrast * _STEPS),
            (self.gamma, np.log2(adjustment.gamma) * _GAMMA_STEPS),
        )
        for slider, value in sliders:
            slider.blockSignals(True)
            slider.setValue(round(float(value)))
            slider.blockSignals(False)
        texts = (
            _signed_percent(adjustment.brightness), _signed_percent(adjustment.contrast),
            f"{adjustment.gamma:.2f}",
        )  # fmt: skip
        for label, text in zip(self._values, texts, strict=True):
            label.setText(text)
        self.histogram.set_window(adjustment.low, adjustment.high)
        for end, share in zip(self._ends, (adjustment.low, adjustment.high), strict=True):
            end.setText(_value_text(deep, share))
        has_image = self._document.image is not None
        self.setEnabled(has_image)
        self.auto.setEnabled(has_image and self._counts is not None)
        self.reset.setEnabled(has_image and not adjustment.is_neutral)
        depth = "" if deep is None else "The file's own samples are shown, not only 8 bits. "
        self._note.setText(depth + _NOTE)


def _signed_percent(share: float) -> str:
    whole = round(100 * share)
    return "0 %" if not whole else f"{whole:+d} %".replace("-", MINUS)


def _value_text(deep: DeepSamples | None, share: float) -> str:
    """Return the file's value at a share of the range."""
    if deep is None:
        return str(round(255 * share))
    value = deep.value_at(share)
    whole = deep.high == deep.white and deep.low == 0
    return f"{value:.0f}" if whole else short(value)
