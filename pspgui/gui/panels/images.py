"""The images panel: a folder's images with thumbnails, status and filter; 100 000 are fine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from pspgui.durable import printable
from pspgui.gui.icons import draw_icon, icon
from pspgui.gui.panels.drawing import draw_elided, draw_empty
from pspgui.gui.panels.thumbnails import ThumbnailError, Thumbnails
from pspgui.gui.theme import Theme, current_theme, quiet_font, text_font

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_ROW = 56
_PICTURE = (56, 42)
_AHEAD = 12
_STATUS_WORDS = {"edited": "edited, not saved yet", "saved": "labels saved"}
_Index = QModelIndex | QPersistentModelIndex


class ImageModel(QAbstractListModel):
    """The paths that pass the filter, and what is known of each."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.thumbnails = thumbnails
        self._all: list[Path] = []
        self._keys: list[str] = []
        self._shown: list[Path] = []
        self._shown_keys: list[str] = []
        self._status: dict[Path, str] = {}
        self._needle = ""

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return how many images pass the filter."""
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the file name, the whole path as tooltip, the path itself under UserRole."""
        if not index.isValid() or not 0 <= index.row() < len(self._shown):
            return None
        path = self._shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return printable(path.name)
        if role == Qt.ItemDataRole.ToolTipRole:
            picture = self.thumbnails.get(path)
            reason = f"\n{picture.reason}" if isinstance(picture, ThumbnailError) else ""
            status = _STATUS_WORDS.get(self.status_of(path), "")
            return printable(path) + (f"\n{status}" if status else "") + reason
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{printable(path.name)} {_STATUS_WORDS.get(self.status_of(path), '')}".strip()
        return path if role == Qt.ItemDataRole.UserRole else None

    @property
    def total(self) -> int:
        """How many images there are without the filter."""
        return len(self._all)

    def set_paths(self, paths: Sequence[Path]) -> None:
        """Take another folder's images; the status of the old ones is forgotten."""
        self._all = list(paths)
        self._keys = [path.name.casefold() for path in self._all]
        self._status = {}
        self._apply()

    def set_filter(self, text: str) -> None:
        """Keep only names that contain the text, letter case ignored."""
        needle = text.strip().casefold()
        if needle != self._needle:
            self._needle = needle
            self._apply()

    def set_status(self, path: Path, status: str) -> None:
        """Set an image's dot: "edited", "saved" or "" for none."""
        if self._status.get(path, "") == status:
            return
        self._status[path] = status
        row = self.row_of(path)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row))

    def set_saved(self, paths: Collection[Path]) -> None:
        """Give images the dot of saved labels, where they have none yet."""
        for path in paths:
            self._status.setdefault(path, "saved")
        if paths and self._shown:
            self.dataChanged.emit(self.index(0), self.index(len(self._shown) - 1))

    def status_of(self, path: Path) -> str:
        """Return "edited", "saved" or ""."""
        return self._status.get(path, "")

    def path_at(self, row: int) -> Path | None:
        """Return the image in a row."""
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def row_of(self, path: Path | None) -> int:
        """Return the row of an image, -1 when it is not shown."""
        if path is None:
            return -1
        # Searching names is fast; hashing 100 000 paths would take half a second.
        key, row = path.name.casefold(), -1
        try:
            while True:
                row = self._shown_keys.index(key, row + 1)
                if self._shown[row] == path:
                    return row
        except ValueError:
            return -1

    def _apply(self) -> None:
        self.beginResetModel()
        if self._needle:
            kept = [i for i, key in enumerate(self._keys) if self._needle in key]
            self._shown = [self._all[i] for i in kept]
            self._shown_keys = [self._keys[i] for i in kept]
        else:
            self._shown, self._shown_keys = self._all, self._keys
        self.endResetModel()


