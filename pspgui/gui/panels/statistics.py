"""The statistics panel: how far the project is, what its labels hold, where the model errs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from pspgui.gui.colours import sequential_lut
from pspgui.gui.icons import draw_icon
from pspgui.gui.panels.drawing import draw_elided, draw_empty, draw_swatch, percent
from pspgui.gui.panels.image_delegate import STATUS_ICONS, status_colour
from pspgui.gui.panels.pointable import Explained
from pspgui.gui.theme import GRID_PX, QuietLabel, current_theme, heading, quiet_font, text_font
from pspgui.jobs.messages import Urgency
from pspgui.jobs.queueing import Statistics, statistics
from pspgui.labels.classes import name_key
from pspgui.project.queries import Match, quoted, text_of

if TYPE_CHECKING:
    from pspgui.gui.document import Document
    from pspgui.gui.queue_session import QueueSession
    from pspgui.gui.session import Session

_ROW: Final = 24
_DAYS: Final = 30
_MOST_CLASSES: Final = 24


class Bar(NamedTuple):
    """One line of a bar list: `share` of the longest bar is 1; `query` is what a click asks for."""

    name: str
    text: str
    share: float
    tip: str
    colour: QColor | None = None
    icon: str = ""
    query: str = ""


class BarList(Explained):
    """Lines of name, bar and number. `chosen(str)` with the query of a line clicked."""

    chosen = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bars: Sequence[Bar] = ()
        self._hovered = -1
        self.setMouseTracking(True)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def bars(self) -> Sequence[Bar]:
        """The lines."""
        return self._bars

    def set_bars(self, bars: Sequence[Bar]) -> None:
        """Show other lines."""
        self._bars = bars
        self.setAccessibleDescription("; ".join(f"{b.name} {b.text}" for b in bars))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As high as its lines."""
        return QSize(240, max(1, len(self._bars)) * _ROW)

    def minimumSizeHint(self) -> QSize:
        """Narrower is possible, lower is not."""
        return QSize(160, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the lines: a swatch or an icon, the name, a bar, the number."""
        theme = current_theme()
        left, right = 2 * GRID_PX, self.width() - 2 * GRID_PX
        name_px = min(120, (right - left) // 3)
        number_px = 72
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            for row, bar in enumerate(self._bars):
                top = row * _ROW
                if row == self._hovered and bar.query:
                    p.fillRect(0, top, self.width(), _ROW, QColor(theme.hover))
                mark = QRectF(left, top + 5, 14, 14)
                if bar.icon:
                    draw_icon(p, bar.icon, mark, bar.colour or theme.quiet)
                elif bar.colour is not None:
                    draw_swatch(p, mark, bar.colour, theme)
                p.setFont(text_font(self))
                p.setPen(QColor(theme.text))
                draw_elided(p, QRectF(left + 22, top, name_px - 8, _ROW), bar.name)
                room = QRectF(left + 22 + name_px, top + 8, 0, 8)
                room.setRight(right - number_px)
                if room.width() > 8:
                    p.setPen(Qt.PenStyle.NoPen)
                    p.setBrush(QColor(theme.line))
                    p.drawRoundedRect(room, 2, 2)
                    if bar.share > 0:
                        room.setWidth(max(2.0, room.width() * min(1.0, bar.share)))
                        p.setBrush(QColor(theme.quiet))
                        p.drawRoundedRect(room, 2, 2)
                p.setFont(quiet_font(self))
                p.setPen(QColor(theme.quiet))
                draw_elided(
                    p, QRectF(right - number_px + 8, top, number_px - 8, _ROW), bar.text,
                    Qt.AlignmentFlag.AlignRight,
                )  # fmt: skip

    def _row_at(self, y: float) -> int:
        row = int(y // _ROW)
        return row if 0 <= row < len(self._bars) else -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Mark the line under the mouse."""
        self._hover(self._row_at(event.position().y()))

    def leaveEvent(self, event: QEvent) -> None:
        """Mark no line."""
        self._hover(-1)

    def _hover(self, row: int) -> None:
        if row != self._hovered:
            self._hovered = row
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ask for the images of a line."""
        row = self._row_at(event.position().y())
        if row >= 0 and self._bars[row].query:
            self.chosen.emit(self._bars[row].query)

    def tip_at(self, position: QPointF) -> str:
        """Return the exact numbers of the line at a point."""
        row = self._row_at(position.y())
        return self._bars[row].tip if row >= 0 else ""


class ConfusionMap(QWidget):
    """What the model said (rows) of what people labelled (columns), as shares of each row."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._pixels = np.zeros((0, 0), np.int64)
        self._cell: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setAccessibleName("Confusion of model and person")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self._height(280))

    def set_counts(self, counts: Mapping[tuple[str, str], int], order: Sequence[str]) -> None:
        """Show pixels by (predicted, labelled); classes come in the order of `order`."""
        found = {name for pair in counts for name in pair}
        known = [name for name in order if name in found]
        names = (*known, *sorted(found - set(known)))[:_MOST_CLASSES]
        place = {name: i for i, name in enumerate(names)}
        pixels = np.zeros((len(names), len(names)), np.int64)
        for (predicted, labelled), px in counts.items():
            if predicted in place and labelled in place:
                pixels[place[predicted], place[labelled]] = px
        self._names, self._pixels = names, pixels
        self.setFixedHeight(self._height(self.width()))
        self.update()

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, of rows and columns."""
        return self._names

    def text_of(self, row: int, column: int) -> str:
        """Return the numbers of a cell in words."""
        px, whole = int(self._pixels[row, column]), int(self._pixels[row].sum())
        said, meant = self._names[row], self._names[column]
        share = percent(px / max(1, whole))
        if row == column:
            return f"{said}: {px:,} px kept, {share} of what the model called {said}"
        return f"{said} corrected to {meant}: {px:,} px, {share} of what the model called {said}"

    def _height(self, width: int) -> int:
        """As high as the cells, with the names of the columns above and a line below."""
        count = len(self._names)
        return 40 if not count else int(self._side(width) * count) + self._above() + 24

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the cells square."""
        super().resizeEvent(event)
        self.setFixedHeight(self._height(self.width()))

    def sizeHint(self) -> QSize:
        """Follows the width."""
        return QSize(280, self._height(self.width()))

    def _left(self) -> int:
        return 2 * GRID_PX + 84

    def _above(self) -> int:
        return 64

    def _side(self, width: int) -> float:
        count = max(1, len(self._names))
        return max(6.0, min(28.0, (width - self._left() - 5 * GRID_PX) / count))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint cells on the sequential map, darker for less, with names at both sides."""
        theme = current_theme()
        with QPainter(self) as p:
            if not self._names:
                p.setFont(quiet_font(self))
                p.setPen(QColor(theme.quiet))
                words = "Nothing to compare yet: predict and correct an image."
                flags = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop
                p.drawText(self.rect().adjusted(2 * GRID_PX, 0, -2 * GRID_PX, 0), int(flags), words)
                return
            side, left, above = self._side(self.width()), self._left(), self._above()
            lut = sequential_lut()
            shares = self._pixels / np.maximum(1, self._pixels.sum(axis=1, keepdims=True))
            steps = np.rint(255 * np.sqrt(shares)).astype(int)  # small confusions stay visible
            for row in range(len(self._names)):
                for column in range(len(self._names)):
                    cell = QRectF(left + column * side, above + row * side, side - 1, side - 1)
                    p.fillRect(cell, QColor(*(int(v) for v in lut[steps[row, column]])))
            self._paint_names(p, side)
            if self._cell is not None:
                row, column = self._cell
                p.setPen(QColor(theme.text))
                p.setBrush(Qt.BrushStyle.NoBrush)
                p.drawRect(QRectF(left + column * side - 1, above + row * side - 1, side, side))
                p.setFont(quiet_font(self))
                words = self.text_of(row, column)
                below = above + side * len(self._names) + 4
                draw_elided(p, QRectF(16, below, self.width() - 32, 18), words)

    def _paint_names(self, p: QPainter, side: float) -> None:
        theme, left, above = current_theme(), self._left(), self._above()
        p.setFont(quiet_font(self))
        for i, name in enumerate(self._names):
            lit = self._cell is not None
            p.setPen(QColor(theme.text if lit and self._cell[0] == i else theme.quiet))
            room = QRectF(2 * GRID_PX, above + i * side, left - 3 * GRID_PX, side)
            draw_elided(p, room, name, Qt.AlignmentFlag.AlignRight)
            p.setPen(QColor(theme.text if lit and self._cell[1] == i else theme.quiet))
            p.save()
            p.translate(left + (i + 0.5) * side, above - 6)
            p.rotate(-60)
            draw_elided(p, QRectF(0, -8, 62, 16), name)
            p.restore()

    def cell_at(self, point: QPoint) -> tuple[int, int] | None:
        """Return (row, column) of the cell under a point of the widget."""
        if not self._names:
            return None
        side = self._side(self.width())
        row = int((point.y() - self._above()) // side)
        column = int((point.x() - self._left()) // side)
        count = len(self._names)
        return (row, column) if 0 <= row < count and 0 <= column < count else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell the numbers under the mouse."""
        cell = self.cell_at(event.position().toPoint())
        if cell != self._cell:
            self._cell = cell
            self.setToolTip("" if cell is None else self.text_of(*cell))
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ask for images with labels of the class corrected to, the most corrected."""
        cell = self.cell_at(event.position().toPoint())
        if cell is not None:
            self.chosen.emit(f"class:{quoted(self._names[cell[1]])} corrected>0")

    def leaveEvent(self, event: QEvent) -> None:
        """Tell nothing."""
        self._cell = None
        self.update()


class StatisticsPanel(QWidget):
    """Numbers of the whole project. `query_wanted(str)` when a line is clicked.

    Read off-thread while it is in sight, at most once a second.
    """

    query_wanted = Signal(str)

    def __init__(
        self, document: Document, session: Session, queue: QueueSession,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._document, self._session, self._queue = document, session, queue
        self._found: Statistics | None = None
        self.setObjectName("statistics_panel")
        self.setAutoFillBackground(True)
        self._statuses, self._classes = BarList("Images by status"), BarList("Labels by class")
        self._confusion = ConfusionMap()
        self._time = QuietLabel()
        self._hint = QuietLabel("Rows: what the model said. Columns: what people made of it.")
        self._plot: Any = None
        self._reading = QTimer(self)
        self._reading.setSingleShot(True)
        self._reading.setInterval(1000)
        self._reading.timeout.connect(self._read)
        self._build()
        session.answer_to("statistics", self._on_read)
        queue.counts_changed.connect(self._read_soon)
        for part in (self._statuses, self._classes, self._confusion):
            part.chosen.connect(self.query_wanted)

    def _build(self) -> None:
        self._inner = QWidget()
        self._column = QVBoxLayout(self._inner)
        self._column.setContentsMargins(0, GRID_PX // 2, 0, 2 * GRID_PX)
        self._column.setSpacing(GRID_PX // 2)
        for title, widgets in (
            ("Images", (self._statuses, self._time)),
            ("Labels", (self._classes,)),
            ("Model against person", (self._hint, self._confusion)),
        ):
            top = heading(title)
            top.setContentsMargins(2 * GRID_PX, GRID_PX, GRID_PX, 0)
            self._column.addWidget(top)
            for widget in widgets:
                if isinstance(widget, QuietLabel):
                    widget.setWordWrap(True)
                    widget.setContentsMargins(2 * GRID_PX, 0, 2 * GRID_PX, 0)
                self._column.addWidget(widget)
        self._progress = heading("Finished by day")
        self._progress.setContentsMargins(2 * GRID_PX, GRID_PX, GRID_PX, 0)
        self._column.addWidget(self._progress)
        self._column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._inner)
        self._scroll = scroll
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll)
        self._scroll.setVisible(False)
        self.setMinimumWidth(220)

    def sizeHint(self) -> QSize:
        """The width of a side panel."""
        return QSize(320, 520)

    @property
    def parts(self) -> tuple[BarList, BarList, ConfusionMap]:
        """Statuses, classes, confusion."""
        return self._statuses, self._classes, self._confusion

    @property
    def time_text(self) -> str:
        """The time spent, in words."""
        return self._time.text()

    @property
    def plot(self) -> Any:
        """The plot of finished images by day; None before there is one."""
        return self._plot

    def showEvent(self, event: QEvent) -> None:
        """Read what changed while it was out of sight."""
        super().showEvent(event)
        self._read()

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._found is not None:
            self._show(self._found)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Say what is missing where there is nothing to count."""
        if self._found is None:
            with QPainter(self) as p:
                draw_empty(
                    p, self, "chart-bar", "Nothing to count yet", "Open a folder of images."
                )

    @Slot()
    def _read_soon(self) -> None:
        if self.isVisible() and not self._reading.isActive():
            self._reading.start()

    @Slot()
    def _read(self) -> None:
        index = self._queue.index
        if index is not None and self._queue.images:
            self._session.ask("files", "statistics", statistics(index), Urgency.BACKGROUND)

    def _on_read(self, found: Statistics) -> None:
        self._found = found
        self._show(found)

    def _show(self, found: Statistics) -> None:
        self._scroll.setVisible(True)
        totals = found.totals
        theme = current_theme()
        most = max(1, *totals.images.values())
        images = max(1, sum(totals.images.values()))
        self._statuses.set_bars([
            Bar(status.capitalize(), str(totals.images.get(status, 0)),
                totals.images.get(status, 0) / most,
                f"{totals.images.get(status, 0)} of {images} images are {status}",
                status_colour(status, theme), STATUS_ICONS[status],
                text_of(Match("status", status)))
            for status in STATUS_ICONS
        ])  # fmt: skip
        self._classes.set_bars(self._class_bars(totals.pixels))
        self._confusion.set_counts(totals.confusion, self._document.table.names)
        self._time.setText(_time_words(totals.seconds, totals.labelled))
        self._show_plot(found.finished, found.accepted)
        self.update()

    def _class_bars(self, pixels: Mapping[str, int]) -> list[Bar]:
        colours = {name_key(c.name): QColor(*c.colour) for c in self._document.table.classes}
        whole, most = max(1, sum(pixels.values())), max(1, *pixels.values(), 1)
        order = {name: i for i, name in enumerate(self._document.table.names)}
        names = sorted(pixels, key=lambda name: (not name, order.get(name, 999), name))
        return [
            Bar(
                name or "Unlabelled", percent(pixels[name] / whole), pixels[name] / most,
                f"{name or 'Unlabelled'}: {pixels[name]:,} px of {whole:,}",
                colours.get(name_key(name), QColor(current_theme().disabled)),
                query=f"class:{quoted(name)}" if name else "unlabelled>0",
            )
            for name in names
        ]  # fmt: skip

    def _show_plot(self, finished: Mapping[int, int], accepted: Mapping[int, int]) -> None:
        if self._plot is None:
            if not finished:
                self._progress.setVisible(False)
                return
            from pspgui.gui.panels.day_plot import DayPlot

            self._plot = DayPlot()
            self._column.insertWidget(self._column.count() - 1, self._plot)
        self._progress.setVisible(True)
        today = int(time.time() + (time.localtime().tm_gmtoff or 0)) // 86400
        self._plot.set_days(today, _DAYS, finished, accepted)


def _time_words(seconds: float, labelled: int) -> str:
    if seconds < 60:
        return "Less than a minute was spent on these images." if seconds else ""
    hours, minutes = divmod(round(seconds / 60), 60)
    spent = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    each = f", {_short(seconds / labelled)} for each of {labelled} with labels" if labelled else ""
    return f"{spent} spent{each}."


def _short(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
