"""Small pieces that panels which paint themselves share: numbers, elided text, empty places."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import QWidget

from pspgui.gui.icons import draw_icon
from pspgui.gui.theme import GRID_PX, Theme, current_theme, quiet_font, text_font

MINUS = "\u2212"


def signed(value: float, decimals: int = 2) -> str:
    """Return a number with its sign and a true minus; what rounds to zero is "+0.00"."""
    rounded = round(value, decimals) + 0.0  # + 0.0 turns -0.0 into 0.0
    return f"{rounded:+.{decimals}f}".replace("-", MINUS)


def short(value: float) -> str:
    """Return a number in about four characters, for ranges and axes; with a true minus."""
    size = abs(value)
    if size and (size >= 10000 or size < 0.001):
        text = f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    else:
        text = f"{value:.3f}" if size < 0.01 else f"{value:.2f}" if size < 10 else f"{value:.1f}"
        text = text if size < 1000 else f"{value:.0f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", MINUS) or "0"


def grouped(number: int) -> str:
    """Return a whole number with thin spaces between its thousands, and a true minus."""
    return f"{number:,}".replace(",", "\u2009").replace("-", MINUS)


def percent(share: float) -> str:
    """Return a share as "12.3 %"; a trace is "< 0.1 %" and nothing is "0 %"."""
    if share != share:  # not a number: nobody knows
        return "–"
    if share <= 0:
        return "0 %"
    return "< 0.1 %" if share < 0.0005 else f"{100 * share:.1f} %"


def draw_elided(
    painter: QPainter,
    rect: QRectF,
    text: str,
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
    mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
) -> bool:
    """Draw one line of text, a part replaced by an ellipsis when too long; return whether so."""
    metrics = painter.fontMetrics()
    shown = metrics.elidedText(text, mode, int(rect.width()))
    painter.drawText(rect, int(align | Qt.AlignmentFlag.AlignVCenter), shown)
    return shown != text


def draw_empty(painter: QPainter, widget: QWidget, icon: str, title: str, hint: str) -> None:
    """Fill an empty place: an icon, what is missing, and what to do next."""
    theme = current_theme()
    width = min(widget.width() - 4 * GRID_PX, 320)
    if width < 60 or widget.height() < 40:
        return
    flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop) | int(
        Qt.TextFlag.TextWordWrap
    )
    quiet = QFontMetrics(quiet_font(widget)).boundingRect(QRect(0, 0, width, 400), flags, hint)
    line = QFontMetrics(text_font(widget)).height()
    with_icon = widget.height() >= quiet.height() + line + 5 * GRID_PX + 28
    block = quiet.height() + line + GRID_PX + (28 + GRID_PX if with_icon else 0)
    left, top = (widget.width() - width) / 2, max(GRID_PX, (widget.height() - block) / 2)
    if with_icon:
        draw_icon(painter, icon, QRectF(widget.width() / 2 - 14, top, 28, 28), theme.disabled)
        top += 28 + GRID_PX
    painter.setFont(text_font(widget))
    painter.setPen(QColor(theme.text))
    painter.drawText(QRectF(left, top, width, line), flags, title)
    painter.setFont(quiet_font(widget))
    painter.setPen(QColor(theme.quiet))
    painter.drawText(QRectF(left, top + line + GRID_PX / 2, width, quiet.height() + 4), flags, hint)


def draw_swatch(painter: QPainter, rect: QRectF, colour: QColor, theme: Theme) -> None:
    """Draw a small rounded colour field with a line that keeps it visible on any ground."""
    painter.setPen(QColor(theme.line))
    painter.setBrush(colour)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 2.0, 2.0)


def draw_focus(painter: QPainter, rect: QRectF, theme: Theme) -> None:
    """Draw the mark of the keyboard focus."""
    painter.setPen(QColor(theme.accent))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 4.0, 4.0)
