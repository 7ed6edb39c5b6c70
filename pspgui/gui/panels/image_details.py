"""What is said of an image: status, flag, tags and note, edited below the list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QToolButton, QVBoxLayout, QWidget

from pspgui.gui.icons import ICON_PX, icon
from pspgui.gui.panels.image_delegate import STATUS_ICONS
from pspgui.gui.theme import GRID_PX, current_theme

if TYPE_CHECKING:
    from pspgui.gui.queue_session import QueueSession


class StatusMenu(QMenu):
    """The statuses to choose from; `chosen(str)`."""

    chosen = Signal(str)

    def __init__(self, title: str = "Status", parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        for status, name in STATUS_ICONS.items():
            action = self.addAction(icon(name), status.capitalize())
            action.setData(status)
        self.triggered.connect(lambda action: self.chosen.emit(action.data()))


class ImageDetails(QWidget):
    """Status, flag, tags and note of the image on the canvas, or of those selected."""

    def __init__(self, queue: QueueSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._paths: Sequence[Path] = ()
        self._status = QToolButton(popupMode=QToolButton.ToolButtonPopupMode.InstantPopup)
        self._flag = QToolButton(checkable=True)
        self._tag_button, self._note_button = QToolButton(), QToolButton()
        self._tags, self._note = QLineEdit(), QLineEdit()
        self._build()
        queue.known_changed.connect(self.refresh)
        queue.project_changed.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        self._status.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._status.setAccessibleName("Status")
        menu = StatusMenu(parent=self)
        menu.chosen.connect(self._set_status)
        self._status.setMenu(menu)
        self._flag.setIcon(icon("flag-outline"))
        self._flag.setToolTip("Flag this image (F)")
        self._flag.setAccessibleName("Flag")
        self._flag.clicked.connect(self._toggle_flag)
        for button, name, words in (
            (self._tag_button, "tag-outline", "Tags (Ctrl+T)"),
            (self._note_button, "note-text-outline", "Note (Ctrl+Shift+T)"),
        ):
            button.setIcon(icon(name))
            button.setToolTip(words)
            button.setAccessibleName(words.partition(" ")[0])
        self._tag_button.clicked.connect(lambda: self.type_into(self._tags))
        self._note_button.clicked.connect(lambda: self.type_into(self._note))
        for button in (self._status, self._flag, self._tag_button, self._note_button):
            button.setIconSize(QSize(ICON_PX, ICON_PX))
        for field, name, words in (
            (self._tags, "tag-outline", "Tags"), (self._note, "note-text-outline", "Note"),
        ):  # fmt: skip
            field.addAction(icon(name, "quiet"), QLineEdit.ActionPosition.LeadingPosition)
            field.setPlaceholderText(words)
            field.setAccessibleName(words)
            field.editingFinished.connect(self._keep_words)
            field.returnPressed.connect(self._leave)
        self._tags.setToolTip("Tags, words with spaces between them")
        self._note.setToolTip("A note about the image")
        top = QHBoxLayout()
        top.setSpacing(2)
        top.addWidget(self._status)
        top.addStretch(1)
        for button in (self._tag_button, self._note_button, self._flag):
            top.addWidget(button)
        column = QVBoxLayout(self)
        # Buttons have padding of their own; in a narrow list the status needs the room.
        column.setContentsMargins(GRID_PX // 2, GRID_PX // 2, GRID_PX // 2, GRID_PX)
        column.setSpacing(GRID_PX // 2)
        column.addLayout(top)
        fields = QVBoxLayout()
        fields.setContentsMargins(GRID_PX, 0, GRID_PX, 0)
        fields.setSpacing(GRID_PX // 2)
        fields.addWidget(self._tags)
        fields.addWidget(self._note)
        column.addLayout(fields)

    @property
    def tags_field(self) -> QLineEdit:
        """The field of the tags."""
        return self._tags

    @property
    def note_field(self) -> QLineEdit:
        """The field of the note."""
        return self._note

    @property
    def status_button(self) -> QToolButton:
        """The button that shows the status and opens the menu of statuses."""
        return self._status

    def type_into(self, field: QLineEdit) -> None:
        """Show one of the fields, which are out of sight while empty, and type into it."""
        field.setVisible(True)
        field.setFocus()
        field.selectAll()

    def set_paths(self, paths: Sequence[Path]) -> None:
        """Show what is said of these images; what was typed about others is kept first."""
        if tuple(paths) == tuple(self._paths):
            return
        self._keep_words()
        self._paths = tuple(paths)
        self._tags.setModified(False)
        self._note.setModified(False)
        self._queue.look_up(self._paths[:1])
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what is known now; a field that is being typed in is left alone."""
        paths, queue = self._paths, self._queue
        known = queue.known(paths[0]) if paths else None
        able = bool(paths) and queue.index is not None and not queue.read_only
        for widget in (
            self._status, self._flag, self._tag_button, self._note_button, self._tags, self._note,
        ):  # fmt: skip
            widget.setEnabled(able)
        many = f"{len(paths)} images" if len(paths) > 1 else ""
        status = "new" if known is None else known.status
        self._status.setIcon(icon(STATUS_ICONS.get(status, "circle-outline")))
        self._status.setText(f" {many or (status.capitalize() if paths else 'No image')}")
        self._status.setToolTip(
            f"Set the status of {many or 'this image'}" if able else "There is no image to mark yet"
        )
        self._flag.setChecked(status == "flagged")
        self._flag.setIcon(icon("flag" if status == "flagged" else "flag-outline"))
        for field, text, words in (
            (self._tags, " ".join(known.tags) if known else "", "Tags"),
            (self._note, known.note if known else "", "Note"),
        ):
            field.setPlaceholderText(f"{words} of {many}" if many else words)
            if not field.isModified():
                wanted = "" if many else text
                if field.text() != wanted:
                    field.setText(wanted)
                    field.setCursorPosition(0)
                field.setVisible(bool(wanted) or field.hasFocus())

    @Slot()
    def _keep_words(self) -> None:
        """Keep what was typed, once."""
        if self._tags.isModified():
            self._tags.setModified(False)
            self._queue.set_tags(self._paths, self._tags.text().split())
        if self._note.isModified():
            self._note.setModified(False)
            self._queue.set_note(self._paths, self._note.text().strip())
        self.refresh()

    @Slot()
    def _leave(self) -> None:
        self.parentWidget().setFocus()

    @Slot(str)
    def _set_status(self, status: str) -> None:
        self._queue.set_status(self._paths, status)

    @Slot()
    def _toggle_flag(self) -> None:
        self._queue.toggle_flag(self._paths)
        self.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the line that parts it from the list."""
        with QPainter(self) as p:
            p.fillRect(0, 0, self.width(), 1, QColor(current_theme().line))
