"""The classes panel: which class the brush paints, which are shown, and how much each covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Slot,
)
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from pspgui.geometry import Rect
from pspgui.gui.icons import draw_icon
from pspgui.gui.panels.areas import AreaCounter
from pspgui.gui.panels.drawing import draw_elided, draw_swatch, percent
from pspgui.gui.theme import ICON_PX, current_theme, quiet_font, text_font

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_ROW = 28
_RECOUNT_MS = 60
_Index = QModelIndex | QPersistentModelIndex


class ClassModel(QAbstractListModel):
    """One row per class of the document's table."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.shares: np.ndarray | None = None

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of classes."""
        return 0 if parent.isValid() else len(self._document.table)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name, and all the rest in words for screen readers."""
        if not index.isValid() or index.row() >= len(self._document.table):
            return None
        name = self._document.table.names[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            shown = "shown" if self._document.visible[min(index.row(), 255)] else "hidden"
            locked = ", locked" if self._document.is_locked(index.row()) else ""
            return f"{name}, {self.share_text(index.row())}, {shown}{locked}"
        return None

    def share_text(self, row: int) -> str:
        """Return how much of the labels the class covers, "" before there are labels."""
        if self.shares is None or row >= len(self.shares):
            return ""
        return percent(float(self.shares[row]))

    def restart(self) -> None:
        """Take the rows of another class table."""
        self.beginResetModel()
        self.endResetModel()

    def repaint_all(self) -> None:
        """Tell the view that shares or visibility changed."""
        if self.rowCount():
            self.dataChanged.emit(self.index(0), self.index(self.rowCount() - 1))


class ClassDelegate(QStyledItemDelegate):
    """Paints a row: key, colour, name, area, lock, solo, eye; tells which is under the mouse."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        """Every row is equally high."""
        return QSize(200, _ROW)

    @staticmethod
    def eye_rect(row: QRect) -> QRect:
        """Return where the eye is in a row."""
        return QRect(row.right() - 8 - ICON_PX, row.top() + 5, ICON_PX, ICON_PX)

    @staticmethod
    def solo_rect(row: QRect) -> QRect:
        """Return where the solo mark is in a row."""
        return QRect(row.right() - 16 - 2 * ICON_PX, row.top() + 5, ICON_PX, ICON_PX)

    @staticmethod
    def lock_rect(row: QRect) -> QRect:
        """Return where the lock is in a row."""
        return QRect(row.right() - 24 - 3 * ICON_PX, row.top() + 5, ICON_PX, ICON_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Paint one row from the document."""
        theme = current_theme()
        label, rect = index.row(), option.rect
        if label >= len(self._document.table):
            return
        active = label == self._document.active_class
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if active or hovered:
            painter.fillRect(rect, QColor(theme.selected if active else theme.hover))
        if active:
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), theme.accent)
        visible = bool(self._document.visible[min(label, 255)])
        self._paint_name(painter, option.widget, rect, index, visible)
        eye = "eye-outline" if visible else "eye-off-outline"
        eye_colour = theme.text if hovered else theme.quiet if visible else theme.disabled
        draw_icon(painter, eye, QRectF(self.eye_rect(rect)), eye_colour)
        solo = self._document.solo == label
        if solo or hovered:
            colour = theme.accent if solo else theme.quiet
            draw_icon(painter, "alpha-s-circle-outline", QRectF(self.solo_rect(rect)), colour)
        locked = self._document.is_locked(label)
        if locked or hovered:
            colour = theme.accent if locked else theme.quiet
            name = "lock-outline" if locked else "lock-open-variant-outline"
            draw_icon(painter, name, QRectF(self.lock_rect(rect)), colour)
        painter.restore()

    def _paint_name(
        self, p: QPainter, widget: QWidget, rect: QRect, index: _Index, visible: bool
    ) -> None:
        theme = current_theme()
        entry = self._document.table.classes[index.row()]
        middle = Qt.AlignmentFlag.AlignCenter
        p.setFont(quiet_font(widget))
        p.setPen(QColor(theme.quiet))
        if index.row() < 10:
            key = QRectF(rect.left() + 8, rect.top(), 16, rect.height())
            p.drawText(key, int(middle), _key_of(index.row()))
        swatch = QRectF(rect.left() + 30, rect.top() + 7, 14, 14)
        draw_swatch(p, swatch, QColor(*entry.colour), theme)
        model = index.model()
        share = model.share_text(index.row()) if isinstance(model, ClassModel) else ""
        right = self.lock_rect(rect).left() - 8
        room = 56
        p.setFont(quiet_font(widget))
        p.setPen(QColor(theme.quiet))
        draw_elided(
            p, QRectF(right - room, rect.top(), room, rect.height()), share,
            Qt.AlignmentFlag.AlignRight,
        )  # fmt: skip
        p.setFont(text_font(widget))
        p.setPen(QColor(theme.text if visible else theme.disabled))
        left = swatch.right() + 10
        draw_elided(p, QRectF(left, rect.top(), right - room - 4 - left, rect.height()), entry.name)

    def editorEvent(
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: _Index
    ) -> bool:
        """Toggle eye, solo or lock where clicked; the row is then not made active."""
        if isinstance(event, QMouseEvent) and event.button() == Qt.MouseButton.LeftButton:
            point = event.position().toPoint()
            for place, toggle in (
                (self.eye_rect, toggle_visible), (self.solo_rect, toggle_solo),
                (self.lock_rect, toggle_lock),
            ):  # fmt: skip
                if place(option.rect).adjusted(-4, -4, 4, 4).contains(point):
                    if event.type() == QEvent.Type.MouseButtonRelease:
                        toggle(self._document, index.row())
                    return True
        return False

    def helpEvent(
        self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem,
        index: _Index,
    ) -> bool:  # fmt: skip
        """Say what is under the mouse, with its key."""
        label = index.row()
        if not index.isValid() or label >= len(self._document.table):
            return False
        name = self._document.table.names[label]
        if self.eye_rect(option.rect).contains(event.pos()):
            text = f"{'Hide' if self._document.visible[min(label, 255)] else 'Show'} {name} (Space)"
        elif self.solo_rect(option.rect).contains(event.pos()):
            text = f"Show {name} only (O); again for all"
        elif self.lock_rect(option.rect).contains(event.pos()):
            text = f"{'Unlock' if self._document.is_locked(label) else 'Lock'} {name} (K)"
        else:
            key = f" ({_key_of(label)})" if label < 10 else ""
            model = index.model()
            share = model.share_text(label) if isinstance(model, ClassModel) else ""
            text = f"Paint {name}{key}" + (f"\n{share} of the labels" if share else "")
        QToolTip.showText(event.globalPos(), text, view)
        return True


