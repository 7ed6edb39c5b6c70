"""The evidence panel: which pyramid bins speak for the class of the pixel under the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QPalette
from PySide6.QtWidgets import (
    QHBoxLayout,
    QScrollArea,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pspgui.geometry import Pixel, Rect
from pspgui.gui.errands import Errands
from pspgui.gui.icons import icon
from pspgui.gui.panels.bin_grids import BinGrids
from pspgui.gui.panels.drawing import percent, signed
from pspgui.gui.panels.evidence_bar import EvidenceBar
from pspgui.gui.panels.evidence_copy import CopyButton
from pspgui.gui.panels.evidence_empty import what_to_do
from pspgui.gui.panels.evidence_header import EmptyEvidence, EvidenceHeader
from pspgui.gui.panels.evidence_reading import ReadingButton
from pspgui.gui.panels.evidence_sums import Part, source_of, sums_of, target_words
from pspgui.gui.panels.evidence_targets import TargetChooser
from pspgui.gui.panels.evidence_views import ViewSwitch
from pspgui.gui.panels.evidence_words import most_words, region_words
from pspgui.gui.panels.source_list import SourceList
from pspgui.gui.panels.waterfall import Waterfall
from pspgui.gui.theme import ICON_PX, QuietLabel, current_theme
from pspgui.jobs.local_taps import has_taps, local_taps, reads_text

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence, Source
    from pspgui.gui.document import Document

_OF_WINDOWS = "\nThe amounts explain the framed window alone; p is the average over all windows."
_TAPS_AFTER_MS = 60
_DWELL_MS = 400


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
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # so that Ctrl+C is the panel's
        self._errands = Errands(self)
        self._taps_timer, self._dwell_timer = QTimer(self), QTimer(self)
        self.opens_by_pointing = False
        self._build()
        self._connect()
        self.installEventFilter(self)
        self._show_pin(document.pin)
        self._show_view(self.switch.view)
        self._show(document.evidence)

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        self._header, self._empty = EvidenceHeader(), EmptyEvidence()
        self.bar, self.waterfall, self.list = EvidenceBar(), Waterfall(), SourceList()
        self.grids = BinGrids()
        self.targets = TargetChooser(self._document)
        self.residual, self.aside, self.reads = (QuietLabel("") for _ in range(3))
        for label in (self.residual, self.aside, self.reads):
            label.setWordWrap(True)
            label.hide()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 0, 16, 8)
        column.setSpacing(8)
        for widget in (
            self._header, self.bar, self.waterfall, self.residual, self.aside, self.grids,
            self.list, self.reads,
        ):  # fmt: skip
            column.addWidget(widget)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        area.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)
        self._pages = QStackedLayout()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(self._build_controls())
        outer.addLayout(self._pages, 1)
        # Only now: the first page of a layout without a widget is shown as a window of its own.
        self._pages.addWidget(self._empty)
        self._pages.addWidget(area)
        self.setMinimumWidth(248)

    def _build_controls(self) -> QVBoxLayout:
        """Return two rows: what is explained, and how it is shown."""
        self.switch = ViewSwitch()
        self.reading = ReadingButton(self._document)
        self.copying = CopyButton(self._document, lambda: self._shown)
        self._pin_button = QToolButton()
        self._pin_button.setIconSize(QSize(ICON_PX, ICON_PX))
        self._pin_button.setCheckable(True)
        self._pin_button.setAccessibleName("Pin the pixel")
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        buttons.addWidget(self.switch)
        buttons.addStretch(1)
        for button in (self.reading, self.copying, self._pin_button):
            buttons.addWidget(button)
        controls = QVBoxLayout()
        controls.setContentsMargins(16, 4, 16, 8)
        controls.setSpacing(4)
        controls.addWidget(self.targets)
        controls.addLayout(buttons)
        return controls

    def _connect(self) -> None:
        d = self._document
        d.evidence_changed.connect(self._on_evidence)
        d.pin_changed.connect(self._show_pin)
        d.later.waits.connect(self._header.show_waiting)
        d.image_changed.connect(self._on_other_image)
        d.prediction_changed.connect(self._on_other_image)
        # Of windows the engine comes behind the prediction, and with it what can be chosen.
        for changed in (d.prediction_changed, d.window_changed):
            changed.connect(self.reading.show_choice)
        self.grids.bin_pointed.connect(self._point)
        self.grids.bin_chosen.connect(d.open_source)
        for sums in (self.bar, self.waterfall):
            sums.part_chosen.connect(self._on_part_chosen)
            sums.part_pointed.connect(self._on_part)
        self.list.source_pointed.connect(self._point)
        self.list.source_pointed.connect(self.grids.mark)
        self.list.source_chosen.connect(d.open_source)
        self.list.unfolded.connect(self._want_taps)
        self.switch.chosen.connect(self._show_view)
        self.switch.numbers_chosen.connect(self.grids.set_numbers)
        self._pin_button.clicked.connect(self._on_pin)
        for timer, pause, slot in (
            (self._taps_timer, _TAPS_AFTER_MS, self._ask_for_taps),
            (self._dwell_timer, _DWELL_MS, self._open_pointed),
        ):
            timer.setSingleShot(True)
            timer.setInterval(pause)
            timer.timeout.connect(slot)

    def sizeHint(self) -> QSize:
        """The width of a side panel."""
        return QSize(320, 420)

    # -- showing ------------------------------------------------------------------------------

    @property
    def shown(self) -> PixelEvidence | None:
        """The reading on display."""
        return self._shown

    @Slot(object)
    def _on_evidence(self, evidence: PixelEvidence | None) -> None:
        if evidence is not None or self._document.by_windows:
            self._show(evidence)

    @Slot()
    def _on_other_image(self) -> None:
        document = self._document
        mute = document.prediction is not None and not document.can_explain
        self.targets.set_ready(not mute or document.is_preview)
        self._pin_button.setEnabled(not mute or document.is_preview)
        alone = document.engine is None or document.by_windows or document.shows_region
        if document.evidence is None or alone:
            self._show(document.evidence)
        # Else it is still that of the answer before, and the new one's comes next.

    def _show(self, evidence: PixelEvidence | None) -> None:
        self._shown = evidence
        self.copying.setEnabled(evidence is not None)
        if self._document.image is not None:
            frame = self._document.window_frame or Rect(0, 0, *self._document.image.shape[:2])
            self.grids.set_aspect(frame.height, frame.width)
        self.grids.set_evidence(evidence)
        self.grids.setVisible(evidence is None or bool(evidence.grids))
        if evidence is None:
            self._empty.title, self._empty.hint = what_to_do(self._document)
            self._empty.update()
            self._pages.setCurrentIndex(0)
            return
        self._show_sums(evidence)
        self._show_residual(evidence)
        self._show_aside(evidence)
        self._show_header(evidence)
        self._pages.setCurrentIndex(1)

    def _show_sums(self, evidence: PixelEvidence) -> None:
        """Fill the form that is in sight; the others when they come."""
        if self.switch.view == "list":
            self.list.set_evidence(evidence, has_taps(self._document.engine, evidence))
            self._want_taps(self.list.is_unfolded)
        else:
            steps = self.switch.view == "waterfall"
            (self.waterfall if steps else self.bar).set_sums(sums_of(evidence, steps))

    @Slot(str)
    def _show_view(self, name: str) -> None:
        for view, widget in (("bar", self.bar), ("waterfall", self.waterfall), ("list", self.list)):
            widget.setVisible(view == name)
        if self._shown is not None:
            self._show_sums(self._shown)

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

    def _show_aside(self, evidence: PixelEvidence) -> None:
        """Say why there are no grids where a reading has none."""
        whole = evidence.reading == "shapley"
        self.aside.setVisible(whole)
        if whole:
            self.aside.setText(
                "Shapley values are of local features and whole levels; choose another reading "
                "(Σ) to see single bins."
            )

    def _show_header(self, evidence: PixelEvidence) -> None:
        table = self._document.reading_table
        label = evidence.target.class_id
        colour = table.classes[label].colour if 0 <= label < len(table) else (0, 0, 0)
        y, x = evidence.pixel
        pinned = " · pinned" if self._document.pin == evidence.pixel else ""
        if self._document.by_windows:
            pinned = " · this window"  # as long as fits; it is pinned in any case
        where, sure, more = f"x {x}, y {y}{pinned}", self._probability(evidence.pixel, label), ""
        if self._document.shows_region and hasattr(evidence, "rect"):
            pin = self._document.pins.current
            where, more = region_words(pin, evidence)
            sure = self._document.pins.sureness_of(pin)
        self._header.show_reason(*most_words(sums_of(evidence), hasattr(evidence, "level_sums")))
        self._header.show_lines(
            QColor(*colour),
            table.name_of(label),
            percent(float("nan") if sure is None else sure),
            signed(evidence.logit),
            target_words(evidence, table),
            where,
            more + (_OF_WINDOWS if self._document.by_windows else ""),
            self.reading.note(),
        )

    def _probability(self, pixel: Pixel, label: int) -> float:
        prediction = self._document.prediction
        if prediction is None:
            return float("nan")
        if self._document.by_windows:
            is_winner = int(prediction.winners[pixel]) == label
            return float(prediction.confidence[pixel]) if is_winner else float("nan")
        return float(np.asarray(prediction.probability_at(*pixel))[label])

    # -- choosing -----------------------------------------------------------------------------

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
    def _point(self, source: Source | None) -> None:
        """Show where a source looks; after a moment, if so wished, what it is made of."""
        self._document.set_hovered_bin(source)
        self._show_reads(source)
        self._dwell_timer.stop()
        if source is not None and source.reachable and self.opens_by_pointing:
            self._dwell_timer.start()

    def _show_reads(self, source: Source | None) -> None:
        """Say how many taps of a branch fall into the padding; below all that can be pointed at."""
        shown = self._shown
        known = source is not None and shown is not None
        text = reads_text(self._document.engine, shown, source) if known else ""
        self.reads.setText(text)
        self.reads.setVisible(bool(text))

    @Slot(object)
    def _on_part(self, part: Part | None) -> None:
        known = self._shown is not None and part is not None
        self._point(source_of(self._shown, part) if known else None)

    @Slot(object)
    def _on_part_chosen(self, part: Part) -> None:
        """Open local features, a level, a branch or a score map into cells."""
        source = None if self._shown is None else source_of(self._shown, part)
        if source is not None:
            self._dwell_timer.stop()
            self._document.open_source(source)

    @Slot()
    def _open_pointed(self) -> None:
        document = self._document
        source, opened = document.hovered_bin, document.opened
        if source is not None and (opened is None or opened.source != source):
            document.open_source(source)

    # -- the taps of the local source ---------------------------------------------------------

    @Slot(bool)
    def _want_taps(self, wanted: bool) -> None:
        """Ask once the mouse rests: of wide networks they take some milliseconds."""
        self._taps_timer.stop()
        if wanted and self._shown is not None and self.list.taps is None:
            self._taps_timer.start()

    @Slot()
    def _ask_for_taps(self) -> None:
        shown, document = self._shown, self._document
        if shown is None or document.engine is None:
            return

        def take(taps: tuple[Source, ...]) -> None:
            if shown is self._shown:
                self.list.set_taps(taps)

        region = document.place if document.shows_region else None
        self._errands.ask(
            "taps", local_taps(document.engine, shown, document.baseline, region), take
        )

    # -- the keyboard -------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take Ctrl+C from the window while the keyboard is here."""
        override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if override and event.matches(QKeySequence.StandardKey.Copy) and self._shown is not None:
            event.accept()
            return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+C copies the evidence as a table."""
        if event.matches(QKeySequence.StandardKey.Copy) and self.copying.copy():
            event.accept()
        else:
            super().keyPressEvent(event)


__all__ = ["EvidenceHeader", "EvidencePanel"]
