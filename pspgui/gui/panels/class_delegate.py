"""How a line of the classes panel is painted, and what its marks do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractItemModel, QEvent, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)

from pspgui.gui.icons import draw_icon
from pspgui.gui.panels.class_model import (
    ClassModel,
    Index,
    is_locked,
    is_visible,
    toggle_lock,
    toggle_solo,
    toggle_visible,
)
from pspgui.gui.panels.drawing import draw_elided, draw_swatch
from pspgui.gui.panels.rows import EvenRows, paint_ground
from pspgui.gui.theme import ICON_PX, Theme, current_theme, quiet_font, text_font
from pspgui.labels.class_groups import ClassRow

if TYPE_CHECKING:
    from pspgui.gui.document import Document

ROW_PX = 28
_INDENT = 12


class ClassDelegate(EvenRows):
    """Paints a row: key, colour, name, area, lock, solo, eye; tells which is under the mouse."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document

    row_size = QSize(200, ROW_PX)

    @staticmethod
    def eye_rect(row: QRect) -> QRect:
        """Return where the eye is in a row."""
        return QRect(row.right() - 8 - ICON_PX, row.top() + 5, ICON_PX, ICON_PX)

    @staticmethod
    def solo_rect(row: QRect) -> QRect:
        """Return where the solo mark is in a row."""
        return QRect(row.right() - 16 - 2 * ICON_PX, row.top() + 5, ICON_PX, ICON_PX)

    @staticmethod
    def lock_rect(row: QRect) -> QRect:
        """Return where the lock is in a row."""
        return QRect(row.right() - 24 - 3 * ICON_PX, row.top() + 5, ICON_PX, ICON_PX)

    # -- painting -----------------------------------------------------------------------------

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row from the document."""
        model = index.model()
        row = model.row_at(index) if isinstance(model, ClassModel) else None
        if row is None or max(row.labels) >= len(self._document.table):
            return
        theme, rect = current_theme(), option.rect
        active = row.label == self._document.active_class
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option, chosen=active, current=active)
        if row.label is None:
            self._paint_heading(painter, option.widget, rect, row, model)
        else:
            self._paint_name(painter, option.widget, rect, row)
        self._paint_share(painter, option.widget, rect, model.share_text(row))
        self._paint_marks(painter, theme, rect, row, hovered)
        painter.restore()

    def _paint_marks(
        self, p: QPainter, theme: Theme, rect: QRect, row: ClassRow, hovered: bool
    ) -> None:
        visible = is_visible(self._document, row)
        eye = "eye-outline" if visible else "eye-off-outline"
        eye_colour = theme.text if hovered else theme.quiet if visible else theme.disabled
        draw_icon(p, eye, QRectF(self.eye_rect(rect)), eye_colour)
        solo = row.label is not None and self._document.solo == row.label
        if solo or (hovered and row.label is not None):
            colour = theme.accent if solo else theme.quiet
            draw_icon(p, "alpha-s-circle-outline", QRectF(self.solo_rect(rect)), colour)
        locked = is_locked(self._document, row)
        if locked or hovered:
            colour = theme.accent if locked else theme.quiet
            name = "lock-outline" if locked else "lock-open-variant-outline"
            draw_icon(p, name, QRectF(self.lock_rect(rect)), colour)

    def _paint_heading(
        self, p: QPainter, widget: QWidget, rect: QRect, row: ClassRow, model: ClassModel
    ) -> None:
        theme = current_theme()
        chevron = "chevron-right" if model.is_folded(row.group) else "chevron-down"
        place = QRectF(rect.left() + 6, rect.top() + 5, ICON_PX, ICON_PX)
        draw_icon(p, chevron, place, theme.quiet)
        p.setFont(quiet_font(widget))
        p.setPen(QColor(theme.quiet))
        left = place.right() + 6
        draw_elided(p, QRectF(left, rect.top(), self._name_end(rect) - left, ROW_PX), row.group)

    def _paint_name(self, p: QPainter, widget: QWidget, rect: QRect, row: ClassRow) -> None:
        theme = current_theme()
        entry = self._document.table.classes[row.labels[0]]
        p.setFont(quiet_font(widget))
        p.setPen(QColor(theme.quiet))
        if entry.id < 10:
            key = QRectF(rect.left() + 8, rect.top(), 16, rect.height())
            p.drawText(key, int(Qt.AlignmentFlag.AlignCenter), key_of(entry.id))
        indent = _INDENT if row.group else 0
        swatch = QRectF(rect.left() + 30 + indent, rect.top() + 7, 14, 14)
        draw_swatch(p, swatch, QColor(*entry.colour), theme)
        p.setFont(text_font(widget))
        p.setPen(QColor(theme.text if is_visible(self._document, row) else theme.disabled))
        left = swatch.right() + 10
        draw_elided(p, QRectF(left, rect.top(), self._name_end(rect) - left, ROW_PX), entry.name)

    def _paint_share(self, p: QPainter, widget: QWidget, rect: QRect, share: str) -> None:
        p.setFont(quiet_font(widget))
        p.setPen(QColor(current_theme().quiet))
        end = self._name_end(rect) + 4
        place = QRectF(end, rect.top(), self.lock_rect(rect).left() - 8 - end, rect.height())
        draw_elided(p, place, share, Qt.AlignmentFlag.AlignRight)

    def _name_end(self, rect: QRect) -> int:
        """Return where a name ends and the share begins."""
        return self.lock_rect(rect).left() - 8 - 60

    # -- the mouse ----------------------------------------------------------------------------

    def editorEvent(
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        """Toggle eye, solo or lock where clicked; the row is then not made active."""
        if not isinstance(event, QMouseEvent) or event.button() != Qt.MouseButton.LeftButton:
            return False
        row = model.row_at(index) if isinstance(model, ClassModel) else None
        toggle = None if row is None else self._mark_at(option.rect, event.position().toPoint())
        if toggle is None:
            return False
        if event.type() == QEvent.Type.MouseButtonRelease:
            toggle(self._document, row)
        return True

    def _mark_at(self, rect: QRect, point: object) -> Callable[[Document, ClassRow], None] | None:
        """Return what a click at a point of a row does; None beside the marks."""
        for place, toggle in (
            (self.eye_rect, toggle_visible), (self.solo_rect, toggle_solo),
            (self.lock_rect, toggle_lock),
        ):  # fmt: skip
            if place(rect).adjusted(-4, -4, 4, 4).contains(point):
                return toggle
        return None

    def helpEvent(
        self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem,
        index: Index,
    ) -> bool:  # fmt: skip
        """Say what is under the mouse, with its key."""
        model = index.model()
        row = model.row_at(index) if isinstance(model, ClassModel) else None
        if row is None or max(row.labels) >= len(self._document.table):
            return False
        mark = self._mark_at(option.rect, event.pos())
        QToolTip.showText(event.globalPos(), self._explained(row, mark, model), view)
        return True

    def _explained(self, row: ClassRow, mark: object, model: ClassModel) -> str:
        document, one = self._document, row.label is not None
        name = model.data(model.index_of(row.label)) if one else f"all of {row.group}"
        if mark is toggle_visible:
            verb = "Hide" if is_visible(document, row) else "Show"
            return f"{verb} {name}{' (Space)' if one else ''}"
        if mark is toggle_lock:
            verb = "Unlock" if is_locked(document, row) else "Lock"
            return f"{verb} {name}{' (K)' if one else ''}"
        share = model.share_text(row)
        share = f"\n{share} of the labels" if share else ""
        if not one:
            verb = "Unfold" if model.is_folded(row.group) else "Fold"
            return f"{verb} {row.group}: {len(row.labels)} classes{share}"
        if mark is toggle_solo:
            return f"Show {name} only (O); again for all"
        key = f" ({key_of(row.label)})" if row.label < 10 else ""
        return f"Paint {name}{key}{share}"


def key_of(label: int) -> str:
    """Return the key of one of the first ten classes."""
    return str((label + 1) % 10)
