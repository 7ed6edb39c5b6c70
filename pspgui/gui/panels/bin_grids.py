"""The grids of pyramid bins: every level side by side on one diverging scale about zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QContextMenuEvent,
    QEnterEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QLineEdit,
    QSizePolicy,
    QWidget,
)

from pspgui.gui.colours import diverging_lut, nice_limit, readable_on
from pspgui.gui.panels.bin_marks import Mark, draw_mark, paint_scale
from pspgui.gui.panels.drawing import draw_elided, signed
from pspgui.gui.panels.evidence_bar import level_colour
from pspgui.gui.panels.evidence_sums import bin_note, sums_of
from pspgui.gui.panels.pointable import Pointable
from pspgui.gui.theme import Theme, current_theme, quiet_font

if TYPE_CHECKING:
    from pspgui.evidence.readings import PixelEvidence, Source

_GAP = 8
_TITLE = 18
_LEGEND = 22
_DETAIL = 34
_LEAST_BIN, _MOST_BIN = 29, 48  # px that a number with one decimal takes, and one with two
_ARROWS = {
    Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0),
}  # fmt: skip
_MUTABLE = (
    "Point at a bin to see where it looks; click to open it",
    "Double-click or M mutes it; right-click for more",
)
_ONLY_READ = tuple(
    (f"Point at a {one} to see where it looks,", "click to open it into cells")
    for one in ("bin", "tap")
)
_ALTERED = ("Amounts are those of the network as it is;", "marks show what the what-if alters")


class Place(NamedTuple):
    """Which bin: bins a side of its level, row and column."""

    level: int
    row: int
    col: int


class BinGrids(Pointable):
    """All levels' bins of one pixel, with the scale, and one line about the bin pointed at.

    `bin_pointed(Source | None)` follows mouse and arrow keys, `bin_chosen(Source)` comes with a
    click or Enter. `menu_wanted(key, QPoint)` comes with a right click or the menu key and
    `mute_wanted(key)` with a double click or M, where `key` is (level, row, column) of a bin or
    (level,) of a level's title. Bins that cannot reach the pixel are hatched. Painted whole from
    the evidence; nothing is created on a hover.
    """

    bin_pointed = Signal(object)
    bin_chosen = Signal(object)
    menu_wanted = Signal(object, QPoint)
    mute_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._evidence: PixelEvidence | None = None
        self._aspect = 0.75
        self._limit = 1.0
        self._frames: dict[int, QRectF] = {}
        self._pointed: Place | None = None
        self._numbers = False
        self._marks: Mapping[tuple[int, ...], Mark] = {}
        self._mutable = False
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
        """The bin pointed at."""
        return None if self._pointed is None else self._source(self._pointed)

    def mark(self, source: Source | None) -> None:
        """Outline a bin that is pointed at elsewhere; nobody is told."""
        known = source is not None and source.kind == "bin" and source.level in self._frames
        self._pointed = Place(source.level, source.row, source.col) if known else None
        self.update()

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

    @property
    def marks(self) -> Mapping[tuple[int, ...], Mark]:
        """The levels and bins that a what-if alters, by (level,) or (level, row, column)."""
        return self._marks

    def set_marks(self, marks: Mapping[tuple[int, ...], Mark], mutable: bool = True) -> None:
        """Mark what a what-if alters; where nothing can be muted no hint tells how."""
        if (marks, mutable) != (self._marks, self._mutable):
            self._marks, self._mutable = marks, mutable
            self.update()

    @property
    def hints(self) -> tuple[str, ...]:
        """What stands below the bins while none is pointed at."""
        if self._marks:
            return _ALTERED
        return _MUTABLE if self._mutable else _ONLY_READ[_of_taps(self._evidence)]

    def title_rect(self, level: int) -> QRectF:
        """Return where a level's title is drawn, in widget coordinates."""
        frame = self._frames[level]
        return QRectF(frame.left(), frame.top() - _TITLE, frame.width(), _TITLE)

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
            _TITLE + _side(row, width) * self._aspect + _GAP for row in self._rows(width)
        )
        return int(high + _LEGEND + _DETAIL)

    def _rows(self, width: int) -> list[tuple[int, ...]]:
        """Return which levels stand side by side, row by row."""
        levels = tuple(self._evidence.grids) if self._evidence else tuple(self._frames)
        close, wide = list(levels) or [0] * 4, list[int]()
        while self._numbers and close:
            finest = max(close)
            if _side(tuple(close[:4]), width) >= _LEAST_BIN * finest:
                break
            close.remove(finest)  # its numbers have room in a row of its own alone
            wide.insert(0, finest)
        rows = [tuple(close[i : i + 4]) for i in range(0, len(close), 4)]
        return rows + [(b,) for b in wide]

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
        for row in self._rows(self.width()):
            side = _side(row, self.width())
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
        words = describe(source) + self._altered(place, ", ") if source else ""
        self.setAccessibleDescription(words.replace("\n", ", "))
        self.bin_pointed.emit(source)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at the bin under the mouse."""
        self._point(self.place_at(event.position()) if self._evidence else None)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Take the keyboard, so that M works, unless something is being typed."""
        typing = isinstance(QApplication.focusWidget(), QLineEdit | QAbstractSpinBox)
        if self._evidence is not None and self.isActiveWindow() and not typing:
            self.setFocus(Qt.FocusReason.MouseFocusReason)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Mute the bin or level under the mouse, or unmute it."""
        key = self._key_at(event.position())
        if key is not None and event.button() == Qt.MouseButton.LeftButton:
            self.mute_wanted.emit(key)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of the bin or level under the mouse, or of the bin pointed at."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            key: tuple[int, ...] | None = self._pointed
            at = self.bin_rect(*key).bottomLeft().toPoint() if key else QPoint()
        else:
            key, at = self._key_at(QPointF(event.pos())), event.pos()
        if key is not None:
            self.menu_wanted.emit(tuple(key), self.mapToGlobal(at))
            event.accept()

    def _key_at(self, position: QPointF) -> tuple[int, ...] | None:
        """Return the bin under a point, or the level whose title is there."""
        if self._evidence is None:
            return None
        place = self.place_at(position)
        if place is not None:
            return tuple(place)
        titled = (level for level in self._frames if self.title_rect(level).contains(position))
        return next(((level,) for level in titled), None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the bin under the mouse."""
        if event.button() == Qt.MouseButton.LeftButton and self._evidence is not None:
            self._point(self.place_at(event.position()))
            self._choose()

    def _choose(self) -> None:
        source = self.pointed
        if source is not None and source.reachable:
            self.bin_chosen.emit(source)

    def point_at_nothing(self) -> None:
        """Let go of the bin pointed at."""
        self._point(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow keys walk through the bins and on into the next grid, M mutes; Escape lets go."""
        if event.key() == Qt.Key.Key_Escape and self._pointed is not None:
            self._point(None)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._pointed is not None:
            self._choose()
        elif event.key() == Qt.Key.Key_M and self._pointed is not None:
            self.mute_wanted.emit(tuple(self._pointed))
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

    def tip_at(self, position: QPointF) -> str:
        """Return everything about the bin under a point."""
        place = self.place_at(position)
        if place is None or (source := self._source(place)) is None:
            return ""
        told = describe(source) + bin_note(self._evidence, source)
        return told + self._altered(place, "\nwhat if: ")

    def event(self, event: QEvent) -> bool:
        """Keep M from the tools while a bin is pointed at."""
        is_mine = event.type() == QEvent.Type.ShortcutOverride and self._pointed is not None
        if is_mine and event.key() == Qt.Key.Key_M and not event.modifiers():
            event.accept()
            return True
        return super().event(event)

    def _altered(self, place: Place | None, between: str) -> str:
        """Return how a what-if alters a bin or its level, after `between`; empty where not."""
        if place is None:
            return ""
        own, level = self._marks.get(tuple(place)), self._marks.get((place.level,))
        words = [own.words] if own is not None else []
        if level is not None and (own is None or place.level > 1):
            words.append(f"its level {level.words}")
        return between + ", ".join(words) if words else ""

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
            for key, mark in self._marks.items():
                if len(key) == 3 and key[0] in self._frames:
                    draw_mark(p, self.bin_rect(*key), mark, theme)
            self._paint_pointed(p, theme)
            bottom = self._grids_bottom()
            paint_scale(p, theme, self.width(), self._limit, bottom + _GAP)
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
            f"{level}×{level}{' taps' * _of_taps(self._evidence)}",
        )
        mark = self._marks.get((level,))
        if mark is not None and level > 1:  # a single bin carries the mark itself
            title = self.title_rect(level)
            draw_mark(p, QRectF(title.right() - 16, title.top(), 16, 16), mark, theme)
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
        room = frame.width() / level, frame.height() / level
        most = float(np.abs(reading.values).max())
        write = _writer(metrics, room, most, 1 if self._numbers else 2)
        values, edge = reading.values.tolist(), QColor(theme.panel)
        if level == 1:
            values[0][0] = _as_in_sums(self._evidence, values[0][0])
        for row, col in zip(*(i.tolist() for i in np.nonzero(reading.reachable)), strict=True):
            rect = self.bin_rect(level, row, col)
            r, g, b = colours[row][col]
            p.fillRect(rect, edge)
            p.fillRect(rect.adjusted(0, 0, -1, -1), QColor(r, g, b))
            if write is not None:
                p.setPen(QColor(readable_on((r, g, b))))
                p.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), write(values[row][col]))

    def _paint_pointed(self, p: QPainter, theme: Theme) -> None:
        if self._pointed is None or self._pointed.level not in self._frames:
            return
        rect = self.bin_rect(*self._pointed)
        p.setBrush(Qt.BrushStyle.NoBrush)
        p.setPen(QPen(QColor(theme.panel), 3.5))
        p.drawRect(rect)
        p.setPen(QPen(QColor(theme.text), 1.5))
        p.drawRect(rect)

    def _paint_detail(self, p: QPainter, theme: Theme, metrics: QFontMetrics, top: float) -> None:
        source = self.pointed
        line = QRectF(0, top, self.width(), metrics.height() + 2)
        if source is None:
            p.setPen(QColor(theme.quiet))
            for words in self.hints:
                draw_elided(p, line, words)
                line.translate(0, metrics.height() + 2)
            return
        p.setPen(QColor(theme.text))
        words = describe(source).split("\n")[0]
        draw_elided(p, line, words + self._altered(self._pointed, " · "))
        p.setPen(QColor(theme.quiet))
        line.translate(0, metrics.height() + 2)
        draw_elided(p, line, _looks(source))


def _of_taps(evidence: PixelEvidence | None) -> bool:
    """Say whether the one grid is of a convolution's taps."""
    return evidence is not None and evidence.sources[-1].kind == "local"


def _as_in_sums(evidence: PixelEvidence, value: float) -> float:
    """Return the amount of the one bin of 1×1 as the sum beside it prints that level."""
    if not hasattr(evidence, "level_sums"):
        return value
    levels = (part for part in sums_of(evidence).parts if part.kind == "level")
    return next((part.shown for part in levels if part.level == 1), value)


def describe(source: Source) -> str:
    """Return what there is to say of a bin: its value, where it is pooled, how it is read."""
    r = source.region
    name = f"tap {source.title}" if source.title else f"{source.level}×{source.level}"
    if source.level > 1 and not source.title:
        name += f" row {source.row + 1}, column {source.col + 1}"
    value = signed(source.value, 3) if source.reachable else "cannot reach this pixel"
    looks = "looks at" if source.title else "pooled from"
    where = f"{looks} x {r.x0} to {r.x1}, y {r.y0} to {r.y1} (pixels)"
    read = f"read here with weight {source.weight:.2f}" if source.reachable else "not read here"
    return f"{name}:  {value}\n{where}\n{read}"


def _looks(source: Source) -> str:
    """Return where a bin looks and how it is read, on one line."""
    r = source.region
    place = f"{'looks at' if source.title else 'pools'} x {r.x0}–{r.x1}, y {r.y0}–{r.y1}"
    return f"{place} · weight {source.weight:.2f}" if source.reachable else place


def _side(row: tuple[int, ...], width: int) -> float:
    """Return how wide the grids of a row are; one by itself no wider than its numbers need."""
    side = (width - (len(row) - 1) * _GAP) / len(row)
    return side if len(row) > 1 or row[0] < 2 else min(side, _MOST_BIN * row[0])


def _writer(
    metrics: QFontMetrics, room: tuple[float, float], most: float, least: int
) -> Callable[[float], str] | None:
    """Return what writes a number up to `most` into a bin (width, height); None if none fits.

    With two decimals or, where `least` is fewer, without the zero before them, or with those few.
    """
    ways: list[Callable[[float], str]] = [lambda value: signed(value, 2)]
    if least < 2 and most < 0.995:  # of ±0.5 one decimal tells next to nothing
        ways.append(lambda value: signed(value, 2).replace("0.", ".", 1))
    if least < 2:
        ways.append(lambda value: signed(value, least))
    if room[1] < metrics.height() - 2:
        return None
    for way in ways:
        if room[0] >= metrics.horizontalAdvance(way(-most)) + 1:
            return way
    return None
