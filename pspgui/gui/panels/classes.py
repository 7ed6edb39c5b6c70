"""The classes panel: which class the brush paints, which are shown, and how much each covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QModelIndex, QObject, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from pspgui.geometry import Rect
from pspgui.gui.panels.areas import AreaCounter
from pspgui.gui.panels.class_delegate import ROW_PX, ClassDelegate
from pspgui.gui.panels.class_model import ClassModel, toggle_solo, toggle_visible

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.labels.class_groups import ClassRow

_RECOUNT_MS = 60
MANY_CLASSES: Final = 20
"""From so many on there is a field to find one by name."""


class ClassView(QListView):
    """The list; its current row is the active class."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        # The active class is scrolled to: by pixels that cuts the first row in half.
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Classes")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click beside the marks makes the class active, or folds a group."""
        index = self.indexAt(event.position().toPoint())
        rect = self.visualRect(index)
        marks = ClassDelegate.lock_rect(rect).adjusted(-4, -4, 4, 4).left()
        if index.isValid() and event.position().x() >= marks:
            return  # the release toggles; the active class stays
        row = self._row(index)
        if row is not None and row.label is None:
            self._fold(row)
            return
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
        """Digits choose a class, Space toggles it, O shows it alone, Left and Right fold."""
        document = self._document
        digit = event.key() - Qt.Key.Key_1
        row = self._row(self.model().index_of(document.active_class))
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif 0 <= digit < 9:
            document.set_active_class(digit)
        elif row is not None and event.key() == Qt.Key.Key_Space:
            toggle_visible(document, row)
        elif row is not None and event.key() == Qt.Key.Key_O:
            toggle_solo(document, row)
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            group = document.table.classes[document.active_class].group
            if group:
                self.model().fold(group, event.key() == Qt.Key.Key_Left)
        else:
            super().keyPressEvent(event)

    def _row(self, index: QModelIndex) -> ClassRow | None:
        return self.model().row_at(index) if index.isValid() else None

    def _fold(self, row: ClassRow) -> None:
        self.model().fold(row.group, not self.model().is_folded(row.group))


class ClassesPanel(QWidget):
    """The list of classes, with areas that follow every edit within a moment."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._counter: AreaCounter | None = None
        self.setObjectName("classes_panel")
        self.setAutoFillBackground(True)
        self.find = QLineEdit()
        self.find.setPlaceholderText("Find a class")
        self.find.setAccessibleName("Find a class")
        self.find.setClearButtonEnabled(True)
        self.find.setToolTip("Part of a name or group; Enter paints the first class found")
        self.find.installEventFilter(self)
        self._model = ClassModel(document, self)
        self._view = ClassView(document)
        self._view.setModel(self._model)
        self._view.setItemDelegate(ClassDelegate(document, self._view))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_RECOUNT_MS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        field = QVBoxLayout()
        field.setContentsMargins(8, 0, 8, 4)
        field.addWidget(self.find)
        layout.addLayout(field)
        layout.addWidget(self._view)
        self._field = field
        self.setMinimumSize(224, 3 * ROW_PX)
        self._connect()
        self._on_classes()

    def _connect(self) -> None:
        d = self._document
        d.classes_changed.connect(self._on_classes)
        d.active_class_changed.connect(self._on_active)
        d.display_changed.connect(self._model.repaint_all)
        d.rules_changed.connect(self._model.repaint_all)
        d.image_changed.connect(self._follow_map)
        d.prediction_changed.connect(self._follow_map)
        d.labels_came.connect(self._follow_map)
        d.labels_changed.connect(self._on_labels)
        self._timer.timeout.connect(self._count)
        self._view.selectionModel().currentChanged.connect(self._on_current)
        self._model.modelReset.connect(self._mark_active)
        self.find.textChanged.connect(self._model.find)
        self.find.returnPressed.connect(self._on_found)

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
        return QSize(320, ROW_PX * min(12, max(4, self._model.rowCount())) + 8)

    def find_class(self) -> None:
        """Let a person type part of a class's name."""
        self._show_field(True)
        self.find.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.find.selectAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Esc in the field shows every class again."""
        is_key = event.type() == QEvent.Type.KeyPress and watched is self.find
        if is_key and event.key() == Qt.Key.Key_Escape:
            self._leave_field()
            return True
        return super().eventFilter(watched, event)

    def _leave_field(self) -> None:
        """Show every class, and give the canvas its keys back."""
        self.find.clear()
        self._view.setFocus()
        self._show_field(len(self._document.table) >= MANY_CLASSES)

    def _show_field(self, shown: bool) -> None:
        self.find.setVisible(shown)
        self._field.setContentsMargins(8, 0, 8, 4 if shown else 0)

    # -- classes ------------------------------------------------------------------------------

    @Slot()
    def _on_classes(self) -> None:
        self._show_field(len(self._document.table) >= MANY_CLASSES)
        self.find.clear()
        self._model.restart()
        self._restart_count()
        self._on_active(self._document.active_class)

    @Slot(int)
    def _on_active(self, label: int) -> None:
        self._view.setCurrentIndex(self._model.reveal(label))
        self._model.repaint_all()

    @Slot()
    def _mark_active(self) -> None:
        """Keep the active class the current row, when rows came or went around it."""
        index = self._model.index_of(self._document.active_class)
        if index.isValid():
            self._view.setCurrentIndex(index)

    @Slot()
    def _on_found(self) -> None:
        """Paint the first class found."""
        found = self._model.first_class()
        if found is not None:
            self._document.set_active_class(found)
            self._leave_field()

    @Slot(QModelIndex, QModelIndex)
    def _on_current(self, current: QModelIndex, previous: QModelIndex) -> None:
        row = self._model.row_at(current) if current.isValid() else None
        if row is not None and row.label is not None:
            self._document.set_active_class(row.label)

    # -- areas --------------------------------------------------------------------------------

    @Slot()
    def _follow_map(self) -> None:
        """Count anew if there is another label map, or none any more."""
        label_map, counter = self._document.label_map, self._counter
        counted = None if counter is None else counter.labels
        if counted is not (None if label_map is None else label_map.labels):
            self._restart_count()

    def _restart_count(self) -> None:
        label_map = self._document.label_map
        self._counter = None
        self._model.set_shares(None)
        if label_map is not None:
            self._counter = AreaCounter(label_map.labels, len(self._document.table))
            self._timer.start(0)

    @Slot(object)
    def _on_labels(self, rect: Rect) -> None:
        self._follow_map()
        if self._counter is None:
            return
        self._counter.touch(rect)
        if not self._timer.isActive():
            self._timer.start(_RECOUNT_MS)

    @Slot()
    def _count(self) -> None:
        if self._counter is None:
            return
        if self._counter.step():
            self._model.set_shares(self._counter.shares())
        else:
            self._timer.start(0)


__all__ = ["MANY_CLASSES", "ClassDelegate", "ClassView", "ClassesPanel"]
