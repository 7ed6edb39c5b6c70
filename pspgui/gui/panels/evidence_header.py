"""The head of the evidence panel: whose class is explained, how surely, and how it is read."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from pspgui.gui.panels.drawing import draw_elided, draw_empty, draw_swatch
from pspgui.gui.theme import current_theme, heading_font, quiet_font, text_font

_NOTE: Final = 18


class EvidenceHeader(QWidget):
    """The class explained, its probability and the amount; the pixel; how it is read.

    The third line says in words what speaks most for the class; a fourth is there for readings and
    baselines other than the usual ones.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = QColor()
        self._name = self._probability = self._amount = self._words = self._where = ""
        self._note = self._reason = self._reasons = ""
        self._waiting = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Three lines of text, or four."""
        return QSize(288, 42 + _NOTE + (_NOTE if self._note else 0))

    def show_reason(self, first: str, second: str) -> None:
        """Show in words what counts most, and in the tooltip what comes against it."""
        self._reason, self._reasons = first, "\n".join(filter(None, (first, second)))

    def show_lines(
        self, colour: QColor, name: str, probability: str, amount: str, words: str, where: str,
        more: str = "", note: str = "",
    ) -> None:  # fmt: skip
        """Show another pixel's class and amounts; `more` is for the tooltip, `note` on reading."""
        self._colour, self._name, self._probability = colour, name, probability
        self._amount, self._words, self._where = amount, words, where
        if bool(note) != bool(self._note):
            self._note = note
            self.updateGeometry()
        self._note = note
        below = "".join(f"\n{line}" for line in (self._reasons, note) if line)
        self.setToolTip(f"{name} {probability}\n{words} {amount}\n{where}{below}{more}")
        self.setAccessibleName(f"{name} {probability}, {words} {amount}, {where}")
        self.setAccessibleDescription(self._reasons)
        self.update()

    @Slot(bool)
    def show_waiting(self, waiting: bool) -> None:
        """Show that the amounts are those of before, and others are to come."""
        if waiting != self._waiting:
            self._waiting = waiting
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint both lines, names elided before numbers."""
        theme = current_theme()
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            draw_swatch(p, QRectF(0, 4, 14, 14), self._colour, theme)
            right = Qt.AlignmentFlag.AlignRight
            p.setPen(QColor(theme.text))
            p.setFont(text_font(self))
            shown = f"p {self._probability}"
            room = p.fontMetrics().horizontalAdvance(shown)
            draw_elided(p, QRectF(self.width() - room - 2, 0, room + 2, 22), shown, right)
            p.setFont(heading_font(self))
            draw_elided(p, QRectF(22, 0, self.width() - room - 34, 22), self._name)
            p.setFont(text_font(self))
            amount = "…" if self._waiting else self._amount
            room = p.fontMetrics().horizontalAdvance(amount)
            draw_elided(p, QRectF(self.width() - room - 2, 22, room + 2, 20), amount, right)
            p.setFont(quiet_font(self))
            p.setPen(QColor(theme.quiet))
            where = p.fontMetrics().horizontalAdvance(self._where) + 12
            draw_elided(p, QRectF(0, 22, where, 20), self._where)
            words = QRectF(where, 22, self.width() - room - where - 8, 20)
            draw_elided(p, words, self._words, right)
            draw_elided(p, QRectF(0, 42 + _NOTE, self.width(), _NOTE), self._note)
            p.setPen(QColor(theme.text))
            draw_elided(p, QRectF(0, 42, self.width(), _NOTE), self._reason)


class EmptyEvidence(QWidget):
    """What to do when there is nothing to explain yet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.hint = "", ""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint title and hint."""
        with QPainter(self) as p:
            draw_empty(p, self, "crosshairs-question", self.title, self.hint)
