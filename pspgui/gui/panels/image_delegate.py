"""How an image of the list looks: as a row, or as a picture of the grid."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from pspgui.durable import printable
from pspgui.gui.icons import draw_icon
from pspgui.gui.panels.drawing import draw_elided, percent
from pspgui.gui.panels.image_model import ImageModel, Index
from pspgui.gui.panels.rows import EvenRows, paint_ground
from pspgui.gui.panels.thumbnails import ThumbnailError
from pspgui.gui.theme import Theme, current_theme, quiet_font, text_font
from pspgui.project.index import IndexedImage

ROW_PX: Final = 56
_PICTURE: Final = (56, 42)
_MARK_PX: Final = 16
# Told apart by shape alone; colour only says the same again.
STATUS_ICONS: Final = {
    "new": "circle-outline",
    "predicted": "creation-outline",
    "in work": "pencil-outline",
    "done": "check",
    "accepted": "check-decagram",
    "rejected": "close-octagon-outline",
    "flagged": "flag",
}
_STATUS_COLOURS: Final = {
    "new": "disabled", "predicted": "quiet", "in work": "text", "done": "accent",
    "accepted": "accent", "rejected": "warning", "flagged": "warning",
}  # fmt: skip
_STAY: Final = ("done", "accepted", "rejected", "flagged")  # what a person said stays so


def status_colour(status: str, theme: Theme) -> QColor:
    """Return the colour of a status' icon."""
    return QColor(getattr(theme, _STATUS_COLOURS.get(status, "quiet")))


def detail_text(known: IndexedImage | None, mark: str, sort: str = "name") -> str:
    """Return the quiet line under a name: how far the image is, and what the list is sorted by."""
    if known is None:
        return mark
    words, is_full = [known.status], False
    if mark == "edited":  # the row is narrow, and an edit of other images puts them in work
        is_full = known.status in _STAY
        words = [f"{known.status}, edited" if is_full else "edited"]
    if sort == "entropy" and known.entropy is not None:
        words.append(f"entropy {known.entropy:.2f}")
    elif sort == "boundary" and known.boundary_px is not None:
        words.append(f"outlines {known.boundary_px} px")
    elif sort == "corrected" and known.corrected_px is not None:
        whole = (known.height or 0) * (known.width or 0) or sum(known.pixels.values())
        words.append(f"{percent(known.corrected_px / max(1, whole))} corrected")
    elif known.margin is not None and (sort == "doubt" or not is_full):
        words.append(f"doubt {1 - known.margin:.2f}")
    words += [f"#{tag}" for tag in known.tags]
    return " · ".join(words)


