"""The list of pins: number, class, place, probability, margin, and bars of what speaks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyleOptionViewItem,
    QWidget,
)

from pspgui.gui.canvas.pin_marks import draw_chip
from pspgui.gui.panels.drawing import draw_elided, draw_swatch, percent, signed
from pspgui.gui.panels.evidence_sums import Sums, sums_of, target_words
from pspgui.gui.panels.rows import EvenRows, Index, RowList, paint_ground
from pspgui.gui.pins import Pin, Pins
from pspgui.gui.theme import GRID_PX, Theme, current_theme, heading_font, quiet_font, text_font

if TYPE_CHECKING:
    from pspgui.gui.document import Document

ROW: Final = 44
_BARS: Final = 64
_CHIP_AT: Final = 24
_TEXT_FROM: Final = 40


class PinsModel(QAbstractListModel):
    """One row a pin, by number; its evidence is that of the pin's own target."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.pins: tuple[Pin, ...] = ()
        self._sums: dict[Pin, Sums] = {}
        self.ends = (-1.0, 1.0)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return how many pins there are."""
        return 0 if parent.isValid() else len(self.pins)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the pin's title; its name to edit; all of it for the tooltip and readers."""
        if not index.isValid() or index.row() >= len(self.pins):
            return None
        pin = self.pins[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return pin.title
        if role == Qt.ItemDataRole.EditRole:
            return pin.name
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return "\n".join(self.lines_of(pin))
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Rename a pin."""
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        self._document.pins.rename(self.pins[index.row()], str(value))
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Every row can be renamed."""
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable

    def follow(self) -> None:
        """Take the pins as they are now."""
        if self.pins == self._document.pins.all:
            return
        self.beginResetModel()
        self.pins = self._document.pins.all
        self._count()
        self.endResetModel()

    def follow_evidence(self) -> None:
        """Take the evidence as it is now."""
        self._count()
        if self.pins:
            self.dataChanged.emit(self.index(0), self.index(len(self.pins) - 1))

    def sums_of(self, pin: Pin) -> Sums | None:
        """Return the sums of a pin's evidence, None where it is not known."""
        return self._sums.get(pin)

    def words_of(self, pin: Pin) -> tuple[str, QColor | None, str, str]:
        """Return the class explained, its colour, its probability and the amount, as shown."""
        evidence = self._document.pins.evidence_of(pin)
        if evidence is None:
            outside = self._document.by_windows and self._document.window_frame is not None
            return ("outside this window" if outside else "–"), None, "", ""
        table, label = self._document.reading_table, evidence.target.class_id
        known = 0 <= label < len(table)
        sure = self._document.pins.sureness_of(pin)
        return (
            table.name_of(label), QColor(*table.classes[label].colour) if known else None,
            "" if sure is None else f"p {percent(sure)}", signed(evidence.logit),
        )  # fmt: skip

    def lines_of(self, pin: Pin) -> list[str]:
        """Return all that there is to say of a pin, by lines."""
        name, _, sure, amount = self.words_of(pin)
        lines = [f"Pin {pin.number}: {pin.name}" if pin.name else f"Pin {pin.number}", pin.place]
        evidence = self._document.pins.evidence_of(pin)
        if evidence is not None:
            words = target_words(evidence, self._document.reading_table)
            lines += [f"{name} {words} {amount}  {sure}".rstrip()]
        sums = self.sums_of(pin)
        if sums is not None:
            lines += [f"{part} {signed(value)}" for part, value in mini_parts(sums)]
        if not pin.kept:
            lines.append("Moves with the next click; Shift+click to keep it.")
        return lines

    def _count(self) -> None:
        pins, self._sums = self._document.pins, {}
        for pin in self.pins:
            evidence = pins.evidence_of(pin)
            if evidence is not None:
                self._sums[pin] = sums_of(evidence)
        values = [v for sums in self._sums.values() for _, v in mini_parts(sums)]
        low, high = min([0.0, *values]), max([0.0, *values])
        self.ends = (low, high) if low < high else (-1.0, 1.0)


def mini_parts(sums: Sums) -> tuple[tuple[str, float], ...]:
    """Return the three amounts of a row's bars: local, all bins or branches, and the constant."""
    local = [("local", sums.local)] if any(p.kind == "local" for p in sums.parts) else []
    return (*local, (sums.between, sums.bins), ("constant", sums.constant))


class PinDelegate(EvenRows):
    """Paints a row in two lines, with bars on one scale at its right."""

    row_size = QSize(200, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row."""
        theme, model, rect = current_theme(), index.model(), option.rect
        pin = model.pins[index.row()]
        current = pin is option.widget.pins.current
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option, current=current)
        centre = QPointF(rect.left() + _CHIP_AT, rect.top() + ROW / 2)
        draw_chip(painter, centre, pin, ringed=False)
        if not (option.state & QStyle.StateFlag.State_Editing):
            self._paint_text(painter, option.widget, rect, model, pin)
        bars = QRectF(rect.right() - _BARS - GRID_PX, rect.top() + 8, _BARS, ROW - 16)
        sums = model.sums_of(pin)
        if sums is not None:
            paint_mini(painter, bars, sums, model.ends, theme)
        painter.restore()

    def _paint_text(
        self, painter: QPainter, widget: QWidget, rect: QRect, model: PinsModel, pin: Pin
    ) -> None:
        theme = current_theme()
        name, colour, sure, amount = model.words_of(pin)
        left = float(rect.left() + _TEXT_FROM)
        right = float(rect.right() - _BARS - 2 * GRID_PX)
        first, second = rect.top() + 4.0, rect.top() + 22.0
        if colour is not None:
            draw_swatch(painter, QRectF(left, first + 4, 10, 10), colour, theme)
        painter.setFont(text_font(widget))
        painter.setPen(QColor(theme.text))
        room = painter.fontMetrics().horizontalAdvance(amount) + 2
        ends = Qt.AlignmentFlag.AlignRight
        draw_elided(painter, QRectF(right - room, first, room, 18), amount, ends)
        start = left + (16 if colour is not None else 0)
        painter.setFont(heading_font(widget))
        draw_elided(painter, QRectF(start, first, right - room - start - 6, 18), name)
        painter.setFont(quiet_font(widget))
        painter.setPen(QColor(theme.quiet))
        room = painter.fontMetrics().horizontalAdvance(sure) + 2
        draw_elided(painter, QRectF(right - room, second, room, 16), sure, ends)
        place = pin.title if pin.kept else f"{pin.place} · loose"
        draw_elided(painter, QRectF(left, second, right - room - left - 6, 16), place)

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> QWidget:
        """Return the field for the name."""
        editor = super().createEditor(parent, option, index)
        editor.setAccessibleName("Name of the pin")
        editor.setPlaceholderText(index.model().pins[index.row()].place)
        return editor

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        """Lay the field over both lines, beside number and bars."""
        rect = option.rect
        editor.setGeometry(
            rect.left() + _TEXT_FROM - 4, rect.top() + (ROW - 28) // 2,
            rect.width() - _TEXT_FROM - _BARS - 2 * GRID_PX, 28,
        )  # fmt: skip


def paint_mini(
    p: QPainter, box: QRectF, sums: Sums, ends: tuple[float, float], theme: Theme
) -> None:
    """Paint three bars from a common zero, on one axis for all rows."""
    parts, (low, high) = mini_parts(sums), ends
    height, unit = box.height() / len(parts), box.width() / (high - low)
    zero = box.left() - low * unit
    colours = {"local": theme.local, "constant": theme.constant}
    levels = theme.levels[len(theme.levels) // 2]
    p.fillRect(QRectF(zero - 0.5, box.top(), 1, box.height()), QColor(theme.line))
    for place, (name, value) in enumerate(parts):
        top = box.top() + place * height + 1.5
        bar = QRectF(zero, top, value * unit, height - 3).normalized()
        p.fillRect(bar, QColor(colours.get(name, levels)))


class PinList(RowList):
    """The list; the current row is the pin that is explained, several may be selected.

    `chosen_changed` comes when other pins are selected, `centre_wanted(Pin)` at a double
    click, `copy_wanted` at Ctrl+C.
    """

    chosen_changed = Signal()
    centre_wanted = Signal(object)
    copy_wanted = Signal()

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pins: Pins = document.pins
        self._following = self._choosing = False
        self.rows = PinsModel(document, self)
        self.setModel(self.rows)
        self.setItemDelegate(PinDelegate(self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Pins")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.pins.changed.connect(self.follow)
        self.pins.current_changed.connect(self._show_current)
        self.pins.evidence_changed.connect(self.rows.follow_evidence)
        self.follow()

    @property
    def chosen(self) -> tuple[Pin, ...]:
        """The pins selected, by number."""
        rows = sorted(index.row() for index in self.selectedIndexes())
        return tuple(self.rows.pins[row] for row in rows if row < len(self.rows.pins))

    def index_of(self, pin: Pin) -> QModelIndex:
        """Return the row of a pin; an invalid one for none."""
        row = next((i for i, one in enumerate(self.rows.pins) if one.number == pin.number), -1)
        return self.rows.index(row) if row >= 0 else QModelIndex()

    @Slot()
    def follow(self) -> None:
        """Show the pins as they are now; what was selected stays selected."""
        numbers = {pin.number for pin in self.chosen}
        self._following = True
        try:
            self.rows.follow()
            for row, pin in enumerate(self.rows.pins):
                if pin.number in numbers:
                    self.selectionModel().select(
                        self.rows.index(row), QItemSelectionModel.SelectionFlag.Select
                    )
        finally:
            self._following = False
        self.setFixedHeight(max(1, len(self.rows.pins)) * ROW)
        self._show_current()
        self.chosen_changed.emit()

    @Slot()
    def _show_current(self) -> None:
        """Make the pin that is explained the current row; among those selected they all stay."""
        if self._choosing:
            self.viewport().update()
            return
        current = self.pins.current
        index = QModelIndex() if current is None else self.index_of(current)
        self._following = True
        try:
            flags = QItemSelectionModel.SelectionFlag
            kind = flags.NoUpdate
            if index.isValid() and not self.selectionModel().isSelected(index):
                kind = flags.ClearAndSelect
            elif current is None:
                kind = flags.Clear
            self.selectionModel().setCurrentIndex(index, kind)
        finally:
            self._following = False
        self.viewport().update()

    def selectionChanged(self, selected: Any, deselected: Any) -> None:
        """Tell that others are selected."""
        super().selectionChanged(selected, deselected)
        if not self._following:
            self.chosen_changed.emit()

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:
        """Explain the pin chosen by key or mouse."""
        super().currentChanged(current, previous)
        if not self._following and current.isValid():
            self._choosing = True  # what is selected is then the view's to say
            try:
                self.pins.select(self.rows.pins[current.row()])
            finally:
                self._choosing = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Bring the pin to the middle of the canvas."""
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and event.button() == Qt.MouseButton.LeftButton:
            self.centre_wanted.emit(self.rows.pins[index.row()])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete removes what is selected, Ctrl+C copies it, Enter brings it to the middle."""
        if event.key() == Qt.Key.Key_Delete:
            self.pins.remove(self.chosen)
        elif event.matches(QKeySequence.StandardKey.Copy):
            self.copy_wanted.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.centre_wanted.emit(self.rows.pins[self.currentIndex().row()])
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Keep Delete and Ctrl+C for the list while it has the keyboard."""
        if event.type() == QEvent.Type.ShortcutOverride and (
            event.key() == Qt.Key.Key_Delete or event.matches(QKeySequence.StandardKey.Copy)
        ):
            event.accept()
            return True
        return super().event(event)
