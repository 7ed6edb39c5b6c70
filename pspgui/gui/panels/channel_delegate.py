"""How one channel looks in the browser: its picture, its number, what it comes to."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from pspgui.gui.panels.channel_model import ChannelModel
from pspgui.gui.panels.drawing import draw_elided
from pspgui.gui.panels.rows import paint_ground
from pspgui.gui.theme import GRID_PX, current_theme, quiet_font

_LEAST: Final = 96
_LINE: Final = 18


class ChannelDelegate(QStyledItemDelegate):
    """Paints thumbnails in the image's proportions, so wide that whole ones fill a row."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._view = parent
        self._aspect, self._width, self.smooth = 4 / 3, _LEAST, True
        self.visible_share = (1.0, 1.0)

    def set_aspect(self, aspect: float) -> None:
        """Give pictures the image's width over its height, within what a grid can take."""
        self._aspect = min(2.5, max(0.6, aspect))

    def fit(self, room: int) -> None:
        """Choose a width, `_LEAST` or more, of which a whole number fills `room`."""
        columns = max(1, room // (_LEAST + GRID_PX))
        self._width = max(_LEAST, room // columns - GRID_PX)

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Every channel takes the same room."""
        return self.size()

    def size(self) -> QSize:
        """The room that a channel takes."""
        high = round(self._width / self._aspect)
        return QSize(self._width + GRID_PX, high + _LINE + GRID_PX)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:  # fmt: skip
        """Paint a channel."""
        model, theme = index.model(), current_theme()
        if not isinstance(model, ChannelModel):
            return
        number = model.number_at(index.row())
        place = QRectF(option.rect).adjusted(4, 4, -4, -4)
        painter.save()
        painter.setFont(quiet_font(self._view))
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        paint_ground(painter, option)
        picture = QRectF(place.left(), place.top(), place.width(), place.height() - _LINE)
        image = model.picture(number)
        if image is None:
            painter.fillRect(picture, QColor(theme.hover))
        else:
            down, across = self.visible_share
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.smooth)
            source = QRectF(0, 0, image.width() * across, image.height() * down)
            painter.drawImage(picture, image, source)
        below = QRectF(place.left(), picture.bottom(), place.width(), _LINE)
        text, sign = model.amount(number)
        colour = theme.positive if sign > 0 else theme.negative if sign < 0 else theme.quiet
        painter.setPen(QColor(theme.disabled if model.is_dead(number) else colour))
        text = "dead" if model.is_dead(number) else text
        draw_elided(painter, below, text, Qt.AlignmentFlag.AlignRight)
        room = painter.fontMetrics().horizontalAdvance(text) + 4
        painter.setPen(QColor(theme.text))
        draw_elided(painter, below.adjusted(0, 0, -room, 0), str(index.data()))
        if chosen:
            painter.setPen(QPen(QColor(theme.accent), 1.5))
            painter.drawRect(QRectF(option.rect).adjusted(1, 1, -1, -1))
        painter.restore()
