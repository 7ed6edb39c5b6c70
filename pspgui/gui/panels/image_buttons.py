"""The two buttons above the image list: in which order it is, and as rows or pictures."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from pspgui.gui.icons import ICON_PX, icon
from pspgui.gui.panels.image_view import LOOK_TEXTS
from pspgui.project.query_rows import DESCENDING, SORTS


class _MenuButton(QToolButton):
    """A button that opens its menu."""

    def __init__(self, name: str, words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setIcon(icon(name))
        self.setIconSize(QSize(ICON_PX, ICON_PX))
        self.setToolTip(words)
        self.setAccessibleName(words)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setMenu(QMenu(self))
        self._choices = QActionGroup(self)

    def _add(self, value: str, text: str, checked: bool) -> None:
        action = self.menu().addAction(text)
        action.setCheckable(True)
        action.setChecked(checked)
        action.setData(value)
        self._choices.addAction(action)


class OrderButton(_MenuButton):
    """Chooses the order: `chosen(sort, descending)`; `find_again()` when that is wanted."""

    chosen = Signal(str, bool)
    find_again = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("sort", "Order of the images", parent)
        self._sort = "name"
        for sort, text in SORTS.items():
            self._add(sort, text, sort == self._sort)
        self._choices.triggered.connect(self._on_sort)
        self.menu().addSeparator()
        self._turned = self.menu().addAction("The other way round")
        self._turned.setCheckable(True)
        self._turned.triggered.connect(self._tell)
        self.menu().addSeparator()
        again = self.menu().addAction(icon("refresh"), "Find again")
        again.triggered.connect(self.find_again)

    @Slot(QAction)
    def _on_sort(self, action: QAction) -> None:
        self._sort = action.data()
        self._turned.setChecked(False)
        self._tell()

    @Slot()
    def _tell(self) -> None:
        self.chosen.emit(self._sort, (self._sort in DESCENDING) != self._turned.isChecked())


class LookButton(_MenuButton):
    """Chooses rows or pictures: `chosen(look)`, one of `image_view.LOOKS`."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("view-grid-outline", "List or pictures", parent)
        for look, text in LOOK_TEXTS.items():
            self._add(look, text, look == "list")
        self._choices.triggered.connect(lambda action: self.chosen.emit(action.data()))

    def show_look(self, look: str) -> None:
        """Mark the look in use."""
        for action in self._choices.actions():
            action.setChecked(action.data() == look)
