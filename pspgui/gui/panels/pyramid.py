"""The pyramid strip: the maps of every level, before and after upsampling, one tile each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from pspgui.gui.panels.drawing import draw_elided, draw_focus
from pspgui.gui.panels.pyramid_tiles import (
    Tile,
    placeholder_tiles,
    tile_steps,
    titled_tiles,
)
from pspgui.gui.theme import Theme, current_theme, quiet_font

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_PAD = 8
_TITLE = 18
_RANGE = 16
_BETWEEN = 2
_MIN_PICTURE = 52
# In a narrow window pictures shrink to this before the strip has to scroll.
_LEAST_WIDTH, _LEAST_HEIGHT = 54, 40
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Home: -999, Qt.Key.Key_End: 999}


class PyramidStrip(QWidget):
    """The row of tiles; `tile_chosen(name)` on click, Enter or Space."""

    tile_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles = placeholder_tiles()
        self._ready = False
        self._rects: list[QRectF] = []
        self._aspect = 4 / 3
        self._part = (1.0, 1.0)
        self._room = 0
        self._hovered = -1
        self._focused = 0
        self._marked: str | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Maps of the pyramid")

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The tiles on display."""
        return self._tiles

    def set_tiles(self, tiles: tuple[Tile, ...], ready: bool) -> None:
        """Show other maps; placeholders (not `ready`) cannot be chosen."""
        self._tiles, self._ready = tiles, ready
        self._focused = min(self._focused, len(tiles) - 1)
        self._place()

    def set_tile(self, tile: Tile) -> None:
        """Show another version of one tile."""
        names = [old.name for old in self._tiles]
        at = names.index(tile.name)
        self._tiles = (*self._tiles[:at], tile, *self._tiles[at + 1 :])
        self.update(self._rects[at].toAlignedRect())

    def set_shape(self, height: int, width: int, part: tuple[float, float] = (1.0, 1.0)) -> None:
        """Give pictures the image's shape; `part` is the share of a map that is not padding."""
        self._aspect = min(3.0, max(0.4, width / max(1, height)))
        self._part = part
        self._place()

    def set_marked(self, name: str | None) -> None:
        """Mark the tile that the canvas shows."""
        if name != self._marked:
            self._marked = name
            self.update()

    def set_room(self, width: int) -> None:
        """Make the pictures small enough for this width, as long as they can be read."""
        if width != self._room:
            self._room = width
            self._place()

    def rect_of(self, name: str) -> QRectF:
        """Return where a tile is; raises KeyError when there is none of that name."""
        for tile, rect in zip(self._tiles, self._rects, strict=True):
            if tile.name == name:
                return rect
        raise KeyError(name)

    # -- geometry -----------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """All tiles side by side."""
        return QSize(int(self._rects[-1].right()) + 8 if self._rects else 800, 128)

    def minimumSizeHint(self) -> QSize:
        """As wide as all tiles at the present height: the scroll area does the rest."""
        return QSize(self.sizeHint().width(), _MIN_PICTURE + _TITLE + _RANGE + 2 * _PAD)

    def resizeEvent(self, event: QEvent) -> None:
        """Pictures grow with the height."""
        self._place()

    def _place(self) -> None:
        around = _TITLE + _RANGE + 2 * _PAD
        pictures = sum(2 if tile.two else 1 for tile in self._tiles)
        gaps = len(self._tiles) * (2 * _PAD + _BETWEEN) + 2 * _PAD
        fitting = int((self._room - gaps) / max(1, pictures) / self._aspect)
        least = max(24, min(_LEAST_HEIGHT, round(_LEAST_WIDTH / self._aspect)))
        high = max(least, min(max(self.height() - around, _MIN_PICTURE), fitting))
        wide = int(high * self._aspect)
        x, rects = 8.0, []
        top = max(0, (self.height() - high - around) // 2)
        for tile in self._tiles:
            width = (2 * wide + _BETWEEN if tile.two else max(wide, _LEAST_WIDTH)) + 2 * _PAD
            rects.append(QRectF(x, top, width, high + around))
            x += width
        if rects != self._rects:
            before = self._rects[-1].right() if self._rects else 0
            self._rects = rects
            if rects[-1].right() != before:
                self.updateGeometry()
        self.update()

    def _tile_at(self, position: QPointF) -> int:
        return next((i for i, r in enumerate(self._rects) if r.contains(position)), -1)

    # -- what a person does -------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up the tile under the mouse."""
        self._hover(self._tile_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        """No tile is under the mouse any more."""
        self._hover(-1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the tile under the mouse."""
        index = self._tile_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and index >= 0:
            self._focused = index
            self._choose(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows, Home and End walk through the tiles; Enter or Space chooses."""
        if event.key() in _STEPS:
            step = self._focused + _STEPS[Qt.Key(event.key())]
            self._focused = min(max(step, 0), len(self._tiles) - 1)
            self.setAccessibleDescription(self._tiles[self._focused].words)
            self._scroll_to(self._focused)
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._choose(self._focused)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Explain the tile under the mouse."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self._tile_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), self._tiles[index].words if index >= 0 else "")
            return True
        return super().event(event)

    def _hover(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            choosable = index >= 0 and self._ready
            shape = Qt.CursorShape.PointingHandCursor if choosable else Qt.CursorShape.ArrowCursor
            self.setCursor(shape)
            self.update()

    def _choose(self, index: int) -> None:
        if self._ready and 0 <= index < len(self._tiles):
            self.tile_chosen.emit(self._tiles[index].name)
        self.update()

    def _scroll_to(self, index: int) -> None:
        rect = self._rects[index]
        viewport = self.parentWidget()
        area = viewport.parentWidget() if viewport is not None else None
        if isinstance(area, QScrollArea):
            centre = rect.center().toPoint()
            area.ensureVisible(centre.x(), centre.y(), int(rect.width() / 2) + 8, 0)

    # -- painting -----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the tiles that the event asks for."""
        theme = current_theme()
        with QPainter(self) as p:
            p.setFont(quiet_font(self))
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            for i, (tile, rect) in enumerate(zip(self._tiles, self._rects, strict=True)):
                if rect.intersects(QRectF(event.rect())):
                    self._paint_tile(p, theme, i, tile, rect)

    def _paint_tile(
        self, p: QPainter, theme: Theme, index: int, tile: Tile, rect: QRectF
    ) -> None:
        marked = tile.name == self._marked and self._ready
        ground = rect.adjusted(2, 2, -2, -2)
        if marked or (index == self._hovered and self._ready):
            p.setPen(Qt.PenStyle.NoPen)
            p.setBrush(QColor(theme.selected if marked else theme.hover))
            p.drawRoundedRect(ground, 4, 4)
        inner = rect.adjusted(_PAD, _PAD, -_PAD, -_PAD)
        p.setPen(QColor(theme.text if self._ready else theme.disabled))
        draw_elided(p, QRectF(inner.left(), inner.top() - 2, inner.width(), _TITLE), tile.title)
        pictures = QRectF(
            inner.left(), inner.top() + _TITLE, inner.width(), inner.height() - _TITLE - _RANGE
        )
        self._paint_pictures(p, theme, tile, pictures)
        p.setPen(QColor(theme.quiet))
        below = QRectF(inner.left(), pictures.bottom() + 2, inner.width(), _RANGE)
        draw_elided(p, below, tile.value_range)
        if marked:
            p.setBrush(Qt.BrushStyle.NoBrush)
            p.setPen(QPen(QColor(theme.accent), 1.5))
            p.drawRoundedRect(ground, 4, 4)
        if self.hasFocus() and index == self._focused and not marked:
            draw_focus(p, ground, theme)

    def _paint_pictures(self, p: QPainter, theme: Theme, tile: Tile, rect: QRectF) -> None:
        width = (rect.width() - _BETWEEN) / 2 if tile.two else rect.width()
        left = QRectF(rect.left(), rect.top(), round(width), rect.height())
        right = QRectF(rect.right() - round(width), rect.top(), round(width), rect.height())
        if tile.after is None:
            p.setPen(Qt.PenStyle.NoPen)
            p.setBrush(QColor(theme.hover))
            for place in (left, right) if tile.two else (left,):
                p.drawRect(place)
            return
        if tile.before is not None:
            self._draw_map(p, left, tile.before, smooth=False)
        self._draw_map(p, right, tile.after, smooth=True)

    def _draw_map(self, p: QPainter, rect: QRectF, image: QImage, smooth: bool) -> None:
        down, across = self._part
        p.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        p.drawImage(rect, image, QRectF(0, 0, image.width() * across, image.height() * down))


class _StripArea(QScrollArea):
    """Scrolls sideways, with the plain wheel too."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell the strip how much is in sight."""
        super().resizeEvent(event)
        strip = self.widget()
        if isinstance(strip, PyramidStrip):
            strip.set_room(self.viewport().width())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Turn the wheel's up and down into left and right."""
        bar = self.horizontalScrollBar()
        delta = event.angleDelta().y() or event.angleDelta().x()
        bar.setValue(bar.value() - delta)
        event.accept()


class PyramidPanel(QWidget):
    """The strip, fed by the document; choosing a tile shows its map on the canvas, or no longer."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setObjectName("pyramid_panel")
        self.setAutoFillBackground(True)
        self._strip = PyramidStrip()
        area = _StripArea()
        area.setWidgetResizable(True)
        area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(self._strip)
        area.viewport().setAutoFillBackground(False)
        self._strip.setAutoFillBackground(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)
        self._steps: Iterator[Tile | None] = iter(())
        self._making = QTimer(self)
        self._making.setInterval(0)
        self._making.timeout.connect(self._make_next)
        document.views_changed.connect(self._on_views)
        document.display_changed.connect(self._on_display)
        self._strip.tile_chosen.connect(self._on_chosen)
        self.setMinimumHeight(106)
        self._on_views()
        self._on_display()

    @property
    def strip(self) -> PyramidStrip:
        """The row of tiles."""
        return self._strip

    def sizeHint(self) -> QSize:
        """High enough for pictures one can read."""
        return QSize(800, 128)

    def changeEvent(self, event: QEvent) -> None:
        """Colour the maps anew when the theme changes: their neutral is the theme's."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._on_views()

    @Slot()
    def _on_views(self) -> None:
        document = self._document
        if document.image is not None:
            height, width = document.image.shape[:2]
            padded = document.prediction.padded_shape if document.prediction else (height, width)
            part = (height / padded[0], width / padded[1])
            self._strip.set_shape(height, width, part)
        if not document.views:
            self._making.stop()
            self._strip.set_tiles(placeholder_tiles(), ready=False)
            return
        name = document.reading_table.name_of(document.score_class)
        self._strip.set_tiles(self._as_before(titled_tiles(document.views, name)), ready=True)
        self._steps = tile_steps(document.views, name)
        self._making.start()

    def _as_before(self, tiles: tuple[Tile, ...]) -> tuple[Tile, ...]:
        """Give tiles the pictures they have, until there are better ones: nothing flickers."""
        old = {tile.name: tile for tile in self._strip.tiles}
        return tuple(
            tile if tile.name not in old
            else replace(tile, before=old[tile.name].before, after=old[tile.name].after)
            for tile in tiles
        )  # fmt: skip

    @Slot()
    def _make_next(self) -> None:
        """Make one picture; the rest in the next turns of the event loop."""
        try:
            tile = next(self._steps)
        except StopIteration:
            self._making.stop()
            return
        if tile is not None:
            self._strip.set_tile(tile)

    @Slot()
    def _on_display(self) -> None:
        self._strip.set_marked(self._document.shown_map)

    @Slot(str)
    def _on_chosen(self, name: str) -> None:
        self._document.set_shown_map(None if self._document.shown_map == name else name)
