"""The images panel: a folder's images as list or grid, filtered and ordered; 100 000 are fine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from pspgui.gui.panels.image_buttons import LookButton, OrderButton
from pspgui.gui.panels.image_details import ImageDetails
from pspgui.gui.panels.image_filter import FilterField
from pspgui.gui.panels.image_menu import SelectionMenu
from pspgui.gui.panels.image_model import ImageModel
from pspgui.gui.panels.image_view import LOOKS, ImageView
from pspgui.gui.panels.thumbnails import SIDE_PX, Thumbnails
from pspgui.gui.theme import QuietLabel, current_theme
from pspgui.project.queries import EVERYTHING, Query
from pspgui.project.query_rows import name_filter

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.queue_session import QueueSession

_HELD: Final = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


class ImagesPanel(QWidget):
    """List, filter and order. `image_chosen(Path)` when the person goes to another image.

    `predict_wanted(paths, keep as labels)`, `export_wanted(paths)`: from the menu of a selection.
    `close_worker` ends the thumbnail thread; the window calls it when it closes.
    """

    image_chosen = Signal(object)
    predict_wanted = Signal(object, bool)
    export_wanted = Signal(object)
    look_changed = Signal(str)

    def __init__(
        self,
        document: Document,
        parent: QWidget | None = None,
        thumbnails: Thumbnails | None = None,
        queue: QueueSession | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._queue = queue
        self.setObjectName("images_panel")
        self.setAutoFillBackground(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._thumbnails = thumbnails or Thumbnails(parent=self)
        known = (lambda path: None) if queue is None else queue.known
        self._model = ImageModel(self._thumbnails, known, self)
        self._filter = FilterField()
        self._count, self._complaint = QuietLabel(), QuietLabel()
        self._sort, self._look = OrderButton(), LookButton()
        self._view = ImageView()
        self._view.setModel(self._model)
        self._details = None if queue is None else ImageDetails(queue, self)
        self._setting = False
        self._sight = QTimer(self)
        self._sight.setSingleShot(True)
        self._sight.setInterval(40)
        self._build()
        self._connect()
        self._show_count()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        head = QVBoxLayout()
        head.setContentsMargins(12, 0, 12, 0)
        head.setSpacing(4)
        head.addWidget(self._filter)
        self._complaint.setWordWrap(True)
        self._complaint.setVisible(False)
        head.addWidget(self._complaint)
        row = QHBoxLayout()
        row.setSpacing(2)
        row.addWidget(self._count, 1)
        row.addWidget(self._sort)
        row.addWidget(self._look)
        if self._queue is None:
            self._sort.setVisible(False)
        head.addLayout(row)
        layout.addLayout(head)
        layout.addWidget(self._view, 1)
        if self._details is not None:
            layout.addWidget(self._details)
        self.setMinimumWidth(168)

    def _connect(self) -> None:
        self._filter.query_changed.connect(self._on_query)
        self._filter.complained.connect(self._on_complaint)
        self._filter.left.connect(self._on_left)
        self._sort.chosen.connect(self._on_order)
        self._sort.find_again.connect(self._find_again)
        self._look.chosen.connect(self.set_look)
        self._sight.timeout.connect(self._want_in_sight)
        self._thumbnails.arrived.connect(self._on_arrived)
        self._view.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self._view.selectionModel().currentChanged.connect(self._on_current)
        self._view.selectionModel().selectionChanged.connect(self._on_selection)
        self._view.customContextMenuRequested.connect(self._show_menu)
        self._document.history_changed.connect(self._on_edited)
        self._document.saved_changed.connect(self._on_edited)
        if self._queue is not None:
            self._queue.found_changed.connect(self._on_found)
            self._queue.known_changed.connect(self._on_known)
            self._queue.neighbour_found.connect(self._go_to)
            self._filter.words = self._queue.words
            self._filter.opened.connect(self._queue.learn_words)

    # -- what the window calls ----------------------------------------------------------------

    @property
    def view(self) -> ImageView:
        """The list."""
        return self._view

    @property
    def model(self) -> ImageModel:
        """The rows."""
        return self._model

    @property
    def filter_field(self) -> FilterField:
        """The field of the filter."""
        return self._filter

    @property
    def details(self) -> ImageDetails | None:
        """What is said of the images selected; None without a project."""
        return self._details

    @property
    def count_text(self) -> str:
        """How many images pass the filter."""
        return self._count.text()

    @property
    def complaint(self) -> str:
        """What is wrong with the filter; "" when it can be read."""
        return self._complaint.text()

    def sizeHint(self) -> QSize:
        """The width of a narrow side panel."""
        return QSize(216, 480)

    def selected(self) -> Sequence[Path]:
        """Return the images selected, else the one on the canvas."""
        paths = self._view.selected_paths()
        current = self._model.current
        return paths or (() if current is None else (current,))

    def shown_paths(self) -> Sequence[Path]:
        """Return all images that pass the filter, in the order shown."""
        found = (self._model.path_at(row) for row in range(self._model.rowCount()))
        return tuple(path for path in found if path is not None)

    @Slot(str)
    def set_look(self, look: str) -> None:
        """Show rows or pictures, one of LOOKS; `look_changed` tells."""
        self._thumbnails.set_side(max(SIDE_PX, LOOKS[look]))
        self._view.set_look(look)
        self._look.show_look(look)
        self._sight.start()
        self.look_changed.emit(look)

    def set_images(self, paths: Sequence[Path]) -> None:
        """Show these images; wishes for the old ones' thumbnails are dropped."""
        self._thumbnails.forget()
        self._setting = True
        self._model.set_paths(paths)
        self._setting = False
        if self._queue is not None:
            self._queue.set_images(paths)
        if self._filter.query != EVERYTHING:
            self._on_query(self._filter.query)
        self._select_current()
        self._show_count()
        self._sight.start()

    def set_current(self, path: Path | None) -> None:
        """Mark the image on the canvas; does not emit `image_chosen`."""
        self._model.set_current(path)
        self._select_current()
        self._show_details()

    def set_status(self, path: Path, status: str) -> None:
        """Set an image's mark: "edited", "saved" or ""."""
        self._model.set_status(path, status)

    @Slot(object)
    def set_labelled(self, paths: Collection[Path]) -> None:
        """Mark the images of the list that have labels from earlier."""
        self._model.set_saved(paths)

    def beside(self, by: int) -> Path | None:
        """Return the image that `step` goes to; None where it stays."""
        row, count = self._model.row_of(self._model.current), self._model.rowCount()
        target = row + by if row >= 0 else 0
        path = self._model.path_at(min(max(target, 0), count - 1))
        return None if path == self._model.current else path

    def step(self, by: int) -> None:
        """Go `by` images on (negative: back) among those the filter shows; stop at the ends."""
        path = self.beside(by)
        if path is not None:
            self._go_to(path)

    def go_round(self, wanted: Callable[[Path], bool]) -> bool | None:
        """Go to the next image that is wanted, from the top again after the last.

        Return whether it went past the end; None, and nothing happens, where no other is wanted.
        """
        row, count = self._model.row_of(self._model.current), self._model.rowCount()
        # An image that is not in the list is before its first row, and all rows are others.
        for target in range(row + 1, row + count + (row < 0)):
            path = self._model.path_at(target % count)
            if path is not None and wanted(path):
                self._go_to(path)
                return target >= count
        return None

    def ask_for(self, text: str) -> None:
        """Filter by a query, as if it had been typed."""
        self._filter.set_query_text(text)

    def close_worker(self) -> None:
        """End the thumbnail thread and wait for it; what is typed about an image is kept."""
        if self._details is not None:
            self._details.set_paths(())
        self._filter.stop()
        self._sight.stop()
        self._thumbnails.close()

    def resizeEvent(self, event: QEvent) -> None:
        """More rows may be in sight."""
        super().resizeEvent(event)
        self._sight.start()

    def showEvent(self, event: QEvent) -> None:
        """Rows are in sight now."""
        super().showEvent(event)
        self._sight.start()

    # -- inside -------------------------------------------------------------------------------

    def _go_to(self, path: Path) -> None:
        if path != self._model.current:
            self.set_current(path)
            self.image_chosen.emit(path)

    def _select_current(self) -> None:
        row = self._model.row_of(self._model.current)
        self._setting = True
        if row >= 0:
            index = self._model.index(row)
            # Of the view's own a held Ctrl or Shift, as in Ctrl+D, would select more instead.
            self._view.selectionModel().setCurrentIndex(
                index, QItemSelectionModel.SelectionFlag.ClearAndSelect
            )
            self._view.scrollTo(index)
        else:
            self._view.clearSelection()
            self._view.setCurrentIndex(QModelIndex())
        self._setting = False

    @Slot(QModelIndex, QModelIndex)
    def _on_current(self, current: QModelIndex, previous: QModelIndex) -> None:
        path = self._model.path_at(current.row()) if current.isValid() else None
        held = QGuiApplication.keyboardModifiers() & _HELD  # selecting more is not going there
        if self._setting or held or path is None or path == self._model.current:
            return
        self._model.set_current(path)
        self.image_chosen.emit(path)

    @Slot()
    def _on_selection(self) -> None:
        if not self._setting:
            self._show_details()

    def _show_details(self) -> None:
        if self._details is not None:
            self._details.set_paths(self.selected())

    @Slot(object)
    def _on_query(self, query: Query) -> None:
        queue = self._queue
        if queue is not None:
            queue.set_query(query)
        if queue is None or queue.listing is None:
            passes = name_filter(query)
            self._setting = True
            if query == EVERYTHING or passes is None:
                self._model.set_rows(None)
            else:
                self._model.set_names(passes)
            self._setting = False
            self._select_current()
            self._show_count()
            self._sight.start()

    @Slot()
    def _on_found(self) -> None:
        found = self._queue.found
        if found is None:
            return
        self._setting = True
        self._model.sort = found.order.sort
        self._model.set_rows(found.rows, found.listing.places)
        self._setting = False
        self._select_current()
        self._show_count()
        self._sight.start()

    @Slot(str)
    def _on_complaint(self, text: str) -> None:
        palette = QPalette(self._complaint.palette())
        palette.setColor(QPalette.ColorRole.WindowText, QColor(current_theme().warning))
        self._complaint.setPalette(palette)
        self._complaint.setText(text)
        self._complaint.setVisible(bool(text))

    def _show_count(self) -> None:
        shown, total = self._model.rowCount(), self._model.total
        plural = "" if total == 1 else "s"
        self._count.setText(
            "" if not total else f"{total} image{plural}" if shown == total
            else f"{shown} of {total} images"
        )  # fmt: skip

    @Slot()
    def _on_left(self) -> None:
        self._find_again()
        self._view.setFocus()  # keys are commands again

    @Slot()
    def _find_again(self) -> None:
        if self._queue is not None:
            self._queue.find_again()

    @Slot(str, bool)
    def _on_order(self, sort: str, descending: bool) -> None:
        self._model.sort = sort
        if self._queue is not None:
            self._queue.set_order(sort, descending)

    @Slot(object)
    def _on_known(self, paths: Sequence[Path]) -> None:
        self._view.viewport().update()
        if not paths:
            self._sight.start()

    @Slot(int)
    def _on_scrolled(self, value: int) -> None:
        self._sight.start()

    @Slot()
    def _want_in_sight(self) -> None:
        """Ask for the pictures and the facts of what is in sight and a little beyond."""
        if not self.isVisible() or not self._model.rowCount():
            return
        paths = [self._model.path_at(row) for row in self._view.rows_in_sight()]
        wanted = [path for path in paths if path is not None]
        self._thumbnails.want(wanted)
        if self._queue is not None:
            self._queue.look_up(wanted)

    @Slot(object)
    def _on_arrived(self, path: Path) -> None:
        self._view.viewport().update()

    @Slot()
    def _on_edited(self) -> None:
        path = self._document.image_path
        if path is None:
            return
        if self._document.is_dirty:
            self._model.set_status(path, "edited")
        elif self._model.status_of(path) == "edited":
            self._model.set_status(path, "saved")

    # -- the menu of a selection ----------------------------------------------------------------

    @Slot(QPoint)
    def _show_menu(self, at: QPoint) -> None:
        menu = self.context_menu()
        if menu is not None:
            menu.popup(self._view.viewport().mapToGlobal(at))

    def context_menu(self) -> QMenu | None:
        """Return the menu of what is selected; None when nothing is."""
        paths, queue = self.selected(), self._queue
        if not paths or queue is None:
            return None
        menu = SelectionMenu(paths, queue, self)
        menu.predict_wanted.connect(self.predict_wanted)
        menu.export_wanted.connect(self.export_wanted)
        menu.typing_wanted.connect(self._type_into)
        return menu

    @Slot(str)
    def _type_into(self, field: str) -> None:
        if self._details is not None:
            self._details.set_paths(self.selected())
            self._details.type_into(getattr(self._details, field))
