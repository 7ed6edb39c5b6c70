"""What one model says of a pixel, and why, in three lines: class, a small bar, the sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from pspgui.geometry import Pixel
from pspgui.gui.panels.drawing import draw_elided, draw_swatch, percent, signed
from pspgui.gui.panels.evidence_bar import part_colour
from pspgui.gui.panels.evidence_sums import Sums, sums_of
from pspgui.gui.theme import GRID_PX, current_theme, quiet_font, text_font
from pspgui.jobs.class_tables import plain_evidence

if TYPE_CHECKING:
    from pspgui.jobs.comparing import ModelReading
    from pspgui.labels.classes import ClassTable

_LINE: Final = 18
_BAR: Final = 8
_NAMES: Final = {"bins": "pyramid", "constant": "const"}
_SHORT: Final = {"bins": "pyr", "constant": "c", "local": "loc", "branches": "br"}  # where narrow


class PixelWords(NamedTuple):
    """What is told of one pixel: the class and its probability, and its evidence.

    question: of what the sum is the logit, "Boat over Car"; sums is None without evidence.
    """

    class_id: int
    probability: float
    question: str
    sums: Sums | None


def words_of(reading: ModelReading, pixel: Pixel, against: int | None) -> PixelWords:
    """Return what a reading says of a pixel; the evidence is for its class over `against`.

    Where that is None, the class itself, or one that the network does not know, its own runner-up
    is the other class.
    """
    prediction, table = reading.prediction, reading.table
    own = int(reading.labels[pixel])
    if hasattr(prediction, "confidence"):
        probability = float(prediction.confidence[pixel])
    else:
        probability = float(np.asarray(prediction.probability_at(*pixel))[own])
    if reading.evidence is None:
        return PixelWords(own, probability, "", None)
    from pspgui.evidence.readings import Target

    _, translation = plain_evidence(reading.evidence)
    known = translation is None or against is None or translation.model_class(against) is not None
    target = Target(own, against) if known and against not in (None, own) else None
    found = reading.evidence.at(pixel, target)
    one, versus = found.target.class_id, found.target.versus
    question = table.name_of(one) + ("" if versus is None else f" over {table.name_of(versus)}")
    return PixelWords(own, probability, question, sums_of(found))


class ReadingStrip(QWidget):
    """The words of one pixel under a view. Everything is painted from one `PixelWords`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words: PixelWords | None = None
        self._table: ClassTable | None = None
        self._reach = 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("What the model says of the pixel")

    @property
    def words(self) -> PixelWords | None:
        """What is shown."""
        return self._words

    def sizeHint(self) -> QSize:
        """Two lines of text with a bar between them."""
        return QSize(200, 3 * _LINE + _BAR + 3 * GRID_PX)

    def minimumSizeHint(self) -> QSize:
        """Narrower is possible, lower is not."""
        return QSize(80, self.sizeHint().height())

    def show_words(
        self, words: PixelWords | None, table: ClassTable | None, reach: float = 1.0
    ) -> None:
        """Show another pixel's; `reach` is the amount that half the bar stands for."""
        self._words, self._table, self._reach = words, table, max(reach, 1e-6)
        self.setAccessibleDescription(self.text)
        self.setToolTip(self.text)
        self.update()

    @property
    def text(self) -> str:
        """The same in one line."""
        words, table = self._words, self._table
        if words is None or table is None:
            return ""
        said = f"{table.name_of(words.class_id)}, p {percent(words.probability)}"
        return f"{said}; {words.question}: {_sum_text(words.sums)}" if words.sums else said

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the class, what is asked, the bar, and the sum."""
        words, table = self._words, self._table
        if words is None or table is None:
            return
        theme = current_theme()
        left, right, top = 2.0 * GRID_PX, self.width() - 2.0 * GRID_PX, float(GRID_PX)
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            known = words.class_id < len(table)
            if known:
                colour = QColor(*table.classes[words.class_id].colour)
                draw_swatch(p, QRectF(left, top + 4, 10, 10), colour, theme)
            p.setFont(quiet_font(self))
            p.setPen(QColor(theme.quiet))
            share = f"p {percent(words.probability)}"
            wide = p.fontMetrics().horizontalAdvance(share)
            p.drawText(
                QRectF(right - wide, top, wide, _LINE), int(Qt.AlignmentFlag.AlignVCenter), share
            )
            p.setFont(text_font(self))
            p.setPen(QColor(theme.text))
            name = QRectF(left + 18, top, right - wide - 8 - left - 18, _LINE)
            draw_elided(p, name, table.name_of(words.class_id))
            p.setFont(quiet_font(self))
            p.setPen(QColor(theme.quiet))
            room = QRectF(left, top + _LINE, right - left, _LINE)
            if words.sums is None:
                draw_elided(p, room, "no evidence for this network or reading")
                return
            total = signed(words.sums.total)
            wide = p.fontMetrics().horizontalAdvance(total) + 4
            draw_elided(p, room.adjusted(0, 0, -wide - 8, 0), words.question)
            p.setPen(QColor(theme.text))
            p.drawText(
                room, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), total
            )
            bar = QRectF(left, room.bottom() + 4, right - left, _BAR)
            self._paint_bar(p, bar, words.sums)
            p.setPen(QColor(theme.quiet))
            room = QRectF(left, bar.bottom() + 4, right - left, _LINE)
            text = _terms_text(words.sums)
            if p.fontMetrics().horizontalAdvance(text) > room.width():
                text = _terms_text(words.sums, _SHORT)
            draw_elided(p, room, text)

    def _paint_bar(self, p: QPainter, room: QRectF, sums: Sums) -> None:
        """Paint the parts stacked from the middle: against to the left, for to the right."""
        theme = current_theme()
        p.setPen(Qt.PenStyle.NoPen)
        p.setBrush(QColor(theme.base))
        p.drawRoundedRect(room, 2, 2)
        unit, zero = room.width() / 2 / self._reach, room.center().x()
        ends = [zero, zero]
        for part in sums.parts:
            wide = abs(part.value) * unit
            side = part.value >= 0
            x = ends[side] if side else ends[side] - wide
            p.fillRect(QRectF(x, room.top(), wide, room.height()), part_colour(part, sums, theme))
            ends[side] += wide if side else -wide
        p.fillRect(QRectF(zero - 0.5, room.top() - 2, 1, room.height() + 4), QColor(theme.text))


def extent_of(sums: Sums | None) -> float:
    """Return how far the parts reach to the farther side of zero."""
    if sums is None:
        return 0.0
    values = [part.value for part in sums.parts]
    return max(sum(v for v in values if v > 0), -sum(v for v in values if v < 0))


def _terms_text(sums: Sums, names: Mapping[str, str] = _NAMES) -> str:
    """Return the parts in words: "local −0.42 · pyramid +2.75 · const −0.02"."""
    *terms, _total = sums.terms
    return " · ".join(f"{names.get(name, name)} {signed(value)}" for name, value in terms)


def _sum_text(sums: Sums) -> str:
    return f"{signed(sums.total)} = {_terms_text(sums)}"
