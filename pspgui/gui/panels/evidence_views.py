"""The sums of a pixel's evidence in three forms: a bar, a waterfall, a list of all sources."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from pspgui.gui.icons import icon
from pspgui.gui.theme import ICON_PX

VIEWS: Final = {
    "bar": ("chart-gantt", "One bar: for to the right, against to the left"),
    "waterfall": ("chart-waterfall", "Step by step from the constant to the number shown"),
    "list": ("format-list-numbered", "All sources by size, and what share each has"),
}


class ViewSwitch(QWidget):
    """Three small buttons, one of them pressed; `chosen(str)` is one of VIEWS.

    `numbers_chosen(bool)` comes with the button that prints numbers into all bins.
    """

    chosen = Signal(str)
    numbers_chosen = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        group = QButtonGroup(self)
        self.buttons: dict[str, QToolButton] = {}
        for name, (picture, words) in VIEWS.items():
            button = _button(picture, words)
            button.setProperty("choice", name)
            group.addButton(button)
            row.addWidget(button)
            self.buttons[name] = button
        row.addSpacing(6)
        self.numbers = _button("numeric", "Print the numbers into all bins")
        row.addWidget(self.numbers)
        self.buttons["bar"].setChecked(True)
        group.buttonClicked.connect(self._clicked)
        self.numbers.toggled.connect(self.numbers_chosen)

    @property
    def view(self) -> str:
        """Which is pressed."""
        return next(name for name, button in self.buttons.items() if button.isChecked())

    def set_view(self, name: str) -> None:
        """Press one of VIEWS; other words are passed over."""
        if name in self.buttons and name != self.view:
            self.buttons[name].setChecked(True)
            self.chosen.emit(name)

    @Slot(object)
    def _clicked(self, button: QToolButton) -> None:
        self.chosen.emit(button.property("choice"))


def _button(picture: str, words: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(icon(picture))
    button.setIconSize(QSize(ICON_PX, ICON_PX))
    button.setCheckable(True)
    button.setToolTip(words)
    button.setAccessibleName(words)
    return button
