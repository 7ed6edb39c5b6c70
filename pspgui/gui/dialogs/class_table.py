"""The class table editor: every change is spelled out before any label is touched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QModelIndex, Slot
from PySide6.QtGui import QCloseEvent, QColor, QKeySequence, QPalette, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QMessageBox,
    QPushButton,
    QTableView,
    QVBoxLayout,
)

from pspgui.gui.dialogs.class_rows import COLOUR, NAME, DraftModel, SwatchDelegate
from pspgui.gui.dialogs.form import Text
from pspgui.gui.icons import icon
from pspgui.gui.theme import GRID_PX, QuietLabel, current_theme, heading
from pspgui.jobs.class_changes import Uses
from pspgui.labels.class_edits import ClassDraft
from pspgui.labels.classes import ClassTable

if TYPE_CHECKING:
    from pspgui.gui.class_session import ClassSession
    from pspgui.gui.commands.row import Parts

_ROW_PX: Final = 28
_MOST_LINES: Final = 6
_PUBLISHED: Final = (
    ("CamVid, 11 classes", "camvid"), ("Cityscapes, 19 classes", "cityscapes19"),
    ("Pascal VOC, 21 classes", "voc2012"), ("ADE20K, 150 classes", "ade20k150"),
)  # fmt: skip


class ClassTableDialog(QDialog):
    """Add, rename, recolour, merge, delete, reorder and group classes, or take some from elsewhere.

    Labels are changed by `session` when the person applies, with a backup; nothing before.
    """

    def __init__(self, session: ClassSession, parent: object = None) -> None:
        super().__init__(parent)
        self._session = session
        self._uses: Uses | None = None
        self.setWindowTitle("Classes")
        self.setMinimumSize(80 * GRID_PX, 60 * GRID_PX)
        self.model = DraftModel(session.table, self)
        self.view = self._build_view()
        self.effects = Text()
        self._message = QuietLabel("")
        self._message.setWordWrap(True)
        middle = QHBoxLayout()
        middle.setSpacing(2 * GRID_PX)
        middle.addWidget(self.view, 1)
        middle.addLayout(self._build_buttons())
        self._box = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.apply_button = self._box.addButton("Apply", QDialogButtonBox.ButtonRole.AcceptRole)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID_PX, 2 * GRID_PX, 3 * GRID_PX, 2 * GRID_PX)
        column.setSpacing(GRID_PX)
        column.addLayout(middle, 1)
        column.addWidget(self._message)
        column.addWidget(heading("What happens to labels"))
        column.addWidget(self.effects)
        column.addSpacing(GRID_PX)
        column.addWidget(self._box)
        self._connect()
        self._show_draft()
        session.count()

    # -- parts --------------------------------------------------------------------------------

    def _build_view(self) -> QTableView:
        view = QTableView()
        view.setModel(self.model)
        view.setItemDelegateForColumn(COLOUR, SwatchDelegate(view))
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        view.setShowGrid(False)
        view.setAccessibleName("Classes")
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(_ROW_PX)
        theme, colours = current_theme(), view.palette()
        colours.setColor(QPalette.ColorRole.Highlight, theme.selected)
        colours.setColor(QPalette.ColorRole.HighlightedText, theme.text)
        view.setPalette(colours)
        header = view.horizontalHeader()
        header.setStyleSheet(
            f"QHeaderView::section {{ background: {theme.panel}; color: {theme.quiet}; border: 0;"
            f" border-bottom: 1px solid {theme.line}; padding: 4px; }}"
        )
        header.setHighlightSections(False)
        for section, width in ((0, 40), (COLOUR, 36), (3, 120), (4, 112)):
            view.setColumnWidth(section, width)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        return view

    def _build_buttons(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(GRID_PX)
        self.buttons: dict[str, QPushButton] = {}
        for name, text, symbol in (
            ("add", "Add", "plus"), ("more", "Add from", "import"),
            ("merge", "Merge into", "call-merge"), ("delete", "Delete", "trash-can-outline"),
            ("up", "Move up", "arrow-up"), ("down", "Move down", "arrow-down"),
            ("undo", "Undo", "undo"),
        ):  # fmt: skip
            button = QPushButton(icon(f"mdi6.{symbol}"), text)
            button.setAutoDefault(False)
            button.setStyleSheet("text-align: left")
            self.buttons[name] = button
            column.addWidget(button)
            if name in ("more", "delete", "down"):
                column.addSpacing(GRID_PX)
        column.addStretch(1)
        self._merge_menu, self._more_menu = QMenu(self), QMenu(self)
        self.buttons["merge"].setMenu(self._merge_menu)
        self.buttons["more"].setMenu(self._more_menu)
        return column

    def _connect(self) -> None:
        model, session = self.model, self._session
        model.changed.connect(self._show_draft)
        model.refused.connect(self._refuse)
        for name, slot in (
            ("add", self._add), ("delete", self._delete), ("up", self._up), ("down", self._down),
            ("undo", model.undo),
        ):  # fmt: skip
            self.buttons[name].clicked.connect(slot)
        undo = QShortcut(QKeySequence.StandardKey.Undo, self)
        undo.activated.connect(model.undo)
        self._merge_menu.aboutToShow.connect(self._fill_merge)
        self._more_menu.aboutToShow.connect(self._fill_more)
        self.view.doubleClicked.connect(self._recolour)
        self.view.selectionModel().currentRowChanged.connect(self._show_state)
        self._box.accepted.connect(self.accept)
        self._box.rejected.connect(self.reject)
        session.counted.connect(self._show_uses)
        session.table_read.connect(self._join)
        session.refused.connect(self._refuse)

    # -- what the person does -----------------------------------------------------------------

    @property
    def row(self) -> int:
        """The selected row; -1 for none."""
        return self.view.currentIndex().row()

    def select(self, row: int) -> None:
        """Select a class."""
        self.view.setCurrentIndex(self.model.index(row, NAME))

    @Slot()
    def _add(self) -> None:
        names = {row.name.casefold() for row in self.model.draft.rows}
        number = next(n for n in range(1, 9999) if f"class {n}" not in names)
        if self.model.take(lambda d: d.added(f"class {number}")):
            self.select(self.model.rowCount() - 1)
            self.view.edit(self.view.currentIndex())

    @Slot()
    def _delete(self) -> None:
        row = self.row
        if row >= 0 and self.model.take(lambda d: d.deleted(row)):
            self.select(min(row, self.model.rowCount() - 1))

    @Slot()
    def _up(self) -> None:
        self._move(-1)

    @Slot()
    def _down(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        row, to = self.row, self.row + by
        if row >= 0 and 0 <= to < self.model.rowCount():
            self.model.take(lambda d: d.moved(row, to))
            self.select(to)

    def merge_into(self, into: int) -> None:
        """Merge the selected class into another."""
        row = self.row
        if row >= 0 and self.model.take(lambda d: d.merged(row, into)):
            self.select(into - (into > row))

    @Slot(QModelIndex)
    def _recolour(self, index: QModelIndex) -> None:
        if index.column() != COLOUR:
            return
        row = self.model.draft.rows[index.row()]
        colour = QColorDialog.getColor(QColor(*row.colour), self, f"Colour of {row.name}")
        if colour.isValid():
            self.model.take(
                lambda d: d.recoloured(index.row(), (colour.red(), colour.green(), colour.blue()))
            )
            self.select(index.row())

    @Slot()
    def _fill_merge(self) -> None:
        self._merge_menu.clear()
        for i, row in enumerate(self.model.draft.rows):
            if i != self.row:
                action = self._merge_menu.addAction(row.name)
                action.setData(i)
                action.triggered.connect(self._merge_chosen)

    @Slot()
    def _merge_chosen(self) -> None:
        self.merge_into(self.sender().data())

    @Slot()
    def _fill_more(self) -> None:
        self._more_menu.clear()
        model = self._session.model_table
        if model is not None:
            action = self._more_menu.addAction(f"The model in use, {len(model)} classes")
            action.triggered.connect(self._join_model)
        for text, name in _PUBLISHED:
            action = self._more_menu.addAction(text)
            action.setData(name)
            action.triggered.connect(self._join_published)
        self._more_menu.addSeparator()
        self._more_menu.addAction("A file: weights, classes.json…").triggered.connect(self._ask)
        self._more_menu.addAction("A data set's folder…").triggered.connect(self._ask_folder)

    @Slot()
    def _join_model(self) -> None:
        self._join(self._session.model_table)

    @Slot()
    def _join_published(self) -> None:
        from pspgui.labels.palettes import palette

        self._join(palette(self.sender().data()))

    @Slot()
    def _ask(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Take classes from a file")
        if name:
            self._session.read_table(Path(name))

    @Slot()
    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Take classes from a data set")
        if name:
            self._session.read_table(Path(name))

    @Slot(object)
    def _join(self, table: ClassTable) -> None:
        before = self.model.rowCount()
        if self.model.take(lambda d: d.joined(table)):
            self.select(before)
        else:
            self._refuse("All of these classes are here already.")

    def accept(self) -> None:
        """Ask once more where labels lose their meaning, then let the session do it."""
        draft = self.model.draft
        lost = [e for e in self._effects(draft) if e.alters and e.pixels]
        if lost and not self._confirmed(len(lost)):
            return
        super().accept()
        self._session.apply(draft)

    def _confirmed(self, count: int) -> bool:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.NoIcon)
        noun = "class" if count == 1 else "classes"
        box.setText(f"The labels of {count} {noun} will change in every image of this folder.")
        box.setInformativeText(
            f"{self.effects.text()}\n\nA backup is kept: File, Backups… puts it back. "
            "Undo does not reach behind this."
        )
        change = box.addButton("Change labels", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)  # no labels change by Enter alone
        box.exec()
        return box.clickedButton() is change

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop counting."""
        self._session.stop()
        super().closeEvent(event)

    def done(self, result: int) -> None:
        """Stop counting."""
        self._session.stop()
        super().done(result)

    # -- what is shown ------------------------------------------------------------------------

    @Slot()
    def _show_draft(self) -> None:
        self._message.clear()
        self._show_effects()
        self._show_state()

    @Slot()
    def _show_state(self) -> None:
        row, count = self.row, self.model.rowCount()
        for name, on in (
            ("merge", row >= 0 and count > 1), ("delete", row >= 0), ("up", row > 0),
            ("down", 0 <= row < count - 1), ("undo", self.model.can_undo),
        ):  # fmt: skip
            self.buttons[name].setEnabled(on)
        self.apply_button.setEnabled(self.model.draft.is_changed and self._session.is_writable)
        if not self._session.is_writable:
            self._message.setText(self._session.read_only_reason)

    @Slot(object)
    def _show_uses(self, uses: Uses) -> None:
        self._uses = uses
        self.model.set_pixels(uses.pixels)
        self._show_effects()

    def _effects(self, draft: ClassDraft):
        uses = self._uses
        return draft.effects({} if uses is None else uses.pixels, uses and uses.images)

    def _show_effects(self) -> None:
        draft = self.model.draft
        lines = [effect.sentence + "." for effect in self._effects(draft)]
        if self._uses is None and lines:
            lines.append("Labels are still being counted.")
        if self._uses is not None and self._uses.unreadable:
            lines.append(f"{len(self._uses.unreadable)} label files cannot be read and stay.")
        more = len(lines) - _MOST_LINES
        if more > 0:
            lines = [*lines[:_MOST_LINES], f"… and {more} more."]
        if not lines:
            lines = ["Nothing: every label keeps its class."]
        self.effects.setText("\n".join(lines))

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self._message.setText(sentence[:1].upper() + sentence[1:].rstrip(".") + ".")


def edit_classes(parts: Parts) -> None:
    """Open the editor on the classes of the labels shown."""
    from pspgui.gui.class_session import ClassSession

    parts.document.finish_stroke()
    dialog = ClassTableDialog(ClassSession(parts), parts.canvas.window())
    dialog.exec()
    dialog.deleteLater()


__all__ = ["ClassTableDialog", "edit_classes"]
