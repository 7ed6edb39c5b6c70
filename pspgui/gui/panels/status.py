"""The pieces of the status bar: the pixel, the model, the running job, what is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QSizePolicy,
    QStatusBar,
    QToolButton,
    QWidget,
)

from pspgui.geometry import Pixel
from pspgui.gui.icons import icon
from pspgui.gui.map_scale import MapInView, value_text
from pspgui.gui.panels.drawing import draw_elided, draw_swatch, percent, signed
from pspgui.gui.theme import Theme, current_theme, quiet_font

if TYPE_CHECKING:
    from pspgui.gui.document import Document

HEIGHT = 26
BAR_HEIGHT = 32
SHOW_AFTER_MS = 300
_MESSAGE_MS = 6000


class QuietText(QWidget):
    """One line of quiet text that elides and then tells the whole in its tooltip."""

    def __init__(
        self,
        name: str,
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._text, self._more = "", ""
        self._align = align
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        """The line."""
        return self._text

    def set_text(self, text: str, tooltip: str = "") -> None:
        """Show another line."""
        if (text, tooltip) == (self._text, self._more):
            return
        self._text, self._more = text, tooltip
        self.setToolTip(tooltip or text)
        self.setAccessibleDescription(text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """The whole line."""
        return QSize(QFontMetrics(quiet_font(self)).horizontalAdvance(self._text) + 4, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """A few letters and an ellipsis."""
        return QSize(min(48, self.sizeHint().width()), HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the line."""
        with QPainter(self) as p:
            p.setFont(quiet_font(self))
            p.setPen(QColor(current_theme().quiet))
            draw_elided(p, QRectF(self.rect()), self._text, self._align)


class PixelReadout(QWidget):
    """Where the mouse is and what the model says there; beside it, for a moment, a message."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._place = self._words = ""
        self._map = MapInView(document)
        self._colour: QColor | None = None
        self._message = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._end_message)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(160)
        self.setAccessibleName("Pixel under the mouse")
        document.hover_changed.connect(self._on_hover)
        document.prediction_changed.connect(self._on_prediction)
        document.display_changed.connect(self._on_prediction)
        document.message.connect(self.show_message)
        document.image_changed.connect(self._end_message)

    @property
    def text(self) -> str:
        """What is shown, in one line."""
        return "  ".join(t for t in (self._place, self._words, self._message) if t)

    def sizeHint(self) -> QSize:
        """Takes the room that is left."""
        return QSize(360, HEIGHT)

    @Slot(str)
    def show_message(self, text: str) -> None:
        """Show a message for some seconds."""
        self._message = text
        self.setToolTip(text)
        self._timer.start(_MESSAGE_MS)
        self.update()

    @Slot()
    def _end_message(self) -> None:
        self._message = ""
        self.setToolTip("")
        self.update()

    @Slot()
    def _on_prediction(self) -> None:
        self._on_hover(self._document.hover)

    @Slot(object)
    def _on_hover(self, pixel: Pixel | None) -> None:
        self._place, self._words, self._colour = "", "", None
        if pixel is not None:
            self._place = f"x {pixel.x}, y {pixel.y}"
            self._read(pixel)
        self.setAccessibleDescription(self.text)
        self.update()

    def _read(self, pixel: Pixel) -> None:
        document, table = self._document, self._document.reading_table
        prediction = document.prediction
        if prediction is None:
            return
        if document.by_windows:
            # An average over windows: there are no logits of which to take a margin.
            winner = int(prediction.winners[pixel])
            self._show_words(pixel, winner, float(prediction.confidence[pixel]), [])
            return
        probabilities = np.asarray(prediction.probability_at(*pixel))
        order = np.argsort(probabilities)[::-1]
        winner, more = int(order[0]), []
        if len(order) > 1:
            # The margin of two logits is the logarithm of the ratio of their probabilities.
            runner = int(order[1])
            ratio = max(float(probabilities[runner]), 1e-30)
            margin = float(np.log(float(probabilities[winner]) / ratio))
            more = [f"margin {signed(margin)} over {table.name_of(runner)}"]
        self._show_words(pixel, winner, float(probabilities[winner]), more)

    def _show_words(self, pixel: Pixel, winner: int, share: float, more: list[str]) -> None:
        document, table = self._document, self._document.reading_table
        self._colour = QColor(*table.classes[winner].colour) if winner < len(table) else None
        parts = [table.name_of(winner), f"p {percent(share)}", *more]
        if document.label_map is not None:
            label = int(document.label_map.labels[pixel])
            if label == document.table.ignore:
                parts.append("unlabelled")
            elif label != winner:
                parts.append(f"labelled {document.table.name_of(label)}")
        shown = self._map.shown
        value = None if shown is None else shown.value_at(*pixel)
        if shown is not None and value is not None:
            parts.append(f"{shown.title.split(':')[0]}: {value_text(shown, value)}")
        self._words = "   ".join(parts)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint place, swatch and words, or the message."""
        theme = current_theme()
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            p.setFont(quiet_font(self))
            right = float(self.width())
            if self._message:
                right = self._paint_message(p, theme)
            p.setPen(QColor(theme.quiet))
            # A fixed column for the place, so that the words do not jump with its digits.
            left = p.fontMetrics().horizontalAdvance("x 88888, y 88888") + 12.0
            draw_elided(p, QRectF(0, 0, min(left, right), self.height()), self._place)
            if self._colour is not None and left + 18 < right:
                swatch = QRectF(left, self.height() / 2 - 5, 10, 10)
                draw_swatch(p, swatch, self._colour, theme)
                left += 18
            p.setPen(QColor(theme.text))
            draw_elided(p, QRectF(left, 0, max(0.0, right - left), self.height()), self._words)

    def _paint_message(self, p: QPainter, theme: Theme) -> float:
        """Paint the message, right of the words if there are any; return where it begins."""
        needed = p.fontMetrics().horizontalAdvance(self._message) + 4.0
        left = 0.0
        if self._place:
            left = max(self.width() - needed, self.width() * 0.45)
        p.setPen(QColor(theme.text if not self._place else theme.quiet))
        draw_elided(p, QRectF(left, 0, self.width() - left, self.height()), self._message)
        return left - 16


