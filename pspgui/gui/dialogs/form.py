"""Rows of quiet names and what belongs to them, on the 8-px grid, for dialogs."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QSizePolicy, QWidget

from pspgui.gui.theme import GRID_PX, QuietLabel, heading

NAME_PX = 14 * GRID_PX


class Form(QWidget):
    """A heading and rows below it; without a box."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(2 * GRID_PX)
        self._grid.setVerticalSpacing(GRID_PX)
        self._grid.setColumnMinimumWidth(0, NAME_PX)
        self._grid.setColumnStretch(1, 1)
        self._title = heading(title)
        self._grid.addWidget(self._title, 0, 0, 1, 2)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def set_title(self, title: str) -> None:
        """Show another heading."""
        self._title.setText(title)

    def add(self, name: str, widget: QWidget) -> None:
        """Add a row; the name labels the widget for screen readers too."""
        row = self._grid.rowCount()
        label = QuietLabel(name)
        label.setMinimumHeight(2 * GRID_PX)
        top = Qt.AlignmentFlag.AlignTop if isinstance(widget, QLabel) else (
            Qt.AlignmentFlag.AlignVCenter
        )
        self._grid.addWidget(label, row, 0, top)
        self._grid.addWidget(widget, row, 1)
        if not widget.accessibleName():
            widget.setAccessibleName(name)

    def show_row(self, widget: QWidget, shown: bool) -> None:
        """Show a row that was added, or leave it out."""
        row = self._grid.getItemPosition(self._grid.indexOf(widget))[0]
        for item in (self._grid.itemAtPosition(row, 0), self._grid.itemAtPosition(row, 1)):
            item.widget().setVisible(shown)

    def add_wide(self, widget: QWidget) -> None:
        """Add a row that takes the whole width."""
        self._grid.addWidget(widget, self._grid.rowCount(), 0, 1, 2)

    def clear(self) -> None:
        """Take all rows away; the heading stays."""
        for index in reversed(range(self._grid.count())):
            widget = self._grid.itemAt(index).widget()
            if widget is not self._title:
                self._grid.takeAt(index)
                widget.hide()
                widget.deleteLater()


class Text(QLabel):
    """Plain text that wraps, can be selected, and is never read as markup."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)


class ElidedText(QLabel):
    """One line whose middle gives way; the whole is in the tooltip."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = text
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setToolTip(text)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        """A few letters."""
        return QSize(48, super().minimumSizeHint().height())

    def resizeEvent(self, event: object) -> None:
        """Show as much as there is room for."""
        mode = Qt.TextElideMode.ElideMiddle
        self.setText(self.fontMetrics().elidedText(self._text, mode, self.width()))


class Choices(QComboBox):
    """A few texts, each with the value that it stands for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setMinimumContentsLength(12)
        self._values: list[object] = []

    def fill(self, rows: list[tuple[str, object]], chosen: object) -> None:
        """Offer these; `chosen` is added where it is none of them."""
        self.blockSignals(True)
        self.clear()
        if all(value != chosen for _, value in rows):
            rows = [(str(chosen), chosen), *rows]
        self._values = [value for _, value in rows]
        self.addItems([text for text, _ in rows])
        self.setCurrentIndex(next(i for i, v in enumerate(self._values) if v == chosen))
        self.blockSignals(False)

    @property
    def value(self) -> object:
        """The value chosen; None before there is any."""
        index = self.currentIndex()
        return self._values[index] if 0 <= index < len(self._values) else None

    def choose(self, value: object) -> None:
        """Choose the row of a value, as a person does."""
        index = self._values.index(value)
        self.setCurrentIndex(index)
        self.activated.emit(index)
