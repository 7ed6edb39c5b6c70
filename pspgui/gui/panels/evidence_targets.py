"""Choosing what is explained: a class, alone or as its margin over another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt, Slot
from PySide6.QtGui import QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_LEAST = 72


class ElidedBox(QComboBox):
    """A box whose text gives way at its end when there is no room; the tooltip has all of it."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setMinimumContentsLength(4)
        self.currentTextChanged.connect(self._tell)
        self._tell()

    def minimumSizeHint(self) -> QSize:
        """A few letters and the arrow."""
        return QSize(_LEAST, super().minimumSizeHint().height())

    def showPopup(self) -> None:
        """Show the list wide enough for its longest name."""
        view = self.view()
        view.setMinimumWidth(max(self.width(), min(320, view.sizeHintForColumn(0) + 32)))
        super().showPopup()

    def shown_text(self) -> str:
        """Return the text as there is room for it."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        part = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option,
            QStyle.SubControl.SC_ComboBoxEditField, self,
        )  # fmt: skip
        mode = Qt.TextElideMode.ElideRight
        return self.fontMetrics().elidedText(self.currentText(), mode, part.width() - 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the box with as much of the text as fits."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self.shown_text()
        with QStylePainter(self) as p:
            p.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
            p.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width shows more or less of the text."""
        super().resizeEvent(event)
        self._tell()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the look of disabled boxes."""
        super().changeEvent(event)
        self._tell()

    @Slot()
    def _tell(self) -> None:
        text = self.currentText()
        cut = bool(text) and self.shown_text() != text
        self.setToolTip(f"{self._name}: {text}" if cut else self._name)


class TargetChooser(QWidget):
    """Two boxes: the class explained, and what it is compared with."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.class_box = ElidedBox("Explain which class")
        self.versus_box = ElidedBox("Compared with what")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        # "over runner-up" is longer than most classes.
        row.addWidget(self.class_box, 5)
        row.addWidget(self.versus_box, 6)
        document.classes_changed.connect(self.fill)
        document.target_changed.connect(self.fill)
        self.class_box.activated.connect(self._chosen)
        self.versus_box.activated.connect(self._chosen)
        self.fill()

    def set_ready(self, ready: bool) -> None:
        """Let a person choose, or not where nothing can be explained."""
        self.class_box.setEnabled(ready)
        self._show_versus(self._document.target[0] is None)

    @Slot()
    def fill(self) -> None:
        """List the classes of the reading in use, and show which is chosen."""
        names = self._document.reading_table.names
        class_id, versus = self._document.target
        for box, first, chosen in (
            (self.class_box, "Winner", class_id),
            (self.versus_box, "alone", versus),
        ):
            box.clear()
            box.addItem(first)
            box.addItems([n if box is self.class_box else f"over {n}" for n in names])
            box.setCurrentIndex(0 if chosen is None else chosen + 1)
        self._show_versus(class_id is None)

    @Slot()
    def _chosen(self) -> None:
        class_id = self.class_box.currentIndex() - 1
        versus = self.versus_box.currentIndex() - 1
        winner = class_id < 0
        if winner or versus == class_id:
            versus = -1
            self.versus_box.setCurrentIndex(0)
        self._show_versus(winner)
        self._document.set_target(None if winner else class_id, None if versus < 0 else versus)

    def _show_versus(self, winner: bool) -> None:
        """The winner is always compared with the runner-up; a chosen class with what one likes."""
        self.versus_box.setItemText(0, "over runner-up" if winner else "alone")
        self.versus_box.setEnabled(not winner and self.class_box.isEnabled())
        self.versus_box.update()
