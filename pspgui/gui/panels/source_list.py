"""All sources of a pixel, the largest first; local features can be unfolded into their taps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from pspgui.gui.colours import diverging_lut, nice_limit, readable_on
from pspgui.gui.icons import draw_icon
from pspgui.gui.panels.bin_grids import describe
from pspgui.gui.panels.drawing import draw_elided, draw_focus, signed
from pspgui.gui.panels.evidence_bar import level_colour
from pspgui.gui.panels.evidence_ranking import (
    Ranked,
    Ranking,
    ranking_of,
    tight_name,
    unreachable_text,
)
from pspgui.gui.panels.evidence_sums import bin_note
from pspgui.gui.panels.pointable import Pointable, row_stepped_to
from pspgui.gui.theme import Theme, current_theme, quiet_font

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence, Source

_HEAD: Final = 18
_ROW: Final = 20
_GLYPH: Final = 14
_TAP: Final = (44, 22)
_INDENT: Final = 24
_CHEVRON: Final = 16
_ALL_FROM: Final = 260
_DECIMALS: Final = 3  # two are moved elsewhere so that printed sums hold


class SourceList(Pointable):
    """Rows of swatch, name, amount, share of the absolute sum, and all shares so far.

    `source_pointed(Source | None)` follows mouse and arrow keys, `source_chosen(Source)` comes
    with a click or Enter, and `unfolded(bool)` when the taps of the local source are wanted or
    no longer. Painted whole; nothing is created on a hover.
    """

    source_pointed = Signal(object)
    source_chosen = Signal(object)
    unfolded = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._evidence: PixelEvidence | None = None
        self._ranking = Ranking((), 0)
        self._taps: tuple[Source, ...] | None = None
        self._has_taps = self._open = False
        self._pointed: Source | None = None
        self._row: int | None = None
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Sources by size")

    # -- what is shown ------------------------------------------------------------------------

    @property
    def ranking(self) -> Ranking:
        """The rows shown."""
        return self._ranking

    @property
    def is_unfolded(self) -> bool:
        """Whether the taps of the local source are wanted."""
        return self._open

    @property
    def taps(self) -> tuple[Source, ...] | None:
        """The taps shown; None until they are known."""
        return self._taps

    def set_evidence(self, evidence: PixelEvidence | None, has_taps: bool = False) -> None:
        """Show another pixel; `has_taps`: whether its local source can be unfolded."""
        lines = self._lines()
        self._evidence, self._has_taps, self._taps = evidence, has_taps, None
        self._ranking = Ranking((), 0) if evidence is None else ranking_of(evidence)
        if self._row is not None and self._row >= len(self._ranking.rows):
            self._point(None, None)
        if self._lines() != lines:
            self.updateGeometry()
        self.update()

    def set_taps(self, taps: tuple[Source, ...]) -> None:
        """Show the taps of the local source; none at all says that there are none here."""
        self._taps = taps
        self.update()

    # -- geometry -----------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """As high as all rows."""
        return QSize(288, _HEAD + self._lines() * _ROW + self._grid_height() + 4)

    def minimumSizeHint(self) -> QSize:
        """Narrow panels elide names."""
        return QSize(200, self.sizeHint().height())

    def row_rect(self, index: int) -> QRectF:
        """Return where the index-th row is drawn."""
        local = self._local_row()
        after = self._grid_height() if local is not None and index > local else 0
        return QRectF(0, _HEAD + index * _ROW + after, self.width(), _ROW)

    def chevron_rect(self) -> QRectF:
        """Return where the local source is unfolded; empty where it cannot be."""
        local = self._local_row()
        if local is None or not self._has_taps:
            return QRectF()
        row = self.row_rect(local)
        left = _GLYPH + 8 + QFontMetrics(quiet_font(self)).horizontalAdvance("local") + 2
        return QRectF(left, row.top() + 2, _CHEVRON, _CHEVRON)

    def tap_rect(self, index: int) -> QRectF:
        """Return where the index-th tap is drawn, in the grid under the local source."""
        local = self._local_row() or 0
        side = self._side()
        row, column = divmod(index, side)
        top = self.row_rect(local).bottom() + 2
        return QRectF(_INDENT + column * _TAP[0], top + row * _TAP[1], *_TAP)

    def _side(self) -> int:
        return self._taps[0].level if self._taps else 3

    def _lines(self) -> int:
        return len(self._ranking.rows) + bool(self._ranking.unreachable)

    def _grid_height(self) -> int:
        unfolds = self._open and self._has_taps and self._local_row() is not None
        return self._side() * _TAP[1] + 8 if unfolds else 0

    def _local_row(self) -> int | None:
        for index, row in enumerate(self._ranking.rows):
            if row.source is not None and row.source.kind == "local":
                return index
        return None

    # -- pointing -----------------------------------------------------------------------------

    def source_at(self, position: QPointF) -> Source | None:
        """Return the source under a point of the widget: of a row or a tap."""
        for index, tap in enumerate(self._taps or ()):
            if self._open and self.tap_rect(index).contains(position):
                return tap
        row = self._row_at(position)
        return None if row is None else self._ranking.rows[row].source

    def _row_at(self, position: QPointF) -> int | None:
        for index in range(len(self._ranking.rows)):
            if self.row_rect(index).contains(position):
                return index
        return None

    def _point(self, row: int | None, source: Source | None) -> None:
        moved, self._row = row != self._row, row
        if source is not self._pointed:
            self._pointed = source
            self.source_pointed.emit(source)
            moved = True
        if moved:
            self.setAccessibleDescription(_told(self._ranking.rows[row]) if row is not None else "")
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at the row or tap under the mouse."""
        self._point(self._row_at(event.position()), self.source_at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Unfold the local source at its mark; open any other place into cells."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self.chevron_rect().contains(event.position()):
            self.unfold(not self._open)
            return
        source = self.source_at(event.position())
        if source is not None and source.reachable:
            self.source_chosen.emit(source)

    def unfold(self, unfold: bool) -> None:
        """Show the taps of the local source, or fold them away."""
        if unfold != self._open:
            self._open = unfold
            self.unfolded.emit(unfold)
            self.updateGeometry()
            self.update()

    def point_at_nothing(self) -> None:
        """Let go of the row or tap pointed at."""
        self._point(None, None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and Down walk through the rows, Enter opens one, Right and Left unfold local."""
        rows, at = self._ranking.rows, self._row
        to = row_stepped_to(event.key(), at, len(rows))
        if to is not None:
            self._point(to, rows[to].source)
        elif event.key() in (Qt.Key.Key_Right, Qt.Key.Key_Left) and at == self._local_row():
            self.unfold(event.key() == Qt.Key.Key_Right)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._pointed is not None:
            self.source_chosen.emit(self._pointed)
        else:
            super().keyPressEvent(event)

    def tip_at(self, position: QPointF) -> str:
        """Return everything about the row, tap or mark under a point."""
        row, source = self._row_at(position), self.source_at(position)
        if source is not None and source.kind == "tap":
            lost = "" if source.reachable else "\nfalls into the padding"
            return f"tap {source.title}:  {signed(source.value, 4)}{lost}"
        if self.chevron_rect().contains(position):
            return "Unfold into the taps of the 3×3 convolution (Right)"
        if row is None:
            return ""
        told, source = _told(self._ranking.rows[row]), self._ranking.rows[row].source
        return told if source is None else told + bin_note(self._evidence, source)

    # -- painting -----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the heads, the rows in sight, the taps, and what cannot reach."""
        if self._evidence is None:
            return
        theme = current_theme()
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            p.setFont(quiet_font(self))
            metrics = p.fontMetrics()
            columns = self._columns(metrics)
            p.setPen(QColor(theme.quiet))
            for text, right in zip(("logits", "share", "so far"), columns, strict=False):
                self._right(p, QRectF(0, 0, right, _HEAD), text)
            draw_elided(p, QRectF(0, 0, columns[0] - metrics.horizontalAdvance("logits"), _HEAD),
                        "by size")  # fmt: skip
            visible = QRectF(event.rect())
            for index, row in enumerate(self._ranking.rows):
                if self.row_rect(index).intersects(visible):
                    self._paint_row(p, theme, metrics, index, row, columns)
            if self._grid_height():
                self._paint_taps(p, theme, metrics)
            if self._ranking.unreachable:
                last = self.row_rect(len(self._ranking.rows))
                p.setPen(QColor(theme.quiet))
                text = unreachable_text(self._evidence, self._ranking.unreachable)
                draw_elided(p, last.adjusted(_GLYPH + 8, 0, 0, 0), text)

    def _columns(self, metrics: QFontMetrics) -> tuple[float, ...]:
        """Return the right ends of amounts, of shares, and with room for them of shares so far."""
        last = metrics.horizontalAdvance("100.0 %")
        wide = float(self.width())
        if self.width() < _ALL_FROM:
            return wide - last - 8, wide
        return wide - 2 * last - 16, wide - last - 8, wide

    def _paint_row(
        self, p: QPainter, theme: Theme, metrics: QFontMetrics, index: int, row: Ranked,
        columns: tuple[float, ...],
    ) -> None:  # fmt: skip
        rect = self.row_rect(index)
        if index == self._row:
            p.fillRect(rect, QColor(theme.hover))
        self._paint_glyph(p, theme, QRectF(0, rect.top() + 3, _GLYPH, _GLYPH), row)
        amount = signed(row.value, _DECIMALS)
        p.setPen(QColor(theme.text))
        self._right(p, QRectF(0, rect.top(), columns[0], _ROW), amount)
        p.setPen(QColor(theme.quiet))
        self._right(p, QRectF(0, rect.top(), columns[1], _ROW), f"{100 * row.share:.1f} %")
        for right in columns[2:]:
            self._right(p, QRectF(0, rect.top(), right, _ROW), f"{100 * row.so_far:.1f} %")
        room = columns[0] - metrics.horizontalAdvance(amount) - _GLYPH - 16
        p.setPen(QColor(theme.text if row.source is not None else theme.quiet))
        fits = metrics.horizontalAdvance(row.name) <= room
        name = row.name if fits else tight_name(row.source, row.name)
        draw_elided(p, QRectF(_GLYPH + 8, rect.top(), room, _ROW), name)
        if self._ranking.peak:
            sign = theme.positive if row.value >= 0 else theme.negative
            long = (self.width() - _GLYPH - 8) * abs(row.value) / self._ranking.peak
            p.fillRect(QRectF(_GLYPH + 8, rect.bottom() - 2, long, 1.5), QColor(sign))
        if row.source is not None and row.source.kind == "local" and self._has_taps:
            name = "chevron-down" if self._open else "chevron-right"
            draw_icon(p, name, self.chevron_rect(), theme.quiet)
        if index == self._row and self.hasFocus():
            draw_focus(p, rect, theme)

    def _paint_glyph(self, p: QPainter, theme: Theme, rect: QRectF, row: Ranked) -> None:
        """Paint where a bin lies in its grid, or a swatch of what else the row is."""
        source = row.source
        if source is None:
            p.fillRect(rect.adjusted(2, 2, -2, -2), QColor(theme.constant))
            return
        colour = self._colour(theme, source)
        if source.kind != "bin" and not (source.kind == "local" and source.level):
            p.fillRect(rect.adjusted(2, 2, -2, -2), colour)
            return
        p.setPen(QColor(theme.disabled))
        p.setBrush(Qt.BrushStyle.NoBrush)
        p.drawRect(rect.adjusted(0.5, 0.5, -0.5, -0.5))
        side = rect.width() / source.level
        p.fillRect(
            QRectF(rect.left() + source.col * side, rect.top() + source.row * side,
                   max(3.0, side), max(3.0, side)), colour,
        )  # fmt: skip

    def _colour(self, theme: Theme, source: Source) -> QColor:
        assert self._evidence is not None
        if source.kind == "local" and not source.level:
            return QColor(theme.local)
        kinds = list(dict.fromkeys(s.level for s in self._evidence.sources if s.kind != "local"))
        place = kinds.index(source.level) if source.level in kinds else 0
        return level_colour(place, max(1, len(kinds)), theme)

    def _paint_taps(self, p: QPainter, theme: Theme, metrics: QFontMetrics) -> None:
        first = self.tap_rect(0)
        if not self._taps:
            p.setPen(QColor(theme.quiet))
            text = "…" if self._taps is None else "no taps in this reading"
            p.drawText(first.adjusted(0, 0, 120, 0), int(Qt.AlignmentFlag.AlignVCenter), text)
            return
        values = np.array([tap.value for tap in self._taps])
        limit = nice_limit(float(np.abs(values).max()))
        steps = np.clip(np.rint((values / limit + 1) * 127.5), 0, 255).astype(np.uint8)
        colours = diverging_lut(theme)[steps].tolist()
        for index, (tap, (r, g, b)) in enumerate(zip(self._taps, colours, strict=True)):
            rect = self.tap_rect(index).adjusted(0, 0, -1, -1)
            if not tap.reachable:
                p.fillRect(rect, Qt.BrushStyle.BDiagPattern)
                continue
            p.fillRect(rect, QColor(r, g, b))
            p.setPen(QColor(readable_on((r, g, b))))
            p.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), signed(tap.value))
        beside = QRectF(
            first.left() + self._side() * _TAP[0] + 8, first.top(), 400, _TAP[1]
        )
        beside.setRight(float(self.width()))
        if beside.width() < 72:
            return
        p.setPen(QColor(theme.quiet))
        for line, text in enumerate(("taps of the", "convolution;", "they add up")):
            draw_elided(p, beside.translated(0, line * (metrics.height() + 1)), text)

    @staticmethod
    def _right(p: QPainter, rect: QRectF, text: str) -> None:
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        p.drawText(rect, int(right), text)


def _told(row: Ranked) -> str:
    """Return everything there is to say of a row."""
    share = f"{100 * row.share:.1f} % of the absolute sum, {100 * row.so_far:.1f} % so far"
    if row.source is not None and row.source.kind == "bin":
        return f"{describe(row.source)}\n{share}"
    return f"{row.name}:  {signed(row.value, 4)}\n{share}"
