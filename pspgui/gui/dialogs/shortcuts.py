"""The key list (F1): every key of the window, with a field to find one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Slot
from PySide6.QtGui import QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from pspgui.gui.commands import SUBMENUS
from pspgui.gui.commands.gestures import GESTURES
from pspgui.gui.icons import icon
from pspgui.gui.panels.drawing import draw_empty
from pspgui.gui.panels.key_list import KeyGroup, KeyHint, KeyList, filtered

if TYPE_CHECKING:
    from pspgui.gui.commands.row import ActionRow

_MOST_KEYS = 2


def key_groups(rows: Sequence[ActionRow]) -> tuple[KeyGroup, ...]:
    """Return the keys of the action table by its groups, then what the mouse does.

    Actions without a key are left out; the ten that choose a class become one line.
    """
    groups: dict[str, list[KeyHint]] = {}
    for row in rows:
        if not row.keys:
            continue
        hints = groups.setdefault(SUBMENUS.get(row.group, row.group), [])
        if row.group == "Classes":
            if not hints:
                hints.append(KeyHint("1 … 9 / 0", "Choose the class to paint"))
            continue
        keys = " / ".join(native(key) for key in row.keys[:_MOST_KEYS])
        hints.append(KeyHint(keys, row.text.rstrip("…")))
    mouse = tuple(KeyHint(how, what) for what, how in GESTURES)
    named = (KeyGroup(title, tuple(hints)) for title, hints in groups.items())
    return (*named, KeyGroup("On the image", mouse))


def native(key: str) -> str:
    """Return a key in the words of the system it runs on."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) or key


class _NoMatch(QWidget):
    """Shown when the field matches nothing."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Say how to go on."""
        with QPainter(self) as p:
            draw_empty(p, self, "magnify", "No key matches", "Clear the field to see all keys.")


class ShortcutsDialog(QDialog):
    """All keys in groups; typing narrows the list, Esc closes."""

    def __init__(self, rows: Sequence[ActionRow], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self._groups = key_groups(rows)
        self._list = KeyList(self._groups)
        self._none = _NoMatch()
        self._none.setMinimumHeight(120)
        self._field = QLineEdit()
        self._field.setPlaceholderText("Find a key or what it does")
        self._field.setClearButtonEnabled(True)
        self._field.addAction(icon("magnify", "quiet"), QLineEdit.ActionPosition.LeadingPosition)
        self._field.textChanged.connect(self._on_text)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(24, 8, 24, 16)
        inner.addWidget(self._list)
        inner.addWidget(self._none)
        inner.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 16, 0, 0)
        layout.setSpacing(8)
        top = QVBoxLayout()
        top.setContentsMargins(24, 0, 24, 0)
        top.addWidget(self._field)
        layout.addLayout(top)
        layout.addWidget(area, 1)
        self._none.hide()

    @property
    def shown_groups(self) -> tuple[KeyGroup, ...]:
        """The groups that match the field."""
        return filtered(self._groups, self._field.text())

    def sizeHint(self) -> QSize:
        """Two columns, as high as they are where the screen allows it."""
        return QSize(720, min(640, self._list.heightForWidth(672) + 96))

    @Slot(str)
    def _on_text(self, text: str) -> None:
        groups = self.shown_groups
        self._list.set_groups(groups)
        self._list.setVisible(bool(groups))
        self._none.setVisible(not groups)
