"""A strip above the canvas for what must not be missed; it never stops the work."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from pspgui.gui.icons import ICON_PX, icon
from pspgui.gui.notices import Notice
from pspgui.gui.theme import GRID_PX, current_theme

_MOST_WAITING: Final = 4


class Banner(QWidget):
    """Shows the latest notice until it is closed or answered. Hidden when there is none.

    An earlier one that is an error or can be answered waits beneath and comes back then.
    """

    retried = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self._notices: list[Notice] = []  # the last one is shown
        self._text = QLabel(wordWrap=True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._retry = QPushButton("Try again")
        self._retry.clicked.connect(self._try_again)
        self._close = QToolButton(toolTip="Close this message")
        self._close.setIcon(icon("close"))
        self._close.setIconSize(QSize(ICON_PX, ICON_PX))
        self._close.clicked.connect(self._drop)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GRID_PX, GRID_PX, GRID_PX, GRID_PX)
        row.addWidget(self._text, 1)
        row.addWidget(self._retry)
        row.addWidget(self._close)
        self.hide()

    @property
    def text(self) -> str:
        """The notice shown, or an empty text."""
        return "" if self.isHidden() or not self._notices else self._notices[-1].text

    @Slot(object)
    def tell(self, notice: Notice) -> None:
        """Show a notice, over those that must still be read and are about something else."""
        waiting = [n for n in self._notices if (n.is_error or n.retry) and not _is_over(n, notice)]
        self._notices = [*waiting[-_MOST_WAITING:], notice]
        self._show_last()

    @Slot(str)
    def settle(self, about: str) -> None:
        """Close notices of this kind: what they told of is over."""
        left = [notice for notice in self._notices if notice.about != about]
        if len(left) < len(self._notices):
            self._notices = left
            self._show_last()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the panel ground with a bar at the left that tells an error from a remark."""
        theme = current_theme()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(theme.panel))
            is_error = bool(self._notices) and self._notices[-1].is_error
            bar = theme.warning if is_error else theme.accent
            painter.fillRect(0, 0, 4, self.height(), QColor(bar))
            painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(theme.line))

    def _show_last(self) -> None:
        if not self._notices:
            self.hide()
            return
        notice = self._notices[-1]
        self._text.setText(notice.text)
        self._retry.setText(notice.button)
        self._retry.setVisible(bool(notice.retry))
        self.update()
        self.show()

    @Slot()
    def _drop(self) -> None:
        """Put away the notice shown."""
        del self._notices[-1:]
        self._show_last()

    @Slot()
    def _try_again(self) -> None:
        retry = self._notices[-1].retry
        self._drop()
        self.retried.emit(retry)


def _is_over(earlier: Notice, notice: Notice) -> bool:
    """Whether a notice says what an earlier one said, or how that went on."""
    same = bool(notice.about) and notice.about == earlier.about
    return same or notice.text == earlier.text
