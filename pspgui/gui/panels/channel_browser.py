"""The window with all channels of a map: sorted, walked through, shown on the image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QModelIndex, QSize, Qt, Slot
from PySide6.QtGui import QHideEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QListView,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from pspgui.gui.dialogs.form import Choices
from pspgui.gui.errands import Errands
from pspgui.gui.panels.channel_delegate import ChannelDelegate
from pspgui.gui.panels.channel_model import ChannelModel
from pspgui.gui.panels.drawing import signed
from pspgui.gui.panels.pyramid_maps import StripMaps
from pspgui.gui.theme import GRID_PX, QuietLabel
from pspgui.jobs.strip import ChannelList, list_channels

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.inference.shown_map import Kind, ShownMap

_SORTS: Final = (
    ("By number", "number"), ("By activity", "activity"), ("By what they add", "share")
)  # fmt: skip
_FORMS: Final = (("Pooled", "pooled"), ("Reduced", "reduced"), ("Upsampled", "upsampled"))


_FIRST: Final = -1  # whichever channel comes first in the list


class ChannelBrowser(QDialog):
    """All channels of a map of the strip, which stays open beside the work. GUI thread only.

    Choosing a channel, by mouse or arrow keys, shows it on the image; digits go to a number;
    Enter lets all tiles of the strip show the channel of that number.
    """

    def __init__(
        self, document: Document, maps: StripMaps, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._document, self._maps = document, maps
        self._errands = Errands(self)
        self._errands.failed.connect(document.message)
        self._asked: tuple[object, ...] = ()
        self._wanted = _FIRST  # the channel to choose when the list is there
        self._silent = False
        self._shows = False  # whether a channel is on the canvas, and is to be of the next image
        self.setWindowTitle("Channels")
        self.resize(760, 560)
        self._build()
        self.model.sorted_anew.connect(self._restore)
        self.tile.activated.connect(self._map_chosen)
        self.form.activated.connect(self._ask)
        self.sort.activated.connect(self._sorted)
        self.view.selectionModel().currentChanged.connect(self._current_changed)
        self.view.activated.connect(self._activated)
        maps.aim_changed.connect(self._ask)
        document.prediction_changed.connect(self._new_image)
        document.views_changed.connect(self._new_image)
        document.display_changed.connect(self._on_display)

    def _build(self) -> None:
        self.tile, self.form, self.sort = Choices(), Choices(), Choices()
        self.form.fill(list(_FORMS), "reduced")
        self.sort.fill(list(_SORTS), "number")
        for widget, name in (
            (self.tile, "Map"), (self.form, "Form of the level"), (self.sort, "Order")
        ):  # fmt: skip
            widget.setAccessibleName(name)
        self.model = ChannelModel(self)
        self.view = QListView()
        self.view.setModel(self.model)
        self.view.setViewMode(QListView.ViewMode.IconMode)
        self.view.setMovement(QListView.Movement.Static)
        self.view.setResizeMode(QListView.ResizeMode.Adjust)
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setAccessibleName("Channels")
        self.delegate = ChannelDelegate(self.view)
        self.view.setItemDelegate(self.delegate)
        self.words = QuietLabel("")
        self.words.setWordWrap(True)
        self.empty = QuietLabel("")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row = QHBoxLayout()
        row.setSpacing(GRID_PX)
        for widget in (self.tile, self.form, self.sort):
            row.addWidget(widget)
        row.addStretch(1)
        self._pages = QStackedLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID_PX, 2 * GRID_PX, 2 * GRID_PX, 2 * GRID_PX)
        column.setSpacing(GRID_PX)
        column.addLayout(row)
        column.addLayout(self._pages, 1)
        # Only now: the first page of a layout without a widget is shown as a window of its own.
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self.view)
        column.addWidget(self.words)

    # -- what is listed -----------------------------------------------------------------------

    def open_map(self, name: str) -> None:
        """Come up with the channels of a tile; with the features' for one that has none."""
        self._list_maps(name)
        shape = self._maps.mode.shape
        self.form.choose("reduced" if shape == "pair" else shape)
        channel = self._maps.mode.show == "channel"
        self._wanted = self._maps.mode.channel if channel else _FIRST
        self.show()
        self.raise_()
        self.activateWindow()
        self._ask()

    @property
    def listed(self) -> ChannelList | None:
        """The channels in the list."""
        return self.model.listed

    def _list_maps(self, name: str) -> None:
        rows = {row.name: row.title for row in self._maps.numbers}
        if not rows:  # not counted yet
            plain = ("score", "confidence", "share")
            rows = {view.name: view.title for view in self._document.views
                    if view.name not in plain}  # fmt: skip
        chosen = name if name in rows else next(iter(rows), "")
        self.tile.fill([(title, key) for key, title in rows.items()], chosen)

    @Slot()
    def _map_chosen(self) -> None:
        self._wanted = _FIRST
        self._ask()

    @Slot()
    def _ask(self) -> None:
        """Ask for the list, unless it is the one asked for already."""
        name = self.tile.value
        is_level = bool(name) and name.startswith("level-")
        self.form.setVisible(is_level)
        if not self.isVisible():
            return
        if not self._maps.can_draw or not name:
            self._asked = ()
            self._show_nothing(
                "Open an image, and the channels of its maps are listed here."
                if self._document.image is None
                else "The channels are listed once the image is read as a whole."
            )
            return
        form = self.form.value if is_level else "reduced"
        key = (self._document.engine, name, form, self._maps.aim)
        if key == self._asked:
            return
        self._asked = key
        if self.listed is None:
            self._show_nothing("Listing channels …")
        self._errands.ask(
            "list", list_channels(*key), lambda listed: self._take(key, listed)
        )

    def _take(self, key: tuple[object, ...], listed: ChannelList | None) -> None:
        if key != self._asked:
            return
        if listed is None:
            self._show_nothing("This map has no channels.")
            return
        self._set_proportions(listed)
        self.sort.model().item(2).setEnabled(listed.shares is not None)
        self._pages.setCurrentWidget(self.view)
        table = self._document.reading_table
        ids = listed.ids
        self.model.set_list(listed, (lambda n: table.name_of(ids[n])) if ids else str)
        self._show_words()

    def _show_nothing(self, text: str) -> None:
        self.model.set_list(None)
        self.empty.setText(text)
        self.words.setText("")
        self._pages.setCurrentWidget(self.empty)

    def _set_proportions(self, listed: ChannelList) -> None:
        document, prediction = self._document, self._document.prediction
        if document.image is None or prediction is None:
            return
        height, width = document.image.shape[:2]
        padded = prediction.padded_shape
        self.delegate.set_aspect(width / height)
        self.delegate.visible_share = (height / padded[0], width / padded[1])
        self.delegate.smooth = listed.maps.form not in ("pooled", "reduced")
        self._fill_width()

    def _fill_width(self) -> None:
        """Make pictures as wide as a whole number of them fills a row."""
        bar = self.view.verticalScrollBar().sizeHint().width()
        self.delegate.fit(self.width() - 4 * GRID_PX - bar - 2)
        self.view.setGridSize(self.delegate.size())

    @Slot()
    def _new_image(self) -> None:
        """List the same map of another image, at the same channel."""
        if not self.isVisible():
            return
        if self._maps.can_draw:
            self._wanted = self._number()
            self._list_maps(self.tile.value or "")
        self._ask()

    # -- choosing -----------------------------------------------------------------------------

    def _number(self) -> int:
        index = self.view.currentIndex()
        return self.model.number_at(index.row()) if index.isValid() else self._wanted

    @Slot()
    def _sorted(self) -> None:
        self._wanted = self._number()
        self.model.set_sort(self.sort.value)
        self.view.scrollToTop()

    @Slot()
    def _restore(self) -> None:
        """Choose the channel that was chosen, without putting it on the image once more."""
        row = 0 if self._wanted == _FIRST else self.model.row_of(self._wanted)
        if 0 <= row < self.model.rowCount():
            self._wanted = self.model.number_at(row)
            self._silent = True
            self.view.setCurrentIndex(self.model.index(row))
            self._silent = False
            if self._shows:
                self._show(self._wanted)

    @Slot(QModelIndex)
    def _current_changed(self, index: QModelIndex) -> None:
        if index.isValid():
            self._wanted = self.model.number_at(index.row())
            if not self._silent:
                self._show(self._wanted)

    @Slot(QModelIndex)
    def _activated(self, index: QModelIndex) -> None:
        number = self.model.number_at(index.row())
        mode = self._maps.mode
        self._maps.set_mode(replace(mode, show="channel", channel=number))

    @Slot()
    def _on_display(self) -> None:
        """Note when something else is on the canvas; not while another image is read."""
        if self._maps.can_draw:
            self._shows = (self._document.shown_map or "").startswith("channel/")

    def _show(self, number: int) -> None:
        shown = self.map_of(number)
        if shown is not None:
            self._document.show_map(shown)

    def map_of(self, number: int) -> ShownMap | None:
        """Return a channel as the canvas shows it."""
        from pspgui.inference.shown_map import Lattice, ShownMap

        listed, prediction = self.listed, self._document.prediction
        if listed is None or prediction is None:
            return None
        maps, values = listed.maps, listed.maps.channel(number)
        bins = maps.form in ("pooled", "reduced")
        aligned = prediction.align_corners and not bins
        kind: Kind = "signed" if values.min() < 0 else "plain"
        called = f" ({self.model.data(self.model.index(self.model.row_of(number)))})"
        form = "" if maps.form is None else f" {maps.form}"
        limits = (0.0, float(values.max())) if kind == "plain" else None
        return ShownMap(
            f"channel/{maps.name}/{number}",
            f"{maps.title}{form}, channel {number}{called if listed.ids else ''}",
            values, kind, Lattice(prediction.padded_shape, aligned),
            self.model.words(number).replace("\n", ", "), limits=limits, smooth=not bins,
        )  # fmt: skip

    # -- words --------------------------------------------------------------------------------

    def _show_words(self) -> None:
        listed = self.listed
        if listed is None:
            return
        dead = int((listed.activity == 0).sum())
        text = f"{listed.maps.count} channels, {dead or 'none'} of them dead; "
        text += "each picture is on a scale of its own. "
        shares = listed.shares
        if shares is None:
            text += "What they add to a class is not known for this map."
        else:
            rest = f" and biases {signed(shares.constant)}" if shares.constant else ""
            text += (
                f"Channels add {signed(float(shares.values.sum()))}{rest} logits "
                f"{self._maps.aim_words()}."
            )
        self.words.setText(text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fill the rows anew."""
        super().resizeEvent(event)
        self._fill_width()

    def hideEvent(self, event: QHideEvent) -> None:
        """Let go of the image's maps, which may be large."""
        super().hideEvent(event)
        self._errands.cancel("list")
        self._wanted = self._number()
        self._asked, self._shows = (), False
        self.model.set_list(None)

    def sizeHint(self) -> QSize:
        """Some rows of several channels."""
        return QSize(760, 560)

    def changeEvent(self, event: QEvent) -> None:
        """Colour the pictures anew when the theme changes."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "model"):
            self.model.forget_pictures()
            self.view.viewport().update()