class ImageDelegate(QStyledItemDelegate):
    """Paints a row: thumbnail, file name, place in the list, status dot."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        """Every row is equally high."""
        return QSize(160, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Paint one row; a thumbnail that is not made yet is a quiet field."""
        model = index.model()
        if not isinstance(model, ImageModel):
            return
        path = model.path_at(index.row())
        if path is None:
            return
        theme, rect = current_theme(), option.rect
        current = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if current or option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(theme.selected if current else theme.hover))
        if current:
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), theme.accent)
        frame = QRectF(rect.left() + 12, rect.top() + (_ROW - _PICTURE[1]) / 2, *_PICTURE)
        self._paint_picture(painter, theme, frame, model.thumbnails.get(path))
        left = frame.right() + 12
        width = rect.right() - 24 - left
        painter.setFont(text_font(option.widget))
        painter.setPen(QColor(theme.text))
        top = rect.top() + 9
        # Names of one folder differ at their ends, so the middle is what can go.
        draw_elided(
            painter, QRectF(left, top, width, 20), printable(path.name),
            mode=Qt.TextElideMode.ElideMiddle,
        )  # fmt: skip
        painter.setFont(quiet_font(option.widget))
        painter.setPen(QColor(theme.quiet))
        status = model.status_of(path)
        place = f"{index.row() + 1} of {model.rowCount()}"
        words = f"{place} · {status}" if status else place
        draw_elided(painter, QRectF(left, top + 20, width, 16), words)
        if status:
            dot = QRectF(rect.right() - 18, rect.top() + 15, 8, 8)
            self._paint_dot(painter, theme, dot, status)
        painter.restore()

    def _paint_picture(
        self, p: QPainter, theme: Theme, frame: QRectF, picture: QImage | ThumbnailError | None
    ) -> None:
        if isinstance(picture, QImage):
            scale = max(frame.width() / picture.width(), frame.height() / picture.height())
            part = QRectF(0, 0, frame.width() / scale, frame.height() / scale)
            part.moveCenter(QRectF(picture.rect()).center())
            p.drawImage(frame, picture, part)
            return
        p.fillRect(frame, QColor(theme.hover if theme.is_dark else theme.selected))
        if isinstance(picture, ThumbnailError):
            mark = QRectF(0, 0, 18, 18)
            mark.moveCenter(frame.center())
            draw_icon(p, "image-broken-variant", mark, theme.warning)

    def _paint_dot(self, p: QPainter, theme: Theme, rect: QRectF, status: str) -> None:
        """A ring for edited, a filled dot for saved: told apart without colour."""
        p.setPen(QColor(theme.accent))
        p.setBrush(QColor(theme.accent) if status == "saved" else Qt.BrushStyle.NoBrush)
        p.drawEllipse(rect.adjusted(0.5, 0.5, -0.5, -0.5))


class ImageView(QListView):
    """The list, with words where it is empty."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setBatchSize(2000)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().setSingleStep(_ROW // 2)
        self.setAccessibleName("Images")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rows, or what to do when there are none."""
        super().paintEvent(event)
        model = self.model()
        if not isinstance(model, ImageModel) or model.rowCount():
            return
        with QPainter(self.viewport()) as p:
            if model.total:
                draw_empty(p, self.viewport(), "magnify", "No name matches", "Clear the filter.")
            else:
                hint = "Drop images or a folder here, or open a folder (Ctrl+Shift+O)."
                draw_empty(p, self.viewport(), "image-multiple-outline", "No images yet", hint)


