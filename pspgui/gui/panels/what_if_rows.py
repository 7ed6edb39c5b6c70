"""Rows of the what-if panel: a source with its slider, and what classes won and lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from pspgui.gui.icons import icon
from pspgui.gui.panels.drawing import draw_elided, draw_swatch, grouped
from pspgui.gui.panels.evidence_bar import level_colour
from pspgui.gui.panels.factor_slider import FactorSlider
from pspgui.gui.theme import GRID_PX, ICON_PX, QuietLabel, current_theme, quiet_font, text_font
from pspgui.gui.what_if import Key, WhatIfSession, factor_text, name_of, words_of

_ROW, _HIGH = 20, 26
_MOST_CLASSES = 8


class SourceRow(QWidget):
    """Name, mute, slider and factor of one source; a bin's row can be taken away.

    `menu_wanted(key, QPoint)` comes with a right click. It follows the session's own signals.
    """

    menu_wanted = Signal(object, object)

    def __init__(self, what_if: WhatIfSession, key: Key, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = key
        self._what_if = what_if
        self._state: tuple[object, ...] = ()
        self._name = QLabel(_short_name(key))
        self._name.setFixedWidth(self._name.fontMetrics().horizontalAdvance("6×6 r 6 c 6") + 4)
        self.mute = QToolButton(checkable=True)
        self.mute.setIconSize(QSize(ICON_PX - 2, ICON_PX - 2))
        self.mute.setFixedSize(28, _HIGH)
        self.mute.setAccessibleName(f"Mute {name_of(key)}")
        self.slider = FactorSlider(name_of(key))
        self.value = QuietLabel("")
        self.value.setFixedWidth(self.value.fontMetrics().horizontalAdvance("muted") + 4)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.away = QToolButton(toolTip="Restore this bin")
        self.away.setIcon(icon("close"))
        self.away.setIconSize(QSize(ICON_PX - 4, ICON_PX - 4))
        self.away.setFixedSize(22, _HIGH)
        self.away.setAccessibleName(f"Restore {name_of(key)}")
        self.lender = QuietLabel("")
        self.lender.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        line = QHBoxLayout()
        line.setSpacing(GRID_PX // 2)
        line.addWidget(self._name)
        line.addWidget(self.mute)
        line.addWidget(self.slider, 1)
        line.addWidget(self.value)
        line.addWidget(self.away)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(line)
        column.addWidget(self.lender)
        kept = self.away.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # so that all sliders are as long
        self.away.setSizePolicy(kept)
        self.away.setVisible(len(key) == 3)
        self.mute.clicked.connect(self._toggle)
        self.slider.factor_changed.connect(self._slid)
        self.away.clicked.connect(self._restore)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(
            lambda at: self.menu_wanted.emit(self.key, self.mapToGlobal(at))
        )
        self.show_state()

    def show_state(self) -> None:
        """Show the source's factor and lender."""
        factor, words = self._what_if.factor(self.key), words_of(self._what_if, self.key)
        if not self.slider.isSliderDown():
            self.slider.set_factor(factor)
        state = (factor, words, self._what_if.levels)
        if state == self._state:
            return
        self._state = state
        muted = factor == 0
        self.mute.setChecked(muted)
        self.mute.setIcon(icon("volume-off" if muted else "volume-high"))
        self.mute.setToolTip("Unmute" if muted else "Mute")
        self.value.setText(factor_text(factor))
        lender = self._what_if.lender(self.key)
        self.lender.setVisible(lender is not None)
        if lender is not None:
            self.lender.setText(words.rsplit(", ", 1)[0] if factor != 1 else words)
        self.away.setVisible(len(self.key) == 3 or lender is not None)
        self._name.setToolTip(f"{name_of(self.key)}\n{words}" if words else name_of(self.key))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the colour that the source has in the evidence bar."""
        theme = current_theme()
        colour = QColor(theme.local)
        if self.key:
            levels = self._what_if.levels
            if self.key[0] in levels:
                colour = level_colour(levels.index(self.key[0]), len(levels), theme)
        with QPainter(self) as p:
            p.fillRect(QRectF(0, _HIGH / 2 - 5, 10, 10), colour)

    @Slot()
    def _toggle(self) -> None:
        self._what_if.toggle_mute(self.key)

    @Slot(float)
    def _slid(self, factor: float) -> None:
        self._what_if.set_factor(self.key, factor)

    @Slot()
    def _restore(self) -> None:
        self._what_if.restore(self.key)


def _short_name(key: Key) -> str:
    if not key:
        return "Local"
    if len(key) == 1:
        return f"{key[0]}×{key[0]}"
    return f"{key[0]}×{key[0]} r {key[1] + 1} c {key[2] + 1}"


class Gain(NamedTuple):
    """A class and the pixels that it won, negative where it lost."""

    name: str
    colour: tuple[int, int, int]
    pixels: int


class GainBars(QWidget):
    """One row a class: swatch, name, a bar to the right for won or to the left for lost, count."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gains: tuple[Gain, ...] = ()
        self._more = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Pixels won and lost by class")

    @property
    def gains(self) -> tuple[Gain, ...]:
        """What is shown, the largest first."""
        return self._gains

    def set_gains(self, gains: Sequence[Gain]) -> None:
        """Show other amounts; those of classes that neither won nor lost are left out."""
        found = sorted((g for g in gains if g.pixels), key=lambda g: (-abs(g.pixels), g.name))
        rows = len(self._gains), bool(self._more)
        self._gains, self._more = tuple(found[:_MOST_CLASSES]), len(found[_MOST_CLASSES:])
        words = (f"{g.name} {'+' if g.pixels > 0 else ''}{grouped(g.pixels)}" for g in found)
        self.setToolTip("\n".join(words))
        self.setAccessibleDescription(self.toolTip().replace("\n", ", "))
        if rows != (len(self._gains), bool(self._more)):
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """A row a class, and one for those left out."""
        return QSize(240, _ROW * (len(self._gains) + bool(self._more)))

    def minimumSizeHint(self) -> QSize:
        """As high as its rows."""
        return QSize(160, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rows."""
        if not self._gains:
            return
        theme = current_theme()
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            p.setFont(text_font(self))
            counts = [f"{'+' if g.pixels > 0 else ''}{grouped(g.pixels)}" for g in self._gains]
            number = max(p.fontMetrics().horizontalAdvance(c) for c in counts) + 4
            name = min(120.0, (self.width() - number) * 0.45)
            left, right = 22 + name, self.width() - number - GRID_PX
            zero, scale = _axis(self._gains, left, right)
            for i, (gain, count) in enumerate(zip(self._gains, counts, strict=True)):
                top = i * _ROW
                draw_swatch(p, QRectF(0, top + 4, 12, 12), QColor(*gain.colour), theme)
                p.setPen(QColor(theme.text))
                draw_elided(p, QRectF(20, top, name - 4, _ROW), gain.name)
                end = Qt.AlignmentFlag.AlignRight
                draw_elided(p, QRectF(self.width() - number, top, number, _ROW), count, end)
                wide = max(1.0, scale * abs(gain.pixels))
                start = zero if gain.pixels > 0 else zero - wide
                p.fillRect(QRectF(start, top + 6, wide, 8), QColor(*gain.colour))
            p.setPen(QColor(theme.quiet))
            p.drawLine(QPointF(zero, 2), QPointF(zero, len(self._gains) * _ROW - 2))
            if self._more:
                p.setFont(quiet_font(self))
                rest = QRectF(20, len(self._gains) * _ROW, self.width() - 20, _ROW)
                plural = "es" if self._more > 1 else ""
                draw_elided(p, rest, f"and {self._more} other class{plural}")


def _axis(gains: Sequence[Gain], left: float, right: float) -> tuple[float, float]:
    """Return where nothing stands and the length of a pixel; both sides have the same scale."""
    most = max((g.pixels for g in gains if g.pixels > 0), default=0)
    least = max((-g.pixels for g in gains if g.pixels < 0), default=0)
    scale = max(1.0, right - left) / max(1, most + least)
    return left + scale * least, scale
