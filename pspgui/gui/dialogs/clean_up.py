"""Asks how to clean up labels, and shows what would come of it before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from pspgui.geometry import Rect
from pspgui.gui.dialogs.change_pane import ChangePane
from pspgui.gui.dialogs.form import Choices, Form
from pspgui.gui.number_box import NumberBox
from pspgui.gui.theme import GRID_PX, QuietLabel
from pspgui.jobs.cleaning import Cleaning, Found, Relabel, Sieve, find_changes
from pspgui.jobs.messages import Step
from pspgui.labels.morphology import MAX_RADIUS_PX, Operation
from pspgui.labels.raster import Stamp

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_MOST_PX: Final = 100_000_000
_PAUSE_MS: Final = 120  # while a number is being typed nothing is computed


class _Words(NamedTuple):
    title: str
    edit: str  # the name of the edit; {} is the class
    amount: str


WORDS: Final = {
    "islands": _Words("Remove islands", "Remove islands of {}", "Smaller than"),
    "holes": _Words("Fill holes", "Fill holes in {}", "Smaller than"),
    "smooth": _Words("Smooth a class", "Smooth {}", "Radius"),
    "grow": _Words("Grow a class", "Grow {}", "By"),
    "shrink": _Words("Shrink a class", "Shrink {}", "By"),
    "close": _Words("Close gaps in a class", "Close gaps in {}", "Gaps up to twice"),
    "open": _Words("Cut thin parts of a class", "Cut thin parts of {}", "Parts up to twice"),
    "joint": _Words("Smooth all classes together", "Smooth all classes", "Radius"),
    "relabel": _Words("Relabel a class", "Relabel {}", ""),
}
_SIEVES: Final = ("islands", "holes")
_chosen_px = dict.fromkeys(WORDS, 3) | {"islands": 64, "holes": 64}


class CleanUpDialog(QDialog):
    """What to do, to which class, how much and where; what it comes to is computed meanwhile.

    `what` is a key of WORDS. `view` is the part of the image in view. Amounts are remembered
    while the program runs.
    """

    def __init__(
        self, document: Document, what: str, view: Rect | None = None,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document = document
        self._view = view or Rect(0, 0, *document.label_map.shape)
        self._found: Found | None = None
        self._asked_of: tuple[object, int] = (None, -1)
        self._build()
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._pause.timeout.connect(self._ask)
        self.what.choose(what)
        self._ask()
        for changed in (
            self.label.activated, self.into.activated, self.scope.activated,
            self.amount.valueChanged,
        ):  # fmt: skip
            changed.connect(self._changed)
        self.what.activated.connect(self._changed)
        # An image or a model that was asked for before may come only now.
        document.image_changed.connect(self.reject)
        document.prediction_changed.connect(self._follow_labels)

    def _build(self) -> None:
        document = self._document
        self.what, self.label, self.scope = Choices(), Choices(), Choices()
        self.into = Choices()
        self.what.fill([(words.title, key) for key, words in WORDS.items()], "islands")
        names = [(name, label) for label, name in enumerate(document.table.names)]
        unlabelled = (document.table.name_of(document.table.ignore), document.table.ignore)
        self.label.fill([*names, unlabelled], document.active_class)
        self.into.fill([*names, unlabelled], document.table.ignore)
        places = [("The whole image", "whole"), ("What is in view", "view")]
        if document.selection is not None:
            places.append(("The selection", "selection"))
        self.scope.fill(places, places[-1][1] if document.selection is not None else "whole")
        self.what.activated.connect(self._show_words)
        self.amount = NumberBox()
        self.amount.setSuffix(" px")
        self.amount.setKeyboardTracking(False)
        self.amount.setMinimumHeight(3 * GRID_PX + 4)
        self.form = Form("Clean up labels")
        self.form.add("What", self.what)
        self.form.add("Class", self.label)
        self.form.add("Into", self.into)
        self.form.add("Amount", self.amount)
        self.form.add("Where", self.scope)
        self.pane = ChangePane(document, self._view)
        self.effect = QuietLabel("")
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self._ok = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        self._ok.setText("Apply")
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID_PX, 2 * GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        column.setSpacing(2 * GRID_PX)
        column.addWidget(self.form)
        column.addWidget(self.pane, 1)
        column.addWidget(self.effect)
        column.addWidget(self._buttons)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)

    # -- what is asked ------------------------------------------------------------------------

    @property
    def cleaning(self) -> Cleaning:
        """What the fields say."""
        what, label = str(self.what.value), int(self.label.value)
        if what == "relabel":
            return Relabel(label, int(self.into.value))
        if what in _SIEVES:
            return Sieve(what, label, self.amount.value())
        return Operation(what, self.amount.value(), label, self._document.table.ignore)

    @property
    def within(self) -> Stamp | None:
        """Where to look; None for everywhere."""
        if self.scope.value == "selection":
            return self._document.selection
        if self.scope.value == "whole":
            return None
        every = np.broadcast_to(np.True_, (self._view.height, self._view.width))
        return Stamp(self._view, every)

    @Slot()
    def _show_words(self) -> None:
        what = str(self.what.value)
        self.setWindowTitle(WORDS[what].title)
        sieve = what in _SIEVES
        self.amount.blockSignals(True)
        self.amount.setRange(2 if sieve else 1, _MOST_PX if sieve else MAX_RADIUS_PX)
        words = WORDS[what].amount.lower()
        self.amount.setPrefix(f"{words} " if words else "")
        self.amount.setValue(_chosen_px[what])
        self.amount.blockSignals(False)
        self.label.setEnabled(what != "joint")
        for widget, shown in ((self.into, what == "relabel"), (self.amount, what != "relabel")):
            self.form.show_row(widget, shown)

    @Slot()
    def _changed(self) -> None:
        _chosen_px[str(self.what.value)] = self.amount.value()
        self._found = None
        self._ok.setEnabled(False)
        self.effect.setText("Computing…")
        self._pause.start()

    @Slot()
    def _ask(self) -> None:
        document = self._document
        self._found = None
        self._ok.setEnabled(False)
        if document.label_map is None:
            self.reject()
            return
        self._asked_of = document.label_map, document.label_map.revision
        document.errands.ask(
            "clean up",
            find_changes(document.label_map.labels, self.cleaning, self.within, document.locks),
            self._take, self._tell,
        )  # fmt: skip

    def _moved_on(self) -> bool:
        labels, (asked, revision) = self._document.label_map, self._asked_of
        return labels is None or labels is not asked or labels.revision != revision

    @Slot()
    def _follow_labels(self) -> None:
        if self._moved_on():
            self._ask()

    def _tell(self, step: Step) -> None:
        done = "" if step.fraction is None else f" {step.fraction:.0%}"
        self.effect.setText(f"{step.text}…{done}")

    def _take(self, found: Found) -> None:
        if self._moved_on():
            self._ask()  # the labels are others than when it began
            return
        self._found = found
        self.pane.show_changes(found.patches)
        self._ok.setEnabled(bool(found.pixels))
        self.effect.setText(self._summary(found))

    def _summary(self, found: Found) -> str:
        pixels = f"{found.pixels:,} px".replace(",", "\u2009")
        what = str(self.what.value)
        if not found.pixels and what != "joint":
            asked = (self.label, self.into) if what == "relabel" else (self.label,)
            for label in (int(choice.value) for choice in asked):
                if self._document.is_locked(label):
                    return f"{self._document.table.name_of(label)} is locked (K unlocks it)"
        if found.pieces is None:
            return f"{pixels} would change" if found.pixels else "nothing would change"
        one = what.removesuffix("s")
        if not found.pieces:
            return f"no {what}"
        return f"{found.pieces} {one if found.pieces == 1 else what}, {pixels}"

    # -- the end ------------------------------------------------------------------------------

    def accept(self) -> None:
        """Make the edit."""
        found = self._found
        if found is None or not found.pixels or self._moved_on():
            return
        super().accept()
        what, table = str(self.what.value), self._document.table
        name = WORDS[what].edit.format(table.name_of(int(self.label.value)))
        if what == "relabel":
            name = f"{name} to {table.name_of(int(self.into.value))}"
        self._document.clean(found.patches, name)

    def done(self, result: int) -> None:
        """Let go of what is still computed."""
        self._pause.stop()
        self._document.errands.cancel("clean up")
        super().done(result)


def clean_up(document: Document, what: str, parent: QWidget, view: Rect | None = None) -> None:
    """Ask and do it; without labels, say so in the status bar."""
    document.finish_stroke()
    if document.may_change() and document.has_labels():
        dialog = CleanUpDialog(document, what, view, parent)
        dialog.exec()
        dialog.deleteLater()  # with the patches that it found
