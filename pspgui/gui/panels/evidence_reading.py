"""Choosing how evidence is read and what silence is, with two sentences on what each means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pspgui.gui.icons import icon
from pspgui.gui.theme import GRID_PX, ICON_PX, QuietLabel, heading

if TYPE_CHECKING:
    from pspgui.gui.document import Document

READINGS: Final = {
    "split": (
        "Split",
        "Gates stay as they are; each amount is gradient times activation, and all add up to the "
        "number shown.\nIt tells what carried the decision, not what would happen without it.",
    ),
    "ig": (
        "Integrated gradients",
        "All sources grow together from nothing to what they are, and each gets what it added on "
        "the way; all add up to the number shown.\nGates that open on the way count in part, so "
        "amounts differ from the split where sources act on each other.",
    ),
    "ablate": (
        "If removed",
        "How far the number falls when this source alone is silent and every gate answers anew: "
        "the network's own answer; a level is silenced as a whole.\nThe amounts need not add up, "
        "for sources can stand in for each other: what is left is the interaction.",
    ),
    "shapley": (
        "Shapley",
        "What local features and each whole level add on average over all orders in which they "
        "could come, every gate answering anew; exact, and all add up to the number shown.\n"
        "It says nothing of single bins, and no order of the average is one that the network has.",
    ),
}
BASELINES: Final = {
    "zero": (
        "Silence",
        "A source that is away brings zeros, so amounts add up from the bias alone.\n"
        "No image makes a level fall silent all at once: it tells what was added, not what is "
        "special here.",
    ),
    "mean": (
        "The mean bin",
        "A source that is away brings what bins bring on average over some images, which then "
        "belongs to the constant; local features are still compared with silence.\n"
        "It tells what is special about these bins, and changes with the images averaged over.",
    ),
}
_WORDS: Final = {"split": "", "ig": "integrated", "ablate": "if removed", "shapley": "Shapley"}
_WIDTH: Final = 58 * GRID_PX


class ReadingPopover(QFrame):
    """All readings and baselines to choose from, each with what it means and does not mean.

    `means_wanted()` asks for the mean bin of the images at hand, `dwell_changed(bool)` comes with
    the check mark of opening by pointing alone.
    """

    reading_chosen = Signal(str)
    baseline_chosen = Signal(str)
    means_wanted = Signal()
    dwell_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName("How evidence is read")
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(4)
        column.addWidget(heading("What an amount is"))
        self._readings, self.readings = self._group(column, READINGS, self._on_reading)
        column.addSpacing(GRID_PX)
        column.addWidget(heading("What it is compared with"))
        self._baselines, self.baselines = self._group(column, BASELINES, self._on_baseline)
        row = QHBoxLayout()
        row.setContentsMargins(24, 4, 0, 0)
        self.compute = QPushButton("Compute")
        self.compute.clicked.connect(self.means_wanted)
        self.told = QuietLabel("")
        self.told.setWordWrap(True)
        self.told.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row.addWidget(self.compute)
        row.addWidget(self.told, 1)
        column.addLayout(row)
        column.addSpacing(GRID_PX)
        self.dwell = QCheckBox("Open what I point at into cells after a moment")
        self.dwell.toggled.connect(self.dwell_changed)
        column.addWidget(self.dwell)

    def _group(
        self, column: QVBoxLayout, choices: dict[str, tuple[str, str]], slot: object
    ) -> tuple[QButtonGroup, dict[str, QRadioButton]]:
        group, found = QButtonGroup(self), {}
        for name, (title, meaning) in choices.items():
            button = QRadioButton(title)
            button.setProperty("choice", name)
            button.setAccessibleDescription(meaning)
            words = QuietLabel(meaning.replace("\n", " "))
            words.setWordWrap(True)
            words.setContentsMargins(24, 0, 0, 4)
            words.setFixedWidth(_WIDTH - 36)
            words.setMinimumHeight(words.heightForWidth(_WIDTH - 36))
            group.addButton(button)
            column.addWidget(button)
            column.addWidget(words)
            found[name] = button
        group.buttonClicked.connect(slot)
        return group, found

    @Slot(object)
    def _on_reading(self, button: QRadioButton) -> None:
        self.reading_chosen.emit(button.property("choice"))

    @Slot(object)
    def _on_baseline(self, button: QRadioButton) -> None:
        self.baseline_chosen.emit(button.property("choice"))

    def show_at(self, below: QWidget) -> None:
        """Show under a widget, its right edge at the widget's, inside the screen."""
        self.adjustSize()
        corner = below.mapToGlobal(QPoint(below.width() - self.width(), below.height() + 2))
        screen = QGuiApplication.screenAt(corner) or QGuiApplication.primaryScreen()
        inside = screen.availableGeometry()
        corner.setX(max(inside.left(), min(corner.x(), inside.right() - self.width())))
        corner.setY(max(inside.top(), min(corner.y(), inside.bottom() - self.height())))
        self.move(corner)
        self.show()


class ReadingButton(QToolButton):
    """A button that shows the popover, and keeps it in step with the document.

    `mean_name` is what the mean bin at hand is the mean of; `baseline_wanted(str)` asks for one
    of BASELINES.
    """

    baseline_wanted = Signal(str)

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._mean_name, self._can_compute, self._offer = "", False, ""
        self.setIconSize(QSize(ICON_PX, ICON_PX))
        self.setIcon(icon("sigma"))
        self.setAccessibleName("How evidence is read")
        self.popover = ReadingPopover(self)
        self.popover.reading_chosen.connect(document.set_reading)
        self.popover.baseline_chosen.connect(self.baseline_wanted)
        self.clicked.connect(self._show_popover)
        document.reading_changed.connect(self.show_choice)
        self.show_choice()

    @property
    def choices(self) -> dict[str, QRadioButton]:
        """The buttons of the readings."""
        return self.popover.readings

    def words(self) -> str:
        """Return a few words on the reading in use; empty for the split."""
        return _WORDS[self._document.reading]

    def note(self) -> str:
        """Return a line on reading and baseline; empty for the split against silence."""
        reading, baseline = self._document.reading, self._document.baseline
        if reading == "split" and baseline is None:
            return ""
        title = READINGS[reading][0]
        return title if baseline is None else f"{title}, against {baseline.name}"

    def show_means(self, name: str, can_compute: bool, offer: str) -> None:
        """Show what the mean bin at hand is of (empty for none), and what can be computed."""
        self._mean_name, self._can_compute, self._offer = name, can_compute, offer
        self.show_choice()

    @Slot()
    def show_choice(self) -> None:
        """Show which reading and baseline are in use and which there are."""
        document, popover = self._document, self.popover
        current, known = document.reading, document.readings
        for reading, button in popover.readings.items():
            button.setChecked(reading == current)
            button.setEnabled(reading in known)
        against = document.baseline
        compares = document.can_compare
        popover.baselines["zero"].setChecked(against is None)
        popover.baselines["mean"].setChecked(against is not None)
        popover.baselines["mean"].setEnabled(compares and bool(self._mean_name))
        name = self._mean_name[:1].upper() + self._mean_name[1:]
        popover.baselines["mean"].setText(name or BASELINES["mean"][0])
        popover.compute.setEnabled(compares and self._can_compute)
        popover.told.setText(self._offer if compares else "This network has no bins to average.")
        title, meaning = READINGS[current]
        over = "" if against is None else f", against {against.name}"
        self.setToolTip(f"Evidence is read as: {title}{over}\n{meaning}")
        self.setEnabled(len(known) > 1)

    @Slot()
    def _show_popover(self) -> None:
        self.show_choice()
        self.popover.show_at(self)
