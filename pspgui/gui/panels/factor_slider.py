"""A slider from 0 to 200 % that rests at 100."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSlider, QStyle, QWidget

from pspgui.gui.theme import current_theme

_WHOLE, _MOST = 100, 200
_SNAP = 3  # per cent around the whole


class FactorSlider(QSlider):
    """Sends `factor_changed(float)` as it is dragged; a double click goes back to 100 %."""

    factor_changed = Signal(float)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setRange(0, _MOST)
        self.setValue(_WHOLE)
        self.setSingleStep(5)
        self.setPageStep(25)
        self.setAccessibleName(f"Factor of {name}")
        self.setToolTip("0 to 200 %; a double click goes back to 100 %")
        self.valueChanged.connect(self._moved)

    def set_factor(self, factor: float) -> None:
        """Show a factor without telling of it."""
        if self.value() != round(_WHOLE * factor):
            self.blockSignals(True)
            self.setValue(round(_WHOLE * factor))
            self.blockSignals(False)
            self.update()

    @Slot(int)
    def _moved(self, value: int) -> None:
        if self.isSliderDown() and 0 < abs(value - _WHOLE) <= _SNAP:
            value = _WHOLE  # so that the whole is found again
        self.factor_changed.emit(value / _WHOLE)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Go back to the whole."""
        self.setValue(_WHOLE)

    def wheelEvent(self, event: object) -> None:
        """Leave the wheel to the panel, which scrolls."""
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Mark the whole under the slider."""
        handle = self.style().pixelMetric(QStyle.PixelMetric.PM_SliderLength, None, self)
        middle = handle / 2 + (self.width() - handle) * _WHOLE / _MOST
        with QPainter(self) as p:
            p.fillRect(
                QRectF(round(middle) - 0.5, self.height() / 2 - 6, 1, 12),
                QColor(current_theme().quiet),
            )
        super().paintEvent(event)
