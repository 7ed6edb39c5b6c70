"""The grids of pyramid bins: every level side by side on one diverging scale about zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetrics,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from pspgui.gui.colours import diverging_lut, nice_limit, readable_on
from pspgui.gui.panels.drawing import draw_elided, short, signed
from pspgui.gui.panels.evidence_bar import level_colour
from pspgui.gui.theme import Theme, current_theme, quiet_font

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence, Source

_GAP = 8
_TITLE = 18
_LEGEND = 22
_DETAIL = 34
_FINE = 4  # bins a side from which numbers need a level to have the whole width
_ARROWS = {
    Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0),
}  # fmt: skip


class Place(NamedTuple):
    """Which bin: bins a side of its level, row and column."""

    level: int
    row: int
    col: int


class BinGrids(QWidget):
    """All levels' bins of one pixel, with the scale, and one line about the bin pointed at.

    `bin_pointed(Source | None)` follows mouse and arrow keys, `bin_chosen(Source)` comes with a
    click or Enter. Bins that cannot reach the pixel
    are hatched. Painted whole from the evidence; nothing is created on a hover.
    """

    bin_pointed = Signal(object)
    bin_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._evidence: PixelEvidence | None = None
        self._aspect = 0.75
        self._limit = 1.0
        self._frames: dict[int, QRectF] = {}
        self._pointed: Place | None = None
        self._numbers = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Pyramid bins")

    # -- what is shown ------------------------------------------------------------------------

    @property
    def limit(self) -> float:
        """The value at the ends of the scale, the same in every grid."""
        return self._limit

    @property
    def pointed(self) -> Source | None:
        """The bin under the mouse or the arrow keys."""
        return None if self._pointed is None else self._source(self._pointed)

    def set_aspect(self, height: int, width: int) -> None:
        """Give the grids the shape of the image."""
        aspect = min(1.6, max(0.4, height / max(1, width)))
        if aspect != self._aspect:
            self._aspect = aspect
            self._place_frames()
            self.updateGeometry()
            self.update()

    def set_evidence(self, evidence: PixelEvidence | None) -> None:
        """Show another pixel; the bin pointed at stays the same place."""
        levels_before = tuple(self._frames)
        self._evidence = evidence
        if evidence is not None:
            peak = max(
                (float(np.abs(r.values).max()) for r in evidence.grids.values()), default=0.0
            )
            self._limit = nice_limit(peak)
            if tuple(evidence.grids) != levels_before:
                self._place_frames()
                self.updateGeometry()
        if self._pointed is not None:
            known = evidence is not None and self._pointed.level in evidence.grids
            self._point(self._pointed if known else None, force=True)
        self.update()

    def set_numbers(self, on: bool) -> None:
        """Print a number into every bin, for which fine levels get a row of their own."""
        if on != self._numbers:
            self._numbers = on
            self._place_frames()
            self.updateGeometry()
            self.update()

    def bin_rect(self, level: int, row: int, col: int) -> QRectF:
        """Return where a bin is drawn, in widget coordinates."""
        frame = self._frames[level]
        w, h = frame.width() / level, frame.height() / level
        x, y = round(frame.left() + col * w), round(frame.top() + row * h)
        return QRectF(
            x, y, round(frame.left() + (col + 1) * w) - x, round(frame.top() + (row + 1) * h) - y
        )

    # -- size ---------------------------------------------------------------------------------

    def heightForWidth(self, width: int) -> int:
        """Titles, grids in the image's shape, scale and detail lines."""
        high = sum(
            _TITLE + self._side(len(row), width) * self._aspect + _GAP for row in self._rows()
        )
        return int(high + _LEGEND + _DETAIL)

    def _rows(self) -> list[tuple[int, ...]]:
        """Return which levels stand side by side, row by row."""
        levels = tuple(self._evidence.grids) if self._evidence else tuple(self._frames)
        wide = tuple(b for b in levels if b >= _FINE) if self._numbers else ()
        close = [b for b in levels if b not in wide] or ([0] * 4 if not wide else [])
        rows = [tuple(close[i : i + 4]) for i in range(0, len(close), 4)]
        return rows + [(b,) for b in wide]

    @staticmethod
    def _side(columns: int, width: int) -> float:
        return (width - (columns - 1) * _GAP) / columns

    def sizeHint(self) -> QSize:
        """A panel's usual width."""
        return QSize(288, self.heightForWidth(288))

    def minimumSizeHint(self) -> QSize:
        """Narrow panels shrink the grids."""
        return QSize(200, self.heightForWidth(max(200, self.width())))

    def resizeEvent(self, event: QEvent) -> None:
        """Place the grids anew; another width needs another height."""
        self._place_frames()
        self.updateGeometry()

    def _place_frames(self) -> None:
        frames: dict[int, QRectF] = {}
        top = float(_TITLE)
        for row in self._rows():
            side = self._side(len(row), self.width())
            for column, level in enumerate(row):
                if level:
                    frames[level] = QRectF(
                        round(column * (side + _GAP)), round(top), round(side),
                        round(side * self._aspect),
                    )  # fmt: skip
            top += _TITLE + side * self._aspect + _GAP
        levels = tuple(self._evidence.grids) if self._evidence else tuple(self._frames)
        self._frames = {level: frames[level] for level in levels}

    def _grids_bottom(self) -> float:
        return max((f.bottom() for f in self._frames.values()), default=0.0)

    # -- pointing -----------------------------------------------------------------------------

    def place_at(self, position: QPointF) -> Place | None:
        """Return the bin under a point of the widget."""
        for level, frame in self._frames.items():
            if frame.contains(position):
                row = int((position.y() - frame.top()) / frame.height() * level)
                col = int((position.x() - frame.left()) / frame.width() * level)
                return Place(level, min(row, level - 1), min(col, level - 1))
        return None

    def _source(self, place: Place) -> Source | None:
        if self._evidence is None:
            return None
        index = self._evidence.first_bin + place.row * place.level + place.col
        for level in self._evidence.grids:
            if level == place.level:
                return self._evidence.sources[index]
            index += level * level
        return None

    def _point(self, place: Place | None, force: bool = False) -> None:
        if place == self._pointed and not force:
            return
        self._pointed = place
        source = self.pointed
        self.setAccessibleDescription(describe(source).replace("\n", ", ") if source else "")
        self.bin_pointed.emit(source)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at the bin under the mouse."""
        self._point(self.place_at(event.position()) if self._evidence else None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the bin under the mouse."""
        if event.button() == Qt.MouseButton.LeftButton and self._evidence is not None:
            self._point(self.place_at(event.position()))
            self._choose()

    def _choose(self) -> None:
        source = self.pointed
        if source is not None and source.reachable:
            self.bin_chosen.emit(source)

    def leaveEvent(self, event: QEvent) -> None:
        """Point at nothing when the mouse goes."""
        self._point(None)

    def focusOutEvent(self, event: QEvent) -> None:
        """Point at nothing when the keyboard goes elsewhere."""
        super().focusOutEvent(event)
        self._point(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow keys walk through the bins and on into the next grid; Escape lets go."""
        if event.key() == Qt.Key.Key_Escape and self._pointed is not None:
            self._point(None)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._pointed is not None:
            self._choose()
        elif event.key() in _ARROWS and self._evidence is not None and self._frames:
            self._point(self._neighbour(*_ARROWS[Qt.Key(event.key())]))
        else:
            super().keyPressEvent(event)

    def _neighbour(self, down: int, right: int) -> Place:
        levels = list(self._frames)
        if self._pointed is None:
            return Place(levels[0], 0, 0)
        level, row, col = self._pointed
        row, col = min(max(row + down, 0), level - 1), col + right
        if not 0 <= col < level:
            step = levels.index(level) + (1 if col >= level else -1)
            if not 0 <= step < len(levels):
                return self._pointed
            height = (row + 0.5) / level
            level = levels[step]
            row, col = int(height * level), 0 if right > 0 else level - 1
        return Place(level, row, col)

    def event(self, event: QEvent) -> bool:
        """Tell everything about the bin under the mouse in its tooltip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            place = self.place_at(QPointF(event.pos()))
            source = self._source(place) if place else None
            QToolTip.showText(event.globalPos(), describe(source) if source else "", self)
            return True
        return super().event(event)

    # -- painting -----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint titles, grids, scale and the lines about the bin pointed at."""
        if self._evidence is None:
            return
        theme = current_theme()
        with QPainter(self) as p:
            p.setFont(quiet_font(self))
            metrics = p.fontMetrics()
            for i, level in enumerate(self._frames):
                self._paint_grid(p, theme, metrics, i, level)
            self._paint_pointed(p, theme)
            bottom = self._grids_bottom()
            self._paint_scale(p, theme, metrics, bottom + _GAP)
            self._paint_detail(p, theme, metrics, bottom + _GAP + _LEGEND)

    def _paint_grid(
        self, p: QPainter, theme: Theme, metrics: QFontMetrics, index: int, level: int
    ) -> None:
        assert self._evidence is not None
        reading = self._evidence.grids[level]
        frame = self._frames[level]
        p.fillRect(
            QRectF(frame.left(), frame.top() - _TITLE + 4, 8, 8),
            level_colour(index, len(self._frames), theme),
        )
        p.setPen(QColor(theme.quiet))
        p.drawText(
            QPointF(frame.left() + 13, frame.top() - _TITLE + 3 + metrics.ascent()),
            f"{level}×{level}",
        )
        if not reading.reachable.all():
            p.fillRect(frame, QBrush(QColor(theme.disabled), Qt.BrushStyle.BDiagPattern))
        self._paint_bins(p, theme, metrics, level)
        p.setBrush(Qt.BrushStyle.NoBrush)
        p.setPen(QColor(theme.line))
        p.drawRect(frame.adjusted(0, 0, -1, -1))

    def _paint_bins(
        self, p: QPainter, theme: Theme, metrics: QFontMetrics, level: int
    ) -> None:
        """Colour the bins that reach the pixel; print the value where there is room."""
        assert self._evidence is not None
        reading = self._evidence.grids[level]
        frame = self._frames[level]
        steps = np.clip(np.rint((reading.values / self._limit + 1) * 127.5), 0, 255)
        colours = diverging_lut(theme)[steps.astype(np.uint8)].tolist()
        decimals = self._decimals(metrics, frame.width() / level, frame.height() / level)
        values, edge = reading.values.tolist(), QColor(theme.panel)
        for row, col in zip(*(i.tolist() for i in np.nonzero(reading.reachable)), strict=True):
            rect = self.bin_rect(level, row, col)
            r, g, b = colours[row][col]
            p.fillRect(rect, edge)
            p.fillRect(rect.adjusted(0, 0, -1, -1), QColor(r, g, b))
            if decimals is not None:
                p.setPen(QColor(readable_on((r, g, b))))
                text = signed(values[row][col], decimals)
                p.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), text)

    def _decimals(self, metrics: QFontMetrics, wide: float, high: float) -> int | None:
        """Return how many decimals a bin of this size has room for; None for no number at all."""
        if high < metrics.height() - 2:
            return None
        for decimals in (2, 1) if self._numbers else (2,):
            if wide >= metrics.horizontalAdvance(signed(-self._limit, decimals)) + 3:
                return decimals
        return None

    def _paint_pointed(self, p: QPainter, theme: Theme) -> None:
        if self._pointed is None or self._pointed.level not in self._frames:
            return
        rect = self.bin_rect(*self._pointed)
        p.setBrush(Qt.BrushStyle.NoBrush)
        p.setPen(QPen(QColor(theme.panel), 3.5))
        p.drawRect(rect)
        p.setPen(QPen(QColor(theme.text), 1.5))
        p.drawRect(rect)

    def _paint_scale(self, p: QPainter, theme: Theme, metrics: QFontMetrics, top: float) -> None:
        """Paint the scale of all grids with its numbers, and what hatching means."""
        low, high, words = signed_end(-self._limit), signed_end(self._limit), "cannot reach"
        before, after, last = (metrics.horizontalAdvance(t) for t in (low, high, words))
        base = top + metrics.ascent() + 1
        p.setPen(QColor(theme.quiet))
        p.drawText(QPointF(0, base), low)
        lut = diverging_lut(theme)
        ramp = QImage(lut.data, 256, 1, 768, QImage.Format.Format_RGB888)
        # The ramp takes what the numbers and the hatched box leave.
        room = self.width() - before - after - last - 12 - 36
        bar = QRectF(before + 6, top + 3, min(110.0, max(24.0, room)), 8)
        p.drawImage(bar, ramp)
        p.fillRect(QRectF(bar.center().x(), bar.top() - 2, 1, 12), QColor(theme.quiet))
        p.drawText(QPointF(bar.right() + 6, base), high)
        box = QRectF(self.width() - last - 20, top + 2, 14, 10)
        if box.left() > bar.right() + 12 + after:
            p.fillRect(box, QBrush(QColor(theme.disabled), Qt.BrushStyle.BDiagPattern))
            p.drawText(QPointF(self.width() - last, base), words)

    def _paint_detail(self, p: QPainter, theme: Theme, metrics: QFontMetrics, top: float) -> None:
        source = self.pointed
        line = QRectF(0, top, self.width(), metrics.height() + 2)
        if source is None:
            p.setPen(QColor(theme.quiet))
            draw_elided(p, line, "Point at a bin to see where it looks; click to open it")
            return
        p.setPen(QColor(theme.text))
        draw_elided(p, line, describe(source).split("\n")[0])
        p.setPen(QColor(theme.quiet))
        line.translate(0, metrics.height() + 2)
        r = source.region
        place = f"pools x {r.x0}–{r.x1}, y {r.y0}–{r.y1}"
        draw_elided(p, line, f"{place} · read {source.weight:.2f}" if source.reachable else place)


def signed_end(value: float) -> str:
    """Return an end of the scale with its sign."""
    return f"+{short(value)}" if value > 0 else short(value)


def describe(source: Source) -> str:
    """Return what there is to say of a bin: its value, where it is pooled, how it is read."""
    r = source.region
    name = f"{source.level}×{source.level} row {source.row + 1}, column {source.col + 1}"
    value = signed(source.value, 3) if source.reachable else "cannot reach this pixel"
    where = f"pooled from x {r.x0} to {r.x1}, y {r.y0} to {r.y1} (pixels)"
    read = f"read here with weight {source.weight:.2f}" if source.reachable else "not read here"
    return f"{name}:  {value}\n{where}\n{read}"
