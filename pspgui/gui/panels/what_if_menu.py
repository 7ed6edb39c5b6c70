"""The menu of a bin, a level or the local features: mute, scale, borrow, restore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget, QWidgetAction

from pspgui.gui.icons import icon
from pspgui.gui.panels.bin_grids import BinGrids
from pspgui.gui.panels.bin_marks import Mark
from pspgui.gui.panels.factor_slider import FactorSlider
from pspgui.gui.theme import GRID_PX, QuietLabel
from pspgui.gui.what_if import Key, WhatIfSession, can_lend, factor_text, name_of, words_of

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.session import Session


class WhatIfMenu(QObject):
    """Alters what is clicked in grids of bins, and marks there what is altered."""

    def __init__(
        self, what_if: WhatIfSession, document: Document, session: Session, grids: BinGrids
    ) -> None:
        super().__init__(grids)
        self._what_if, self._document = what_if, document
        self._session, self._grids = session, grids
        self._current: Path | None = document.image_path
        self._before: Path | None = None
        grids.menu_wanted.connect(self._open)
        grids.mute_wanted.connect(self._mute)
        what_if.changed.connect(self._mark)
        document.image_changed.connect(self._follow)
        self._mark()

    @Slot(object)
    def _mute(self, key: Key) -> None:
        if self._what_if.evidence is None:
            why = self._what_if.reason[0]
            self._document.message.emit(f"{why}: nothing is muted. The What if panel says more.")
            return
        self._session.cancel("opened")  # the first click of a double click asked for it
        self._document.close_source()
        self._what_if.toggle_mute(key)

    @Slot(object, QPoint)
    def _open(self, key: Key, at: QPoint) -> None:
        menu = self.menu(key, self._grids)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def menu(self, key: Key, parent: QWidget) -> QMenu:
        """Return the menu of a source."""
        what_if, menu = self._what_if, QMenu(parent)
        title, words = name_of(key), words_of(what_if, key)
        menu.addAction(f"{title}: {words}" if words else title).setEnabled(False)
        menu.addSeparator()
        can = what_if.evidence is not None
        if not can:
            none = menu.addAction(what_if.reason[0])
            none.setEnabled(False)
        muted = what_if.factor(key) == 0
        text = "Unmute" if muted else "Mute"
        mute = menu.addAction(icon("volume-high" if muted else "volume-off"), f"{text}\tM")
        mute.triggered.connect(lambda: what_if.toggle_mute(key))
        scale = menu.addMenu(icon("tune-variant"), "Scale…")
        scale.addAction(_slider_action(what_if, key, scale))
        acts = [mute, scale.menuAction()]
        if can_lend(key):
            borrow = menu.addAction(icon("image-move"), "Borrow from another image…")
            borrow.triggered.connect(lambda: self.ask_lender(key))
            acts.append(borrow)
        for act in acts:
            act.setEnabled(can)
        menu.addSeparator()
        restore = menu.addAction(icon("restore"), "Restore")
        restore.setEnabled(what_if.is_altered(key))
        restore.triggered.connect(lambda: what_if.restore(key))
        everything = menu.addAction("Restore all")
        everything.setEnabled(not what_if.is_plain)
        everything.triggered.connect(what_if.restore_all)
        return menu

    def ask_lender(self, key: Key) -> None:
        """Ask which image is to lend a bin, and have it borrowed."""
        from pspgui.gui.dialogs.borrow import BorrowDialog

        dialog = BorrowDialog(
            name_of(key), self._session.images, self._current, self._before,
            self._grids.window(),
        )  # fmt: skip
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.picked.connect(lambda image: self._what_if.borrow(key, image))
        dialog.open()

    @Slot()
    def _mark(self) -> None:
        what_if = self._what_if
        keys: list[Key] = [(level,) for level in what_if.levels]
        if 1 in what_if.levels:
            keys.append((1, 0, 0))
        keys = [key for key in (*keys, *what_if.bins) if what_if.is_altered(key)]
        self._grids.set_marks({
            key: Mark(
                what_if.factor(key), what_if.lender(key) is not None, words_of(what_if, key)
            )
            for key in keys
        }, mutable=what_if.evidence is not None)  # fmt: skip

    @Slot()
    def _follow(self) -> None:
        """Remember which image was shown before this one."""
        path = self._document.image_path
        if path is not None and path != self._current:
            self._before, self._current = self._current, path


def _slider_action(what_if: WhatIfSession, key: Key, menu: QMenu) -> QWidgetAction:
    """Return a menu's row with a slider that is followed as it is dragged."""
    action, row = QWidgetAction(menu), QWidget()
    slider = FactorSlider(name_of(key))
    slider.set_factor(what_if.factor(key))
    slider.setMinimumWidth(20 * GRID_PX)
    value = QuietLabel(factor_text(what_if.factor(key)))
    value.setFixedWidth(value.fontMetrics().horizontalAdvance("muted") + GRID_PX)
    value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def follow(factor: float) -> None:
        what_if.set_factor(key, factor)
        value.setText(factor_text(factor))

    slider.factor_changed.connect(follow)
    line = QHBoxLayout(row)
    line.setContentsMargins(2 * GRID_PX, GRID_PX, 2 * GRID_PX, GRID_PX)
    line.addWidget(slider)
    line.addWidget(value)
    action.setDefaultWidget(row)
    return action