class JobStatus(QWidget):
    """A running job: its words, progress, time left and a way to cancel.

    Appears only when a job lasts longer than 300 ms; `cancel_requested` when the person has
    enough of it.
    """

    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = QuietText("Running job", Qt.AlignmentFlag.AlignRight)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedSize(96, 4)
        self._cancel = QToolButton()
        self._cancel.setIcon(icon("close"))
        self._cancel.setIconSize(QSize(14, 14))
        self._cancel.setToolTip("Cancel")
        self._cancel.setAccessibleName("Cancel the running job")
        self._cancel.clicked.connect(self.cancel_requested)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SHOW_AFTER_MS)
        self._timer.timeout.connect(self._appear)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for widget in (self._words, self._bar, self._cancel):
            layout.addWidget(widget)
        for widget in (self._words, self._bar, self._cancel):
            widget.hide()

    @property
    def is_shown(self) -> bool:
        """Whether the job lasted long enough to be shown."""
        return not self._bar.isHidden()

    @property
    def text(self) -> str:
        """The words shown."""
        return self._words.text

    @property
    def cancel_button(self) -> QToolButton:
        """The button that cancels."""
        return self._cancel

    def begin(self, words: str, can_cancel: bool = True) -> None:
        """Note that a job runs; another one may take the place of the present one."""
        self._words.set_text(words)
        self._bar.setRange(0, 0)
        self._cancel.setEnabled(can_cancel)
        if not self.is_shown and not self._timer.isActive():
            self._timer.start()

    def set_progress(
        self, fraction: float | None, words: str = "", seconds_left: float | None = None
    ) -> None:
        """Show how far the job is, 0..1 or None when it cannot tell."""
        if fraction is None:
            self._bar.setRange(0, 0)
        else:
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(1000 * min(1.0, max(0.0, fraction))))
        if words:
            left = "" if seconds_left is None else f" · {duration(seconds_left)} left"
            self._words.set_text(words + left)

    def end(self) -> None:
        """Note that no job runs any more."""
        self._timer.stop()
        for widget in (self._words, self._bar, self._cancel):
            widget.hide()

    @Slot()
    def _appear(self) -> None:
        for widget in (self._words, self._bar, self._cancel):
            widget.show()


class StatusBar(QStatusBar):
    """All pieces in a row: pixel | job | model | saved."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setSizeGripEnabled(False)
        self.pixel = PixelReadout(document)
        self.job = JobStatus()
        self.model = QuietText("Model", Qt.AlignmentFlag.AlignRight)
        self.saved = QuietText("Saved state", Qt.AlignmentFlag.AlignRight)
        self.preview = QuietText("Kind of prediction", Qt.AlignmentFlag.AlignRight)
        strip = QWidget()
        layout = QHBoxLayout(strip)
        layout.setContentsMargins(12, 0, 12, 0)
        layout.setSpacing(24)
        layout.addWidget(self.pixel, 1)
        for widget in (self.preview, self.job, self.model, self.saved):
            layout.addWidget(widget)
        self.preview.hide()
        self.addWidget(strip, 1)
        height = max(BAR_HEIGHT, self.sizeHint().height())
        self.setFixedHeight(height)  # or the picture jumps when a job begins or ends
        document.saved_changed.connect(self._on_saved)
        document.prediction_changed.connect(self._on_prediction)
        self._on_saved()

    def set_model(self, name: str, device: str, precision: str, tooltip: str = "") -> None:
        """Say which model answers, and where it runs."""
        self.model.set_text(" · ".join(t for t in (name, device, precision) if t), tooltip)

    @Slot()
    def _on_prediction(self) -> None:
        """Say that what is shown is a first look only."""
        prediction = self._document.prediction
        self.preview.setVisible(self._document.is_preview)
        if self._document.is_preview and prediction is not None:
            size = {2: "half-size", 3: "third-size"}.get(
                prediction.reduction, f"1/{prediction.reduction} size"
            )
            waits = self._document.is_refining
            self.preview.set_text(
                f"First look, {size}" + (", refining…" if waits else ""),
                "A first look from the image made smaller. Nothing can be accepted or erased to "
                "it; " + ("the full prediction follows." if waits else "Ctrl+R predicts in full."),
            )

    @Slot()
    def _on_saved(self) -> None:
        self.saved.set_text(self._document.saved_text)


def duration(seconds: float) -> str:
    """Return a time span in words a person reads at a glance."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
