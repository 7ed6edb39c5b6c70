"""The pyramid panel: a header, and the maps of every level in a strip, one tile each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from pspgui.geometry import Pixel, Rect
from pspgui.gui.canvas.mark_set import MarkSet
from pspgui.gui.panels.pyramid_frame import StripFrame
from pspgui.gui.panels.pyramid_header import StripHeader
from pspgui.gui.panels.pyramid_maps import StripMaps
from pspgui.gui.panels.pyramid_strip import PyramidStrip, StripArea
from pspgui.gui.panels.pyramid_tiles import (
    Tile,
    placeholder_tiles,
    tile_steps,
    titled_tiles,
    with_numbers,
)

if TYPE_CHECKING:
    from pspgui.gui.canvas.canvas import Canvas
    from pspgui.gui.document import Document
    from pspgui.gui.panels.channel_browser import ChannelBrowser
    from pspgui.gui.settings import Settings

_FOLLOW = "strip/follow"


class PyramidPanel(QWidget):
    """The strip, fed by the document; choosing a tile shows its map on the canvas, or no longer.

    With a canvas, tiles can show the part of the image that it shows, and a place pointed at here
    is marked there: `pointed(Pixel or None)`. Modes are kept in the settings.
    """

    pointed = Signal(object)

    def __init__(
        self, document: Document, parent: QWidget | None = None, canvas: Canvas | None = None,
        settings: Settings | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document, self._canvas, self._settings = document, canvas, settings
        self.maps = StripMaps(document, settings, self)
        self._browser: ChannelBrowser | None = None
        self._follows_mode = False  # a tile on the canvas changes with the mode
        self._steps: Iterator[Tile | None] = iter(())
        self._making = QTimer(self)
        self._making.setInterval(0)
        self._making.timeout.connect(self._make_next)
        self._build()
        self._connect()
        self._on_views()
        self._on_display()

    def _build(self) -> None:
        self.setObjectName("pyramid_panel")
        self.setAutoFillBackground(True)
        self.header = StripHeader(self.maps.mode)
        kept = "" if self._settings is None else self._settings.choice(_FOLLOW, "yes")
        self.header.follow.setChecked(kept == "yes")
        self.header.follow.setVisible(self._canvas is not None)
        self._strip = PyramidStrip()
        area = StripArea()
        area.setWidgetResizable(True)
        area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(self._strip)
        area.viewport().setAutoFillBackground(False)
        self._strip.setAutoFillBackground(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(area, 1)
        self.setMinimumHeight(106)

    def _connect(self) -> None:
        document, maps, header = self._document, self.maps, self.header
        document.views_changed.connect(self._on_views)
        document.display_changed.connect(self._on_display)
        document.hover_changed.connect(self._on_hover)
        document.pin_changed.connect(self._on_hover)
        maps.drawn_changed.connect(self._on_drawn)
        maps.counted.connect(self._on_counted)
        maps.mode_changed.connect(self._on_mode)
        maps.aim_changed.connect(self._show_words)
        document.classes_changed.connect(self._show_words)
        header.mode_chosen.connect(maps.set_mode)
        header.browse_wanted.connect(self._browse)
        header.numbers_wanted.connect(self._show_numbers)
        header.follow_chosen.connect(self._on_follow)
        self._strip.tile_chosen.connect(self._on_chosen)
        self._strip.tile_opened.connect(self.browse)
        self._strip.pointed.connect(self._on_pointed)
        if self._canvas is not None:
            self._canvas.zoom_changed.connect(self._on_camera)
            self.pointed.connect(self._canvas.findChild(MarkSet).point_at)

    @property
    def strip(self) -> PyramidStrip:
        """The row of tiles."""
        return self._strip

    @property
    def browser(self) -> ChannelBrowser | None:
        """The window with all channels of a map, once it was opened."""
        return self._browser

    def sizeHint(self) -> QSize:
        """High enough for pictures one can read."""
        return QSize(800, 152)

    def changeEvent(self, event: QEvent) -> None:
        """Colour the maps anew when the theme changes: their neutral is the theme's."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._on_views()

    # -- tiles --------------------------------------------------------------------------------

    @Slot()
    def _on_views(self) -> None:
        document, maps = self._document, self.maps
        self._on_camera()
        self._show_words()
        if not document.views:
            self._making.stop()
            self._strip.set_tiles(placeholder_tiles(), ready=False)
            return
        name = document.reading_table.name_of(document.score_class)
        tiles = self._as_before(titled_tiles(document.views, name, maps.drawn))
        self._strip.set_tiles(tiles, ready=True)
        if maps.is_pending:
            return  # the maps that are there are soon to be replaced
        self._steps = tile_steps(document.views, name, maps.drawn, maps.words)
        self._making.start()

    def _as_before(self, tiles: tuple[Tile, ...]) -> tuple[Tile, ...]:
        """Give tiles the pictures they have, until there are better ones: nothing flickers."""
        old = {tile.name: tile for tile in self._strip.tiles}
        return tuple(
            tile if tile.name not in old or old[tile.name].after is None
            else old[tile.name] if old[tile.name].title == tile.title
            else replace(old[tile.name], title=tile.title)
            for tile in tiles
        )  # fmt: skip

    @Slot()
    def _on_counted(self) -> None:
        """Tell statistics in the words of tiles; those still to be made get them then."""
        if self._making.isActive():
            self._on_views()
        elif self._document.views and not self.maps.is_pending:
            words = self.maps.words
            tiles = (with_numbers(t, words.get(t.name, "")) for t in self._strip.tiles)
            self._strip.set_tiles(tuple(tiles), ready=True)

    @Slot()
    def _make_next(self) -> None:
        """Make one picture; the rest in the next turns of the event loop."""
        try:
            tile = next(self._steps)
        except StopIteration:
            self._making.stop()
            return
        if tile is None:
            return
        self._strip.set_tile(tile)
        if self._follows_mode and tile.name == self.maps.tile_shown():
            self._follows_mode = False
            self._show_tile(tile)

    @Slot()
    def _on_drawn(self) -> None:
        shown = self.maps.tile_shown()
        names = {tile.name for tile in self._strip.tiles}
        # A map of the canvas that came from the strip stays the tile's.
        self._follows_mode = shown in names and not self._browses()
        self._on_views()

    def _browses(self) -> bool:
        return (self._document.shown_map or "").startswith("channel/")

    # -- what a person does -------------------------------------------------------------------

    @Slot(str)
    def _on_chosen(self, name: str) -> None:
        if self.maps.tile_shown() == name and not self._browses():
            self._document.set_shown_map(None)
            return
        self._document.close_source()  # whose cells would lie over the map
        self._show_tile(next(tile for tile in self._strip.tiles if tile.name == name))

    def _show_tile(self, tile: Tile) -> None:
        shown = self.maps.canvas_map(tile)
        if shown is not None:
            self._document.show_map(shown)
        elif not tile.empty:
            self._document.set_shown_map(tile.name)

    @Slot()
    def _on_mode(self) -> None:
        self.header.show_mode(self.maps.mode)
        self._show_words()

    @Slot()
    def _browse(self) -> None:
        self.browse(self._strip.focused)

    @Slot(str)
    def browse(self, name: str) -> None:
        """Open the window with all channels of a map; of the features for tiles without any."""
        if not self.maps.can_draw:
            return
        if self._browser is None:
            from pspgui.gui.panels.channel_browser import ChannelBrowser

            self._browser = ChannelBrowser(self._document, self.maps, self.window())
        self._browser.open_map(name)

    @Slot()
    def _show_numbers(self) -> None:
        from pspgui.gui.panels.map_numbers import MapNumbers

        numbers = MapNumbers(self.maps.numbers, self)
        numbers.show_above(self.header.numbers)

    # -- pointing and zooming -----------------------------------------------------------------

    @Slot(object)
    def _on_pointed(self, pixel: Pixel | None) -> None:
        self._document.set_hover(pixel)
        self.pointed.emit(pixel)

    @Slot()
    def _on_hover(self) -> None:
        document = self._document
        self._strip.set_pixel(document.pin if document.hover is None else document.hover)

    @Slot(bool)
    def _on_follow(self, follows: bool) -> None:
        if self._settings is not None:
            self._settings.set_choice(_FOLLOW, "yes" if follows else "no")
        self._on_camera()

    @Slot()
    def _on_camera(self) -> None:
        if self._document.image is not None:
            frame = self._frame()
            if frame != self._strip.frame:
                self._strip.set_frame(frame)

    def _frame(self) -> StripFrame:
        """Return which part of the image tiles show."""
        document = self._document
        assert document.image is not None
        height, width = document.image.shape[:2]
        found, view = document.prediction, None
        padded = found.padded_shape if found else (height, width)
        frame = StripFrame.whole((height, width), padded, bool(found and found.align_corners))
        if self._canvas is not None and self.header.follow.isChecked():
            camera = self._canvas.camera
            if camera.image_shape == (height, width) and not camera.shows_all:
                view = camera.to_image_rect(camera.viewport)
        return frame.showing(view if view is None else Rect(*view))

    # -- words --------------------------------------------------------------------------------

    @Slot()
    def _on_display(self) -> None:
        self._strip.set_marked(self.maps.tile_shown())

    @Slot()
    def _show_words(self) -> None:
        maps, views = self.maps, self._document.views
        can_draw = maps.can_draw
        most = max((row.channels for row in maps.numbers), default=0)
        levels = any(view.name.startswith("level-") for view in views)
        self.header.set_enabled(can_draw, levels or not views, most)
        words = maps.aim_words() if maps.mode.show == "top" and can_draw else ""
        if words and maps.is_pending:
            words = f"weighing channels {words} …"
        if views and not can_draw and not self._document.is_preview:
            words = "Channels can be shown where the image is read whole"
        self.header.words.set_text(words)