class ClassView(QListView):
    """The list; its current row is the active class."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Classes")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click beside the marks makes the class active."""
        index = self.indexAt(event.position().toPoint())
        rect = self.visualRect(index)
        marks = ClassDelegate.lock_rect(rect).adjusted(-4, -4, 4, 4).left()
        if index.isValid() and event.position().x() >= marks:
            return  # the release toggles; the active class stays
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let the marks of the row under the mouse answer, pressed or not."""
        index = self.indexAt(event.position().toPoint())
        if index.isValid():
            option = QStyleOptionViewItem()
            option.rect = self.visualRect(index)
            if self.itemDelegate().editorEvent(event, self.model(), option, index):
                return
        super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Digits choose a class, Space toggles its visibility, O shows it alone."""
        active = self._document.active_class
        digit = event.key() - Qt.Key.Key_1
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif 0 <= digit < 9:
            self._document.set_active_class(digit)
        elif event.key() == Qt.Key.Key_Space:
            toggle_visible(self._document, active)
        elif event.key() == Qt.Key.Key_O:
            toggle_solo(self._document, active)
        else:
            super().keyPressEvent(event)


class ClassesPanel(QWidget):
    """The list of classes, with areas that follow every edit within a moment."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._counter: AreaCounter | None = None
        self.setObjectName("classes_panel")
        self.setAutoFillBackground(True)
        self._model = ClassModel(document, self)
        self._view = ClassView(document)
        self._view.setModel(self._model)
        self._view.setItemDelegate(ClassDelegate(document, self._view))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_RECOUNT_MS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)
        self.setMinimumSize(224, 3 * _ROW)
        self._connect()
        self._on_classes()

    def _connect(self) -> None:
        d = self._document
        d.classes_changed.connect(self._on_classes)
        d.active_class_changed.connect(self._on_active)
        d.display_changed.connect(self._model.repaint_all)
        d.rules_changed.connect(self._model.repaint_all)
        d.image_changed.connect(self._restart_count)
        d.prediction_changed.connect(self._restart_count)
        d.labels_changed.connect(self._on_labels)
        self._timer.timeout.connect(self._count)
        self._view.selectionModel().currentChanged.connect(self._on_current)

    @property
    def view(self) -> QListView:
        """The list."""
        return self._view

    @property
    def model(self) -> ClassModel:
        """The rows."""
        return self._model

    def sizeHint(self) -> QSize:
        """Show a dozen classes if there is room."""
        return QSize(320, _ROW * min(12, max(4, len(self._document.table))) + 8)

    @Slot()
    def _on_classes(self) -> None:
        self._model.restart()
        self._restart_count()
        self._on_active(self._document.active_class)

    @Slot(int)
    def _on_active(self, label: int) -> None:
        self._view.setCurrentIndex(self._model.index(label))
        self._model.repaint_all()

    @Slot(QModelIndex, QModelIndex)
    def _on_current(self, current: QModelIndex, previous: QModelIndex) -> None:
        if current.isValid():
            self._document.set_active_class(current.row())

    @Slot()
    def _restart_count(self) -> None:
        label_map = self._document.label_map
        self._counter = None
        self._model.shares = None
        if label_map is not None:
            self._counter = AreaCounter(label_map.labels, len(self._document.table))
            self._timer.start(0)
        self._model.repaint_all()

    @Slot(object)
    def _on_labels(self, rect: Rect) -> None:
        if self._counter is None:
            self._restart_count()
            return
        self._counter.touch(rect)
        if not self._timer.isActive():
            self._timer.start(_RECOUNT_MS)

    @Slot()
    def _count(self) -> None:
        if self._counter is None:
            return
        done = self._counter.step()
        if done:
            self._model.shares = self._counter.shares()
            self._model.repaint_all()
        else:
            self._timer.start(0)


def _key_of(label: int) -> str:
    """Return the key of one of the first ten classes."""
    return str((label + 1) % 10)


def toggle_visible(document: Document, label: int) -> None:
    """Show or hide a class; a solo ends with it."""
    if document.solo is not None:
        document.set_solo(None)
        return
    document.set_visible(label, not bool(document.visible[min(label, 255)]))


def toggle_solo(document: Document, label: int) -> None:
    """Show this class only, or all again."""
    document.set_solo(None if document.solo == label else label)


def toggle_lock(document: Document, label: int) -> None:
    """Lock this class, or open it to painting again."""
    document.set_locked(label, not document.is_locked(label))
