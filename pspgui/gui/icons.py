"""Outline icons of one weight, drawn from the Material Design font that qtawesome ships.

Importing qtawesome itself loads eleven fonts and every Qt module its wrapper knows, which costs a
third of the time in which the window has to be visible. So only its one font file and character
table are read here, on the first icon painted. Icons take their colour from the theme at the
moment of painting and so follow a change of theme. GUI thread only.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QIconEngine, QPainter, QPixmap

from pspgui.gui.theme import ICON_PX, current_theme

_FONT_FILES = "materialdesignicons6-webfont*.ttf"
_TABLE_FILES = "materialdesignicons6-webfont-charmap*.json"


class IconError(LookupError):
    """An icon name the font does not have, or a font that is not installed."""


def icon(name: str, colour: str | None = None) -> QIcon:
    """Return the icon `name` of the Material Design set, for example "eye-outline".

    A leading "mdi6." is allowed. `colour` is a field of `Theme` ("accent", "quiet") or
    `#rrggbb`; by default the text colour, the quiet one when disabled. Raises `IconError` at
    once for a name that is not in the set.
    """
    name = name.removeprefix("mdi6.")
    if name not in _codes():
        raise IconError(f"there is no icon called {name!r} in the Material Design set")
    return QIcon(_GlyphEngine(name, colour))


def draw_icon(painter: QPainter, name: str, rect: QRectF, colour: QColor | str) -> None:
    """Draw an icon into a rectangle of a widget that paints itself."""
    painter.save()
    font = QFont(_family())
    font.setPixelSize(max(1, round(min(rect.width(), rect.height()))))
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    painter.setFont(font)
    painter.setPen(QColor(colour))
    painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), chr(int(_codes()[name], 16)))
    painter.restore()


class _GlyphEngine(QIconEngine):
    """Paints one character of the icon font in the theme's colour."""

    def __init__(self, name: str, colour: str | None) -> None:
        super().__init__()
        self._name = name
        self._colour = colour

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Draw the character, square and centred; the caller's painter keeps its state."""
        theme = current_theme()
        colour = getattr(theme, self._colour or "text", self._colour)
        if mode == QIcon.Mode.Disabled:
            colour = theme.disabled
        elif self._colour is None and state == QIcon.State.On:
            colour = theme.accent
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        draw_icon(painter, self._name, QRectF(rect), colour)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """Return the icon on a transparent ground."""
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        with QPainter(pixmap) as painter:
            self.paint(painter, QRect(QPointF(0, 0).toPoint(), size), mode, state)
        return pixmap

    def scaledPixmap(
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        """Return the icon sharp at a device scale.

        Qt 6.11 passes `size` in logical pixels; a Qt that passed device pixels would get an icon
        finer than needed, which it scales down itself.
        """
        pixmap = self.pixmap(size * scale, mode, state)
        pixmap.setDevicePixelRatio(scale)
        return pixmap

    def actualSize(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QSize:
        """Every size can be drawn."""
        return size

    def clone(self) -> QIconEngine:
        """Return an engine of the same icon, for Qt's copies of a QIcon."""
        return _GlyphEngine(self._name, self._colour)


@cache
def _font_folder() -> Path:
    spec = find_spec("qtawesome")
    if spec is None or not spec.submodule_search_locations:
        raise IconError("the package qtawesome, which carries the icons, is not installed")
    return Path(next(iter(spec.submodule_search_locations))) / "fonts"


def _only(pattern: str) -> Path:
    found = sorted(_font_folder().glob(pattern))
    if not found:
        raise IconError(f"no {pattern} in {_font_folder()}; reinstall the package qtawesome")
    return found[-1]


@cache
def _codes() -> dict[str, str]:
    """Return the characters' code points in hexadecimal, by name: seven thousand of them."""
    codes: dict[str, str] = json.loads(_only(_TABLE_FILES).read_text(encoding="utf-8"))
    return codes


@cache
def _family() -> str:
    number = QFontDatabase.addApplicationFont(str(_only(_FONT_FILES)))
    families = QFontDatabase.applicationFontFamilies(number)
    if not families:
        raise IconError(f"the icon font {_only(_FONT_FILES)} cannot be read")
    return families[0]


__all__ = ["ICON_PX", "IconError", "draw_icon", "icon"]
