"""The start page: what this is, three ways in, what was open lately, the keys worth knowing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from pspgui.gui.colours import diverging_lut
from pspgui.gui.icons import draw_icon, icon
from pspgui.gui.panels.drawing import draw_elided, draw_focus
from pspgui.gui.panels.key_list import KeyGroup, KeyHint, KeyList
from pspgui.gui.theme import (
    ICON_PX,
    QuietLabel,
    current_theme,
    heading,
    quiet_font,
    text_font,
)

if TYPE_CHECKING:
    from pspgui.gui.document import Document

_NAME = "pspgui"
_SENTENCE = "See what PSPNet sees, correct it with a brush, and teach it."
_MOST_RECENT = 6
_WIDE_PX = 760
KEYS = KeyGroup(
    "",
    (
        KeyHint("H", "Probe: why this class?"),
        KeyHint("B", "Brush"),
        KeyHint("E", "Erase to the prediction"),
        KeyHint("1 … 9", "Choose a class"),
        KeyHint("[ / ]", "Brush size"),
        KeyHint("V", "Next view"),
        KeyHint("Wheel", "Zoom"),
        KeyHint("Space + drag", "Pan"),
        KeyHint("Ctrl+Z", "Undo"),
        KeyHint("A / D", "Previous, next image"),
        KeyHint("Return", "Accept the prediction"),
        KeyHint("F1", "All keys"),
    ),
)
# The mark: one pattern of evidence pooled into the four levels of the pyramid.
_LEVELS = (1, 2, 3, 6)
_ROW = 44


class PyramidMark(QWidget):
    """The four levels side by side, coloured by one made-up pattern of evidence."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(4 * 56 + 3 * 8, 56)
        self.setAccessibleName("Four pyramid levels")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the grids."""
        theme = current_theme()
        lut = diverging_lut(theme)
        y, x = np.mgrid[0:6, 0:6] / 5.0
        pattern = 1.5 * np.exp(-((y - 0.75) ** 2 + (x - 0.3) ** 2) / 0.10)
        pattern -= 1.1 * np.exp(-((y - 0.15) ** 2 + (x - 0.8) ** 2) / 0.12)
        with QPainter(self) as p:
            for i, level in enumerate(_LEVELS):
                n = 6 // level
                pooled = pattern.reshape(level, n, level, n).mean(axis=(1, 3))
                steps = np.clip(127.5 + 127.5 * pooled * (4.0 if level == 1 else 1.2), 0, 255)
                side = 56 / level
                for row in range(level):
                    for col in range(level):
                        left, top = round(col * side), round(row * side)
                        box = QRectF(
                            i * 64 + left, top,
                            round((col + 1) * side) - left - (level > 1),
                            round((row + 1) * side) - top - (level > 1),
                        )  # fmt: skip
                        p.fillRect(box, QColor(*lut[int(steps[row, col])].tolist()))


class RecentRow(QWidget):
    """One image or folder that was open lately; click or Enter opens it again."""

    chosen = Signal(object)

    def __init__(self, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._name = str(path.name or path).encode("utf-8", "replace").decode()
        self._folder = str(path.parent).encode("utf-8", "replace").decode()
        self._is_image = bool(path.suffix)
        self.setToolTip(f"{self._folder}/{self._name}")
        self.setAccessibleName(f"Open {self._name} again")

    def sizeHint(self) -> QSize:
        """Two lines."""
        return QSize(280, _ROW)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint icon, name and folder."""
        theme = current_theme()
        rect = QRectF(self.rect())
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self.underMouse():
                p.setPen(Qt.PenStyle.NoPen)
                p.setBrush(QColor(theme.selected))
                p.drawRoundedRect(rect, 4, 4)
            if self.hasFocus():
                draw_focus(p, rect, theme)
            name = "image-outline" if self._is_image else "folder-outline"
            mark = QRectF(8, (_ROW - ICON_PX) / 2, ICON_PX, ICON_PX)
            draw_icon(p, name, mark, theme.quiet)
            p.setFont(text_font(self))
            p.setPen(QColor(theme.text))
            width = rect.width() - 44
            middle = Qt.TextElideMode.ElideMiddle
            draw_elided(p, QRectF(36, 4, width, 19), self._name, mode=middle)
            p.setFont(quiet_font(self))
            p.setPen(QColor(theme.quiet))
            draw_elided(p, QRectF(36, 23, width, 16), self._folder, mode=middle)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open it."""
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(
            event.position().toPoint()
        ):
            self.chosen.emit(self.path)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter and Space open it."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self.path)
        else:
            super().keyPressEvent(event)


class StartPage(QWidget):
    """Shown while there is no image. Emits what the person wants; opens nothing itself.

    Built like every panel from (document, parent), though it needs nothing of the document.
    """

    open_image_requested = Signal()
    open_folder_requested = Signal()
    sample_requested = Signal()
    recent_chosen = Signal(object)

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("start_page")
        self.setAutoFillBackground(True)
        self._recent_column = QVBoxLayout()
        self._below = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._nothing_recent = QuietLabel(
            "Nothing yet. What you open is listed here; files and folders can be dropped "
            "on the window too."
        )
        self._nothing_recent.setWordWrap(True)
        self._keys = KeyList((KEYS,))
        self._build()
        self._take_ground()
        self.set_recent(())

    def _build(self) -> None:
        content = QWidget()
        content.setMaximumWidth(920)
        content.setMinimumWidth(488)
        column = QVBoxLayout(content)
        column.setContentsMargins(32, 24, 32, 24)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(PyramidMark())
        column.addSpacing(16)
        column.addWidget(self._title())
        column.addWidget(QLabel(_SENTENCE))
        column.addSpacing(16)
        column.addLayout(self._ways_in())
        column.addSpacing(32)
        self._below.setSpacing(40)
        self._below.addLayout(self._recent(), 3)
        self._below.addLayout(self._key_column(), 5)
        column.addLayout(self._below)
        column.addStretch(3)
        centred = QWidget()
        row = QHBoxLayout(centred)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(content, 100)
        row.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(centred)
        for transparent in (area.viewport(), centred, content):
            transparent.setAutoFillBackground(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def _title(self) -> QLabel:
        label = QLabel(_NAME)
        font = label.font()
        font.setPixelSize(30)
        font.setWeight(font.Weight.DemiBold)
        label.setFont(font)
        return label

    def _ways_in(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        ways = (
            ("Sample scene", "city-variant-outline", "", self.sample_requested),
            ("Open image…", "image-outline", "Ctrl+O", self.open_image_requested),
            ("Open folder…", "folder-open-outline", "Ctrl+Shift+O", self.open_folder_requested),
        )
        for i, (text, name, key, signal) in enumerate(ways):
            button = QPushButton(icon(name, "on_accent" if i == 0 else None), f" {text}")
            button.setIconSize(QSize(ICON_PX, ICON_PX))
            button.setMinimumHeight(36)
            button.setToolTip(f"{text.rstrip('…')} ({key})" if key else text)
            button.setProperty("primary", i == 0)
            button.setAccessibleName(text)
            button.clicked.connect(signal)
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _recent(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addWidget(heading("Recent"))
        self._recent_column.setSpacing(0)
        self._recent_column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._recent_column)
        column.addWidget(self._nothing_recent)
        column.addStretch(1)
        return column

    def _key_column(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addWidget(heading("Keys"))
        column.addWidget(self._keys)
        column.addStretch(1)
        return column

    @property
    def recent_rows(self) -> tuple[RecentRow, ...]:
        """The rows of the recent list."""
        rows = (self._recent_column.itemAt(i).widget() for i in range(self._recent_column.count()))
        return tuple(r for r in rows if isinstance(r, RecentRow))

    def set_recent(self, paths: Sequence[Path]) -> None:
        """List what was open lately, latest first; only the first few are shown."""
        for row in self.recent_rows:
            self._recent_column.removeWidget(row)
            row.hide()
            row.deleteLater()
        for path in paths[:_MOST_RECENT]:
            row = RecentRow(path)
            row.chosen.connect(self._on_chosen)
            self._recent_column.addWidget(row)
        self._nothing_recent.setVisible(not paths)
        self._show_rows()

    def _show_rows(self) -> None:
        """Show fewer recent rows above the keys than beside them."""
        most = _MOST_RECENT if self.width() >= _WIDE_PX else _MOST_RECENT // 2
        for i, row in enumerate(self.recent_rows):
            row.setVisible(i < most)

    def showEvent(self, event: QEvent) -> None:
        """Keep the buttons as wide as their text, now that the style is known."""
        super().showEvent(event)
        for button in self.findChildren(QPushButton):
            button.setMinimumWidth(button.sizeHint().width())

    def resizeEvent(self, event: QEvent) -> None:
        """Put the two lists under each other where there is no room beside."""
        wide = self.width() >= _WIDE_PX
        ways = QBoxLayout.Direction
        self._below.setDirection(ways.LeftToRight if wide else ways.TopToBottom)
        self._below.setSpacing(40 if wide else 24)
        self._show_rows()

    def changeEvent(self, event: QEvent) -> None:
        """Follow a change of theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._take_ground()

    def _take_ground(self) -> None:
        """The page lies where the canvas lies, and has its ground."""
        palette = self.palette()
        wanted = QColor(current_theme().base)
        if palette.color(palette.ColorRole.Window) != wanted:
            palette.setColor(palette.ColorRole.Window, wanted)
            self.setPalette(palette)

    @Slot(object)
    def _on_chosen(self, path: Path) -> None:
        self.recent_chosen.emit(path)
