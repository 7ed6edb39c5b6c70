"""Buttons of the toolbar that stand for several tools, and the funnel of what is painted over."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from pspgui.gui.actions import Actions
from pspgui.gui.document import Document
from pspgui.gui.icons import icon
from pspgui.gui.paint_rules import PAINT_OVER

_MOST_CLASSES = 40  # a menu of more would not fit a screen; the key chooses the others


class ToolGroup(QToolButton):
    """One button for tools of a kind: it shows the one used last, its arrow offers the others."""

    def __init__(self, tools: Sequence[QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        menu = QMenu(self)
        menu.addActions(list(tools))
        for action in tools:
            action.toggled.connect(self._toggled)
        self.setMenu(menu)
        self.setDefaultAction(tools[0])

    @Slot(bool)
    def _toggled(self, chosen: bool) -> None:
        action = self.sender()
        if chosen and isinstance(action, QAction):
            self.setDefaultAction(action)


class RuleButton(QToolButton):
    """The funnel: what may be painted over. It is lit while anything is spared."""

    def __init__(self, document: Document, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setIcon(icon("filter-outline"))
        self.setCheckable(True)
        menu = QMenu(self)
        menu.addActions([actions[f"over_{rule}"] for rule in PAINT_OVER])
        self._classes = menu.addMenu("Chosen classes")
        menu.addSeparator()
        menu.addAction(actions["lock"])
        menu.aboutToShow.connect(self._list_classes)
        menu.aboutToHide.connect(self._show_rule)  # a click on the button had toggled it
        self.setMenu(menu)
        document.rules_changed.connect(self._show_rule)
        self._show_rule()

    @Slot()
    def _list_classes(self) -> None:
        self._classes.clear()
        table = self._document.table
        names = [*table.names[:_MOST_CLASSES], table.name_of(table.ignore)]
        for name in names:
            action = self._classes.addAction(name.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(name in self._document.chosen_names)
            action.toggled.connect(
                lambda chosen, name=name: self._document.choose_over(name, chosen)
            )

    @Slot()
    def _show_rule(self) -> None:
        document = self._document
        self.setChecked(not document.paint_filter.is_open)
        locked = len(document.paint_filter.locked)
        classes = "1 class" if locked == 1 else f"{locked} classes"
        also = f"\n{classes} locked" if locked else ""
        self.setToolTip(f"{document.rule_text()} (M){also}")