class RowDelegate(EvenRows):
    """Paints a row: thumbnail, file name, status and doubt, an icon of the status."""

    row_size = QSize(160, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row; a thumbnail that is not made yet is a quiet field."""
        model = index.model()
        path = model.path_at(index.row()) if isinstance(model, ImageModel) else None
        if path is None:
            return
        theme, rect, widget = current_theme(), option.rect, option.widget
        known, mark = model.known(path), model.status_of(path)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        _paint_ground(painter, option, path == model.current)
        frame = QRectF(rect.left() + 12, rect.top() + (ROW_PX - _PICTURE[1]) / 2, *_PICTURE)
        paint_picture(painter, theme, frame, model.thumbnails.get(path))
        left = frame.right() + 12
        right = rect.right() - 12 - _MARK_PX
        painter.setFont(text_font(widget))
        painter.setPen(QColor(theme.text))
        top = rect.top() + 9
        # Names of one folder differ at their ends, before the suffix: the middle is what can go.
        draw_elided(
            painter, QRectF(left, top, right - 6 - left, 20), printable(path.stem),
            mode=Qt.TextElideMode.ElideMiddle,
        )  # fmt: skip
        painter.setFont(quiet_font(widget))
        painter.setPen(QColor(theme.quiet))
        words = detail_text(known, mark, model.sort)
        if not words:
            words = f"{index.row() + 1} of {model.rowCount()}"
        draw_elided(painter, QRectF(left, top + 20, rect.right() - 8 - left, 16), words)
        place = QRectF(right, top + 2, _MARK_PX, _MARK_PX)
        _paint_status(painter, theme, place, known, mark)
        painter.restore()


class TileDelegate(QStyledItemDelegate):
    """Paints a picture of the grid with its name and status below it."""

    def __init__(self, side_px: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.side_px = side_px
        self._width = self.least_px

    @property
    def least_px(self) -> int:
        """How narrow a tile may be."""
        return self.side_px + 12  # two of 96 beside the scroll bar of a panel as wide as at first

    @property
    def size(self) -> QSize:
        """The size of a tile."""
        return QSize(self._width, self.side_px * 3 // 4 + 36)

    def set_width(self, width: int) -> bool:
        """Make tiles this wide; False when they are already."""
        before, self._width = self._width, width
        return width != before

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Every tile is equally large."""
        return self.size

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one tile."""
        model = index.model()
        path = model.path_at(index.row()) if isinstance(model, ImageModel) else None
        if path is None:
            return
        theme, rect, widget = current_theme(), option.rect, option.widget
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        _paint_ground(painter, option, path == model.current, above=True)
        left = rect.left() + (rect.width() - self.side_px) / 2
        frame = QRectF(left, rect.top() + 8, self.side_px, self.side_px * 3 / 4)
        paint_picture(painter, theme, frame, model.thumbnails.get(path))
        below = frame.bottom() + 4
        painter.setFont(quiet_font(widget))
        painter.setPen(QColor(theme.text))
        draw_elided(
            painter, QRectF(frame.left(), below, self.side_px - _MARK_PX - 4, 20),
            printable(path.stem), mode=Qt.TextElideMode.ElideMiddle,
        )  # fmt: skip
        place = QRectF(frame.right() - _MARK_PX, below + 2, _MARK_PX, _MARK_PX)
        _paint_status(painter, theme, place, model.known(path), model.status_of(path))
        painter.restore()


def paint_picture(
    p: QPainter, theme: Theme, frame: QRectF, picture: QImage | ThumbnailError | None
) -> None:
    """Paint a thumbnail within a frame, whole and upright; a broken image is a mark."""
    p.fillRect(frame, QColor(theme.base))
    if isinstance(picture, QImage):
        size = picture.size().scaled(frame.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
        target = QRectF(0, 0, size.width(), size.height())
        target.moveCenter(frame.center())
        p.drawImage(target, picture)
    elif isinstance(picture, ThumbnailError):
        mark = QRectF(0, 0, 18, 18)
        mark.moveCenter(frame.center())
        draw_icon(p, "image-broken-variant", mark, theme.warning)


def _paint_ground(
    p: QPainter, option: QStyleOptionViewItem, is_current: bool, above: bool = False
) -> None:
    paint_ground(p, option, chosen=is_current or None, current=is_current and not above)
    if is_current and above:
        bar = QRect(option.rect.topLeft(), QSize(option.rect.width(), 3))
        p.fillRect(bar, QColor(current_theme().accent))


def _paint_status(
    p: QPainter, theme: Theme, rect: QRectF, known: IndexedImage | None, mark: str
) -> None:
    """Paint the icon of the status; an edit that is not saved yet is a ring in its place."""
    if mark == "edited":
        p.setPen(QColor(theme.accent))
        p.setBrush(Qt.BrushStyle.NoBrush)
        p.drawEllipse(QRectF(rect.center().x() - 4, rect.center().y() - 4, 8, 8))
        return
    status = "in work" if known is None and mark == "saved" else ""
    status = known.status if known is not None else status
    if status:
        draw_icon(p, STATUS_ICONS[status], rect, status_colour(status, theme))


def icon_of(status: str) -> str:
    """Return the icon name of a status."""
    return STATUS_ICONS.get(status, "circle-outline")
