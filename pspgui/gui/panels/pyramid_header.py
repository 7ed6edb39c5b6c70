"""The header of the pyramid strip: what all tiles show, and doors to channels and numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QActionGroup, QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QMenu,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from pspgui.gui.icons import icon
from pspgui.gui.number_box import NumberBox
from pspgui.gui.panels.drawing import draw_elided
from pspgui.gui.theme import GRID_PX, current_theme, quiet_font
from pspgui.jobs.strip import MOST_CHANNEL, MOST_TOP, SHAPES, SHOWS, Shape, Show, StripMode

HEIGHT: Final = 26
_BUTTON: Final = 22
_SHOW_WORDS: Final[dict[Show, tuple[str, str]]] = {
    "norm": ("Norm", "The Euclidean norm over all channels of every map"),
    "channel": ("Channel", "One channel of every map, by its number"),
    "top": (
        "Top", "The channels that add most to the class or margin, at the pin or over the image"
    ),
    "colours": (
        "Colours", "The three strongest directions among the channels (PCA) as red, green and blue"
    ),
}  # fmt: skip
_SHAPE_WORDS: Final[dict[Shape, tuple[str, str]]] = {
    "pair": ("Reduced, upsampled", "Every level twice: reduced to its bins, and upsampled"),
    "pooled": ("Pooled", "The mean of the features in every bin, before the 1×1 convolution"),
    "reduced": ("Reduced", "Every bin after the 1×1 convolution, its norm and ReLU"),
    "upsampled": ("Upsampled", "The bins interpolated to the cells, as the bottleneck reads them"),
}


class _Words(QWidget):
    """Quiet words that give way where there is no room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def set_text(self, text: str) -> None:
        """Show other words."""
        if text != self.text:
            self.text = text
            self.setToolTip(text)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw as much as fits."""
        with QPainter(self) as p:
            p.setFont(quiet_font(self))
            p.setPen(QColor(current_theme().quiet))
            draw_elided(p, self.rect().toRectF(), self.text)


class StripHeader(QWidget):
    """One row. GUI thread only.

    `mode_chosen(StripMode)`, `browse_wanted()`, `numbers_wanted()` and `follow_chosen(bool)`:
    whether tiles show the part of the image that the canvas does.
    """

    mode_chosen = Signal(object)
    browse_wanted = Signal()
    numbers_wanted = Signal()
    follow_chosen = Signal(bool)

    def __init__(self, mode: StripMode, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mode = mode
        self.setFixedHeight(HEIGHT)
        self.shows = {show: self._segment(show) for show in SHOWS}
        group = QButtonGroup(self)
        for button in self.shows.values():
            group.addButton(button)
        self.number = self._number()
        self.shape = self._shape()
        self.words = _Words()
        self.browse = self._door(
            "view-grid-outline", "Channels of a map… (double click on its tile)", "Channels"
        )
        self.numbers = self._door("table-large", "What the maps are like, in numbers", "Numbers")
        self.follow = self._door(
            "magnify-scan", "Show the part of the image that the canvas shows", "Follow the zoom"
        )
        self.follow.setCheckable(True)
        self._lay_out()
        self.browse.clicked.connect(self.browse_wanted)
        self.numbers.clicked.connect(self.numbers_wanted)
        self.follow.toggled.connect(self.follow_chosen)
        self.show_mode(mode)

    def show_mode(self, mode: StripMode) -> None:
        """Show which mode is in use."""
        self._mode = mode
        self.shows[mode.show].setChecked(True)
        self.number.setVisible(mode.show in ("channel", "top"))
        self.number.blockSignals(True)
        if mode.show == "top":
            self.number.setRange(1, MOST_TOP)
            self.number.setValue(mode.top)
            self.number.setToolTip("How many channels")
        else:
            self.number.setRange(0, MOST_CHANNEL)
            self.number.setValue(mode.channel)
            self.number.setToolTip("The channel's number; the browser shows them all")
        self.number.blockSignals(False)
        self.number.setAccessibleName(self.number.toolTip())
        self.shape.setText(_SHAPE_WORDS[mode.shape][0])
        for shape, action in self.shapes.items():
            action.setChecked(shape == mode.shape)

    def set_enabled(self, can_draw: bool, has_levels: bool, most: int) -> None:
        """Say whether there are channels and levels, and how many channels at most."""
        for show, button in self.shows.items():
            button.setEnabled(can_draw or show == "norm")
        self.number.setEnabled(can_draw)
        self.browse.setEnabled(can_draw)
        self.numbers.setEnabled(can_draw)
        self.shape.setVisible(has_levels)
        self.shape.setEnabled(can_draw)
        self.number.setSuffix(f" of {most}" if most and self._mode.show == "channel" else "")

    # -- parts --------------------------------------------------------------------------------

    def _segment(self, show: Show) -> QToolButton:
        text, meaning = _SHOW_WORDS[show]
        button = QToolButton(self)
        button.setText(text)
        button.setToolTip(meaning)
        button.setCheckable(True)
        button.setFixedHeight(_BUTTON)
        button.setStyleSheet("QToolButton { padding: 1px 7px; }")
        button.setFont(quiet_font(button))
        button.setProperty("show", show)
        button.clicked.connect(self._show_chosen)
        return button

    def _number(self) -> NumberBox:
        box = NumberBox(self)
        box.setKeyboardTracking(False)
        box.setFixedHeight(_BUTTON)
        box.setMinimumWidth(104)
        box.setFont(quiet_font(box))
        box.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        box.lineEdit().returnPressed.connect(box.clearFocus)
        box.valueChanged.connect(self._number_chosen)
        return box

    def _shape(self) -> QToolButton:
        button = QToolButton(self)
        button.setFixedHeight(_BUTTON)
        button.setFont(quiet_font(button))
        button.setStyleSheet("QToolButton { padding: 1px 20px 1px 7px; }")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setToolTip("Which of a level's maps")
        button.setAccessibleName("Which of a level's maps")
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        group = QActionGroup(self)
        self.shapes = {}
        for shape in SHAPES:
            text, meaning = _SHAPE_WORDS[shape]
            action = menu.addAction(text)
            action.setToolTip(meaning)
            action.setCheckable(True)
            action.setData(shape)
            group.addAction(action)
            action.triggered.connect(self._shape_chosen)
            self.shapes[shape] = action
        button.setMenu(menu)
        return button

    def _door(self, name: str, tip: str, title: str) -> QToolButton:
        button = QToolButton(self)
        button.setIcon(icon(name))
        button.setIconSize(QSize(16, 16))
        button.setFixedSize(_BUTTON + 4, _BUTTON)
        button.setStyleSheet("QToolButton { padding: 2px; }")
        button.setToolTip(tip)
        button.setAccessibleName(title)
        return button

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID_PX, 2, GRID_PX, 2)
        row.setSpacing(2)
        for button in self.shows.values():
            row.addWidget(button)
        row.addWidget(self.number)
        row.addSpacing(GRID_PX)
        row.addWidget(self.shape)
        row.addSpacing(GRID_PX)
        row.addWidget(self.words, 1)
        for button in (self.browse, self.numbers, self.follow):
            row.addWidget(button)

    # -- from the person ----------------------------------------------------------------------

    @Slot()
    def _show_chosen(self) -> None:
        self.mode_chosen.emit(replace(self._mode, show=self.sender().property("show")))

    @Slot()
    def _shape_chosen(self) -> None:
        self.mode_chosen.emit(replace(self._mode, shape=self.sender().data()))

    @Slot(int)
    def _number_chosen(self, value: int) -> None:
        field = "top" if self._mode.show == "top" else "channel"
        self.mode_chosen.emit(replace(self._mode, **{field: value}))
