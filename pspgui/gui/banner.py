"""A strip above the canvas for what must not be missed; it never stops the work."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from pspgui.gui.icons import ICON_PX, icon
from pspgui.gui.notices import Notice
from pspgui.gui.theme import GRID_PX, current_theme


class Banner(QWidget):
    """Shows the latest notice until it is closed or answered. Hidden when there is none."""

    retried = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self._notice = Notice("")
        self._text = QLabel(wordWrap=True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._retry = QPushButton("Try again")
        self._retry.clicked.connect(self._try_again)
        self._close = QToolButton(toolTip="Close this message")
        self._close.setIcon(icon("close"))
        self._close.setIconSize(QSize(ICON_PX, ICON_PX))
        self._close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GRID_PX, GRID_PX, GRID_PX, GRID_PX)
        row.addWidget(self._text, 1)
        row.addWidget(self._retry)
        row.addWidget(self._close)
        self.hide()

    @property
    def text(self) -> str:
        """The notice shown, or an empty text."""
        return "" if self.isHidden() else self._notice.text

    @Slot(object)
    def tell(self, notice: Notice) -> None:
        """Show a notice in place of the one before it."""
        self._notice = notice
        self._text.setText(notice.text)
        self._retry.setText(notice.button)
        self._retry.setVisible(bool(notice.retry))
        self.show()

    @Slot(str)
    def settle(self, about: str) -> None:
        """Close a notice of this kind: what it told of is over."""
        if self._notice.about == about:
            self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the panel ground with a bar at the left that tells an error from a remark."""
        theme = current_theme()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(theme.panel))
            bar = theme.warning if self._notice.is_error else theme.accent
            painter.fillRect(0, 0, 4, self.height(), QColor(bar))
            painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(theme.line))

    @Slot()
    def _try_again(self) -> None:
        self.hide()
        self.retried.emit(self._notice.retry)
