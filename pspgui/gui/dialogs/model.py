"""The model dialog: what the file is, what was assumed, how it runs, and what that costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from pspgui.durable import printable
from pspgui.gui.dialogs.assumptions import AssumptionsForm
from pspgui.gui.dialogs.form import Choices, ElidedText, Form, Text
from pspgui.gui.number_box import NumberBox
from pspgui.gui.theme import GRID_PX, current_theme
from pspgui.jobs.agreeing import Agreement
from pspgui.jobs.model_choice import LEAST_CROP, ModelChoice, ModelFacts
from pspgui.jobs.readings import READINGS, cost_text, has_windows, mode_of

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.session import Session

_MAX_CROP: Final = 4097
_FIELD_PX: Final = 28  # as high as the choices above it
_WORDS: Final = {
    "auto": "Automatic", "cpu": "CPU", "cuda": "CUDA", "mps": "Apple GPU",
    "fp32": "fp32, exact", "bf16": "bf16", "fp16": "fp16", "int8": "int8", "torch": "torch",
    "openvino": "OpenVINO",
}  # fmt: skip


class Swatches(QWidget):
    """The colours of a class table in a row or more."""

    _SIDE, _GAP, _LIMIT = 10, 4, 150

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours: list[QColor] = []

    def set_colours(self, colours: list[tuple[int, int, int]]) -> None:
        """Show these."""
        self._colours = [QColor(*c) for c in colours[: self._LIMIT]]
        self._fit()
        self.update()

    def resizeEvent(self, event: object) -> None:
        """Wrap."""
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the squares."""
        step = self._SIDE + self._GAP
        columns = self._columns()
        with QPainter(self) as painter:
            painter.setPen(QColor(current_theme().line))
            for i, colour in enumerate(self._colours):
                painter.setBrush(colour)
                x, y = i % columns * step, i // columns * step
                painter.drawRect(x, y, self._SIDE, self._SIDE)

    def _columns(self) -> int:
        return max(1, (self.width() + self._GAP) // (self._SIDE + self._GAP))

    def _fit(self) -> None:
        rows = -(-len(self._colours) // self._columns())
        self.setFixedHeight(max(1, rows) * (self._SIDE + self._GAP))


class ModelDialog(QDialog):
    """Shows the model in use and reloads it otherwise. Stays open beside the window.

    A failed reload is told here, in one sentence; the model in use stays.
    """

    def __init__(
        self, document: Document, session: Session, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Model")
        self._document, self._session = document, session
        self._facts: ModelFacts | None = None
        self.setMinimumSize(720, 400)
        self.resize(self.sizeHint())
        self._build()
        session.model_changed.connect(self._show_facts)
        session.model_failed.connect(self._show_error)
        session.agreement_changed.connect(self._show_agreement)
        document.image_changed.connect(self._forget_agreement)
        document.image_changed.connect(self._show_cost)
        self._show_facts(session.model)
        self._forget_agreement()

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        self.file = Form("No model")
        self.notes = Form("Notes")
        self.assumptions = AssumptionsForm()
        self.running = Form("How it runs")
        self._add_running()
        left, right = QVBoxLayout(), QVBoxLayout()
        for column, forms in (
            (left, (self.file, self.notes)), (right, (self.assumptions, self.running)),
        ):  # fmt: skip
            column.setSpacing(3 * GRID_PX)
            for form in forms:
                column.addWidget(form)
            column.addStretch(1)
        content = QWidget()
        columns = QHBoxLayout(content)
        columns.setContentsMargins(3 * GRID_PX, 3 * GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        columns.setSpacing(5 * GRID_PX)
        columns.addLayout(left, 1)
        columns.addLayout(right, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(area, 1)
        layout.addLayout(self._build_foot())
        self.assumptions.changed.connect(self._on_changed)
        self.assumptions.refused.connect(self._show_error)

    def _add_running(self) -> None:
        self.device, self.backend, self.precision, self.reading = (Choices() for _ in range(4))
        self.crop = NumberBox()
        self.crop.setRange(LEAST_CROP, _MAX_CROP)
        self.crop.setSuffix(" px")
        self.crop.setMinimumHeight(_FIELD_PX)
        self.crop.valueChanged.connect(self._on_changed)
        for box in (self.device, self.backend, self.precision, self.reading):
            box.activated.connect(self._on_changed)
        self.in_use, self.cost = Text(), Text()
        self.compare = QPushButton("Compare with fp32")
        self.compare.setToolTip("Labels the image shown both ways; takes one exact pass")
        self.compare.clicked.connect(self._compare)
        self.compare.setAutoDefault(False)
        self.agreement = Text()
        button = QHBoxLayout()
        button.addWidget(self.compare)
        button.addStretch(1)
        holder = QWidget()
        button.setContentsMargins(0, 0, 0, 0)
        holder.setLayout(button)
        rows = (
            ("Device", self.device), ("Backend", self.backend), ("Precision", self.precision),
            ("Images read", self.reading), ("Window", self.crop), ("Cost", self.cost),
            ("In use", self.in_use),
            ("Agreement", holder),
        )  # fmt: skip
        for name, widget in rows:
            self.running.add(name, widget)
        self.running.add("", self.agreement)

    def _build_foot(self) -> QHBoxLayout:
        self.message = Text()
        self.message.setAccessibleName("What happened")
        self.defaults = QPushButton("Family's defaults")
        self.defaults.setToolTip("Forget what was decided for these weights")
        self.defaults.clicked.connect(self._use_defaults)
        self.apply = QPushButton("Apply")
        self.apply.setProperty("primary", True)
        self.apply.clicked.connect(self._apply)
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        foot = QHBoxLayout()
        foot.setContentsMargins(3 * GRID_PX, GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        foot.setSpacing(GRID_PX)
        foot.addWidget(self.message, 1)
        for button in (self.defaults, self.apply, close):
            button.setAutoDefault(False)
            foot.addWidget(button)
        return foot

    def sizeHint(self) -> QSize:
        """Two columns that fit beside each other on a small screen."""
        return QSize(880, 592)

    # -- showing ------------------------------------------------------------------------------

    @Slot(object)
    def _show_facts(self, facts: ModelFacts | None) -> None:
        if facts is None or facts is self._facts:
            self._set_busy(False)
            return
        self._facts = facts
        self._say("")
        self._show_file(facts)
        self._show_notes(facts)
        self.assumptions.set_facts(facts)
        self._show_running(facts)
        self._forget_agreement()
        self._set_busy(False)

    def _show_file(self, facts: ModelFacts) -> None:
        form, table = self.file, facts.table
        form.clear()
        form.set_title(facts.network)
        form.add("File", ElidedText(printable(facts.path)))
        form.add("Family", Text(facts.family))
        if facts.spec is not None:
            form.add("Architecture", Text(facts.spec.architecture))
        form.add("Parameters", Text(f"{facts.parameters:,}".replace(",", "\u202f")))
        form.add("SHA-256", ElidedText(facts.digest))
        shown = ", ".join(table.names[:24]) + (" …" if len(table) > 24 else "")
        form.add("Classes", Text(f"{len(table)}: {shown}"))
        swatches = Swatches()
        swatches.set_colours([c.colour for c in table.classes])
        form.add("", swatches)

    def _show_notes(self, facts: ModelFacts) -> None:
        self.notes.clear()
        self.notes.setVisible(bool(facts.notes))
        for note in facts.notes:
            self.notes.add_wide(Text(note))

    def _show_running(self, facts: ModelFacts) -> None:
        choice = facts.choice or ModelChoice(facts.path)
        for box, offered, chosen in (
            (self.device, facts.devices, choice.device),
            (self.backend, facts.backends, choice.backend),
            (self.precision, facts.precisions, choice.precision),
        ):
            box.fill([(_WORDS.get(word, word), word) for word in offered], chosen)
        self.reading.fill([(text, name) for name, text in READINGS.items()], choice.reading)
        self.crop.blockSignals(True)
        self.crop.setValue(choice.crop_px)
        self.crop.blockSignals(False)
        self.in_use.setText(f"{facts.running}, on {facts.device}")
        self._show_cost()

    @Slot()
    def _show_cost(self) -> None:
        """Say what the reading chosen takes, before it is used."""
        reading, image = str(self.reading.value), self._document.image
        self.crop.setEnabled(has_windows(reading))
        if image is None or self._facts is None:
            self.cost.setText("")
        else:
            mode = mode_of(reading, self.crop.value())
            self.cost.setText(cost_text(mode, (image.shape[0], image.shape[1])))

    @Slot(str)
    def _show_error(self, text: str) -> None:
        self._set_busy(False)
        self._say(text)

    @Slot(object)
    def _show_agreement(self, agreement: Agreement | None) -> None:
        self.compare.setEnabled(self._document.image is not None)
        self.agreement.setText(
            "It was not compared." if agreement is None else agreement.text
        )

    @Slot()
    def _forget_agreement(self) -> None:
        there = self._document.image is not None and self._facts is not None
        self.compare.setEnabled(there)
        self.agreement.setText("" if there else "Open an image to compare on.")

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self.message.setToolTip(text)

    def _set_busy(self, busy: bool) -> None:
        self.apply.setEnabled(not busy and self._is_changed())
        self.defaults.setEnabled(not busy and bool(self._session.choice.overrides))

    # -- choosing -----------------------------------------------------------------------------

    def _chosen(self) -> ModelChoice:
        return replace(
            self._session.choice,
            device=str(self.device.value),
            backend=str(self.backend.value),
            precision=str(self.precision.value),
            reading=self.reading.value,
            crop_px=self.crop.value(),
            overrides=self.assumptions.overrides(),
        )

    def _is_changed(self) -> bool:
        if self._facts is None:
            return False
        try:
            return self._chosen() != self._session.choice
        except ValueError:
            return True  # Apply says what is wrong

    @Slot()
    def _on_changed(self) -> None:
        self._show_cost()
        self._say("")
        self._set_busy(False)

    @Slot()
    def _apply(self) -> None:
        try:
            choice = self._chosen()
        except ValueError as error:
            self._say(str(error))
            return
        self._reload(choice)

    @Slot()
    def _use_defaults(self) -> None:
        self._reload(replace(self._session.choice, overrides={}))

    def _reload(self, choice: ModelChoice) -> None:
        self._say("Loading…")
        self._set_busy(True)
        self._session.apply_choice(choice)

    @Slot()
    def _compare(self) -> None:
        self.compare.setEnabled(False)
        self.agreement.setText("Labelling the image both ways…")
        self._session.measure_agreement()
