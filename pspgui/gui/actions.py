"""The table of commands as Qt actions, kept in step with the document."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QWidget

from pspgui.gui.commands import action_rows
from pspgui.gui.commands.row import ActionRow, Parts
from pspgui.gui.icons import icon
from pspgui.gui.panels.pyramid import PyramidStrip
from pspgui.gui.panels.start import RecentRow


class Actions(QObject):
    """The table as QActions, kept in step with the document. GUI thread only.

    An image that is opened changes many things at once, so that `refresh` only notes that there
    is something to bring up to date: that happens once, before whatever the event loop does next.
    """

    _stale = Signal()

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._is_stale = False
        self.rows = action_rows()
        self._actions = {row.id: self._build(row) for row in self.rows}
        document = parts.document
        for signal in (
            document.image_changed, document.prediction_changed, document.history_changed,
            document.display_changed, document.brush_changed, document.classes_changed,
            document.active_class_changed, document.picture_changed, document.aids_changed,
        ):  # fmt: skip
            signal.connect(self.refresh)
        self._stale.connect(self.catch_up, Qt.ConnectionType.QueuedConnection)
        self.refresh()
        self.catch_up()

    def __getitem__(self, name: str) -> QAction:
        self.catch_up()
        return self._actions[name]

    def __iter__(self):
        self.catch_up()
        return iter(self._actions.values())

    @Slot()
    def refresh(self) -> None:
        """Have checks, texts and availability brought up to date."""
        if not self._is_stale:
            self._is_stale = True
            self._stale.emit()

    @Slot()
    def catch_up(self) -> None:
        """Bring them up to date now, if anything has changed."""
        if not self._is_stale:
            return
        self._is_stale = False
        for row in self.rows:
            action = self._actions[row.id]
            if row.checked is not None:
                action.setChecked(row.checked(self._parts))
            if row.enabled is not None:
                action.setEnabled(row.enabled(self._parts))
            if row.live is not None:
                text = row.live(self._parts)
                if text != action.text():
                    action.setText(text)
                    action.setToolTip(_tooltip(text, row.keys))

    def _build(self, row: ActionRow) -> QAction:
        action = QAction(row.text, self)
        action.setObjectName(row.id)
        action.setShortcuts([QKeySequence(key) for key in row.keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setAutoRepeat(row.repeats)
        action.setCheckable(row.checked is not None)
        action.setToolTip(_tooltip(row.text, row.keys))
        if row.icon:
            action.setIcon(icon(row.icon))
        action.triggered.connect(lambda _=False, row=row: self._do(row))
        return action

    def _do(self, row: ActionRow) -> None:
        # Behind the start page nobody sees what an edit does.
        if row.group != "Edit" or self._parts.canvas.isVisible():
            row.verb(self._parts)
        self.refresh()
        self.catch_up()  # a toggle that was clicked has turned already, whatever became of it


def takes_enter(widget: QWidget | None) -> bool:
    """Whether Enter belongs to this widget while it has the keyboard, and is no shortcut there.

    Printable keys are kept from shortcuts by Qt itself while something is typed.
    """
    fields = QLineEdit | QAbstractSpinBox | QComboBox | QAbstractButton
    return isinstance(widget, fields | PyramidStrip | RecentRow)


def _tooltip(text: str, keys: tuple[str, ...]) -> str:
    """Return the tooltip: the text without its dots, and the first key in the system's words."""
    plain = text.rstrip("…")
    if not keys:
        return plain
    native = QKeySequence(keys[0]).toString(QKeySequence.SequenceFormat.NativeText)
    return f"{plain} ({native})"
