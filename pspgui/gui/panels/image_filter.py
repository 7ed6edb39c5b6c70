"""The filter field of the image list: completion, help, and errors that underline their word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QRect,
    QRectF,
    QSize,
    QStringListModel,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QInputMethodEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QTextCharFormat,
)
from PySide6.QtWidgets import (
    QApplication,
    QCompleter,
    QFrame,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from pspgui.gui.icons import icon
from pspgui.gui.panels.drawing import draw_elided
from pspgui.gui.theme import GRID_PX, current_theme, quiet_font, text_font
from pspgui.project.queries import (
    EVERYTHING,
    FIELDS,
    Completion,
    Query,
    QueryError,
    completions,
    parse,
)

_TYPING_MS: Final = 120
_COMPLAIN_MS: Final = 900
_ROW: Final = 24
Words = Callable[[str], Sequence[str]]


class FilterField(QLineEdit):
    """Where a query is typed. The last one that could be read stays in force while typing.

    `query_changed(Query)`; `complained(str)` with the sentence of an error, "" when there is none.
    `left()` when Enter was pressed. `words(field)` gives the words in use of "class", "tag" and
    "reviewer", asked for at every key; `opened()` says that it is about to be used.
    """

    query_changed = Signal(object)
    complained = Signal(str)
    left = Signal()
    opened = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words: Words = lambda field: ()
        self._query: Query = EVERYTHING
        self._error: QueryError | None = None
        self._offered: list[Completion] = []
        self._underlining = False
        self._typing, self._complaining = QTimer(self), QTimer(self)
        for timer, wait_ms in ((self._typing, _TYPING_MS), (self._complaining, _COMPLAIN_MS)):
            timer.setSingleShot(True)
            timer.setInterval(wait_ms)
        self._completer = QCompleter(self)
        self._build()

    def _build(self) -> None:
        self.setPlaceholderText("Filter images")
        self.setAccessibleName("Filter images")
        self.setToolTip('Words look into names; or ask, as in status:done class:car>5% (/)')
        self.setClearButtonEnabled(True)
        self.addAction(icon("magnify", "quiet"), QLineEdit.ActionPosition.LeadingPosition)
        help_action = self.addAction(
            icon("help-circle-outline", "quiet"), QLineEdit.ActionPosition.TrailingPosition
        )
        help_action.setToolTip("What can be asked for")
        help_action.triggered.connect(self.show_help)
        completer = self._completer
        completer.setWidget(self)
        completer.setModel(QStringListModel(self))
        completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        completer.popup().setItemDelegate(_CompletionDelegate(self))
        completer.popup().setMinimumWidth(280)
        completer.activated[QModelIndex].connect(self._on_chosen)
        self.textEdited.connect(self._on_edited)
        self.textChanged.connect(self._on_text)
        self.returnPressed.connect(self._on_return)
        self._typing.timeout.connect(self.apply)
        self._complaining.timeout.connect(self._complain)

    @property
    def query(self) -> Query:
        """The last query that could be read."""
        return self._query

    @property
    def error(self) -> QueryError | None:
        """Why the text cannot be read; None when it can."""
        return self._error

    def set_query_text(self, text: str) -> None:
        """Ask for something in place of what is there, as if it had been typed."""
        self.setText(text)
        self.apply()

    @Slot()
    def apply(self) -> None:
        """Read the text now."""
        self._typing.stop()
        classes = tuple(self.words("class"))
        try:
            query = parse(self.text(), classes or None)
        except QueryError as error:
            self._error = error
            self._underline(error.start, error.end)
            if self.hasFocus() and self.cursorPosition() == len(self.text()):
                self._complaining.start()  # the word may not be finished
            else:
                self._complain()
            return
        self._complaining.stop()
        self._error = None
        self._underline(0, 0)
        self.complained.emit("")
        if query != self._query:
            self._query = query
            self.query_changed.emit(query)

    def stop(self) -> None:
        """Wait for nothing any more; for closing."""
        self._typing.stop()
        self._complaining.stop()
        self._completer.popup().hide()

    @Slot()
    def show_help(self) -> None:
        """Show what can be asked for; a click on a line writes its example."""
        popup = HelpPopup(self)
        popup.chosen.connect(self._write_example)
        popup.show_below(self)

    @Slot(str)
    def _write_example(self, example: str) -> None:
        text = self.text().rstrip()
        self.set_query_text(f"{text} {example}".lstrip())
        self.setFocus()

    # -- inside -------------------------------------------------------------------------------

    @Slot(str)
    def _on_text(self, _text: str) -> None:
        if not self._underlining:
            self._typing.start()

    @Slot(str)
    def _on_edited(self, _text: str) -> None:
        self._offer()

    @Slot()
    def _on_return(self) -> None:
        self._completer.popup().hide()
        self.apply()
        if self._error is not None:
            self._complain()
        self.left.emit()

    @Slot()
    def _complain(self) -> None:
        self._complaining.stop()
        if self._error is not None:
            self.complained.emit(str(self._error))

    def _offer(self) -> None:
        self._offered = completions(self.text(), self.cursorPosition(), self.words)[:12]
        popup = self._completer.popup()
        if not self._offered or not self.text():
            popup.hide()
            return
        self._completer.model().setStringList([c.text for c in self._offered])
        width = max(280, self.width())
        self._completer.complete(QRect(0, self.height(), width, 1))
        popup.setCurrentIndex(QModelIndex())  # Enter means the text until something is chosen

    def meaning_of(self, row: int) -> str:
        """Return what the completion in a row of the popup means."""
        return self._offered[row].meaning if 0 <= row < len(self._offered) else ""

    @Slot(QModelIndex)
    def _on_chosen(self, index: QModelIndex) -> None:
        if not 0 <= index.row() < len(self._offered):
            return
        chosen = self._offered[index.row()]
        before, after = self.text()[: chosen.start], self.text()[chosen.end :]
        finished = chosen.text[-1] not in ":>"
        gap = " " if finished and not after.startswith(" ") else ""
        self.setText(before + chosen.text + gap + after)
        self.setCursorPosition(len(before + chosen.text + gap))
        if not finished:
            QTimer.singleShot(0, self._offer)

    def _underline(self, start: int, end: int) -> None:
        """Draw a line under a part of the text, as an input method would; nothing else can."""
        if self.inputMethodHints() & Qt.InputMethodHint.ImhHiddenText:
            return
        attributes = []
        if end > start:
            style = QTextCharFormat()
            style.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
            style.setUnderlineColor(QColor(current_theme().warning))
            attributes.append(
                QInputMethodEvent.Attribute(
                    QInputMethodEvent.AttributeType.TextFormat, start - self.cursorPosition(),
                    end - start, style,
                )
            )  # fmt: skip
        self._underlining = True
        QApplication.sendEvent(self, QInputMethodEvent("", attributes))
        self._underlining = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+Space offers what could stand here; Enter in the popup chooses."""
        popup = self._completer.popup()
        if popup.isVisible() and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if popup.currentIndex().isValid():
                event.ignore()
                return
            popup.hide()
        held = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if event.key() == Qt.Key.Key_Space and held:
            self._offer()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tell that words will be asked for."""
        super().focusInEvent(event)
        self.opened.emit()


class _CompletionDelegate(QStyledItemDelegate):
    """Paints a completion with its meaning beside it."""

    def __init__(self, field: FilterField) -> None:
        super().__init__(field)
        self._field = field

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Rows of the grid."""
        return QSize(240, _ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint the text, then what it means in quiet letters."""
        theme, rect = current_theme(), QRectF(option.rect)
        painter.save()
        if option.state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            painter.fillRect(rect, QColor(theme.selected))
        text, meaning = str(index.data()), self._field.meaning_of(index.row())
        room = rect.adjusted(GRID_PX, 0, -GRID_PX, 0)
        painter.setFont(text_font(option.widget))
        painter.setPen(QColor(theme.text))
        if meaning:
            room.setWidth(min(96.0, room.width()))
        draw_elided(painter, room, text)
        if meaning:
            painter.setFont(quiet_font(option.widget))
            painter.setPen(QColor(theme.quiet))
            draw_elided(painter, rect.adjusted(GRID_PX + 100, 0, -GRID_PX, 0), meaning)
        painter.restore()


class HelpPopup(QFrame):
    """What can be asked for, one line a field. `chosen(str)` with the example of a line clicked."""

    chosen = Signal(str)
    _EXAMPLE_PX = 168

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMouseTracking(True)
        self.setAccessibleName("What can be asked for")
        self._hovered = -1
        self.resize(432, (len(FIELDS) + 4) * _ROW + 3 * GRID_PX)

    def show_below(self, widget: QWidget) -> None:
        """Show it below a widget, within the screen."""
        corner = widget.mapToGlobal(widget.rect().bottomLeft())
        screen = widget.screen().availableGeometry()
        left = max(screen.left(), min(corner.x(), screen.right() - self.width()))
        top = max(screen.top(), min(corner.y() + 4, screen.bottom() - self.height()))
        self.move(left, top)
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the lines."""
        theme = current_theme()
        with QPainter(self) as p:
            p.fillRect(self.rect(), QColor(theme.panel))
            p.setPen(QColor(theme.line))
            p.drawRect(self.rect().adjusted(0, 0, -1, -1))
            for row, field in enumerate(FIELDS):
                line = self._line(row)
                if row == self._hovered:
                    p.fillRect(line.adjusted(-GRID_PX, 0, GRID_PX, 0), QColor(theme.selected))
                p.setFont(text_font(self))
                p.setPen(QColor(theme.text))
                draw_elided(p, line, field.example)
                p.setFont(quiet_font(self))
                p.setPen(QColor(theme.quiet))
                words = f": {', '.join(field.words)}" if field.name == "is" else ""
                draw_elided(p, line.adjusted(self._EXAMPLE_PX, 0, 0, 0), field.help + words)
            p.setPen(QColor(theme.line))
            y = int(self._line(len(FIELDS)).top()) + GRID_PX // 2
            p.drawLine(GRID_PX, y, self.width() - GRID_PX, y)
            p.setFont(quiet_font(self))
            p.setPen(QColor(theme.quiet))
            for extra, text in enumerate((
                "A word alone looks into the name. Words side by side must all hold.",
                "or, not, - and ( ) combine: -class:bus (is:flagged or doubt>0.5)",
                'Quotes hold words together: class:"traffic light"',
                "class, unlabelled and corrected ask for saved labels, not predictions.",
            )):  # fmt: skip
                draw_elided(p, self._line(len(FIELDS) + extra).translated(0, GRID_PX), text)

    def _line(self, row: int) -> QRectF:
        return QRectF(2 * GRID_PX, GRID_PX + row * _ROW, self.width() - 4 * GRID_PX, _ROW)

    def _row_at(self, y: float) -> int:
        row = int((y - GRID_PX) // _ROW)
        return row if 0 <= row < len(FIELDS) else -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Mark the line under the mouse."""
        row = self._row_at(event.position().y())
        if row != self._hovered:
            self._hovered = row
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Choose the example of a line."""
        row = self._row_at(event.position().y())
        if row >= 0 and self.rect().contains(event.position().toPoint()):
            self.close()
            self.chosen.emit(FIELDS[row].example)

    def leaveEvent(self, event: QEvent) -> None:
        """Mark no line."""
        self._hovered = -1
        self.update()


__all__ = ["FilterField", "HelpPopup"]
