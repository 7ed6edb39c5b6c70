"""The evidence panel: which pyramid bins speak for the class of the pixel under the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pspgui.geometry import Pixel, Rect
from pspgui.gui.icons import icon
from pspgui.gui.panels.bin_grids import BinGrids
from pspgui.gui.panels.drawing import draw_elided, draw_empty, draw_swatch, percent, signed
from pspgui.gui.panels.evidence_bar import EvidenceBar
from pspgui.gui.panels.evidence_reading import ReadingButton
from pspgui.gui.panels.evidence_sums import Part, sums_of, target_words
from pspgui.gui.theme import (
    ICON_PX,
    QuietLabel,
    current_theme,
    heading_font,
    quiet_font,
    text_font,
)

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence, Source
    from pspgui.gui.document import Document

_OF_WINDOWS = "\nThe amounts explain the framed window alone; p is the average over all windows."


class EvidenceHeader(QWidget):
    """Two lines: the class explained, its probability and the amount; then the pixel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = QColor()
        self._name = self._probability = self._amount = self._words = self._where = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Two lines of text."""
        return QSize(288, 42)

    def show_lines(
        self, colour: QColor, name: str, probability: str, amount: str, words: str, where: str,
        more: str = "",
    ) -> None:  # fmt: skip
        """Show another pixel's class and amounts; `more` is for the tooltip."""
        self._colour, self._name, self._probability = colour, name, probability
        self._amount, self._words, self._where = amount, words, where
        self.setToolTip(f"{name} {probability}\n{words} {amount}\n{where}{more}")
        self.setAccessibleName(f"{name} {probability}, {words} {amount}, {where}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint both lines, names elided before numbers."""
        theme = current_theme()
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            draw_swatch(p, QRectF(0, 4, 14, 14), self._colour, theme)
            right = Qt.AlignmentFlag.AlignRight
            p.setPen(QColor(theme.text))
            p.setFont(text_font(self))
            shown = f"p {self._probability}"
            room = p.fontMetrics().horizontalAdvance(shown)
            draw_elided(p, QRectF(self.width() - room - 2, 0, room + 2, 22), shown, right)
            p.setFont(heading_font(self))
            draw_elided(p, QRectF(22, 0, self.width() - room - 34, 22), self._name)
            p.setFont(text_font(self))
            room = p.fontMetrics().horizontalAdvance(self._amount)
            draw_elided(p, QRectF(self.width() - room - 2, 22, room + 2, 20), self._amount, right)
            p.setFont(quiet_font(self))
            p.setPen(QColor(theme.quiet))
            where = p.fontMetrics().horizontalAdvance(self._where) + 12
            draw_elided(p, QRectF(0, 22, where, 20), self._where)
            words = QRectF(where, 22, self.width() - room - where - 8, 20)
            draw_elided(p, words, self._words, right)


class _EmptyEvidence(QWidget):
    """What to do when there is nothing to explain yet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.hint = "", ""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint title and hint."""
        with QPainter(self) as p:
            draw_empty(p, self, "crosshairs-question", self.title, self.hint)


class EvidencePanel(QWidget):
    """Shows `document.evidence` live; lets the person choose the target, unpin, point at bins.

    When the mouse leaves the canvas the last reading stays, so that its bins can be pointed at;
    a new image or prediction clears it.
    """

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._shown: PixelEvidence | None = None
        self.setObjectName("evidence_panel")
        self.setAutoFillBackground(True)
        self._header = EvidenceHeader()
        self._bar = EvidenceBar()
        self._grids = BinGrids()
        self._empty = _EmptyEvidence()
        self._pages = QStackedLayout()
        self._build()
        self._connect()
        self._fill_targets()
        self._show_pin(document.pin)
        self._show(document.evidence)

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        self._class_box, self._versus_box = _box("Explain which class"), _box("Compared with what")
        self.reading = ReadingButton(self._document)
        self._pin_button = QToolButton()
        self._pin_button.setIconSize(QSize(ICON_PX, ICON_PX))
        self._pin_button.setCheckable(True)
        self._pin_button.setAccessibleName("Pin the pixel")
        chooser = QHBoxLayout()
        chooser.setSpacing(8)
        chooser.addWidget(self._class_box, 4)
        chooser.addWidget(self._versus_box, 5)
        chooser.addWidget(self.reading)
        chooser.addWidget(self._pin_button)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 0, 16, 4)
        column.setSpacing(8)
        self.residual = QuietLabel("")
        self.residual.setWordWrap(True)
        for widget in (self._header, self._bar, self.residual, self._grids):
            column.addWidget(widget)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        area.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(area)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        chooser.setContentsMargins(16, 4, 16, 8)
        outer.addLayout(chooser)
        outer.addLayout(self._pages, 1)
        self.setMinimumWidth(248)

    def _connect(self) -> None:
        d = self._document
        d.evidence_changed.connect(self._on_evidence)
        d.pin_changed.connect(self._show_pin)
        d.classes_changed.connect(self._fill_targets)
        d.image_changed.connect(self._on_other_image)
        d.prediction_changed.connect(self._on_other_image)
        d.prediction_changed.connect(self.reading.show_choice)
        self._grids.bin_pointed.connect(self._on_bin)
        self._grids.bin_chosen.connect(d.open_source)
        self._bar.part_chosen.connect(self._on_part_chosen)
        self._bar.part_pointed.connect(self._on_part)
        self._class_box.activated.connect(self._on_target)
        self._versus_box.activated.connect(self._on_target)
        self._pin_button.clicked.connect(self._on_pin)

    def sizeHint(self) -> QSize:
        """The width of a side panel."""
        return QSize(320, 420)

    # -- showing ------------------------------------------------------------------------------

    @property
    def shown(self) -> PixelEvidence | None:
        """The reading on display."""
        return self._shown

    @property
    def grids(self) -> BinGrids:
        """The grids of bins."""
        return self._grids

    @property
    def bar(self) -> EvidenceBar:
        """The signed bar."""
        return self._bar

    @Slot(object)
    def _on_evidence(self, evidence: PixelEvidence | None) -> None:
        if evidence is not None or self._document.by_windows:
            self._show(evidence)

    @Slot()
    def _on_other_image(self) -> None:
        self._enable_controls()
        self._show(self._document.evidence)

    def _show(self, evidence: PixelEvidence | None) -> None:
        self._shown = evidence
        if self._document.image is not None:
            frame = self._document.window_frame or Rect(0, 0, *self._document.image.shape[:2])
            self._grids.set_aspect(frame.height, frame.width)
        self._grids.set_evidence(evidence)
        self._grids.setVisible(evidence is None or bool(evidence.grids))
        if evidence is None:
            self._empty.title, self._empty.hint = self._what_to_do()
            self._empty.update()
            self._pages.setCurrentIndex(0)
            return
        self._bar.set_sums(sums_of(evidence))
        self._show_residual(evidence)
        self._show_header(evidence)
        self._pages.setCurrentIndex(1)

    def _show_residual(self, evidence: PixelEvidence) -> None:
        """Say plainly where the parts miss the shown number by more than rounding."""
        from pspgui.evidence.readings import RESIDUAL_LIMIT

        missed = evidence.residual
        far_off = missed is not None and bool(abs(missed) > RESIDUAL_LIMIT)
        self.residual.setVisible(far_off)
        if far_off:
            colours = self.residual.palette()
            colours.setColor(QPalette.ColorRole.WindowText, current_theme().warning)
            self.residual.setPalette(colours)
            self.residual.setText(
                f"The parts miss the shown number by {signed(missed, 4)}: the network ran in fewer "
                "bits than evidence is computed in."
            )

    def _show_header(self, evidence: PixelEvidence) -> None:
        table = self._document.reading_table
        label = evidence.target.class_id
        colour = table.classes[label].colour if 0 <= label < len(table) else (0, 0, 0)
        y, x = evidence.pixel
        pinned = " · pinned" if self._document.pin == evidence.pixel else ""
        if self._document.by_windows:
            pinned = " · this window"  # as long as fits; it is pinned in any case
        self._header.show_lines(
            QColor(*colour),
            table.name_of(label),
            percent(self._probability(evidence.pixel, label)),
            signed(evidence.logit),
            self.reading.words() or target_words(evidence, table),
            f"x {x}, y {y}{pinned}",
            _OF_WINDOWS if self._document.by_windows else "",
        )

    def _probability(self, pixel: Pixel, label: int) -> float:
        prediction = self._document.prediction
        if prediction is None:
            return float("nan")
        if self._document.by_windows:
            is_winner = int(prediction.winners[pixel]) == label
            return float(prediction.confidence[pixel]) if is_winner else float("nan")
        return float(np.asarray(prediction.probability_at(*pixel))[label])

    def _what_to_do(self) -> tuple[str, str]:
        if self._document.image is None:
            return "No image yet", "Open an image; every pixel of its prediction can be explained."
        if self._document.prediction is None:
            return "Waiting for the prediction", "Then move the mouse over the image."
        if self._document.is_preview:
            return "A first look", "Evidence follows with the full prediction."
        if not self._document.can_explain:
            return self._no_evidence()
        if self._document.by_windows:
            return (
                "Click to explain this window",
                "What is shown is an average over windows. Click a pixel with the probe (H) to "
                "explain the single window around it.",
            )
        return (
            "Point at a pixel",
            "Move the mouse over the image to see what drives its class. "
            "Click with the probe (H) to pin a pixel.",
        )

    def _no_evidence(self) -> tuple[str, str]:
        """Say calmly that there is nothing to read here, and what there is instead."""
        network = self._document.network or "This network"
        rest = "The status bar still tells class and probability, the strip below shows its maps."
        if "psp" in network.casefold():
            return "This pyramid cannot be read yet", f"{network} is split in no way known. {rest}"
        return "No pyramid to read", f"{network} has no bins. {rest}"

    @Slot()
    def _enable_controls(self) -> None:
        document = self._document
        mute = document.prediction is not None and not document.can_explain
        for widget in (self._class_box, self._versus_box, self._pin_button):
            widget.setEnabled(not mute or document.is_preview)
        self._show_versus(document.target[0] is None)

    # -- choosing -----------------------------------------------------------------------------

    @Slot()
    def _fill_targets(self) -> None:
        names = self._document.reading_table.names
        class_id, versus = self._document.target
        for box, first, chosen in (
            (self._class_box, "Winner", class_id),
            (self._versus_box, "alone", versus),
        ):
            box.clear()
            box.addItem(first)
            box.addItems([n if box is self._class_box else f"over {n}" for n in names])
            box.setCurrentIndex(0 if chosen is None else chosen + 1)
        self._show_versus(class_id is None)

    @Slot()
    def _on_target(self) -> None:
        class_id = self._class_box.currentIndex() - 1
        versus = self._versus_box.currentIndex() - 1
        winner = class_id < 0
        if winner or versus == class_id:
            versus = -1
            self._versus_box.setCurrentIndex(0)
        self._show_versus(winner)
        self._document.set_target(None if winner else class_id, None if versus < 0 else versus)

    def _show_versus(self, winner: bool) -> None:
        """The winner is always compared with the runner-up; a chosen class with what one likes."""
        self._versus_box.setItemText(0, "over runner-up" if winner else "alone")
        self._versus_box.setEnabled(not winner and self._class_box.isEnabled())

    @Slot(object)
    def _show_pin(self, pin: Pixel | None) -> None:
        pinned = pin is not None
        self._pin_button.setChecked(pinned)
        self._pin_button.setIcon(icon("pin" if pinned else "pin-outline"))
        self._pin_button.setToolTip(
            "Let the pixel go and follow the mouse (Esc)" if pinned
            else "Pin this pixel (click it with the probe, H)"
        )  # fmt: skip
        if self._shown is not None:
            self._show_header(self._shown)

    @Slot()
    def _on_pin(self) -> None:
        pixel = self._shown.pixel if self._shown and self._document.pin is None else None
        self._document.set_pin(pixel)
        self._show_pin(self._document.pin)

    @Slot(object)
    def _on_bin(self, source: Source | None) -> None:
        self._document.set_hovered_bin(source)


    @Slot(object)
    def _on_part(self, part: Part | None) -> None:
        """Show where a branch or a score map looks."""
        if self._shown is None or self._shown.grids:
            return
        by_name = {source.title: source for source in self._shown.sources}
        self._document.set_hovered_bin(None if part is None else by_name.get(part.name))


    @Slot(object)
    def _on_part_chosen(self, part: Part) -> None:
        """Open the local features, a branch or a score map into cells."""
        shown = self._shown
        if shown is None:
            return
        for source in shown.sources:
            if part.name == (source.title or source.kind):
                self._document.open_source(source)
                return


def _box(name: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(6)
    return box


__all__ = ["EvidenceHeader", "EvidencePanel"]
