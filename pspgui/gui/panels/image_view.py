"""The view of the image list: rows or a grid, many selectable, words where it is empty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QWidget

from pspgui.gui.panels.drawing import draw_empty
from pspgui.gui.panels.image_delegate import ROW_PX, RowDelegate, TileDelegate
from pspgui.gui.panels.image_model import ImageModel

AHEAD: Final = 12
# What can be chosen: the side of a picture in pixels; 0 for rows.
LOOKS: Final = {"list": 0, "small": 96, "medium": 144, "large": 224}
LOOK_TEXTS: Final = {
    "list": "List", "small": "Small pictures", "medium": "Medium pictures",
    "large": "Large pictures",
}  # fmt: skip


class ImageView(QListView):
    """The list or grid. Every item is equally large, so only what is in sight costs anything."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setBatchSize(2000)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setAccessibleName("Images")
        self._look = ""
        self.set_look("list")

    @property
    def look(self) -> str:
        """One of LOOKS."""
        return self._look

    def set_look(self, look: str) -> None:
        """Show rows or a grid of pictures."""
        if look == self._look:
            return
        self._look = look
        side = LOOKS[look]
        grid = side > 0
        self.setFlow(QListView.Flow.LeftToRight if grid else QListView.Flow.TopToBottom)
        self.setWrapping(grid)
        delegate = TileDelegate(side, self) if grid else RowDelegate(self)
        old = self.itemDelegate()
        self.setItemDelegate(delegate)
        if old is not None and old is not delegate:
            old.deleteLater()
        self._fit_grid()
        self.verticalScrollBar().setSingleStep((delegate.size.height() if grid else ROW_PX) // 2)
        self.doItemsLayout()
        if self.currentIndex().isValid():
            self.scrollTo(self.currentIndex())

    def _fit_grid(self) -> None:
        """Share the width out among as many tiles as fit side by side."""
        delegate = self.itemDelegate()
        if not isinstance(delegate, TileDelegate):
            return
        # Qt keeps room for the scroll bar, there or not, and breaks a row as wide as what is left.
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent, None, self)
        width = self.width() - 2 * self.frameWidth() - bar - 1
        across = max(1, width // delegate.least_px)
        if delegate.set_width(max(delegate.least_px, width // across)):
            self.scheduleDelayedItemsLayout()

    @property
    def tile_size(self) -> QSize:
        """The size of a tile of the grid; empty for rows."""
        delegate = self.itemDelegate()
        return delegate.size if isinstance(delegate, TileDelegate) else QSize()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the tiles into the new width."""
        self._fit_grid()
        super().resizeEvent(event)

    def rows_in_sight(self) -> list[int]:
        """Return the rows in sight, then some after and before them, most wanted first."""
        model, area = self.model(), self.viewport().rect()
        if model is None or not model.rowCount():
            return []
        side = LOOKS[self._look]
        first = max(0, self._row_near(area.topLeft().y()))
        if side:
            size = self.tile_size
            across = max(1, area.width() // size.width())
            count = (area.height() // size.height() + 2) * across
            ahead = 2 * across
        else:
            count, ahead = area.height() // ROW_PX + 2, AHEAD
        rows = [*range(first, first + count + ahead), *range(first - 1, first - ahead, -1)]
        return [row for row in rows if 0 <= row < model.rowCount()]

    def _row_near(self, y: int) -> int:
        for x in (4, 40):
            found = self.indexAt(QPoint(x, y + 4))
            if found.isValid():
                return found.row()
        return 0

    def selected_paths(self) -> Sequence[Path]:
        """Return the selected images in the order of the list."""
        model = self.model()
        if not isinstance(model, ImageModel):
            return ()
        selection = self.selectionModel().selection()
        rows = sorted(
            row for part in selection for row in range(part.top(), part.bottom() + 1)
        )
        found = (model.path_at(row) for row in rows)
        return tuple(path for path in found if path is not None)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rows, or what to do when there are none."""
        super().paintEvent(event)
        model = self.model()
        if not isinstance(model, ImageModel) or model.rowCount():
            return
        with QPainter(self.viewport()) as p:
            if model.total:
                draw_empty(
                    p, self.viewport(), "magnify", "No image passes the filter",
                    "Clear it, or ask for less.",
                )  # fmt: skip
            else:
                hint = "Drop images or a folder here, or open a folder (Ctrl+Shift+O)."
                draw_empty(p, self.viewport(), "image-multiple-outline", "No images yet", hint)