class ImagesPanel(QWidget):
    """List and filter. `image_chosen(Path)` when the person goes to another image.

    `close_worker` ends the thumbnail thread; the window calls it when it closes.
    """

    image_chosen = Signal(object)

    def __init__(
        self,
        document: Document,
        parent: QWidget | None = None,
        thumbnails: Thumbnails | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self.setObjectName("images_panel")
        self.setAutoFillBackground(True)
        self._thumbnails = thumbnails or Thumbnails(parent=self)
        self._model = ImageModel(self._thumbnails, self)
        self._filter = QLineEdit()
        self._view = ImageView()
        self._view.setModel(self._model)
        self._view.setItemDelegate(ImageDelegate(self._view))
        self._current: Path | None = None
        self._setting = False
        self._sight = QTimer(self)
        self._typing = QTimer(self)
        for timer, wait_ms in ((self._sight, 40), (self._typing, 120)):
            timer.setSingleShot(True)
            timer.setInterval(wait_ms)
        self._build()
        self._connect()

    def _build(self) -> None:
        self._filter.setPlaceholderText("Filter by name")
        self._filter.setAccessibleName("Filter images by name")
        self._filter.setClearButtonEnabled(True)
        self._filter.addAction(icon("magnify", "quiet"), QLineEdit.ActionPosition.LeadingPosition)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(8)
        field = QVBoxLayout()
        field.setContentsMargins(12, 0, 12, 0)
        field.addWidget(self._filter)
        layout.addLayout(field)
        layout.addWidget(self._view, 1)
        self.setMinimumWidth(168)

    def _connect(self) -> None:
        self._filter.textChanged.connect(self._on_typing)
        self._filter.returnPressed.connect(self._apply_filter)
        self._filter.returnPressed.connect(self._view.setFocus)  # keys are commands again
        self._typing.timeout.connect(self._apply_filter)
        self._sight.timeout.connect(self._want_in_sight)
        self._thumbnails.arrived.connect(self._on_arrived)
        self._view.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self._view.selectionModel().currentChanged.connect(self._on_current)
        self._document.history_changed.connect(self._on_edited)
        self._document.saved_changed.connect(self._on_edited)

    # -- what the window calls ----------------------------------------------------------------

    @property
    def view(self) -> QListView:
        """The list."""
        return self._view

    @property
    def model(self) -> ImageModel:
        """The rows."""
        return self._model

    @property
    def filter_field(self) -> QLineEdit:
        """The field of the name filter."""
        return self._filter

    def sizeHint(self) -> QSize:
        """The width of a narrow side panel."""
        return QSize(216, 480)

    def set_images(self, paths: Sequence[Path]) -> None:
        """Show these images; wishes for the old ones' thumbnails are dropped."""
        self._thumbnails.forget()
        self._setting = True
        self._model.set_paths(paths)
        self._setting = False
        self._select_current()
        self._sight.start()

    def set_current(self, path: Path | None) -> None:
        """Mark the image on the canvas; does not emit `image_chosen`."""
        self._current = path
        self._select_current()

    def set_status(self, path: Path, status: str) -> None:
        """Set an image's dot: "edited", "saved" or ""."""
        self._model.set_status(path, status)

    @Slot(object)
    def set_labelled(self, paths: Collection[Path]) -> None:
        """Mark the images of the list that have labels from earlier."""
        self._model.set_saved(paths)

    def step(self, by: int) -> None:
        """Go `by` images on (negative: back) among those the filter shows; stops at the ends."""
        row = self._model.row_of(self._current)
        target = row + by if row >= 0 else 0
        path = self._model.path_at(min(max(target, 0), self._model.rowCount() - 1))
        if path is not None and path != self._current:
            self.set_current(path)
            self.image_chosen.emit(path)

    def close_worker(self) -> None:
        """End the thumbnail thread and wait for it."""
        self._sight.stop()
        self._typing.stop()
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

    def _select_current(self) -> None:
        row = self._model.row_of(self._current)
        self._setting = True
        if row >= 0:
            index = self._model.index(row)
            self._view.setCurrentIndex(index)
            self._view.scrollTo(index)
        else:
            self._view.clearSelection()
            self._view.setCurrentIndex(QModelIndex())
        self._setting = False

    @Slot(QModelIndex, QModelIndex)
    def _on_current(self, current: QModelIndex, previous: QModelIndex) -> None:
        path = self._model.path_at(current.row()) if current.isValid() else None
        if self._setting or path is None or path == self._current:
            return
        self._current = path
        self.image_chosen.emit(path)

    @Slot()
    def _on_typing(self) -> None:
        self._typing.start()

    @Slot()
    def _apply_filter(self) -> None:
        self._typing.stop()
        self._setting = True
        self._model.set_filter(self._filter.text())
        self._setting = False
        self._select_current()
        self._sight.start()

    @Slot(int)
    def _on_scrolled(self, value: int) -> None:
        self._sight.start()

    @Slot()
    def _want_in_sight(self) -> None:
        """Ask for the rows in sight and a few beyond."""
        if not self.isVisible() or not self._model.rowCount():
            return
        viewport = self._view.viewport().rect()
        first = self._view.indexAt(viewport.topLeft()).row()
        first = max(0, first)
        count = viewport.height() // _ROW + 2
        rows = [*range(first, first + count + _AHEAD), *range(first - 1, first - _AHEAD, -1)]
        paths = [self._model.path_at(row) for row in rows]
        self._thumbnails.want([path for path in paths if path is not None])

    @Slot(object)
    def _on_arrived(self, path: Path) -> None:
        row = self._model.row_of(path)
        if row >= 0:
            self._view.update(self._model.index(row))

    @Slot()
    def _on_edited(self) -> None:
        path = self._document.image_path
        if path is None:
            return
        if self._document.is_dirty:
            self._model.set_status(path, "edited")
        elif self._model.status_of(path) == "edited":
            self._model.set_status(path, "saved")
