"""The row of tiles: choosing by mouse and keys, pointing at the same place in all of them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QWidget

from pspgui.geometry import Pixel
from pspgui.gui.panels.pointable import Explained
from pspgui.gui.panels.pyramid_frame import StripFrame
from pspgui.gui.panels.pyramid_painting import (
    BETWEEN,
    RANGE,
    TITLE,
    Look,
    paint_tile,
    pictures_of,
)
from pspgui.gui.panels.pyramid_tiles import Tile, placeholder_tiles
from pspgui.gui.theme import GRID_PX, current_theme, quiet_font

_MIN_PICTURE = 40
# In a narrow window pictures shrink to this before the strip has to scroll.
_LEAST_WIDTH, _LEAST_HEIGHT = 45, 30
# Below this height the room above and below a tile's contents is halved.
_ROOMY = 104
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Home: -999, Qt.Key.Key_End: 999}


class PyramidStrip(Explained):
    """The row of tiles. GUI thread only.

    `tile_chosen(name)` on click, Enter or Space; `tile_opened(name)` on double click;
    `pointed(Pixel or None)` with the image pixel under the mouse in any picture.
    """

    tile_chosen = Signal(str)
    tile_opened = Signal(str)
    pointed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles = placeholder_tiles()
        self._ready = False
        self._rects: list[QRectF] = []
        self._aspect = 4 / 3
        self._frame = StripFrame.whole((3, 4), (3, 4), False)
        self._room = 0
        self._hovered = -1
        self._focused = 0
        self._marked: str | None = None
        self._place_pointed: Pixel | None = None
        self._pixel: Pixel | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Maps of the pyramid")

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The tiles on display."""
        return self._tiles

    @property
    def frame(self) -> StripFrame:
        """Which part of the image the pictures show."""
        return self._frame

    @property
    def focused(self) -> str:
        """The name of the tile chosen last."""
        return self._tiles[self._focused].name

    def set_tiles(self, tiles: tuple[Tile, ...], ready: bool) -> None:
        """Show other maps; placeholders (not `ready`) cannot be chosen."""
        same = ready == self._ready and len(tiles) == len(self._tiles) and all(
            new.looks_like(old) for new, old in zip(tiles, self._tiles, strict=True)
        )
        self._tiles, self._ready = tiles, ready
        self._focused = min(self._focused, len(tiles) - 1)
        if not same or len(self._rects) != len(tiles):
            self._place()

    def set_tile(self, tile: Tile) -> None:
        """Show another version of one tile."""
        names = [old.name for old in self._tiles]
        at = names.index(tile.name)
        placed = self._tiles[at].two == tile.two
        self._tiles = (*self._tiles[:at], tile, *self._tiles[at + 1 :])
        if placed:
            self.update(self._rects[at].toAlignedRect())
        else:
            self._place()

    def set_frame(self, frame: StripFrame) -> None:
        """Give pictures the image's shape, and show a part of it."""
        height, width = frame.shape
        self._aspect = min(3.0, max(0.4, width / max(1, height)))
        self._frame = frame
        self._place()

    def set_marked(self, name: str | None) -> None:
        """Mark the tile that the canvas shows."""
        if name != self._marked:
            self._marked = name
            self.update()

    def set_pixel(self, pixel: Pixel | None) -> None:
        """Mark an image pixel in all pictures, and show the values there; None for none."""
        if pixel != self._pixel:
            self._pixel = pixel
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

    def pictures_of(self, name: str) -> tuple[QRectF, ...]:
        """Return where a tile's pictures are; raises KeyError when there is none of that name."""
        tile = next((tile for tile in self._tiles if tile.name == name), None)
        if tile is None:
            raise KeyError(name)
        return pictures_of(tile, self.rect_of(name), self._margin)

    # -- geometry -----------------------------------------------------------------------------

    @property
    def _margin(self) -> float:
        return GRID_PX if self.height() >= _ROOMY else GRID_PX / 2

    def sizeHint(self) -> QSize:
        """All tiles side by side."""
        return QSize(int(self._rects[-1].right()) + 8 if self._rects else 800, 100)

    def minimumSizeHint(self) -> QSize:
        """As wide as all tiles at the present height: the scroll area does the rest."""
        return QSize(self.sizeHint().width(), _MIN_PICTURE + TITLE + RANGE + GRID_PX)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Pictures grow with the height."""
        self._place()

    def _place(self) -> None:
        around = TITLE + RANGE + 2 * self._margin
        pictures = sum(2 if tile.two else 1 for tile in self._tiles)
        gaps = len(self._tiles) * (2 * GRID_PX + BETWEEN) + 2 * GRID_PX
        fitting = int((self._room - gaps) / max(1, pictures) / self._aspect)
        least = max(24, min(_LEAST_HEIGHT, round(_LEAST_WIDTH / self._aspect)))
        high = max(least, min(max(self.height() - around, _MIN_PICTURE), fitting))
        wide = int(high * self._aspect)
        x, rects = 8.0, []
        top = max(0, (self.height() - high - around) // 2)
        for tile in self._tiles:
            width = 2 * wide + BETWEEN if tile.two else max(wide, _LEAST_WIDTH)
            rects.append(QRectF(x, top, width + 2 * GRID_PX, high + around))
            x += width + 2 * GRID_PX
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
        """Light up the tile under the mouse, and tell which place of the image it is at."""
        index = self._tile_at(event.position())
        self._hover(index)
        self._point(event.position(), index)

    def leaveEvent(self, event: QEvent) -> None:
        """No tile is under the mouse any more."""
        self._hover(-1)
        self._point(QPointF(), -1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the tile under the mouse."""
        index = self._tile_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and index >= 0:
            self._focused = index
            self._choose(index)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open the channels of the tile under the mouse; its first click chose it already."""
        index = self._tile_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and index >= 0 and self._ready:
            self.tile_opened.emit(self._tiles[index].name)

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

    def tip_at(self, position: QPointF) -> str:
        """Return what there is to say of the tile under a point."""
        index = self._tile_at(position)
        return self._tiles[index].words if index >= 0 else ""

    def _hover(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            choosable = index >= 0 and self._ready
            shape = Qt.CursorShape.PointingHandCursor if choosable else Qt.CursorShape.ArrowCursor
            self.setCursor(shape)
            self.update()

    def _point(self, position: QPointF, index: int) -> None:
        pixel = None
        if index >= 0 and self._ready:
            places = pictures_of(self._tiles[index], self._rects[index], self._margin)
            found = (self._frame.pixel_at(place, position) for place in places)
            pixel = next((one for one in found if one is not None), None)
        if pixel != self._place_pointed:
            self._place_pointed = pixel
            self.pointed.emit(pixel)

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
        theme, exposed = current_theme(), QRectF(event.rect())
        with QPainter(self) as p:
            p.setFont(quiet_font(self))
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            for i, (tile, rect) in enumerate(zip(self._tiles, self._rects, strict=True)):
                if not rect.intersects(exposed):
                    continue
                look = Look(
                    theme, self._frame, self._ready, tile.name == self._marked,
                    i == self._hovered, self.hasFocus() and i == self._focused, self._margin,
                    self._pixel,
                )  # fmt: skip
                paint_tile(p, tile, rect, look)


class StripArea(QScrollArea):
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
